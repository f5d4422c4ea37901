import type { DifferentiableModel } from './model.ts';
import { checkEnds, sumAlong, throwIfCancelled } from './path.ts';
import { quadrature, type QuadratureRule } from './quadrature.ts';

/**
 * Integrated Gradients by one quadrature rule of a fixed number of nodes: what other tools compute, for comparison.
 * @param x [elements] the image, in the model's input units
 * @param baseline [elements]
 * @param batchSize points evaluated together, which bounds the memory
 * @returns [elements] the attributions, signed; their sum nears f(x) - f(baseline)
 * @throws PathlightError as `checkEnds` and `sumAlong` say; `cancelled`
 */
export async function integrateFixed(
  model: DifferentiableModel,
  x: Float32Array,
  baseline: Float32Array,
  rule: QuadratureRule,
  count: number,
  batchSize = 8,
  signal?: AbortSignal,
): Promise<Float32Array> {
  checkEnds(model, x, baseline);
  const { nodes, weights } = quadrature(rule, count);
  const mean = new Float64Array(x.length);
  for (let start = 0; start < count; start += batchSize) {
    throwIfCancelled(signal);
    const end = start + batchSize;
    const points = {
      x,
      baseline,
      nodes: [...nodes.subarray(start, end)],
      weights: [...weights.subarray(start, end)],
    };
    const { gradient } = await sumAlong(model, points);
    for (let i = 0; i < x.length; i++) mean[i] = (mean[i] ?? 0) + (gradient[i] ?? 0);
  }
  return Float32Array.from(mean, (value, i) => value * ((x[i] ?? 0) - (baseline[i] ?? 0)));
}
