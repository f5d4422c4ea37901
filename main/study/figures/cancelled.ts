import { PathlightError } from '../../../core/contract/errors.ts';

/** @throws PathlightError `cancelled` */
export function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new PathlightError('cancelled', 'Cancelled');
}
