/** IG2 (Zhuo and Ge 2024): gradients along a path that leads the image's representation towards that of another image. */
import {
  alongPath,
  costOfLastPoint,
  evaluatePoints,
  lastPoint,
  type PathPoint,
  type PathRule,
  type Walk,
} from './along-path.ts';
import { averageRuns } from './average.ts';
import { type AttributionStream, Inquiry, type Run, type ScoringModel } from './inquiry.ts';
import { checkFinite, checkPoint, throwIfCancelled } from './path.ts';
import type { RepresentationModel } from './representation.ts';

export interface GradPathOptions {
  steps: number;
  /** L2 length of a step, in the model's input units. */
  stepLength: number;
  /** [elements] the range that the path stays in, in the model's input units. */
  lowest: ArrayLike<number>;
  highest: ArrayLike<number>;
}

/**
 * The points of GradPath after the image; the last is GradCF, the counterfactual. Every step goes `stepLength` against the gradient of the
 * squared distance between the point's representation and the reference's, and is kept within the range. Where that gradient is zero,
 * as at an image of the very same representation, the path stays. One gradient of the representation a step.
 * @param reference [elements] an image of another kind
 * @yields [elements], always the same array
 * @throws PathlightError `unsupported`: a distance or gradient that is not finite; `cancelled`
 */
export async function* gradCounterfactual(
  representation: RepresentationModel,
  x: Float32Array,
  reference: Float32Array,
  { steps, stepLength, lowest, highest }: GradPathOptions,
  { signal }: Run,
): AsyncGenerator<Float64Array, void, undefined> {
  throwIfCancelled(signal);
  const target = await representation.represent(reference, 1);
  const z = Float64Array.from(x);
  for (let step = 0; step < steps; step++) {
    throwIfCancelled(signal);
    const { distance, gradient } = await representation.distance(Float32Array.from(z), 1, target);
    checkFinite({ f: distance, gradient }, 1, () => `at step ${step} of ${steps} to the counterfactual`);
    const norm = Math.sqrt(gradient.reduce((total, value) => total + value * value, 0));
    if (norm > 0) {
      for (let i = 0; i < z.length; i++) {
        const moved = (z[i] ?? 0) - (stepLength * (gradient[i] ?? 0)) / norm;
        z[i] = Math.min(Math.max(moved, lowest[i] ?? -Infinity), highest[i] ?? Infinity);
      }
    }
    yield z;
  }
}

/**
 * The mean over references of the sum of (z_j - z_j+1) g(z_j) along the path from the image to each one's counterfactual; its sum should
 * equal f(x) less the mean score of the counterfactuals. A reference asks for a gradient of the representation a step, and one of the
 * score a step; that at the image serves all. Nothing of a path is kept.
 * @param references [elements] each, at least one
 */
export async function* ig2(
  model: ScoringModel,
  representation: RepresentationModel,
  x: Float32Array,
  references: readonly Float32Array[],
  options: GradPathOptions,
  rule: PathRule,
  run: Run,
): AttributionStream {
  checkPoint(model, 'image', x);
  references.forEach((reference, k) => checkPoint(model, `reference ${k + 1}`, reference));
  const { steps } = options;
  let start: PathPoint[] | null = null;

  yield* averageRuns(references.length, 'mean', (k) => {
    const inquiry = new Inquiry(model, run);
    const known = start !== null;
    async function* walk(): Walk {
      throwIfCancelled(run.signal);
      start ??= await evaluatePoints(inquiry, [x], () => 'at the image');
      yield start;
      let step = 0;
      for await (const z of gradCounterfactual(representation, x, references[k] ?? x, options, run)) {
        step++;
        inquiry.count(1);
        const place = `at step ${step} of ${steps} of the path to the counterfactual`;
        if (step === steps) yield await lastPoint(inquiry, rule, z, place);
        else yield await evaluatePoints(inquiry, [z.slice()], () => place);
      }
    }
    const cost = 2 * steps + costOfLastPoint(inquiry, rule) - (known ? 1 : 0);
    return alongPath({ walk: walk(), count: steps + 1, cost }, rule, -1, inquiry);
  });
}
