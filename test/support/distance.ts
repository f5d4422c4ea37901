/** |a - b| / |b|, L2: how far a map is from another. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, norm] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += ((a[i] ?? NaN) - (b[i] ?? NaN)) ** 2;
    norm += (b[i] ?? NaN) ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / norm);
}
