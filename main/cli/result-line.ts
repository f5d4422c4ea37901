/** A result for a reader at a terminal. */
import { cohortText, drawnOf } from '../../core/attribution/stated.ts';
import type { ExplanationResult } from '../../core/contract/result.ts';

/** Every figure in one line, each beside what it is to be compared with; a line below for each flag. */
export function resultLines(result: ExplanationResult): string {
  const { image, prediction, target, evaluations, mapChange, seconds, converged } = result;
  const score = prediction.scores[target] ?? NaN;
  const threshold = prediction.threshold === null ? '' : ` (threshold ${prediction.threshold.toFixed(2)})`;
  const figures = [
    `${target} ${score.toFixed(3)}${threshold}`,
    question(result),
    ...(converged === null ? [sum(result)] : [`gap ${gap(result)}`]),
    ...(converged === null ? [] : [`map change ${mapChange === null ? 'unknown' : percent(mapChange)}`]),
    `${evaluations} ${evaluations === 1 ? 'evaluation' : 'evaluations'}`,
    ...(converged === null ? [] : [converged ? 'converged' : 'NOT CONVERGED']),
    ...spread(result),
    lungs(result),
    `${seconds.toFixed(1)} s`,
  ];
  const frame = image.frame === 0 ? '' : ` frame ${image.frame + 1}`;
  const flags = result.flags.map(({ severity, text }) => `    ${severity}: ${text}\n`).join('');
  const notes = result.notes.map((note) => `    note: ${note}\n`).join('');
  return `${image.file}${frame}  ${prediction.label}  ${figures.join('; ')}\n${flags}${notes}`;
}

function question(result: ExplanationResult): string {
  const { method, baseline, cohort } = result;
  const images = cohort === null ? '' : `, compared with ${cohortText(cohort, drawnOf(result))}`;
  return `${method}${baseline === null ? '' : ` from ${baseline}`}${images}`;
}

function sum({ sum, expectedSum }: ExplanationResult): string {
  if (expectedSum === null) return `sum ${sum.toPrecision(4)}, none is promised`;
  return `sum ${sum.toFixed(4)} of ${expectedSum.toFixed(4)} expected`;
}

function spread({ spread }: ExplanationResult): string[] {
  if (spread === null) return [];
  return [`spread of ${spread.runs} maps ${spread.share === null ? 'unknown' : percent(spread.share)}`];
}

function gap({ gap, gapRelative, expectedSum }: ExplanationResult): string {
  if (gap === null || expectedSum === null) return 'unknown';
  const absolute = `${gap.toFixed(4)} of ${expectedSum.toFixed(3)}`;
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
