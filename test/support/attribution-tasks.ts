/** Small tasks for every method of attribution, on models whose answers are known. */
import { METHOD_IDS, type MethodId, type Task } from '../../core/attribution/methods.ts';
import type { RepresentationModel } from '../../core/attribution/representation.ts';
import { AnalyticModel } from './analytic-models.ts';

/** r(z) = z: the squared distance of an image from another is that of their pixels. Counts what is asked of it. */
export class PixelRepresentation implements RepresentationModel {
  readonly shape: readonly number[];
  readonly size: number;
  gradients = 0;

  constructor(elements: number) {
    this.shape = [elements];
    this.size = elements;
  }

  represent(points: Float32Array): Promise<Float32Array> {
    return Promise.resolve(points.slice());
  }

  distance(points: Float32Array, count: number, targets: Float32Array) {
    this.gradients += count;
    const difference = points.map((value, i) => value - (targets[i] ?? NaN));
    const distance = Float64Array.from({ length: count }, (_, k) =>
      difference.subarray(k * this.size, (k + 1) * this.size).reduce((sum, value) => sum + value * value, 0),
    );
    return Promise.resolve({ distance, gradient: difference.map((value) => 2 * value) });
  }
}

/** Sides of the pictures of `pictureTask`. */
export const side = 4;
const elements = side * side;

/** f = sum of w z + (sum of v z)^2 / 8, smooth and of no symmetry. */
export function smoothModel(): AnalyticModel {
  const [w, v] = [(i: number): number => Math.sin(i + 1), (i: number): number => Math.cos(2 * i)];
  const inner = (z: Float32Array): number => z.reduce((sum, value, i) => sum + v(i) * value, 0);
  return new AnalyticModel(
    elements,
    (z) => z.reduce((sum, value, i) => sum + w(i) * value, 0) + inner(z) ** 2 / 8,
    (z) => z.map((_, i) => w(i) + (inner(z) * v(i)) / 4),
  );
}

/** A picture of 4 x 4 with everything that any method needs. */
export function pictureTask(model: Task['model']): Required<Task> & { representation: PixelRepresentation } {
  const picture = (seed: number): Float32Array =>
    Float32Array.from({ length: elements }, (_, i) => 1.5 * Math.sin(seed + i * i));
  return {
    model,
    x: picture(1),
    input: { channels: 1, height: side, width: side, mean: 0.5, std: 0.25 },
    baseline: new Float32Array(elements).fill(-2),
    references: [picture(2), picture(3)],
    representation: new PixelRepresentation(elements),
  };
}

/** Parameters with which every method is quick; the counts in the tests are of these. */
export const quick: Readonly<Record<MethodId, Record<string, unknown>>> = {
  'integrated-gradients': { maxEvaluations: 17, mapTolerance: 0, gapTolerance: 0 },
  'integrated-gradients-fixed': { rule: 'midpoint', nodes: 6 },
  'integrated-gradients-adaptive': { nodes: 15 },
  gradient: {},
  'gradient-x-input': {},
  smoothgrad: { samples: 5 },
  'smoothgrad-squared': { samples: 5 },
  vargrad: { samples: 5 },
  'expected-gradients': { samples: 12 },
  'blur-ig': { steps: 7, largestSigma: 2 },
  'guided-ig': { steps: 7 },
  ig2: { steps: 5, step: 0.25 },
  'smooth-taylor': { roots: 6 },
  'idgi-ig': { steps: 7 },
  'idgi-blur-ig': { steps: 7, largestSigma: 2 },
  'idgi-guided-ig': { steps: 7 },
  xrai: { around: { method: 'integrated-gradients-fixed', parameters: { rule: 'trapezoid', nodes: 6 } } },
};

export const allMethods = METHOD_IDS.map((id) => [id, quick[id]] as const);
