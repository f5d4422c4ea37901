/** The straight path from a baseline to an image, and the checks that every integral along it begins with. */
import { PathlightError } from '../contract/errors.ts';
import type { DifferentiableModel, PathPoints, PathSum } from './model.ts';

/**
 * Checks the two ends of a path.
 * @param x [elements] the image, in the model's input units
 * @param baseline [elements]
 * @throws PathlightError `bad-request`: wrong size, a value that is not finite, or two equal ends
 */
export function checkEnds(model: DifferentiableModel, x: Float32Array, baseline: Float32Array): void {
  const elements = model.shape.reduce((product, size) => product * size, 1);
  for (const [name, values] of [
    ['image', x],
    ['baseline', baseline],
  ] as const) {
    if (values.length !== elements) {
      throw new PathlightError(
        'bad-request',
        `The ${name} has ${values.length} values; the model takes ${model.shape.join(' x ')} = ${elements}`,
      );
    }
    if (!values.every(Number.isFinite)) {
      throw new PathlightError('bad-request', `The ${name} holds values that are not finite numbers`);
    }
  }
  if (x.every((value, i) => value === baseline[i])) {
    throw new PathlightError(
      'bad-request',
      'The image equals its baseline: there is no difference to explain',
      'Choose another baseline.',
    );
  }
}

/**
 * The sum of the gradients at b + a (x - b) for each a in `nodes`, each times its weight, and the scores there. Always the same bits for
 * the same points.
 * @throws PathlightError `unsupported`: a score or gradient that is not finite, with the place on the path
 */
export async function sumAlong(model: DifferentiableModel, points: PathPoints): Promise<PathSum> {
  if (model.sumAlong === undefined) return sumOfEach(model, points);
  const sum = await model.sumAlong(points);
  if (sum.f.every(Number.isFinite) && sum.gradient.every(Number.isFinite)) return sum;
  // A sum does not tell which of its terms is to blame.
  return sumOfEach(model, points);
}

async function sumOfEach(model: DifferentiableModel, points: PathPoints): Promise<PathSum> {
  const { x, baseline, nodes, weights } = points;
  const placed = new Float32Array(nodes.length * x.length);
  nodes.forEach((node, k) => {
    const offset = k * x.length;
    for (let i = 0; i < x.length; i++) {
      const from = baseline[i] ?? 0;
      placed[offset + i] = from + node * ((x[i] ?? 0) - from);
    }
  });
  const { f, gradient } = await model.evaluate(placed, nodes.length);
  const sum = new Float64Array(x.length);
  nodes.forEach((node, k) => {
    const own = gradient.subarray(k * x.length, (k + 1) * x.length);
    const what = Number.isFinite(f[k]) ? 'gradient' : 'score';
    if (what === 'score' || !own.every(Number.isFinite)) {
      throw new PathlightError(
        'unsupported',
        `The model's ${what} is not a finite number at ${(100 * node).toFixed(2)} % of the way from the baseline to the image`,
        'Try another baseline or scalar; if it persists, the model overflows on this image and cannot be explained.',
      );
    }
    const weight = weights[k] ?? 0;
    for (let i = 0; i < x.length; i++) sum[i] = (sum[i] ?? 0) + weight * (own[i] ?? 0);
  });
  return { f, gradient: Float32Array.from(sum) };
}

/** @throws PathlightError `cancelled` */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new PathlightError('cancelled', 'Cancelled');
}
