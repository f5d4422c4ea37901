/** The straight path from a baseline to an image, and the checks that every integral along it begins with. */
import { PathlightError } from '../contract/errors.ts';
import type { DifferentiableModel, Evaluation } from './model.ts';

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
 * Evaluates the model at b + a (x - b) for each a in `nodes`.
 * @throws PathlightError `unsupported`: a score or gradient that is not finite, with the place on the path
 */
export async function evaluateAt(
  model: DifferentiableModel,
  x: Float32Array,
  baseline: Float32Array,
  nodes: readonly number[],
): Promise<Evaluation> {
  const points = new Float32Array(nodes.length * x.length);
  nodes.forEach((node, k) => {
    const offset = k * x.length;
    for (let i = 0; i < x.length; i++) {
      const from = baseline[i] ?? 0;
      points[offset + i] = from + node * ((x[i] ?? 0) - from);
    }
  });
  const evaluation = await model.evaluate(points, nodes.length);
  nodes.forEach((node, k) => {
    const gradient = evaluation.gradient.subarray(k * x.length, (k + 1) * x.length);
    const what = Number.isFinite(evaluation.f[k]) ? 'gradient' : 'score';
    if (what === 'score' || !gradient.every(Number.isFinite)) {
      throw new PathlightError(
        'unsupported',
        `The model's ${what} is not a finite number at ${(100 * node).toFixed(2)} % of the way from the baseline to the image`,
        'Try another baseline or scalar; if it persists, the model overflows on this image and cannot be explained.',
      );
    }
  });
  return evaluation;
}

/** @throws PathlightError `cancelled` */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new PathlightError('cancelled', 'Cancelled');
}
