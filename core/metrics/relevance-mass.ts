import { areaOf, magnitudeOf } from './map.ts';

export interface RelevanceMass {
  /** Share of |map| where the mask is not 0; 0..1. */
  share: number;
  /** Share of the area that the mask has; 0..1. */
  areaShare: number;
  /** share / areaShare: 1 is what a map that knows nothing gets. */
  enrichment: number;
}

/**
 * How much of a map's attribution lies in a mask (relevance mass accuracy, Arras et al. 2022). Of |map|: of a signed map, shares can
 * leave 0..1, because contributions cancel.
 * @param map [pixels] signed
 * @param mask [pixels] not 0 inside
 * @returns null for an empty mask, in which nothing can lie, and for a map of zeros, which has no attribution to share
 * @throws PathlightError `bad-request` as `magnitudeOf`
 */
export function relevanceMass(map: Float32Array, mask: Uint8Array): RelevanceMass | null {
  const magnitude = magnitudeOf(map, mask.length);
  const areaShare = areaOf(mask) / mask.length;
  let [inside, total] = [0, 0];
  magnitude.forEach((value, i) => {
    total += value;
    if (mask[i] !== 0) inside += value;
  });
  if (areaShare === 0 || total === 0) return null;
  const share = inside / total;
  return { share, areaShare, enrichment: share / areaShare };
}
