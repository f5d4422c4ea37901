/** The seam between the metrics that ask a model and whatever runs it: they see numbers of a batch, never a runtime. */
import { throwIfCancelled } from '../attribution/path.ts';
import { PathlightError } from '../contract/errors.ts';

/**
 * One number of the model for each point: a probability, or the explained scalar.
 * @param points [count, elements] in the model's input units
 * @returns [count]
 */
export type Score = (points: Float32Array, count: number) => Promise<Float64Array>;

export interface Asking {
  /** Points scored together, which bounds the memory. */
  batchSize?: number;
  signal?: AbortSignal;
}

/**
 * Scores many points, a batch at a time.
 * @param write fills the k-th point, whole; called once for each k, in order
 * @returns [count]
 * @throws PathlightError `unsupported`: a score that is not finite; `cancelled`
 */
export async function scoresOf(
  score: Score,
  elements: number,
  count: number,
  write: (point: Float32Array, k: number) => void,
  { batchSize = 16, signal }: Asking = {},
): Promise<Float64Array> {
  const scores = new Float64Array(count);
  const buffer = new Float32Array(Math.min(batchSize, count) * elements);
  for (let start = 0; start < count; start += batchSize) {
    throwIfCancelled(signal);
    const size = Math.min(batchSize, count - start);
    for (let k = 0; k < size; k++) write(buffer.subarray(k * elements, (k + 1) * elements), start + k);
    const batch = await score(buffer.subarray(0, size * elements), size);
    if (batch.length !== size || !batch.every(Number.isFinite)) {
      throw new PathlightError(
        'unsupported',
        `The model's score is not a finite number on changed image ${start + 1} to ${start + size} of ${count}`,
        'The model overflows on images of this kind: this metric cannot be computed for it.',
      );
    }
    scores.set(batch, start);
  }
  return scores;
}
