import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gaussianBlur, resizeTriangle } from '../../core/imaging/resample.ts';

const size = fc.integer({ min: 1, max: 24 });
const image = fc.tuple(size, size).chain(([rows, columns]) =>
  fc.record({
    rows: fc.constant(rows),
    columns: fc.constant(columns),
    values: fc
      .array(fc.float({ min: 0, max: 1, noNaN: true }), {
        minLength: rows * columns,
        maxLength: rows * columns,
      })
      .map((values) => Float32Array.from(values)),
  }),
);

const extremes = (values: Float32Array): [number, number] => [Math.min(...values), Math.max(...values)];

describe('weights are positive and sum to 1', () => {
  it('so a resized image stays within the range of its source', () => {
    fc.assert(
      fc.property(image, size, size, ({ values, rows, columns }, outRows, outColumns) => {
        const [low, high] = extremes(values);
        for (const value of resizeTriangle(values, rows, columns, outRows, outColumns)) {
          expect(value).toBeGreaterThanOrEqual(low - 1e-6);
          expect(value).toBeLessThanOrEqual(high + 1e-6);
        }
      }),
    );
  });

  it('so a constant image stays constant', () => {
    fc.assert(
      fc.property(size, size, size, size, (rows, columns, outRows, outColumns) => {
        const values = new Float32Array(rows * columns).fill(0.3);
        for (const value of resizeTriangle(values, rows, columns, outRows, outColumns))
          expect(value).toBeCloseTo(0.3, 6);
        for (const value of gaussianBlur(values, rows, columns, 2)) expect(value).toBeCloseTo(0.3, 6);
      }),
    );
  });
});

it('resizing commutes with mirroring', () => {
  fc.assert(
    fc.property(image, size, size, ({ values, rows, columns }, outRows, outColumns) => {
      const mirror = (source: Float32Array, width: number) =>
        source.map((_, i) => source[i - (i % width) + (width - 1 - (i % width))] ?? NaN);
      const first = mirror(resizeTriangle(values, rows, columns, outRows, outColumns), outColumns);
      const second = resizeTriangle(mirror(values, columns), rows, columns, outRows, outColumns);
      first.forEach((value, i) => expect(value).toBeCloseTo(second[i] ?? NaN, 5));
    }),
  );
});

it('blurring keeps the mean, because the border reflects', () => {
  fc.assert(
    fc.property(
      image,
      fc.float({ min: Math.fround(0.3), max: 6, noNaN: true }),
      ({ values, rows, columns }, sigma) => {
        const mean = (source: Float32Array) => source.reduce((sum, value) => sum + value, 0) / source.length;
        expect(mean(gaussianBlur(values, rows, columns, sigma))).toBeCloseTo(mean(values), 5);
      },
    ),
  );
});
