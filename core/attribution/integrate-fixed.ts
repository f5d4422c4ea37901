import { gradientMean } from './gradient-mean.ts';
import { type AttributionStream, Inquiry, type Run, type ScoringModel } from './inquiry.ts';
import { checkEnds, placeOnPath, pointAt } from './path.ts';
import { quadrature, type QuadratureRule } from './quadrature.ts';

/**
 * Integrated Gradients by one quadrature rule of a fixed number of nodes: what other tools compute, for comparison. The nodes are
 * visited in bit-reversed order, so that an early frame has seen the whole path. The sum should equal f(x) - f(baseline); an end
 * that is no node of the rule costs one more score.
 * @param x [elements] the image, in the model's input units
 * @param baseline [elements]
 * @throws PathlightError as `checkEnds` and `Inquiry.evaluate` say
 * @throws RangeError where the rule needs more nodes
 */
export async function* integrateFixed(
  model: ScoringModel,
  x: Float32Array,
  baseline: Float32Array,
  rule: QuadratureRule,
  count: number,
  run: Run,
): AttributionStream {
  checkEnds(model, x, baseline);
  const { nodes, weights } = quadrature(rule, count);
  const order = spreadOrder(count);
  const difference = Float64Array.from(x, (value, i) => value - (baseline[i] ?? 0));
  const node = (k: number): number => nodes[order[k] ?? 0] ?? NaN;
  const inquiry = new Inquiry(model, run);
  const missing = [0, 1].filter((end) => inquiry.measureSum && !nodes.includes(end));
  yield* gradientMean(inquiry, {
    count,
    sample: (k) => {
      const point = new Float32Array(x.length);
      pointAt(x, baseline, node(k), point);
      return { point, factor: difference, weight: weights[order[k] ?? 0] ?? 0 };
    },
    place: (k) => placeOnPath(node(k)),
    expectedSum: async (f) => {
      if (!inquiry.measureSum) return null;
      const others = await inquiry.scores(
        missing.length,
        (k) => (missing[k] === 0 ? baseline : x),
        (k) => placeOnPath(missing[k] ?? NaN),
      );
      const at = (end: number): number =>
        others[missing.indexOf(end)] ?? f[order.indexOf(nodes.indexOf(end))] ?? NaN;
      return at(1) - at(0);
    },
    expectedSumCost: missing.length * inquiry.scoreCost,
  });
}

/** 0 ... count - 1 in bit-reversed order: every beginning of it is spread over the whole. */
function spreadOrder(count: number): number[] {
  const bits = Math.ceil(Math.log2(Math.max(count, 2)));
  const reversed = (k: number): number => {
    let result = 0;
    for (let bit = 0; bit < bits; bit++) result |= ((k >> bit) & 1) << (bits - 1 - bit);
    return result;
  };
  return Array.from({ length: 2 ** bits }, (_, k) => reversed(k)).filter((k) => k < count);
}
