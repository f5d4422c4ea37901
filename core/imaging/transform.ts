/**
 * A known change of the picture as it is shown, before a model is given it: zoomed about its middle, then moved; its window set anew.
 * A map of the changed picture can be brought back into the frame of the unchanged one.
 */
import { PathlightError } from '../contract/errors.ts';
import type { GrayscaleAttributes, Voi } from './frame.ts';
import { moveTriangle } from './resample.ts';

/** Where the picture goes in its own frame. */
export interface Placement {
  /** About the picture's middle; over 1 magnifies. */
  zoom: number;
  /** To the right and down, as shares of the picture's width and height. */
  across: number;
  down: number;
}

export interface PictureTransform extends Placement {
  /** In modality units, as in the file's own window; null: the window stays. */
  window: { center: number; width: number } | null;
}

/** Changes nothing: what a picture is compared with. */
export const stayingPlacement: Placement = { zoom: 1, across: 0, down: 0 };

/**
 * The chain's attributes with the transform's window as the first of the VOIs. Its function is that of the file's own first window,
 * or LINEAR where that is a table or missing.
 * @throws PathlightError `bad-request` for a width that the function does not allow (PS3.3 C.11.2.1.2: LINEAR from 1 on, others above 0)
 */
export function windowed(
  attributes: GrayscaleAttributes,
  { window }: Pick<PictureTransform, 'window'>,
): GrayscaleAttributes {
  if (window === null) return attributes;
  const own = attributes.vois[0];
  const function_ = own?.kind === 'window' ? own.function : 'linear';
  if (!(window.width > 0) || (function_ === 'linear' && window.width < 1)) {
    throw new PathlightError(
      'bad-request',
      `A window of width ${window.width} shows nothing`,
      function_ === 'linear' ? 'A width is at least 1.' : 'A width is above 0.',
    );
  }
  const voi: Voi = { kind: 'window', function: function_, ...window, explanation: '' };
  return { ...attributes, vois: [voi, ...attributes.vois] };
}

/**
 * The picture where the placement puts it; what comes in from outside repeats the border.
 * @param display [rows, columns]
 * @returns [rows, columns]
 */
export function placed(
  display: Float32Array,
  rows: number,
  columns: number,
  { zoom, across, down }: Placement,
): Float32Array {
  return moveTriangle(display, rows, columns, { zoom, shift: across }, { zoom, shift: down });
}

/** What puts the picture back. */
export function inverseOf({ zoom, across, down }: Placement): Placement {
  return { zoom: 1 / zoom, across: -across / zoom, down: -down / zoom };
}

/**
 * A map where the placement puts it. A map's values are contributions of its pixels: where the picture is magnified, one pixel's is
 * spread over several, so that the sum of what stays in the picture is kept.
 * @param map [height, width] signed
 * @returns [height, width]
 */
export function placedMap(
  map: Float32Array,
  height: number,
  width: number,
  placement: Placement,
): Float32Array {
  const area = placement.zoom ** 2;
  const moved = placed(map, height, width, placement);
  return area === 1 ? moved : moved.map((value) => value / area);
}

/**
 * The pixels that stay wholly in the picture when the placement moves them.
 * @returns [height, width] 1 where they do, else 0
 */
export function staying(height: number, width: number, { zoom, across, down }: Placement): Uint8Array {
  const stays = (length: number, shift: number): boolean[] => {
    const to = (edge: number): number => length / 2 + zoom * (edge - length / 2) + shift * length;
    // What rounding alone has moved out is in.
    const slack = 1e-6;
    return Array.from({ length }, (_, i) => to(i) >= -slack && to(i + 1) <= length + slack);
  };
  const [columns, rows] = [stays(width, across), stays(height, down)];
  return Uint8Array.from({ length: height * width }, (_, i) =>
    rows[Math.floor(i / width)] === true && columns[i % width] === true ? 1 : 0,
  );
}
