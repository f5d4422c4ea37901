import { type AttributionStream, Inquiry, type Run, type ScoringModel } from './inquiry.ts';
import { checkEnds, placeOnPath } from './path.ts';
import { quadrature, type QuadratureRule } from './quadrature.ts';

/**
 * Integrated Gradients by one quadrature rule of a fixed number of nodes: what other tools compute, for comparison. The nodes are
 * visited in bit-reversed order, so that an early frame, the weighted mean so far, has seen the whole path. The sum should equal
 * f(x) - f(baseline); an end that is no node of the rule costs one more score.
 * @param x [elements] the image, in the model's input units
 * @param baseline [elements]
 * @throws PathlightError as `checkEnds` and `Inquiry.sumAlong` say
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
  const inquiry = new Inquiry(model, run);
  const order = spreadOrder(count);
  const { nodes, weights } = inOrder(quadrature(rule, count), order);
  const missing = [0, 1].filter((end) => inquiry.measureSum && !nodes.includes(end));
  const maxEvaluations = count + missing.length * inquiry.scoreCost;
  const scores: number[] = [];
  const sum = new Float64Array(x.length);
  let weight = 0;
  for (let start = 0; start < count; start += run.batchSize) {
    const batch = {
      nodes: nodes.slice(start, start + run.batchSize),
      weights: weights.slice(start, start + run.batchSize),
    };
    const { f, gradient } = await inquiry.sumAlong({ x, baseline, ...batch });
    scores.push(...f);
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (gradient[i] ?? 0);
    weight += batch.weights.reduce((total, value) => total + value, 0);
    const final = scores.length === count;
    const total = weight;
    yield inquiry.frame(
      sum.map((value, i) => ((x[i] ?? 0) - (baseline[i] ?? 0)) * (value / total)),
      final && inquiry.measureSum ? await difference() : null,
      maxEvaluations,
      final,
    );
  }

  async function difference(): Promise<number> {
    const others = await inquiry.scores(
      missing.length,
      (k) => (missing[k] === 0 ? baseline : x),
      (k) => placeOnPath(missing[k] ?? NaN),
    );
    const at = (end: number): number => others[missing.indexOf(end)] ?? scores[nodes.indexOf(end)] ?? NaN;
    return at(1) - at(0);
  }
}

function inOrder(
  { nodes, weights }: ReturnType<typeof quadrature>,
  order: readonly number[],
): { nodes: number[]; weights: number[] } {
  return {
    nodes: order.map((k) => nodes[k] ?? NaN),
    weights: order.map((k) => weights[k] ?? NaN),
  };
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
