/** |a - b| / |b|, L2: how far a map is from another. @throws where one of them is missing or of another size */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length || b.length === 0) throw new Error(`${a.length} values against ${b.length}`);
  let [difference, norm] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += ((a[i] ?? NaN) - (b[i] ?? NaN)) ** 2;
    norm += (b[i] ?? NaN) ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / norm);
}
