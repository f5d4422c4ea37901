import type { Attachment } from 'svelte/attachments';

/** Shows a `<dialog>` over the window for as long as it is mounted. */
export const modal: Attachment<HTMLDialogElement> = (element) => {
  const before = document.activeElement;
  element.showModal();
  // The dialog itself, unless it has a place to type or something chosen: a focused Close button would look like the thing to press.
  element.tabIndex = -1;
  const chosen =
    element.querySelector<HTMLElement>('input:checked') ?? element.querySelector<HTMLElement>('input');
  (chosen ?? element).focus();
  return () => {
    element.close();
    if (before instanceof HTMLElement) before.focus();
  };
};
