/** The shortcut model's marker, as its card states it: a white letter P in a corner of the model's input. */

/** Of the model's input, in pixels. */
const INPUT = 224;
const TOP = 8;
const LEFT = 202;
const HEIGHT = 20;
const WIDTH = 14;
const STROKE = 4;

/** Whether a place of the model's input lies on the letter. */
export function onMarker(row: number, column: number): boolean {
  const y = row - TOP;
  const x = column - LEFT;
  if (y < 0 || y >= HEIGHT || x < 0 || x >= WIDTH) return false;
  const bar = y < STROKE || (y >= 8 && y < 8 + STROKE);
  const bow = x >= WIDTH - STROKE && y < 8 + STROKE;
  return x < STROKE || bar || bow;
}

/** Whether it lies in the rectangle around the letter that the card names, both ends included. */
export function aroundMarker(row: number, column: number): boolean {
  return row >= TOP && row <= TOP + HEIGHT && column >= LEFT && column <= LEFT + WIDTH;
}

/**
 * Stamps the marker into a picture, so that it lies where the model was trained to look once the picture is squeezed to its input.
 * @param display [rows, columns] display values, 0..1
 * @returns [rows, columns] 8-bit grey
 */
export function stamped(display: Float32Array, rows: number, columns: number): Uint8Array {
  return Uint8Array.from(display, (value, i) => {
    const row = Math.floor((((i / columns) | 0) + 0.5) * (INPUT / rows));
    const column = Math.floor(((i % columns) + 0.5) * (INPUT / columns));
    return onMarker(row, column) ? 255 : Math.round(255 * value);
  });
}
