import { describe, expect, test } from 'vitest';
import { bootstrapMean, wilsonProportion } from '../../core/metrics/interval.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';

describe('the bootstrap', () => {
  test('covers the true mean about as often as it says', () => {
    const random = randomSource(21);
    const trials = 400;
    let covered = 0;
    for (let trial = 0; trial < trials; trial++) {
      const { low, high } = bootstrapMean([...normalNumbers(30, random)], {
        resamples: 300,
        seed: trial,
      }) ?? {
        low: NaN,
        high: NaN,
      };
      if (low <= 0 && high >= 0) covered++;
    }
    // The percentile interval of 30 values is known to be a little too narrow.
    expect(covered / trials).toBeGreaterThan(0.89);
    expect(covered / trials).toBeLessThan(0.98);
  });

  test('has the width that the standard error has', () => {
    const values = [...normalNumbers(200, randomSource(5))];
    const { estimate, low, high, count } = bootstrapMean(values) ?? {
      estimate: NaN,
      low: NaN,
      high: NaN,
      count: 0,
    };
    expect(count).toBe(200);
    expect(low).toBeLessThan(estimate);
    expect(high).toBeGreaterThan(estimate);
    expect((high - low) / ((2 * 1.96) / Math.sqrt(200))).toBeCloseTo(1, 0);
  });

  test('is that of its seed, and leaves out images without a value, which it counts', () => {
    const values = [1, null, 3, 8, null];
    expect(bootstrapMean(values)).toEqual(bootstrapMean(values));
    expect(bootstrapMean(values)).toMatchObject({ estimate: 4, count: 3, missing: 2 });
    expect(bootstrapMean([...normalNumbers(50, randomSource(1))], { seed: 1 })).not.toEqual(
      bootstrapMean([...normalNumbers(50, randomSource(1))], { seed: 2 }),
    );
    expect(bootstrapMean([null])).toBeNull();
    expect(bootstrapMean([7])).toMatchObject({ estimate: 7, low: 7, high: 7 });
  });
});

describe("Wilson's interval", () => {
  test('is that of the literature', () => {
    // Newcombe 1998, Stat Med 17:857, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    const of = (hits: number, count: number): [number, number] => {
      const { low, high } = wilsonProportion(Array.from({ length: count }, (_, i) => (i < hits ? 1 : 0))) ?? {
        low: NaN,
        high: NaN,
      };
      return [Number(low.toFixed(4)), Number(high.toFixed(4))];
    };
    expect(of(81, 263)).toEqual([0.2553, 0.3662]);
    expect(of(15, 148)).toEqual([0.0624, 0.1605]);
    expect(of(0, 20)).toEqual([0, 0.1611]);
    expect(of(1, 29)).toEqual([0.0061, 0.1718]);
  });

  test('leaves out images without an answer', () => {
    expect(wilsonProportion([1, null, 0])).toMatchObject({ estimate: 0.5, count: 2, missing: 1 });
    expect(wilsonProportion([null])).toBeNull();
  });
});
