import { areaOf, isConstant, largestAt, magnitudeOf } from './map.ts';

/**
 * Whether a map's maximum lies in a mask: the hit rate of CheXlocalize (Saporta et al. 2022) with no tolerance, the pointing game (Zhang
 * et al. 2018) with one. Of equal maxima the first counts. A random map hits as often as the mask's share of the area.
 * @param map [height, width] signed; its |map| is searched
 * @param mask [height, width] not 0 inside
 * @param tolerance pixels that the maximum may lie beside the mask
 * @returns null for an empty mask, which nothing can hit, and for a constant map, which points nowhere
 * @throws PathlightError `bad-request` as `magnitudeOf`
 */
export function pointingGame(
  map: Float32Array,
  mask: Uint8Array,
  width: number,
  tolerance = 0,
): boolean | null {
  const magnitude = magnitudeOf(map, mask.length);
  if (areaOf(mask) === 0 || isConstant(magnitude)) return null;
  const peak = largestAt(magnitude);
  const [row, column] = [Math.floor(peak / width), peak % width];
  return mask.some(
    (inside, i) => inside !== 0 && Math.hypot(Math.floor(i / width) - row, (i % width) - column) <= tolerance,
  );
}

/** Zhang et al. allow 15 pixels; stated for a shorter side of 224 and grown with it, which is ours. */
export function pointingTolerance(height: number, width: number): number {
  return (15 * Math.min(height, width)) / 224;
}
