/** Pictures as PNG: the grayscale chain and the blend rule of core/imaging, encoded. */
import { encode } from 'fast-png';
import {
  DEFAULT_TOP_SHARE,
  type OverlayStyle,
  overlayLevels,
  renderPicture,
} from '../../core/imaging/blend.ts';
import { displayValues } from '../../core/imaging/grayscale.ts';
import { resizeTriangle } from '../../core/imaging/resample.ts';
import type { DecodedFrame } from '../dicom/types.ts';

/** A map over an image. */
export interface Overlay {
  /** [height, width] signed attribution. */
  map: Float32Array;
  height: number;
  width: number;
  /** Whether its values tell for from against. */
  signed: boolean;
}

/** An opaque picture, 8 bits a channel: [rows, columns, 3]. */
export interface OpaquePicture {
  rows: number;
  columns: number;
  rgb: Uint8Array;
}

const OPACITY = 0.7;

/** The frame as its file says it is to be shown, shrunk to at most `height` rows; 8-bit grey PNG. */
export function thumbnailPng({ frame, grayscale }: DecodedFrame, height: number): Uint8Array {
  const { display, rows, columns } = shrunk(displayValues(frame, grayscale), frame.rows, frame.columns, {
    rows: height,
    columns: 4 * height,
  });
  const grey = Uint8Array.from(display, (value) => Math.round(255 * value));
  return encode({ width: columns, height: rows, data: grey, channels: 1, depth: 8 });
}

/** The frame with the map over it, shrunk so that neither side exceeds `most`. */
export function overlayPicture(
  { frame, grayscale }: DecodedFrame,
  overlay: Overlay,
  most: number,
): OpaquePicture {
  const { display, rows, columns } = shrunk(displayValues(frame, grayscale), frame.rows, frame.columns, {
    rows: most,
    columns: most,
  });
  const style: OverlayStyle = {
    ...overlayLevels([overlay.map], DEFAULT_TOP_SHARE),
    sign: overlay.signed ? 'all' : 'absolute',
    opacity: OPACITY,
  };
  const rgba = renderPicture({
    display,
    rows,
    columns,
    overlay: { map: overlay.map, rows: overlay.height, columns: overlay.width, style },
  });
  const rgb = new Uint8Array(rows * columns * 3);
  for (let pixel = 0; pixel < rows * columns; pixel++) {
    rgb.set(rgba.subarray(4 * pixel, 4 * pixel + 3), 3 * pixel);
  }
  return { rows, columns, rgb };
}

export function pngOf({ rows, columns, rgb }: OpaquePicture): Uint8Array {
  return encode({ width: columns, height: rows, data: rgb, channels: 3, depth: 8 }, { zlib: { level: 3 } });
}

function shrunk(
  display: Float32Array,
  rows: number,
  columns: number,
  most: { rows: number; columns: number },
): { display: Float32Array; rows: number; columns: number } {
  const scale = Math.min(1, most.rows / rows, most.columns / columns);
  const outRows = Math.max(1, Math.round(rows * scale));
  const outColumns = Math.max(1, Math.round(columns * scale));
  return {
    display: resizeTriangle(display, rows, columns, outRows, outColumns),
    rows: outRows,
    columns: outColumns,
  };
}
