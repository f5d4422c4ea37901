/** What an axis must reach. */
import { scaleLinear, type ScaleLinear } from 'd3-scale';

/**
 * From the least to the largest of the values, with some air, to round numbers.
 * @param limits that no value can pass, so that the axis does not either; null: none
 */
export function valueScale(
  values: readonly (number | null)[],
  limits: readonly [number | null, number | null],
  range: readonly [number, number],
): ScaleLinear<number, number> {
  const known = values.filter((value) => value !== null && Number.isFinite(value)) as number[];
  const low = known.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const high = known.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  if (known.length === 0) return scaleLinear([limits[0] ?? 0, limits[1] ?? 1], [...range]);
  const air = high > low ? 0.06 * (high - low) : Math.max(0.05 * Math.abs(high), 1e-3);
  return scaleLinear(
    [
      Math.max(low - air, limits[0] ?? Number.NEGATIVE_INFINITY),
      Math.min(high + air, limits[1] ?? Number.POSITIVE_INFINITY),
    ],
    [...range],
  ).nice(5);
}
