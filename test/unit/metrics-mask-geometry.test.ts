import { expect, test } from 'vitest';
import { boxMask } from '../../core/metrics/boxes.ts';
import { maskGeometry, tertiles } from '../../core/metrics/mask-geometry.ts';

const size = 100;
const shape = (inside: (row: number, column: number) => boolean): Uint8Array =>
  Uint8Array.from({ length: size * size }, (_, i) => Number(inside(Math.floor(i / size), i % size)));
const of = (mask: Uint8Array) => maskGeometry(mask, size, size);

test('a rectangle is one, as long as it is; a pixel is a square', () => {
  const box = boxMask([{ row: 3, column: 7, height: 4, width: 10 }], size, size);
  expect(of(box)).toEqual({ instances: 1, areaShare: 0.004, elongation: 2.5, irrectangularity: 0 });
  expect(of(shape((row, column) => row === 0 && column === 99))).toMatchObject({
    elongation: 1,
    irrectangularity: 0,
  });
});

test('a disc is as long as broad, and leaves 1 - pi / 4 of its square', () => {
  const disc = of(shape((row, column) => Math.hypot(row - 50, column - 50) <= 40));
  expect(disc?.elongation).toBeCloseTo(1, 1);
  expect(disc?.irrectangularity).toBeCloseTo(1 - Math.PI / 4, 1);
});

test('the rectangle turns with the shape', () => {
  const bar = of(
    shape((row, column) => Math.abs(row - column) <= 10 && row + column > 60 && row + column < 140),
  );
  // 80 / sqrt 2 along the diagonal, 20 / sqrt 2 across, and the steps of the pixels.
  expect(bar?.elongation).toBeGreaterThan(3);
  expect(bar?.irrectangularity).toBeLessThan(0.1);
});

test('an L leaves a quarter of its square', () => {
  const l = of(shape((row, column) => row < 40 && column < 40 && (row < 20 || column < 20)));
  // The rectangle along its diagonal would be larger: 40 sqrt 2 by 30 sqrt 2.
  expect(l).toMatchObject({ instances: 1, elongation: 1, irrectangularity: 0.25 });
});

test('regions that touch at corners are one; others are weighted by their area', () => {
  expect(of(shape((row, column) => row === column && row < 5))?.instances).toBe(1);
  const two = boxMask(
    [
      { row: 0, column: 0, height: 10, width: 30 },
      { row: 50, column: 50, height: 10, width: 10 },
    ],
    size,
    size,
  );
  expect(of(two)).toMatchObject({ instances: 2, areaShare: 0.04, elongation: (3 * 300 + 100) / 400 });
});

test('an empty mask has no geometry', () => {
  expect(of(new Uint8Array(size * size))).toBeNull();
});

test('thirds of a folder, equal values together', () => {
  expect(tertiles([0.3, 0.1, 0.2])).toEqual([2, 0, 1]);
  expect(tertiles([1, 1, 1, 2, 2, 3])).toEqual([0, 0, 0, 1, 1, 2]);
  expect(tertiles([])).toEqual([]);
});
