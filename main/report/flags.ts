/** How flags are shown: the gravest first, each in its colour. */
import type { ExplanationResult, Flag } from '../../core/contract/result.ts';
import { color } from './theme.ts';

export const severityColor = {
  alert: color.red,
  warning: color.amber,
  info: color.ink,
} as const satisfies Record<Flag['severity'], string>;

const gravity: Record<Flag['severity'], number> = { alert: 0, warning: 1, info: 2 };

export function gravestFirst(flags: readonly Flag[]): Flag[] {
  return [...flags].sort((a, b) => gravity[a.severity] - gravity[b.severity]);
}

/** A remark alone does not flag an image. */
export function isFlagged(result: ExplanationResult): boolean {
  return result.flags.some((flag) => flag.severity !== 'info');
}
