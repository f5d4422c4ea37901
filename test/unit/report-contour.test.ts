import { describe, expect, it } from 'vitest';
import { contour } from '../../main/report/contour.ts';

/** Falls linearly from the centre of the raster. */
const cone = (size: number): Float32Array =>
  Float32Array.from(
    { length: size * size },
    (_, i) => -Math.hypot(Math.floor(i / size) + 0.5 - size / 2, (i % size) + 0.5 - size / 2),
  );

describe('iso-line', () => {
  it('of a cone is a circle of the right radius and length', () => {
    const segments = contour(cone(64), 64, 64, -20);
    for (const { x1, y1 } of segments) expect(Math.hypot(x1 - 32, y1 - 32)).toBeCloseTo(20, 1);
    const length = segments.reduce((sum, { x1, y1, x2, y2 }) => sum + Math.hypot(x2 - x1, y2 - y1), 0);
    expect(length).toBeCloseTo(2 * Math.PI * 20, 0);
  });

  it('is closed: every end is met by as many starts, also where the region touches the border', () => {
    for (const values of [cone(16), new Float32Array(256).fill(1), cone(16).map((value) => -value)]) {
      const ends = new Map<string, number>();
      for (const { x1, y1, x2, y2 } of contour(
        values,
        16,
        16,
        values[0] === 1 ? 0.5 : Math.sign(values[0] ?? 0) * 5,
      )) {
        for (const point of [`${x1.toFixed(6)},${y1.toFixed(6)}`, `${x2.toFixed(6)},${y2.toFixed(6)}`]) {
          ends.set(point, (ends.get(point) ?? 0) + 1);
        }
      }
      expect(ends.size).toBeGreaterThan(0);
      for (const count of ends.values()) expect(count % 2).toBe(0);
    }
  });

  it('of a region nowhere reached is empty', () => {
    expect(contour(new Float32Array(16), 4, 4, 0.5)).toEqual([]);
  });
});
