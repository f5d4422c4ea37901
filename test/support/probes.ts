/** Models for metrics: a number computed of each point by a function, with what was asked kept. */
import type { Score } from '../../core/metrics/score.ts';

/** @param batches receives the size of each batch */
export function scoreBy(f: (point: Float32Array) => number, batches: number[] = []): Score {
  return (points, count) => {
    batches.push(count);
    const elements = points.length / count;
    const scores = Float64Array.from({ length: count }, (_, k) =>
      f(points.slice(k * elements, (k + 1) * elements)),
    );
    return Promise.resolve(scores);
  };
}

export const sum = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((total, value) => total + value, 0);
