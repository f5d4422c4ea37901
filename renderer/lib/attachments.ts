/** Behaviour shared by controls, as Svelte attachments. */
import type { Attachment } from 'svelte/attachments';

/**
 * A slider or list that was used with the pointer gives the keyboard back to the image; one reached by keyboard keeps it.
 */
export const givesFocusBack: Attachment<HTMLElement> = (element) => {
  let pointed = false;
  const begin = (): void => {
    pointed = true;
  };
  const key = (): void => {
    pointed = false;
  };
  const end = (): void => {
    if (pointed) element.blur();
  };
  element.addEventListener('pointerdown', begin);
  element.addEventListener('keydown', key);
  element.addEventListener('change', end);
  return () => {
    element.removeEventListener('pointerdown', begin);
    element.removeEventListener('keydown', key);
    element.removeEventListener('change', end);
  };
};

/** Shows a `<dialog>` over the window for as long as it is mounted. */
export const modal: Attachment<HTMLDialogElement> = (element) => {
  const before = document.activeElement;
  element.showModal();
  return () => {
    element.close();
    if (before instanceof HTMLElement) before.focus();
  };
};
