import { PathlightError } from '../contract/errors.ts';

/** In pixels; the far edges are not part of it. */
export interface Box {
  row: number;
  column: number;
  height: number;
  width: number;
}

/**
 * Boxes as a mask: a pixel is inside where its centre is. What reaches beyond the image is cut off.
 * @returns [height, width] 1 inside any box, else 0
 * @throws PathlightError `bad-request`: a number that is not finite, or a negative size
 */
export function boxMask(boxes: readonly Box[], height: number, width: number): Uint8Array {
  const mask = new Uint8Array(height * width);
  for (const box of boxes) {
    if (!Object.values(box).every(Number.isFinite) || box.height < 0 || box.width < 0) {
      throw new PathlightError(
        'bad-request',
        `A box of ${box.height} x ${box.width} pixels at row ${box.row}, column ${box.column} is not one`,
        'Give each box as row, column, height and width in pixels.',
      );
    }
    const first = (start: number): number => Math.max(0, Math.ceil(start - 0.5));
    const end = (stop: number, size: number): number => Math.min(size, Math.ceil(stop - 0.5));
    const [left, right] = [first(box.column), end(box.column + box.width, width)];
    for (let row = first(box.row); row < end(box.row + box.height, height); row++) {
      if (left < right) mask.fill(1, row * width + left, row * width + right);
    }
  }
  return mask;
}
