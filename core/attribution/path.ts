/** The straight path from a baseline to an image, and the checks that every integral along it begins with. */
import { PathlightError } from '../contract/errors.ts';
import type { DifferentiableModel, Evaluation, PathPoints, PathSum } from './model.ts';

/**
 * Checks one point, an end of a path or an image alone.
 * @param values [elements] in the model's input units
 * @throws PathlightError `bad-request`: wrong size, or a value that is not finite
 */
export function checkPoint(
  { shape }: Pick<DifferentiableModel, 'shape'>,
  name: string,
  values: Float32Array,
): void {
  const elements = shape.reduce((product, size) => product * size, 1);
  if (values.length !== elements) {
    throw new PathlightError(
      'bad-request',
      `The ${name} has ${values.length} values; the model takes ${shape.join(' x ')} = ${elements}`,
    );
  }
  if (!values.every(Number.isFinite)) {
    throw new PathlightError('bad-request', `The ${name} holds values that are not finite numbers`);
  }
}

const equalEnds = 'The image equals its baseline: there is no difference to explain';

/** Whether what was thrown says that the ends of a path are equal, by whatever process it has come. */
export function saysEqualEnds(thrown: unknown): boolean {
  return thrown instanceof PathlightError && thrown.message === equalEnds;
}

/**
 * Checks the two ends of a path.
 * @param x [elements] the image, in the model's input units
 * @param baseline [elements]
 * @throws PathlightError `bad-request`: as `checkPoint` says, or two equal ends
 */
export function checkEnds(model: DifferentiableModel, x: Float32Array, baseline: Float32Array): void {
  checkPoint(model, 'image', x);
  checkPoint(model, 'baseline', baseline);
  if (x.every((value, i) => value === baseline[i])) {
    throw new PathlightError('bad-request', equalEnds, 'Choose another baseline.');
  }
}

/**
 * @param place of point k, as it follows "is not a finite number"
 * @throws PathlightError `unsupported`: a score or gradient that is not finite, with its place
 */
export function checkFinite({ f, gradient }: Evaluation, count: number, place: (k: number) => string): void {
  const elements = gradient.length / count;
  for (let k = 0; k < count; k++) {
    const what = Number.isFinite(f[k]) ? 'gradient' : 'score';
    if (what === 'score' || !gradient.subarray(k * elements, (k + 1) * elements).every(Number.isFinite)) {
      throw new PathlightError(
        'unsupported',
        `The model's ${what} is not a finite number ${place(k)}`,
        'Try another baseline or scalar; if it persists, the model overflows on this image and cannot be explained.',
      );
    }
  }
}

/** Where a node of the straight path is, for the reader. */
export function placeOnPath(node: number): string {
  return `at ${(100 * node).toFixed(2)} % of the way from the baseline to the image`;
}

/** Writes b + a (x - b) into `into`, [elements]. */
export function pointAt(x: Float32Array, baseline: Float32Array, node: number, into: Float32Array): void {
  for (let i = 0; i < x.length; i++) {
    const from = baseline[i] ?? 0;
    into[i] = from + node * ((x[i] ?? 0) - from);
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
  nodes.forEach((node, k) => pointAt(x, baseline, node, placed.subarray(k * x.length, (k + 1) * x.length)));
  const evaluation = await model.evaluate(placed, nodes.length);
  checkFinite(evaluation, nodes.length, (k) => placeOnPath(nodes[k] ?? NaN));
  const { f, gradient } = evaluation;
  const sum = new Float64Array(x.length);
  nodes.forEach((_, k) => {
    const weight = weights[k] ?? 0;
    for (let i = 0; i < x.length; i++) sum[i] = (sum[i] ?? 0) + weight * (gradient[k * x.length + i] ?? 0);
  });
  return { f, gradient: Float32Array.from(sum) };
}

/** @throws PathlightError `cancelled` */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new PathlightError('cancelled', 'Cancelled');
}
