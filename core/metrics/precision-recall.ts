import { areaOf, magnitudeOf } from './map.ts';
import { ascendingOrder } from './order.ts';
import { averageRanks } from './rank-correlation.ts';

/**
 * Area under the precision-recall curve of |map| as a detector of the mask's pixels: the average precision, sum of precision times the
 * step in recall (no interpolation, which would flatter); pixels of one value are detected together. Beside it the prevalence, which is what
 * a constant map and, in expectation, a random one get.
 * @param map [pixels] signed
 * @param mask [pixels] not 0 inside
 * @returns null for an empty mask
 * @throws PathlightError `bad-request` as `magnitudeOf`
 */
export function averagePrecision(
  map: Float32Array,
  mask: Uint8Array,
): { area: number; prevalence: number } | null {
  const magnitude = magnitudeOf(map, mask.length);
  const positives = areaOf(mask);
  if (positives === 0) return null;
  const order = ascendingOrder(magnitude).reverse();
  let [area, found, foundBefore] = [0, 0, 0];
  order.forEach((pixel, k) => {
    if (mask[pixel] !== 0) found++;
    const next = order[k + 1];
    if (next !== undefined && magnitude[next] === magnitude[pixel]) return;
    area += ((found - foundBefore) / positives) * (found / (k + 1));
    foundBefore = found;
  });
  return { area, prevalence: positives / mask.length };
}

/**
 * Area under the ROC curve of |map| against a mask: the probability that a pixel inside has more than one outside, ties half (Mann and
 * Whitney 1947). 1/2 is a map that knows nothing.
 * @param map [pixels] signed
 * @param mask [pixels] not 0 inside
 * @returns null where all pixels are on one side
 * @throws PathlightError `bad-request` as `magnitudeOf`
 */
export function rocArea(map: Float32Array, mask: Uint8Array): number | null {
  const ranks = averageRanks(magnitudeOf(map, mask.length));
  const inside = areaOf(mask);
  const outside = mask.length - inside;
  if (inside === 0 || outside === 0) return null;
  const sum = ranks.reduce((total, rank, i) => total + (mask[i] === 0 ? 0 : rank), 0);
  return (sum - (inside * (inside + 1)) / 2) / (inside * outside);
}
