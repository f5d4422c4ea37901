/** How much a map has changed: when the model's weights are randomised, or when nothing that matters was. */
import { checkMap, isConstant, magnitudeOf } from './map.ts';
import { averageRanks, rankCorrelation } from './rank-correlation.ts';
import { structuralSimilarity } from './ssim.ts';

/**
 * ||b - a|| / ||a||
 * @param a [pixels] the map to compare with
 * @returns null where `a` is all zeros
 * @throws PathlightError `bad-request` as `checkMap`
 */
export function relativeDistance(a: Float32Array, b: Float32Array): number | null {
  checkMap(a, a.length);
  checkMap(b, a.length);
  let [difference, norm] = [0, 0];
  a.forEach((value, i) => {
    difference += ((b[i] ?? 0) - value) ** 2;
    norm += value * value;
  });
  return norm === 0 ? null : Math.sqrt(difference / norm);
}

export interface MapSimilarity {
  /** SSIM of |map|, each map from its own least to its own largest value as 0..1. */
  ssim: number;
  /** Spearman's rank correlation of |map|. */
  rankAbsolute: number;
  /** Spearman's rank correlation of the signed maps. */
  rankSigned: number;
}

/**
 * The three figures of Adebayo et al. (2018): SSIM, and rank correlation with and without signs.
 * @param a [height, width] signed
 * @param b [height, width] signed
 * @returns null where either map is constant, and so has neither structure nor order
 * @throws PathlightError `bad-request` as `checkMap`; as `structuralSimilarity`
 */
export function mapSimilarity(
  a: Float32Array,
  b: Float32Array,
  height: number,
  width: number,
): MapSimilarity | null {
  const [first, second] = [magnitudeOf(a, height * width), magnitudeOf(b, height * width)];
  if (isConstant(first) || isConstant(second)) return null;
  return {
    ssim: structuralSimilarity(stretched(first), stretched(second), height, width, 1),
    rankAbsolute: rankCorrelation(averageRanks(first), averageRanks(second)),
    rankSigned: rankCorrelation(averageRanks(a), averageRanks(b)),
  };
}

function stretched(values: Float32Array): Float64Array {
  let [least, largest] = [Infinity, -Infinity];
  for (const value of values) [least, largest] = [Math.min(least, value), Math.max(largest, value)];
  return Float64Array.from(values, (value) => (value - least) / (largest - least));
}

/**
 * Mean squared difference between two maps of shares, |map| / sum |map|: the stability figure of the IDGI reproducibility study. It shrinks
 * with the square of the number of pixels.
 * @param a [pixels] signed
 * @param b [pixels] signed
 * @returns null where either map is all zeros
 * @throws PathlightError `bad-request` as `checkMap`
 */
export function shareDistance(a: Float32Array, b: Float32Array): number | null {
  const [first, second] = [a, b].map((map) => {
    const magnitude = magnitudeOf(map, a.length);
    return { magnitude, total: magnitude.reduce((sum, value) => sum + value, 0) };
  });
  if (first === undefined || second === undefined || first.total === 0 || second.total === 0) return null;
  const difference = (i: number): number =>
    (first.magnitude[i] ?? 0) / first.total - (second.magnitude[i] ?? 0) / second.total;
  return a.reduce((sum, _, i) => sum + difference(i) ** 2, 0) / a.length;
}
