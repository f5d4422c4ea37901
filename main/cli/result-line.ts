/** A result for a reader at a terminal. */
import type { ExplanationResult } from '../../core/contract/result.ts';

/** Every figure in one line, each beside what it is to be compared with; a line below for each flag. */
export function resultLines(result: ExplanationResult): string {
  const { image, prediction, target, evaluations, mapChange, seconds } = result;
  const score = prediction.scores[target] ?? NaN;
  const threshold = prediction.threshold === null ? '' : ` (threshold ${prediction.threshold.toFixed(2)})`;
  const figures = [
    `${target} ${score.toFixed(3)}${threshold}`,
    `gap ${gap(result)}`,
    `map change ${mapChange === null ? 'unknown' : percent(mapChange)}`,
    `${evaluations} evaluations`,
    result.converged ? 'converged' : 'NOT CONVERGED',
    lungs(result),
    `${seconds.toFixed(1)} s`,
  ];
  const frame = image.frame === 0 ? '' : ` frame ${image.frame + 1}`;
  const flags = result.flags.map(({ severity, text }) => `    ${severity}: ${text}\n`).join('');
  return `${image.file}${frame}  ${prediction.label}  ${figures.join('; ')}\n${flags}`;
}

function gap({ gap, gapRelative, fx, fb }: ExplanationResult): string {
  if (gap === null || fx === null || fb === null) return 'unknown';
  const absolute = `${gap.toFixed(4)} of ${(fx - fb).toFixed(3)}`;
  return gapRelative === null ? absolute : `${percent(gapRelative)} (${absolute})`;
}

function lungs({ lungs }: ExplanationResult): string {
  if (lungs === null) return 'no lung check';
  const nulls = `random map ${percent(lungs.null.random)}, edge map ${percent(lungs.null.edges)}`;
  return `${percent(lungs.share)} of |attribution| in the lungs, ${percent(lungs.areaShare)} of the area (${nulls})`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
