/** The path of Guided Integrated Gradients (Kapishnikov et al. 2021). */
import { ascendingOrder } from '../metrics/order.ts';
import {
  costOfLastPoint,
  evaluatePoints,
  lastPoint,
  type Path,
  type PathRule,
  type Walk,
} from './along-path.ts';
import type { Inquiry } from './inquiry.ts';

export interface GuidedPathOptions {
  steps: number;
  /** Share of the elements, those of the smallest gradients, that move at once; in (0, 1]. */
  fraction: number;
  /** How far an element may be before or behind the straight path, as a share of its length; in [0, 1]. */
  maxDistance: number;
}

/** A distance to go that is less than this share of the whole counts as gone. */
const closeEnough = 1e-9;

/**
 * From the baseline to the image: every step goes the same L1 distance, but moves the elements of the smallest gradients first. One
 * gradient a step. The elements of a gradient are put in order once a step, and every element then moves at most a few times, so a step
 * takes time in proportion to the number of elements / fraction, at most.
 */
export function guidedPath(
  inquiry: Inquiry,
  x: Float32Array,
  baseline: Float32Array,
  options: GuidedPathOptions,
  rule: PathRule,
): Path {
  const { steps } = options;
  async function* walk(): Walk {
    const z = Float64Array.from(baseline);
    for (let step = 0; step < steps; step++) {
      const points = await evaluatePoints(
        inquiry,
        [z.slice()],
        () => `at step ${step} of ${steps} of the path`,
      );
      yield points;
      moveGuided(z, x, baseline, points[0]?.gradient ?? new Float32Array(), step, options);
    }
    yield await lastPoint(inquiry, rule, z, 'at the end of the path');
  }
  return { walk: walk(), count: steps + 1, cost: steps + costOfLastPoint(inquiry, rule) };
}

/** Moves `z` by one step, towards x and by 1 / steps of the L1 distance between the ends. */
function moveGuided(
  z: Float64Array,
  x: Float32Array,
  baseline: Float32Array,
  gradient: Float32Array,
  step: number,
  { steps, fraction, maxDistance }: GuidedPathOptions,
): void {
  const node = (step + 1) / steps;
  const nearest = Math.max(node - maxDistance, 0);
  const farthest = Math.min(node + maxDistance, 1);
  const between = (i: number, share: number): number => {
    const from = baseline[i] ?? 0;
    // Exact at the end, where rounding would leave a distance that nothing could ever go.
    return share === 1 ? (x[i] ?? 0) : from + share * ((x[i] ?? 0) - from);
  };

  let whole = 0;
  let toGo = 0;
  for (let i = 0; i < z.length; i++) {
    const length = (x[i] ?? 0) - (baseline[i] ?? 0);
    whole += Math.abs(length);
    // Nothing may stay behind the allowed band.
    if (length !== 0 && ((z[i] ?? 0) - (baseline[i] ?? 0)) / length < nearest) z[i] = between(i, nearest);
    toGo += Math.abs((x[i] ?? 0) - (z[i] ?? 0));
  }
  const target = whole * (1 - node);

  // What has come to the band's far end is done with; the rest moves in groups of the smallest gradients.
  let waiting = ascendingOrder(gradient.map(Math.abs)).filter((i) => z[i] !== between(i, farthest));
  const group = Math.floor(fraction * (z.length - 1)) + 1;
  while (waiting.length > 0 && toGo - target > closeEnough * whole) {
    // All that are no greater than the last of the group are part of it.
    let size = Math.min(group, waiting.length);
    const largest = Math.abs(gradient[waiting[size - 1] ?? 0] ?? 0);
    while (size < waiting.length && Math.abs(gradient[waiting[size] ?? 0] ?? 0) === largest) size++;
    const moving = waiting.subarray(0, size);
    const reach = moving.reduce((sum, i) => sum + Math.abs(between(i, farthest) - (z[i] ?? 0)), 0);
    const share = Math.min((toGo - target) / reach, 1);
    for (const i of moving) {
      const here = z[i] ?? 0;
      z[i] = share === 1 ? between(i, farthest) : here + share * (between(i, farthest) - here);
    }
    toGo -= share * reach;
    waiting = waiting.subarray(size);
  }
}
