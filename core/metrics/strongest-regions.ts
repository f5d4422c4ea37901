import { gaussianBlur } from '../imaging/resample.ts';
import { connectedRegions } from './connected-regions.ts';
import { smoothingAt224 } from './evidence-peak.ts';
import { topPixels } from './top-overlap.ts';

/** A connected region of a signed map in which one sign prevails. */
export interface SignedRegion {
  sign: 1 | -1;
  /** Where its smoothed values are largest. */
  row: number;
  column: number;
  /** Of the map over the region, in the map's unit. */
  sum: number;
  /** Share of the map's sum of absolute values, and of the area. */
  share: number;
  areaShare: number;
  pixels: number[];
}

/** Regions of less than this share of all absolute values are not worth a line. Ours. */
const leastShare = 0.005;

/**
 * The regions that a signed map, or the difference of two, is strongest in: connected pixels of one sign among the strongest 5 % after
 * the small Gaussian of `evidencePeak`.
 * @param map [height, width] signed
 * @param most of each sign, those of the largest sums
 * @returns positive ones first
 */
export function strongestRegions(map: Float32Array, height: number, width: number, most = 3): SignedRegion[] {
  const smoothed = gaussianBlur(map, height, width, (smoothingAt224 * Math.min(height, width)) / 224);
  const top = topPixels(smoothed.map(Math.abs));
  const total = map.reduce((sum, value) => sum + Math.abs(value), 0);
  return ([1, -1] as const).flatMap((sign) =>
    connectedRegions(
      top.map((pixel, i) => (pixel === 1 && sign * (smoothed[i] ?? 0) > 0 ? 1 : 0)),
      height,
      width,
    )
      .map((pixels): SignedRegion => {
        const strongest = pixels.reduce((best, pixel) =>
          Math.abs(smoothed[pixel] ?? 0) > Math.abs(smoothed[best] ?? 0) ? pixel : best,
        );
        const over = (of: (value: number) => number): number =>
          pixels.reduce((sum, pixel) => sum + of(map[pixel] ?? 0), 0);
        return {
          sign,
          row: Math.floor(strongest / width),
          column: strongest % width,
          sum: over((value) => value),
          share: over(Math.abs) / total,
          areaShare: pixels.length / map.length,
          pixels,
        };
      })
      // What smoothing alone gave the other sign is no region of this one.
      .filter(({ sum, share }) => sign * sum > 0 && share >= leastShare)
      .toSorted((a, b) => Math.abs(b.sum) - Math.abs(a.sum))
      .slice(0, most),
  );
}
