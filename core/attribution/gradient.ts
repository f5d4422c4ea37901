/** The gradient at the image, and the gradient times the image: references for every other map, one evaluation each. */
import { gradientMean } from './gradient-mean.ts';
import { type AttributionStream, Inquiry, type Run, type ScoringModel } from './inquiry.ts';
import { checkPoint } from './path.ts';

/**
 * g(x), in units of the scalar per unit of the model's input; with `timesInput` g(x) x (Shrikumar et al. 2016). Neither promises a sum:
 * only of a model without biases does gradient times input sum to f(x).
 * @param x [elements] the image, in the model's input units
 */
export async function* gradientAtImage(
  model: ScoringModel,
  x: Float32Array,
  timesInput: boolean,
  run: Run,
): AttributionStream {
  checkPoint(model, 'image', x);
  yield* gradientMean(new Inquiry(model, run), {
    count: 1,
    sample: () => ({ point: x, factor: timesInput ? x : new Float32Array(x.length).fill(1), weight: 1 }),
    place: () => 'at the image',
    expectedSum: () => Promise.resolve(null),
    expectedSumCost: 0,
  });
}
