/** How far a run has come, in the window's words. */
import { methodOf } from '../../core/attribution/stated.ts';
import type { PreparationHeader } from '../../core/contract/calls.ts';
import type { Run, RunState } from '../state/review.svelte.ts';

/** What the map holds that is shown before the last one; empty where it is the last. */
export function partialText({ state, map, method }: Pick<Run, 'state' | 'map' | 'method'>): string {
  if (map === null || (state !== 'running' && state !== 'cancelled')) return '';
  const { frames } = methodOf(method.id);
  return frames === 'estimate' ? 'an estimate' : frames;
}

export interface StateText {
  text: string;
  tone: 'plain' | 'look' | 'failure' | 'done';
}

const states: Record<Exclude<RunState, 'none' | 'running' | 'failed' | 'cancelled'>, StateText> = {
  converged: { text: 'Converged', tone: 'done' },
  'not-converged': { text: 'Not converged', tone: 'look' },
  complete: { text: 'Done: no stopping criterion', tone: 'plain' },
};

function preparationText({ step, done, total }: PreparationHeader): string {
  const what = step === 'cohort' ? 'Reading images to compare with' : 'Making the baseline';
  return total === null ? `${what}: ${done}` : `${what}: ${done} of ${total}`;
}

export function stateText(run: Run | null): StateText {
  if (run === null || run.state === 'none') return { text: 'Not explained yet', tone: 'plain' };
  const partial = partialText(run);
  switch (run.state) {
    case 'running':
      if (run.preparation !== null) return { text: preparationText(run.preparation), tone: 'plain' };
      if (run.header === null) return { text: 'Waiting for the first map', tone: 'plain' };
      return { text: partial === 'an estimate' ? 'Computing' : `Computing: ${partial}`, tone: 'plain' };
    case 'cancelled':
      return { text: `Cancelled: ${partial === 'an estimate' ? 'partial map' : partial}`, tone: 'look' };
    case 'failed':
      return { text: run.error?.message ?? 'Failed', tone: 'failure' };
    default:
      return states[run.state];
  }
}
