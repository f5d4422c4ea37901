/** How concentrated a map is, whatever it is about. Each is of this map alone: scaling it changes nothing, nor do other maps. */
import { magnitudeOf } from './map.ts';

/**
 * Sparseness: the Gini index of |map| (Hurley and Rickard 2009; Chalasani et al. 2020).
 * @param map [pixels] signed
 * @returns 0 for an even map, nearly 1 where one pixel has all; null for a map of zeros
 * @throws PathlightError `bad-request` as `magnitudeOf`
 */
export function sparseness(map: Float32Array): number | null {
  const sorted = magnitudeOf(map, map.length).sort();
  let [weighted, total] = [0, 0];
  sorted.forEach((value, i) => {
    weighted += (2 * (i + 1) - sorted.length - 1) * value;
    total += value;
  });
  return total === 0 ? null : weighted / (sorted.length * total);
}

/**
 * Complexity: the entropy of |map| as a distribution over pixels, in nats (Bhatt et al. 2020).
 * @param map [pixels] signed
 * @returns 0 where one pixel has all, ln(pixels) for an even map; null for a map of zeros
 * @throws PathlightError `bad-request` as `magnitudeOf`
 */
export function complexity(map: Float32Array): number | null {
  const magnitude = magnitudeOf(map, map.length);
  const total = magnitude.reduce((sum, value) => sum + value, 0);
  if (total === 0) return null;
  let entropy = 0;
  for (const value of magnitude) if (value > 0) entropy -= (value / total) * Math.log(value / total);
  return entropy;
}

/** The share of its own maximum above which a pixel counts (Quantus' default). */
const effectiveFrom = 1e-5;

/**
 * Effective complexity: how many pixels have more than a 1e-5th of the map's own maximum (after Nguyen and Martinez 2020).
 * @param map [pixels] signed
 * @returns null for a map of zeros
 * @throws PathlightError `bad-request` as `magnitudeOf`
 */
export function effectiveComplexity(map: Float32Array): number | null {
  const magnitude = magnitudeOf(map, map.length);
  const largest = magnitude.reduce((most, value) => Math.max(most, value), 0);
  if (largest === 0) return null;
  return magnitude.reduce((count, value) => count + (value / largest > effectiveFrom ? 1 : 0), 0);
}
