import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { binCounts } from '../../main/report/chart.ts';

describe('histogram bins', () => {
  it('count every value once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, noNaN: true })),
        fc.integer({ min: 1, max: 40 }),
        (values, bins) => {
          const counts = binCounts(values, bins);
          expect(counts).toHaveLength(bins);
          expect(counts.reduce((sum, count) => sum + count, 0)).toBe(values.length);
        },
      ),
    );
  });

  it('take their lower bound, the last one both', () => {
    expect(binCounts([0, 0.25, 0.5, 0.75, 1], 4)).toEqual([1, 1, 1, 2]);
  });
});
