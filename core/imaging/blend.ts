/**
 * The one rule by which a map lies over the image. It is linear in displayed values and has three separate controls:
 * the colour range, the threshold, and the opacity.
 *
 * For attribution `a` and grey `g` (a display value) at one point of the picture:
 *
 *     s      = a, max(a, 0), min(a, 0) or |a|            sign: all, positive, negative, absolute
 *     t      = clamp(s / range, -1, 1)
 *     colour = diverging((t + 1) / 2)                     sign absolute: sequential(t)
 *     alpha  = 0 where s = 0; 1 where |s| >= threshold; else (|s| / threshold)^2
 *     out    = g + opacity * alpha * (colour - g)         each of red, green, blue
 *
 * `a` is the map interpolated bilinearly at the point (before the rule, not after it); colours are interpolated linearly
 * between the table's entries. `range` and `threshold` come from quantiles of |a| (`overlayLevels`). The viewer's shader
 * says the same in GLSL.
 */
import { colorAt, divergingColors, sequentialColors, type ColorTable } from './colormap.ts';
import { resizeTriangle } from './resample.ts';

export type OverlaySign = 'all' | 'positive' | 'negative' | 'absolute';

/** |a| at which the colour saturates, and |a| from which on the overlay is fully shown; in the map's own unit. */
export interface OverlayLevels {
  range: number;
  threshold: number;
}

export interface OverlayStyle extends OverlayLevels {
  sign: OverlaySign;
  /** 0 to 1. */
  opacity: number;
}

/** Share of |a| below the colour range, unless said otherwise. */
export const defaultRangeQuantile = 0.995;

/** `s` of the rule. */
export function signedPart(a: number, sign: OverlaySign): number {
  switch (sign) {
    case 'all':
      return a;
    case 'positive':
      return Math.max(a, 0);
    case 'negative':
      return Math.min(a, 0);
    case 'absolute':
      return Math.abs(a);
  }
}

/** `alpha` of the rule, from `s`. */
export function overlayAlpha(s: number, threshold: number): number {
  const size = Math.abs(s);
  if (size === 0) return 0;
  return size >= threshold ? 1 : (size / threshold) ** 2;
}

/** Position of `s` in its colour table, 0 to 1. A map that is zero everywhere has range 0: its middle. */
export function colorPosition(s: number, range: number, sign: OverlaySign): number {
  const t = range > 0 ? Math.min(Math.max(s / range, -1), 1) : 0;
  return sign === 'absolute' ? t : (t + 1) / 2;
}

export function colorsOf(sign: OverlaySign): ColorTable {
  return sign === 'absolute' ? sequentialColors : divergingColors;
}

/** The rule for one point: grey and attribution to red, green, blue in [0, 1]. */
export function blendPoint(grey: number, a: number, style: OverlayStyle): [number, number, number] {
  const s = signedPart(a, style.sign);
  const weight = style.opacity * overlayAlpha(s, style.threshold);
  // Most of a picture lies under no overlay.
  if (weight === 0) return [grey, grey, grey];
  const [red, green, blue] = colorAt(colorsOf(style.sign), colorPosition(s, style.range, style.sign));
  return [grey + weight * (red - grey), grey + weight * (green - grey), grey + weight * (blue - grey)];
}

/** Share of the pixels, those of the largest |a|, that a picture shows fully unless the reader asks for another: as many as the agreement of two maps is measured on. */
export const DEFAULT_TOP_SHARE = 0.05;

/**
 * Colour range and threshold of one map, or of several that share a scale.
 * @param maps signed attribution, any sizes
 * @param top share of the pixels with the largest |a| to show fully, 0 to 1; 1 shows all
 * @param rangeQuantile share of |a| below the colour range
 */
export function overlayLevels(
  maps: readonly Float32Array[],
  top: number,
  rangeQuantile = defaultRangeQuantile,
): OverlayLevels {
  const sizes = Float32Array.from({ length: maps.reduce((total, map) => total + map.length, 0) });
  let filled = 0;
  for (const map of maps) {
    for (const a of map) sizes[filled++] = Math.abs(a);
  }
  sizes.sort();
  // The smallest |a| that at least the share `quantile` of the pixels does not exceed.
  const at = (quantile: number) =>
    sizes[Math.min(Math.max(Math.ceil(quantile * sizes.length) - 1, 0), sizes.length - 1)] ?? 0;
  const shown = Math.round(top * sizes.length);
  return {
    range: at(rangeQuantile),
    threshold: shown >= sizes.length ? 0 : (sizes[sizes.length - Math.max(shown, 1)] ?? 0),
  };
}

/** A picture of display values and, where there is a map, the map over all of it. */
export interface Picture {
  /** [rows, columns] display values in [0, 1]. */
  display: Float32Array;
  rows: number;
  columns: number;
  overlay?: {
    /** [rows, columns] of its own; it covers the whole picture. */
    map: Float32Array;
    rows: number;
    columns: number;
    style: OverlayStyle;
  };
}

/** @returns [rows, columns, 4] sRGB and an alpha of 255, at the picture's own resolution */
export function renderPicture({ display, rows, columns, overlay }: Picture): Uint8ClampedArray {
  // A clamped array rounds to the nearest by itself.
  const rgba = new Uint8ClampedArray(rows * columns * 4);
  const map =
    overlay === undefined ? null : resizeTriangle(overlay.map, overlay.rows, overlay.columns, rows, columns);
  for (let i = 0; i < rows * columns; i++) {
    const grey = display[i] ?? 0;
    const [red, green, blue] =
      map === null || overlay === undefined
        ? [grey, grey, grey]
        : blendPoint(grey, map[i] ?? 0, overlay.style);
    rgba[4 * i] = 255 * red;
    rgba[4 * i + 1] = 255 * green;
    rgba[4 * i + 2] = 255 * blue;
    rgba[4 * i + 3] = 255;
  }
  return rgba;
}
