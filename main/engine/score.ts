import { explainedScalar } from '../../core/attribution/explained-scalar.ts';
import type { Score } from '../../core/metrics/score.ts';
import { betweenBatches } from './between-batches.ts';
import type { AttributionJob } from './engine.ts';

/**
 * The explained number of many points, from a model's raw outputs.
 * @param run [count, elements] -> [count, labels]
 */
export function scoreOf(
  { model, target, scalar }: Pick<AttributionJob, 'model' | 'target' | 'scalar'>,
  run: (points: Float32Array, count: number) => Promise<Float32Array>,
): Score {
  return async (points, count) => {
    await betweenBatches();
    const outputs = await run(points, count);
    const labels = outputs.length / count;
    return Float64Array.from({ length: count }, (_, k) =>
      explainedScalar(
        outputs.subarray(k * labels, (k + 1) * labels),
        target,
        scalar,
        model.output.activation,
      ),
    );
  };
}
