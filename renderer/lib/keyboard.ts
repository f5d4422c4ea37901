/** The keyboard's way into the command table. A control that has the focus keeps the keys that it needs. */
import type { Workbench } from '../state/workbench.svelte.ts';
import { commandOf, keyOf, type Command } from './commands.ts';

const SLIDER_KEYS = new Set([
  'ArrowUp',
  'ArrowDown',
  'ArrowLeft',
  'ArrowRight',
  'Home',
  'End',
  'PageUp',
  'PageDown',
]);
const RADIO_KEYS = new Set(['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', ' ']);

export function listenToKeys(target: Window, workbench: Workbench): () => void {
  const held = new Map<string, Command>();

  const press = (event: KeyboardEvent): void => {
    const key = keyOf(event);
    if (event.defaultPrevented || isNeeded(event.target, key, event)) return;
    // A dialog is on top: only leaving it makes sense.
    if (workbench.dialog !== null && key !== 'Escape') return;
    const command = commandOf(key);
    if (command === undefined) return;
    event.preventDefault();
    if (event.repeat && command.release) return;
    if (command.release) held.set(event.code, command);
    command.run(workbench);
  };
  const release = (event: KeyboardEvent): void => {
    held.get(event.code)?.release?.(workbench);
    held.delete(event.code);
  };
  /** A key let go outside the window is never reported. */
  const releaseAll = (): void => {
    for (const command of held.values()) command.release?.(workbench);
    held.clear();
  };

  target.addEventListener('keydown', press);
  target.addEventListener('keyup', release);
  target.addEventListener('blur', releaseAll);
  return () => {
    target.removeEventListener('keydown', press);
    target.removeEventListener('keyup', release);
    target.removeEventListener('blur', releaseAll);
  };
}

function isNeeded(target: EventTarget | null, key: string, event: KeyboardEvent): boolean {
  if (target instanceof HTMLInputElement) {
    if (target.type === 'range') return SLIDER_KEYS.has(key);
    if (target.type === 'radio' || target.type === 'checkbox') return RADIO_KEYS.has(key);
    return key !== 'Escape' && !event.ctrlKey && !event.metaKey;
  }
  if (target instanceof HTMLSelectElement) return key !== 'Escape' && !event.ctrlKey && !event.metaKey;
  const activates = target instanceof HTMLElement && target.closest('button, a, summary') !== null;
  return activates && (key === ' ' || key === 'Enter');
}
