/** Integrals along a path that is walked point by point: what a path yields, and the rules that make a map of it. */
import { type AttributionStream, type Inquiry, joinPoints } from './inquiry.ts';
import { placeOnPath, pointAt } from './path.ts';

export interface PathPoint {
  /** [elements] in the model's input units. */
  z: Float32Array | Float64Array;
  f: number;
  /** [elements]; null at the last point where the rule has no use for it. */
  gradient: Float32Array | null;
}

/** A path, from its first point to its last, in batches. The points are the reader's own: nobody writes into them afterwards. */
export type Walk = AsyncGenerator<PathPoint[], void, undefined>;

/**
 * - `left`: sum of (z_j+1 - z_j) g_j, the Riemann sum that Guided IG, Blur IG and IG2 are published with.
 * - `trapezoid`: sum of (z_j+1 - z_j) (g_j + g_j+1) / 2, which costs one gradient more and is of the second order.
 * - `idgi`: sum of (f_j+1 - f_j) g_j^2 / |g_j|^2 (Yang et al. 2023): the change of the score, shared out by the squared gradient; sums to
 *   the change exactly. Where the gradient is zero there is nobody to share it among: such a step contributes nothing, and the gap says so.
 */
export type PathRule = 'left' | 'trapezoid' | 'idgi';

/** Whether the rule uses the gradient at the last point. */
function usesLastGradient(rule: PathRule): boolean {
  return rule === 'trapezoid';
}

/** A path to be walked once. */
export interface Path {
  walk: Walk;
  /** Points of the whole walk, the first and the last included. */
  count: number;
  /** Gradients of the whole walk. */
  cost: number;
}

/**
 * Integrates along a path. Keeps the sum and the point before: its memory does not grow with the steps. A frame after every batch
 * holds the part of the path walked so far, and what that part should sum to.
 * @param sign -1 where the path leads away from the image, so that the map explains f(image) - f(far end) all the same
 */
export async function* alongPath(
  { walk, count, cost }: Path,
  rule: PathRule,
  sign: 1 | -1,
  inquiry: Inquiry,
): AttributionStream {
  let sum: Float64Array | null = null;
  let first = NaN;
  let before: PathPoint | null = null;
  let walked = 0;
  for await (const points of walk) {
    for (const point of points) {
      sum ??= new Float64Array(point.z.length);
      if (before === null) first = point.f;
      else if (before.gradient !== null) addStep[rule](sum, sign, before, before.gradient, point);
      before = point;
      walked++;
    }
    if (sum === null || before === null) continue;
    yield inquiry.frame(sum, sign * (before.f - first), cost, walked === count);
  }
}

type AddStep = (
  sum: Float64Array,
  sign: number,
  from: PathPoint,
  gradient: Float32Array,
  to: PathPoint,
) => void;

const addStep: Readonly<Record<PathRule, AddStep>> = {
  left(sum, sign, from, gradient, to) {
    for (let i = 0; i < sum.length; i++) {
      sum[i] = (sum[i] ?? 0) + sign * ((to.z[i] ?? 0) - (from.z[i] ?? 0)) * (gradient[i] ?? 0);
    }
  },
  trapezoid(sum, sign, from, gradient, to) {
    for (let i = 0; i < sum.length; i++) {
      const mean = ((gradient[i] ?? 0) + (to.gradient?.[i] ?? 0)) / 2;
      sum[i] = (sum[i] ?? 0) + sign * ((to.z[i] ?? 0) - (from.z[i] ?? 0)) * mean;
    }
  },
  idgi(sum, sign, from, gradient, to) {
    const size = gradient.reduce((total, value) => total + value * value, 0);
    if (size === 0) return;
    const share = (sign * (to.f - from.f)) / size;
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + share * (gradient[i] ?? 0) ** 2;
  },
};

/** Points that are known beforehand. */
export interface KnownPoints {
  count: number;
  /** @returns [elements] */
  point: (k: number) => Float32Array;
  place: (k: number) => string;
}

/** The path along points that are known beforehand, evaluated in batches; the last for its score alone where that is enough. */
export function pathAlong(inquiry: Inquiry, { count, point, place }: KnownPoints, rule: PathRule): Path {
  const { batchSize } = inquiry.run;
  const withGradient = usesLastGradient(rule) ? count : count - 1;
  async function* walk(): Walk {
    for (let start = 0; start < withGradient; start += batchSize) {
      const points = Array.from({ length: Math.min(batchSize, withGradient - start) }, (_, k) =>
        point(start + k),
      );
      yield await evaluatePoints(inquiry, points, (k) => place(start + k));
    }
    if (withGradient < count) yield await lastPoint(inquiry, rule, point(count - 1), place(count - 1));
  }
  return { walk: walk(), count, cost: count - 1 + costOfLastPoint(inquiry, rule) };
}

/** Scores and gradients of points of a path. */
export async function evaluatePoints(
  inquiry: Inquiry,
  points: readonly (Float32Array | Float64Array)[],
  place: (k: number) => string,
): Promise<PathPoint[]> {
  const { f, gradient } = await inquiry.evaluate(joinPoints(points), points.length, place);
  return points.map((z, k) => ({
    z,
    f: f[k] ?? NaN,
    gradient: gradient.subarray(k * z.length, (k + 1) * z.length),
  }));
}

/** The end of a path, with its gradient where the rule uses that. */
export async function lastPoint(
  inquiry: Inquiry,
  rule: PathRule,
  z: Float32Array | Float64Array,
  place: string,
): Promise<PathPoint[]> {
  if (usesLastGradient(rule)) return evaluatePoints(inquiry, [z], () => place);
  return [{ z, f: await inquiry.score(z, place), gradient: null }];
}

/** Gradients that `lastPoint` asks for. */
export function costOfLastPoint(inquiry: Inquiry, rule: PathRule): number {
  return usesLastGradient(rule) ? 1 : inquiry.scoreCost;
}

/** The straight path from the baseline to the image, in equal steps. */
export function straightPath(x: Float32Array, baseline: Float32Array, steps: number): KnownPoints {
  return {
    count: steps + 1,
    point: (k) => {
      const z = new Float32Array(x.length);
      pointAt(x, baseline, k / steps, z);
      return z;
    },
    place: (k) => placeOnPath(k / steps),
  };
}
