import type { AttributionJob } from '../../main/engine/engine.ts';

/** Integrated Gradients from a baseline that is given, under the usual tolerances where none are. */
export function integralJob({
  baseline,
  gapTolerance = 0.01,
  mapTolerance = 0.05,
  maxEvaluations = 513,
  ...job
}: Pick<AttributionJob, 'model' | 'x' | 'target' | 'scalar' | 'provider'> & {
  baseline: Float32Array;
  gapTolerance?: number;
  mapTolerance?: number;
  maxEvaluations?: number;
}): AttributionJob {
  const { shape } = job.model.input;
  const [width = 1, height = 1, ...rest] = shape.toReversed();
  return {
    ...job,
    input: { channels: rest.reduce((product, size) => product * size, 1), height, width, mean: 0, std: 1 },
    method: { id: 'integrated-gradients', parameters: { gapTolerance, mapTolerance, maxEvaluations } },
    baseline: { id: 'image', parameters: {} },
    image: baseline,
  };
}
