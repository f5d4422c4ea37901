import { areaOf, isConstant, magnitudeOf } from './map.ts';
import { intersectionOverUnion, topPixels } from './top-overlap.ts';

/**
 * Otsu's threshold (1979): the level that parts a histogram into two classes with the largest variance between them; of equal ones
 * the lowest, as OpenCV.
 * @param levels 8-bit values
 * @returns values above it are the upper class
 */
function otsuThreshold(levels: Uint8Array): number {
  const histogram = new Float64Array(256);
  for (const level of levels) histogram[level] = (histogram[level] ?? 0) + 1;
  const total = histogram.reduce((sum, count, level) => sum + level * count, 0);
  let [best, threshold, below, belowSum] = [0, 0, 0, 0];
  histogram.forEach((count, level) => {
    below += count;
    belowSum += level * count;
    const above = levels.length - below;
    if (below === 0 || above === 0) return;
    const between = below * above * (belowSum / below - (total - belowSum) / above) ** 2;
    if (between > best) [best, threshold] = [between, level];
  });
  return threshold;
}

/**
 * The segmentation that CheXlocalize makes of a map (Saporta et al. 2022): |map| from its least to its largest value as 0..255,
 * decimals cut off, above Otsu's threshold.
 * @param map [pixels] signed
 * @returns [pixels] 1 above; null for a constant map, which has no two classes
 */
function otsuMask(map: Float32Array): Uint8Array | null {
  const magnitude = magnitudeOf(map, map.length);
  if (isConstant(magnitude)) return null;
  const [least, largest] = magnitude.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Infinity, -Infinity],
  );
  const levels = Uint8Array.from(magnitude, (value) => ((value - least) / (largest - least)) * 255);
  const threshold = otsuThreshold(levels);
  return levels.map((level) => (level > threshold ? 1 : 0));
}

/** How a map is made a segmentation: Otsu's threshold, or the top 5 %. */
const segmentations = {
  otsu: otsuMask,
  top: (map: Float32Array) => {
    const magnitude = magnitudeOf(map, map.length);
    return isConstant(magnitude) ? null : topPixels(magnitude);
  },
} as const;

/**
 * Intersection over union of a map's segmentation and a mask; over a folder its mean is CheXlocalize's mIoU.
 * @param map [pixels] signed
 * @param mask [pixels] not 0 inside
 * @returns 0..1; null for an empty mask and for a constant map
 * @throws PathlightError `bad-request` as `magnitudeOf`
 */
export function segmentationOverlap(
  map: Float32Array,
  mask: Uint8Array,
  by: keyof typeof segmentations,
): number | null {
  magnitudeOf(map, mask.length);
  const segmentation = segmentations[by](map);
  if (areaOf(mask) === 0 || segmentation === null) return null;
  return intersectionOverUnion(
    segmentation,
    mask.map((pixel) => (pixel === 0 ? 0 : 1)),
  );
}
