import { areaOf, isConstant, magnitudeOf } from './map.ts';
import { ascendingOrder } from './order.ts';

/**
 * The share of the pixels with the largest |map| that lie in a mask: relevance rank accuracy (Arras et al. 2022) where `count` is the
 * mask's own area, as by default; top-k intersection with any other. Of equal values the later pixel counts as larger.
 * @param map [pixels] signed
 * @param mask [pixels] not 0 inside
 * @returns 0..1; null for an empty mask and for a constant map, which ranks nothing
 * @throws PathlightError `bad-request` as `magnitudeOf`
 */
export function relevanceRank(map: Float32Array, mask: Uint8Array, count = areaOf(mask)): number | null {
  const magnitude = magnitudeOf(map, mask.length);
  if (areaOf(mask) === 0 || isConstant(magnitude)) return null;
  const top = ascendingOrder(magnitude).subarray(mask.length - count);
  return top.reduce((inside, pixel) => inside + (mask[pixel] === 0 ? 0 : 1), 0) / top.length;
}
