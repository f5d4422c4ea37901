/** What a folder's values say together, and how sure that is: 95 % confidence intervals. */
import { randomSource } from './random.ts';

export interface Interval {
  estimate: number;
  /** The 95 % confidence interval. */
  low: number;
  high: number;
  /** Values that went in. */
  count: number;
  /** Images without a value, which are left out. */
  missing: number;
}

export interface BootstrapOptions {
  /** By default 1000, as CheXlocalize. */
  resamples?: number;
  seed?: number;
}

/**
 * The mean, with the percentile interval of the bootstrap (Efron 1979): images are drawn again with replacement, and the middle 95 % of the
 * means taken. The images, not the pixels, are the sample: it says what other images like these would give. Small samples make it
 * too narrow; one image gives no interval but itself.
 * @param values null for an image without a value
 * @returns null without any value
 */
export function bootstrapMean(
  values: readonly (number | null)[],
  { resamples = 1000, seed = 1 }: BootstrapOptions = {},
): Interval | null {
  const present = values.filter((value) => value !== null);
  if (present.length === 0) return null;
  const random = randomSource(seed);
  const mean = (draw: (i: number) => number): number => {
    let sum = 0;
    for (let i = 0; i < present.length; i++) sum += present[draw(i)] ?? 0;
    return sum / present.length;
  };
  const means = Float64Array.from({ length: resamples }, () =>
    mean(() => Math.floor(random() * present.length)),
  ).sort();
  return {
    estimate: mean((i) => i),
    low: quantile(means, 0.025),
    high: quantile(means, 0.975),
    count: present.length,
    missing: values.length - present.length,
  };
}

/** Of sorted values, linear between neighbours. */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const from = sorted[below] ?? 0;
  return from + (place - below) * ((sorted[below + 1] ?? from) - from);
}

/** The 97.5th percentile of the standard normal distribution. */
const z = 1.959963984540054;

/**
 * A proportion, with Wilson's interval (1927), which stays in 0..1 and does not vanish at 0 or all, as the bootstrap would.
 * @param values 1 for a hit, 0 for a miss, null for an image without an answer
 * @returns null without any answer
 */
export function wilsonProportion(values: readonly (number | null)[]): Interval | null {
  const answers = values.filter((value) => value !== null);
  const count = answers.length;
  if (count === 0) return null;
  const estimate = answers.reduce((sum, value) => sum + value, 0) / count;
  const shrink = 1 + (z * z) / count;
  const centre = (estimate + (z * z) / (2 * count)) / shrink;
  const half = (z / shrink) * Math.sqrt((estimate * (1 - estimate)) / count + (z / (2 * count)) ** 2);
  return {
    estimate,
    low: Math.max(0, centre - half),
    high: Math.min(1, centre + half),
    count,
    missing: values.length - count,
  };
}
