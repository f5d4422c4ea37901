/** Where a map's attribution is densest, and how much of it is there. */
import { gaussianBlur } from '../imaging/resample.ts';
import { largestAt } from './map.ts';

export interface EvidencePeak {
  row: number;
  column: number;
  /** Share of |attribution| within the disc around the peak, 0..1. */
  share: number;
  /** Share of the image's area that the disc has, 0..1. */
  areaShare: number;
}

/** Lengths are stated for a side of 224 pixels and grow with the image's shorter side. Both are ours. */
export const smoothingAt224 = 2;
export const discRadiusAt224 = 10;

/**
 * The maximum of |map| after a small Gaussian, because a ReLU net's gradient has single pixels that stand out by chance; of equal
 * maxima the first one.
 * @param map [height, width] signed
 */
export function evidencePeak(map: Float32Array, height: number, width: number): EvidencePeak {
  const unit = Math.min(height, width) / 224;
  const magnitude = map.map(Math.abs);
  const smoothed = gaussianBlur(magnitude, height, width, smoothingAt224 * unit);
  const peak = largestAt(smoothed);
  const row = Math.floor(peak / width);
  const column = peak % width;

  const radius = discRadiusAt224 * unit;
  let [inDisc, total, pixels] = [0, 0, 0];
  for (let i = 0; i < magnitude.length; i++) {
    const value = magnitude[i] ?? 0;
    total += value;
    if (Math.hypot(Math.floor(i / width) - row, (i % width) - column) > radius) continue;
    inDisc += value;
    pixels++;
  }
  return { row, column, share: total === 0 ? 0 : inDisc / total, areaShare: pixels / map.length };
}
