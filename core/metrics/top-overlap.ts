import { ascendingOrder } from './order.ts';

/** The share of the pixels that counts as the top. */
export const topShare = 0.05;

/**
 * The pixels with the largest values: 5 % of them, rounded up; of equal values the later pixel counts as larger.
 * @param values [count] finite
 * @returns [count] 1 in the top, else 0
 */
export function topPixels(values: Float32Array): Uint8Array {
  const top = new Uint8Array(values.length);
  const count = Math.ceil(topShare * values.length);
  for (const index of ascendingOrder(values).subarray(values.length - count)) top[index] = 1;
  return top;
}

/** Intersection over union of two masks; 0..1. */
export function intersectionOverUnion(a: Uint8Array, b: Uint8Array): number {
  let [intersection, union] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    intersection += (a[i] ?? 0) & (b[i] ?? 0);
    union += (a[i] ?? 0) | (b[i] ?? 0);
  }
  return union === 0 ? 0 : intersection / union;
}
