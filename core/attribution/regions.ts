/** XRAI (Kapishnikov et al. 2019): a map by regions, those of the densest attribution first. */
import { PathlightError } from '../contract/errors.ts';

export interface RegionMap {
  /** [pixels] the mean attribution of the region that a pixel came with: it sums to what the map sums to. */
  heat: Float32Array;
  /** [pixels] from 1, the region of the highest gain, on. */
  ranks: Uint32Array;
}

/** A region that adds fewer pixels than these is left out: 50 at 224 x 224, as published, and in proportion to the area. */
export function leastNewPixels(height: number, width: number): number {
  return Math.max(1, Math.round((50 * height * width) / 224 ** 2));
}

interface Gain {
  /** The pixels that a region added. */
  pixels: number[];
  mean: number;
}

/**
 * - `full`: again and again takes the region whose pixels not yet covered have the highest mean attribution.
 * - `fast`: takes the regions in the order of their mean attribution, whatever is covered.
 *
 * The pixels that no region takes are a last region of their own. Every region's sum is kept up to date as pixels are covered, so
 * that the work is in proportion to the regions' pixels, and not to their number squared times the image.
 * @param map [pixels] signed; of a colour image the largest channel of each pixel, as published
 * @param regions pixels of each, distinct
 * @param fewestNewPixels that a region must add to be taken, at least 1
 * @throws PathlightError `bad-request`: a map that is not finite
 */
export function mapByRegions(
  map: Float32Array,
  regions: readonly Uint32Array[],
  mode: 'full' | 'fast',
  fewestNewPixels: number,
): RegionMap {
  if (!map.every(Number.isFinite)) {
    throw new PathlightError('bad-request', 'The map holds values that are not finite numbers');
  }
  const free = regions.map((region) => region.length);
  const sums = regions.map((region) => region.reduce((sum, pixel) => sum + (map[pixel] ?? 0), 0));
  // A region without pixels, as a small segment may be after resizing, comes last.
  const density = (k: number): number => (free[k] === 0 ? -Infinity : (sums[k] ?? 0) / (free[k] ?? 1));
  const regionsOf = inverse(regions, map.length);
  const covered = new Uint8Array(map.length);
  const gains: Gain[] = [];

  const take = (k: number): void => {
    const pixels = [...(regions[k] ?? [])].filter((pixel) => covered[pixel] === 0);
    gains.push({ pixels, mean: density(k) });
    for (const pixel of pixels) {
      covered[pixel] = 1;
      for (const other of regionsOf(pixel)) {
        free[other] = (free[other] ?? 0) - 1;
        sums[other] = (sums[other] ?? 0) - (map[pixel] ?? 0);
      }
    }
  };
  const adds = (k: number): boolean => (free[k] ?? 0) >= fewestNewPixels;

  if (mode === 'fast') {
    const means = regions.map((_, k) => density(k));
    const order = regions.map((_, k) => k).sort((a, b) => (means[b] ?? 0) - (means[a] ?? 0));
    for (const k of order) if (adds(k)) take(k);
  } else {
    let left = regions.map((_, k) => k);
    for (;;) {
      left = left.filter(adds);
      if (left.length === 0) break;
      const best = left.reduce((a, b) => (density(b) > density(a) ? b : a));
      take(best);
    }
  }

  const ranked = gains.toSorted((a, b) => b.mean - a.mean);
  const rest = [...map.keys()].filter((pixel) => covered[pixel] === 0);
  if (rest.length > 0) {
    ranked.push({
      pixels: rest,
      mean: rest.reduce((sum, pixel) => sum + (map[pixel] ?? 0), 0) / rest.length,
    });
  }
  const heat = new Float32Array(map.length);
  const ranks = new Uint32Array(map.length);
  for (const [rank, { pixels, mean }] of ranked.entries()) {
    for (const pixel of pixels) {
      heat[pixel] = mean;
      ranks[pixel] = rank + 1;
    }
  }
  return { heat, ranks };
}

/** pixel -> the regions that hold it */
function inverse(regions: readonly Uint32Array[], pixels: number): (pixel: number) => Uint32Array {
  const starts = new Uint32Array(pixels + 1);
  for (const region of regions) for (const pixel of region) starts[pixel + 1] = (starts[pixel + 1] ?? 0) + 1;
  for (let pixel = 0; pixel < pixels; pixel++) {
    starts[pixel + 1] = (starts[pixel + 1] ?? 0) + (starts[pixel] ?? 0);
  }
  const next = starts.slice();
  const holders = new Uint32Array(starts[pixels] ?? 0);
  regions.forEach((region, k) => {
    for (const pixel of region) {
      const at = next[pixel] ?? 0;
      holders[at] = k;
      next[pixel] = at + 1;
    }
  });
  return (pixel) => holders.subarray(starts[pixel], starts[pixel + 1]);
}
