/** The maximum-entropy baseline (Tan 2023): the picture near the image of which the model says as little as it can. */
import { Inquiry, type Run } from './inquiry.ts';
import type { DifferentiableModel } from './model.ts';
import { checkPoint } from './path.ts';

/** The model as a score of how sure it is: f = - H, the entropy in nats of what it says. */
export interface EntropyModel extends DifferentiableModel {
  /** Entropy of a model that knows nothing: ln K of a softmax over K labels, K ln 2 of K labels that stand alone. */
  readonly greatestEntropy: number;
}

export interface DescentOptions {
  steps: number;
  /** [elements] Adam's step, in the model's input units. */
  rate: ArrayLike<number>;
  /** [elements] the range that the baseline stays in, so that it remains a picture. */
  lowest: ArrayLike<number>;
  highest: ArrayLike<number>;
}

/** Adam (Kingma and Ba 2015) with its usual decays. */
const adam = { first: 0.9, second: 0.999, epsilon: 1e-8 } as const;
/** A share of the greatest entropy that counts as having reached it. */
const reached = 0.9999;

/**
 * Minimises KL(p(b) || uniform), which is the greatest entropy less H, from the image by Adam; for a sigmoid head every label's own, so
 * that every p nears 1/2. One gradient a step; ends early where the entropy is reached.
 * @yields after every step the best picture so far and its entropy in nats; always the same array
 */
export async function* ascendEntropy(
  model: EntropyModel,
  x: Float32Array,
  { steps, rate, lowest, highest }: DescentOptions,
  run: Run,
): AsyncGenerator<{ image: Float32Array; entropy: number; evaluations: number }, void, undefined> {
  checkPoint(model, 'image', x);
  const inquiry = new Inquiry(model, run);
  const z = x.slice();
  const best = x.slice();
  let entropy = -Infinity;
  const first = new Float64Array(x.length);
  const second = new Float64Array(x.length);
  for (let step = 1; step <= steps; step++) {
    const { f, gradient } = await inquiry.evaluate(
      z,
      1,
      () => `after ${step - 1} steps towards the greatest entropy`,
    );
    const here = -(f[0] ?? NaN);
    if (here > entropy) {
      entropy = here;
      best.set(z);
    }
    yield { image: best, entropy, evaluations: inquiry.evaluations };
    if (entropy >= reached * model.greatestEntropy) return;
    for (let i = 0; i < z.length; i++) {
      const slope = gradient[i] ?? 0;
      const mean = adam.first * (first[i] ?? 0) + (1 - adam.first) * slope;
      const square = adam.second * (second[i] ?? 0) + (1 - adam.second) * slope * slope;
      first[i] = mean;
      second[i] = square;
      const unbiased = mean / (1 - adam.first ** step);
      const size = Math.sqrt(square / (1 - adam.second ** step)) + adam.epsilon;
      const moved = (z[i] ?? 0) - ((rate[i] ?? 0) * unbiased) / size;
      z[i] = Math.min(Math.max(moved, lowest[i] ?? -Infinity), highest[i] ?? Infinity);
    }
  }
}
