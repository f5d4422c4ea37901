/** Small differentiable models whose integrals are known in closed form. */
import type { DifferentiableModel } from '../../core/attribution/model.ts';

/** A model of f and its gradient at one point; counts what is asked of it. */
export class AnalyticModel implements DifferentiableModel {
  readonly shape: readonly number[];
  /** Points evaluated, in order. */
  readonly points: Float32Array[] = [];
  readonly batches: number[] = [];
  readonly #f: (z: Float32Array) => number;
  readonly #gradient: (z: Float32Array) => ArrayLike<number>;

  constructor(
    elements: number,
    f: (z: Float32Array) => number,
    gradient: (z: Float32Array) => ArrayLike<number>,
  ) {
    this.shape = [elements];
    this.#f = f;
    this.#gradient = gradient;
  }

  evaluate(points: Float32Array, count: number): Promise<{ f: Float64Array; gradient: Float32Array }> {
    const elements = points.length / count;
    const f = new Float64Array(count);
    const gradient = new Float32Array(points.length);
    this.batches.push(count);
    for (let k = 0; k < count; k++) {
      const z = points.slice(k * elements, (k + 1) * elements);
      this.points.push(z);
      f[k] = this.#f(z);
      gradient.set(Float32Array.from(this.#gradient(z)), k * elements);
    }
    return Promise.resolve({ f, gradient });
  }
}

/** f = w . z */
export function linearModel(weights: readonly number[]): AnalyticModel {
  return new AnalyticModel(
    weights.length,
    (z) => z.reduce((sum, value, i) => sum + value * (weights[i] ?? 0), 0),
    () => weights,
  );
}

/** f = sum of z^4: a smooth integrand of degree 3. */
export function quarticModel(elements: number): AnalyticModel {
  return new AnalyticModel(
    elements,
    (z) => z.reduce((sum, value) => sum + value ** 4, 0),
    (z) => z.map((value) => 4 * value ** 3),
  );
}

/** f = sum_h v_h relu(w_h . z + c_h): piecewise linear, as the nets in question are. */
export function reluModel(
  hidden: readonly { weights: readonly number[]; bias: number; out: number }[],
): AnalyticModel {
  const activation = (
    { weights, bias }: { weights: readonly number[]; bias: number },
    z: Float32Array,
  ): number => z.reduce((sum, value, i) => sum + value * (weights[i] ?? 0), bias);
  const elements = hidden[0]?.weights.length ?? 0;
  return new AnalyticModel(
    elements,
    (z) => hidden.reduce((sum, unit) => sum + unit.out * Math.max(0, activation(unit, z)), 0),
    (z) =>
      Array.from({ length: elements }, (_, i) =>
        hidden.reduce(
          (sum, unit) => sum + (activation(unit, z) > 0 ? unit.out * (unit.weights[i] ?? 0) : 0),
          0,
        ),
      ),
  );
}
