import { ascendingOrder } from './order.ts';

/**
 * Ranks from 1 on; equal values share the mean of their ranks.
 * @param values [count] finite
 */
export function averageRanks(values: Float32Array): Float64Array {
  const order = ascendingOrder(values);
  const ranks = new Float64Array(values.length);
  for (let first = 0; first < order.length;) {
    const value = values[order[first] ?? 0];
    let end = first + 1;
    while (end < order.length && values[order[end] ?? 0] === value) end++;
    for (let place = first; place < end; place++) ranks[order[place] ?? 0] = (first + 1 + end) / 2;
    first = end;
  }
  return ranks;
}

/**
 * Spearman's rank correlation of two maps, given their ranks: Pearson's correlation of the ranks.
 * @returns -1..1; 0 where one of them is constant, and so has no order to share
 */
export function rankCorrelation(ranksA: Float64Array, ranksB: Float64Array): number {
  // Ranks always have this mean.
  const mean = (ranksA.length + 1) / 2;
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < ranksA.length; i++) {
    const a = (ranksA[i] ?? 0) - mean;
    const b = (ranksB[i] ?? 0) - mean;
    ab += a * b;
    aa += a * a;
    bb += b * b;
  }
  return aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}
