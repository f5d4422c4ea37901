import { describe, expect, test } from 'vitest';
import { agreementOf } from '../../core/metrics/agreement.ts';
import { ascendingOrder } from '../../core/metrics/order.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { averageRanks, rankCorrelation } from '../../core/metrics/rank-correlation.ts';
import { intersectionOverUnion, topPixels } from '../../core/metrics/top-overlap.ts';

const spearman = (a: readonly number[], b: readonly number[]): number =>
  rankCorrelation(averageRanks(Float32Array.from(a)), averageRanks(Float32Array.from(b)));

describe('rank correlation', () => {
  test('agrees with the example in the documentation of scipy, and with the correlation of average ranks by numpy', () => {
    expect(spearman([1, 2, 2, 3, 5, 0], [2, 1, 4, 4, 9, -3])).toBeCloseTo(0.8676470588235294, 12);
    expect(spearman([1, 2, 3, 4, 5], [5, 6, 7, 8, 7])).toBeCloseTo(0.8207826816681233, 12);
  });

  test('gives equal values the mean of their ranks', () => {
    expect([...averageRanks(new Float32Array([3, -1, 3, 0, 3, -0]))]).toEqual([5, 1, 5, 2.5, 5, 2.5]);
  });

  test('is 0 where a map is constant, and so has no order', () => {
    expect(spearman([1, 1, 1], [1, 2, 3])).toBe(0);
  });
});

test('values are ordered as numbers, from the most negative on, ties by index', () => {
  const values = new Float32Array([0, -0, 5, -1e-40, 1e-40, -3e38, 3e38, 5, -1]);
  expect([...ascendingOrder(values)]).toEqual([5, 8, 3, 0, 1, 4, 2, 7, 6]);
});

describe('the overlap of the top', () => {
  test('takes 5 % of the pixels, rounded up, and the same ones every time', () => {
    const top = topPixels(Float32Array.from({ length: 101 }, (_, i) => (i < 10 ? 2 : 1)));
    expect(top.reduce((count, pixel) => count + pixel, 0)).toBe(6);
    expect([...top.subarray(0, 10)]).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
  });

  test('is the intersection over the union', () => {
    expect(intersectionOverUnion(new Uint8Array([1, 1, 0, 0]), new Uint8Array([0, 1, 1, 0]))).toBeCloseTo(
      1 / 3,
    );
    expect(intersectionOverUnion(new Uint8Array(3), new Uint8Array(3))).toBe(0);
  });
});

describe('the agreement of baselines', () => {
  const pixels = 64 * 64;
  const random = randomSource(7);
  const map = normalNumbers(pixels, random);
  const noise = normalNumbers(pixels, random);

  test('sees that two maps of one ordering agree, whatever their signs and scales', () => {
    const same = map.map((value) => -3 * value);
    const agreement = agreementOf([
      { baseline: 'black', map },
      { baseline: 'white', map: same },
    ]);
    expect(agreement.baselines).toEqual(['black', 'white']);
    expect(agreement.rankCorrelation[0]?.[1]).toBeCloseTo(1, 12);
    expect(agreement.topOverlap).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect(agreement.stable).toBe(true);
  });

  test('finds unrelated maps within the null, and not stable', () => {
    const agreement = agreementOf([
      { baseline: 'black', map },
      { baseline: 'grey', map: noise },
      { baseline: 'blurred', map },
    ]);
    const { rankCorrelation: ranks, topOverlap } = agreement.null;
    expect(Math.abs(ranks.mean)).toBeLessThan(0.01);
    expect(ranks.p95).toBeLessThan(3 / Math.sqrt(pixels));
    // 5 % of each at random: 0.0025 / 0.0975 of the union.
    expect(topOverlap.mean).toBeCloseTo(0.0256, 2);
    expect(agreement.rankCorrelation[0]?.[1]).toBeLessThan(3 * ranks.p95);
    expect(agreement.rankCorrelation[0]?.[2]).toBeCloseTo(1, 12);
    expect(agreement.rankCorrelation).toEqual(transposed(agreement.rankCorrelation));
    expect(agreement.stable).toBe(false);
  });

  test('is computed anew to the same bits, and not called stable for a single map', () => {
    const alone = agreementOf([{ baseline: 'black', map }]);
    expect(alone.stable).toBe(false);
    expect(agreementOf([{ baseline: 'black', map }])).toEqual(alone);
  });
});

const transposed = (matrix: number[][]): number[][] =>
  matrix.map((_, i) => matrix.map((row) => row[i] ?? NaN));

test('random numbers are those of the seed, uniform or normal', () => {
  const [one, again, other] = [randomSource(1), randomSource(1), randomSource(2)];
  const [a, b, c] = [one, again, other].map((random) => Array.from({ length: 1000 }, random));
  expect(a).toEqual(b);
  expect(a).not.toEqual(c);
  expect(a?.every((value) => value >= 0 && value < 1)).toBe(true);
  const normal = normalNumbers(20_001, randomSource(3));
  const mean = normal.reduce((sum, value) => sum + value, 0) / normal.length;
  expect(Math.abs(mean)).toBeLessThan(0.02);
  expect(normal.reduce((sum, value) => sum + value * value, 0) / normal.length).toBeCloseTo(1, 1);
});
