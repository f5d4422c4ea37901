import { checkMap } from './map.ts';

/**
 * How far a map's sum is from what it must be: sum(map) - (f(x) - f(baseline)). Never a test of equality, which no sum of
 * floats passes.
 * @param map [pixels] signed
 * @param floor least |f(x) - f(baseline)| that a ratio is taken of, in units of the scalar (`differenceFloor`)
 * @returns the gap in units of the scalar, and its size relative to the difference; null where that is under the floor
 * @throws PathlightError `bad-request` as `checkMap`
 */
export function completenessGap(
  map: Float32Array,
  fx: number,
  fb: number,
  floor: number,
): { gap: number; relative: number | null } {
  checkMap(map, map.length);
  const difference = fx - fb;
  const gap = map.reduce((sum, value) => sum + value, 0) - difference;
  return { gap, relative: Math.abs(difference) < floor ? null : Math.abs(gap) / Math.abs(difference) };
}
