import type { Attachment } from 'svelte/attachments';

/** Shows a `<dialog>` over the window for as long as it is mounted. */
export const modal: Attachment<HTMLDialogElement> = (element) => {
  const before = document.activeElement;
  element.showModal();
  // The dialog itself, unless it has a place to type: a focused Close button would look like the thing to press.
  element.tabIndex = -1;
  (element.querySelector<HTMLElement>('input') ?? element).focus();
  return () => {
    element.close();
    if (before instanceof HTMLElement) before.focus();
  };
};
