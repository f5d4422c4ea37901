/** What the metrics ask of a map before they measure it. */
import { PathlightError } from '../contract/errors.ts';

/**
 * The map without its signs.
 * @param map [pixels] signed
 * @throws PathlightError `bad-request`: another number of pixels, or a value that is not a finite number
 */
export function magnitudeOf(map: Float32Array, pixels: number): Float32Array {
  checkMap(map, pixels);
  return map.map(Math.abs);
}

/** @throws PathlightError `bad-request` as `magnitudeOf` */
export function checkMap(map: Float32Array, pixels: number): void {
  if (map.length !== pixels) {
    throw new PathlightError(
      'bad-request',
      `The map has ${map.length} values; ${pixels} pixels were expected`,
      'Measure a map against an image and a mask of its own size.',
    );
  }
  if (!map.every(Number.isFinite)) {
    throw new PathlightError(
      'bad-request',
      'The map holds values that are not finite numbers',
      'Compute the map again: nothing can be said of this one.',
    );
  }
}

/** One value everywhere: such a map points nowhere. */
export function isConstant(values: Float32Array): boolean {
  return values.every((value) => value === values[0]);
}

/** Pixels that a mask holds. */
export function areaOf(mask: Uint8Array): number {
  let area = 0;
  for (const pixel of mask) area += pixel === 0 ? 0 : 1;
  return area;
}

/** The first of the largest values. */
export function largestAt(values: Float32Array): number {
  let largest = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] ?? 0) > (values[largest] ?? 0)) largest = i;
  return largest;
}
