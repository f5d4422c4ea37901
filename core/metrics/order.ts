/**
 * Indices of the values from the smallest to the largest, ties in the order of their indices, by a radix sort of their bits: linear in
 * the number of values, and without a comparison that could be undefined.
 * @param values finite
 */
export function ascendingOrder(values: Float32Array): Uint32Array {
  const bits = new Uint32Array(values.length);
  const view = new Uint32Array(Float32Array.from(values, (value) => value + 0).buffer);
  // A negative float's bits order backwards; turning them makes the bits of all floats order as the floats do.
  view.forEach((word, i) => (bits[i] = word >>> 31 === 1 ? ~word : word | 0x80000000));

  let order = Uint32Array.from(values, (_, i) => i);
  let sorted = new Uint32Array(values.length);
  for (const shift of [0, 11, 22]) {
    const starts = new Uint32Array(2049);
    for (const word of bits) {
      const digit = (word >>> shift) & 2047;
      starts[digit + 1] = (starts[digit + 1] ?? 0) + 1;
    }
    for (let digit = 1; digit < starts.length; digit++) {
      starts[digit] = (starts[digit] ?? 0) + (starts[digit - 1] ?? 0);
    }
    for (const index of order) {
      const digit = ((bits[index] ?? 0) >>> shift) & 2047;
      const place = starts[digit] ?? 0;
      sorted[place] = index;
      starts[digit] = place + 1;
    }
    [order, sorted] = [sorted, order];
  }
  return order;
}
