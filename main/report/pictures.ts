/** Pictures of a report as lossless PNG: grey values, and maps over them by the viewer's own rule. */
import { encode } from 'fast-png';
import {
  DEFAULT_TOP_SHARE,
  overlayLevels,
  renderPicture,
  type OverlayStyle,
} from '../../core/imaging/blend.ts';
import { resizeTriangle } from '../../core/imaging/resample.ts';
import type { MapScale } from '../../core/attribution/choices.ts';
import type { RgbImage } from './report-data.ts';

/** Row-major values with their size. */
export interface Raster {
  values: Float32Array;
  rows: number;
  columns: number;
}

const overlayOpacity = 0.85;

/** How maps of one scale lie over the image: those without signs from one side. */
export function printedStyle(
  maps: readonly Float32Array[],
  { signed }: Pick<MapScale, 'signed'>,
): OverlayStyle {
  return {
    ...overlayLevels(maps, DEFAULT_TOP_SHARE),
    sign: signed ? 'all' : 'absolute',
    opacity: overlayOpacity,
  };
}

/** Shrinks an image whose longer side exceeds `limit` pixels: more than print resolves. */
export function atMost(image: Raster, limit: number): Raster {
  const scale = limit / Math.max(image.rows, image.columns);
  if (scale >= 1) return image;
  const rows = Math.max(1, Math.round(image.rows * scale));
  const columns = Math.max(1, Math.round(image.columns * scale));
  return { rows, columns, values: resizeTriangle(image.values, image.rows, image.columns, rows, columns) };
}

/** @param image display values, 0 to 1 */
export function greyPng({ values, rows, columns }: Raster): Uint8Array {
  const data = Uint8Array.from(values, (value) => Math.round(255 * Math.min(Math.max(value, 0), 1)));
  return encode({ width: columns, height: rows, data, channels: 1, depth: 8 });
}

/** The map over the image, flattened: opaque, at the image's resolution. */
export function overlayPng(image: Raster, map: Raster, style: OverlayStyle): Uint8Array {
  const rgba = renderPicture({
    display: image.values,
    rows: image.rows,
    columns: image.columns,
    overlay: {
      map: map.values,
      rows: map.rows,
      columns: map.columns,
      style,
    },
  });
  const rgb = new Uint8Array(image.rows * image.columns * 3);
  for (let i = 0; i < image.rows * image.columns; i++) rgb.set(rgba.subarray(4 * i, 4 * i + 3), 3 * i);
  return rgbPng({ rows: image.rows, columns: image.columns, rgb });
}

export function rgbPng({ rows, columns, rgb }: RgbImage): Uint8Array {
  return encode({ width: columns, height: rows, data: rgb, channels: 3, depth: 8 });
}
