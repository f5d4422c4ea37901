/**
 * A control that was used with the pointer gives the keyboard back to the image, so that Space resets the view instead of
 * pressing Explain again, and arrows scroll instead of moving a slider. A control that was reached by keyboard keeps it.
 */
export function returnFocus(target: Window): () => void {
  const bound = new AbortController();
  const options = { signal: bound.signal };
  let pointed = false;
  const release = (event: Event): void => {
    const { activeElement } = document;
    if (!pointed || !(event.target instanceof Element) || event.target.closest('dialog')) return;
    if (activeElement instanceof HTMLElement && !isText(activeElement)) activeElement.blur();
  };
  target.addEventListener('pointerdown', () => (pointed = true), { ...options, capture: true });
  target.addEventListener('keydown', () => (pointed = false), { ...options, capture: true });
  target.addEventListener('change', release, options);
  target.addEventListener(
    'click',
    (event) => {
      // A list that has just been opened must stay open.
      if (!(event.target instanceof HTMLSelectElement)) release(event);
    },
    options,
  );
  return () => bound.abort();
}

function isText(element: HTMLElement): boolean {
  return element instanceof HTMLInputElement && (element.type === 'text' || element.type === 'search');
}
