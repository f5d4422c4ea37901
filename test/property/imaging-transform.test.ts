/** A picture that is changed by a known transform, and a map that is brought back by its inverse. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inverseOf, placed, placedMap, stayingPlacement, staying } from '../../core/imaging/transform.ts';

const raster = fc
  .tuple(fc.integer({ min: 2, max: 20 }), fc.integer({ min: 2, max: 20 }))
  .chain(([rows, columns]) =>
    fc.record({
      rows: fc.constant(rows),
      columns: fc.constant(columns),
      values: fc
        .array(fc.float({ min: -1, max: 1, noNaN: true }), {
          minLength: rows * columns,
          maxLength: rows * columns,
        })
        .map((values) => Float32Array.from(values)),
    }),
  );
const placement = fc.record({
  zoom: fc.double({ min: 0.4, max: 2.5, noNaN: true }),
  across: fc.double({ min: -0.5, max: 0.5, noNaN: true }),
  down: fc.double({ min: -0.5, max: 0.5, noNaN: true }),
});
const whole = fc.integer({ min: -8, max: 8 });

it('a zoom of 1 that moves nothing changes no value', () => {
  fc.assert(
    fc.property(raster, ({ values, rows, columns }) => {
      // -0 becomes 0.
      expect(placed(values, rows, columns, stayingPlacement)).toEqual(values.map((value) => value + 0));
      expect(staying(rows, columns, stayingPlacement).every((pixel) => pixel === 1)).toBe(true);
    }),
  );
});

it('a shift by whole pixels moves the pixels, and what comes in repeats the border', () => {
  fc.assert(
    fc.property(raster, whole, whole, ({ values, rows, columns }, right, down) => {
      const moved = placed(values, rows, columns, { zoom: 1, across: right / columns, down: down / rows });
      const within = (index: number, length: number): number => Math.min(Math.max(index, 0), length - 1);
      moved.forEach((value, i) => {
        const row = within(Math.floor(i / columns) - down, rows);
        const column = within((i % columns) - right, columns);
        expect(value).toBeCloseTo(values[row * columns + column] ?? NaN, 6);
      });
    }),
  );
});

it('a shift by whole pixels and its inverse are the identity on what stayed', () => {
  fc.assert(
    fc.property(raster, whole, whole, ({ values, rows, columns }, right, down) => {
      const there = { zoom: 1, across: right / columns, down: down / rows };
      const back = placedMap(placedMap(values, rows, columns, there), rows, columns, inverseOf(there));
      staying(rows, columns, there).forEach((stays, i) => {
        if (stays === 1) expect(back[i]).toBeCloseTo(values[i] ?? NaN, 6);
      });
    }),
  );
});

it('the inverse of the inverse is the placement, and undoes it at every point', () => {
  fc.assert(
    fc.property(placement, fc.double({ min: -1, max: 1, noNaN: true }), (there, point) => {
      const back = inverseOf(there);
      const to = ({ zoom, across }: typeof there, x: number): number => zoom * x + across;
      expect(to(back, to(there, point))).toBeCloseTo(point, 9);
      expect(inverseOf(back).zoom).toBeCloseTo(there.zoom, 9);
      expect(inverseOf(back).down).toBeCloseTo(there.down, 9);
    }),
  );
});

describe('a smooth map', () => {
  const side = 64;
  const smooth = Float32Array.from({ length: side * side }, (_, i) => {
    const [row, column] = [Math.floor(i / side) / side, (i % side) / side];
    return Math.exp(-((row - 0.45) ** 2 + (column - 0.55) ** 2) / 0.02);
  });

  it('comes back from any zoom and shift nearly as it was, inside', () => {
    fc.assert(
      fc.property(placement, (there) => {
        const back = placedMap(placedMap(smooth, side, side, there), side, side, inverseOf(there));
        staying(side, side, there).forEach((stays, i) => {
          if (stays === 1) expect(Math.abs((back[i] ?? NaN) - (smooth[i] ?? NaN))).toBeLessThan(0.12);
        });
      }),
    );
  });

  it('keeps its sum where it is zoomed and stays in the picture', () => {
    const sum = (map: Float32Array): number => map.reduce((total, value) => total + value, 0);
    for (const zoom of [0.7, 1, 1.4]) {
      const moved = placedMap(smooth, side, side, { zoom, across: 0, down: 0 });
      expect(sum(moved) / sum(smooth)).toBeCloseTo(1, 2);
    }
  });
});

it('what stays is what the inverse finds inside: as much area, divided by the zoom', () => {
  fc.assert(
    fc.property(placement, (there) => {
      const side = 200;
      const area = (mask: Uint8Array): number => mask.reduce((sum, pixel) => sum + pixel, 0) / mask.length;
      const stayed = area(staying(side, side, there));
      const filled = area(staying(side, side, inverseOf(there)));
      expect(stayed * there.zoom ** 2).toBeCloseTo(filled, 1);
    }),
  );
});
