import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sides, type ViewTransform } from '../../core/imaging/orientation.ts';
import {
  apply,
  fitted,
  imageToCanvas,
  inverse,
  mirrored,
  panned,
  turned,
  viewOnto,
  ZOOM_LIMITS,
  zoomedAt,
  type Point,
} from '../../renderer/viewer/geometry.ts';
import { scaleBar } from '../../renderer/viewer/scale-bar.ts';

const transforms = fc.record<ViewTransform>({
  flipHorizontal: fc.boolean(),
  flipVertical: fc.boolean(),
  quarterTurns: fc.constantFrom(0, 1, 2, 3),
});
const sizes = fc.record({
  columns: fc.integer({ min: 1, max: 5000 }),
  rows: fc.integer({ min: 1, max: 5000 }),
  aspect: fc.double({ min: 0.25, max: 4, noNaN: true }),
});
const canvases = fc.record({
  width: fc.integer({ min: 1, max: 4000 }),
  height: fc.integer({ min: 1, max: 4000 }),
});
const points = fc.record({
  x: fc.double({ min: -5000, max: 5000, noNaN: true }),
  y: fc.double({ min: -5000, max: 5000, noNaN: true }),
});

function expectNear(a: Point, b: Point, tolerance = 1e-6): void {
  expect(Math.hypot(a.x - b.x, a.y - b.y)).toBeLessThan(tolerance);
}

describe('the way between image and canvas', () => {
  test('leads back', () => {
    fc.assert(
      fc.property(sizes, canvases, transforms, points, (size, canvas, transform, point) => {
        const there = imageToCanvas(fitted(size, canvas, transform), size, canvas);
        expectNear(apply(inverse(there), apply(there, point)), point, 1e-5);
      }),
    );
  });

  test('puts a fitted image into the canvas, touching two of its edges', () => {
    fc.assert(
      fc.property(sizes, canvases, transforms, (size, canvas, transform) => {
        const view = fitted(size, canvas, transform);
        fc.pre(view.zoom > ZOOM_LIMITS[0] && view.zoom < ZOOM_LIMITS[1]);
        const there = imageToCanvas(view, size, canvas);
        const corners = [
          apply(there, { x: -0.5, y: -0.5 }),
          apply(there, { x: size.columns - 0.5, y: size.rows - 0.5 }),
        ] as const;
        const width = Math.abs(corners[0].x - corners[1].x);
        const height = Math.abs(corners[0].y - corners[1].y);
        expect(width).toBeLessThan(canvas.width + 1e-6);
        expect(height).toBeLessThan(canvas.height + 1e-6);
        expect(Math.min(canvas.width - width, canvas.height - height)).toBeLessThan(1e-6);
      }),
    );
  });

  test('keeps the point under the pointer when zooming', () => {
    fc.assert(
      fc.property(
        sizes,
        canvases,
        transforms,
        points,
        fc.double({ min: 0.2, max: 5, noNaN: true }),
        (size, canvas, transform, at, factor) => {
          const view = fitted(size, canvas, transform);
          const before = apply(inverse(imageToCanvas(view, size, canvas)), at);
          const zoomed = zoomedAt(view, size, canvas, factor, at);
          expectNear(apply(imageToCanvas(zoomed, size, canvas), before), at, 1e-4);
        },
      ),
    );
  });

  test('moves by as many canvas pixels as were dragged', () => {
    fc.assert(
      fc.property(sizes, canvases, transforms, points, (size, canvas, transform, drag) => {
        const view = fitted(size, canvas, transform);
        const origin = { x: 0, y: 0 };
        const before = apply(imageToCanvas(view, size, canvas), origin);
        const after = apply(imageToCanvas(panned(view, size, drag.x, drag.y), size, canvas), origin);
        expectNear({ x: after.x - before.x, y: after.y - before.y }, drag, 1e-5);
      }),
    );
  });
});

describe('turning and mirroring', () => {
  const size = { columns: 30, rows: 20, aspect: 1 };
  const canvas = { width: 300, height: 200 };

  /** Canvas direction of an image direction. */
  function direction(transform: ViewTransform, x: number, y: number): Point {
    const [a, b, , d, e] = imageToCanvas({ ...fitted(size, canvas), transform }, size, canvas);
    return { x: Math.sign(Math.round(a * x + b * y)), y: Math.sign(Math.round(d * x + e * y)) };
  }

  test('is what the screen shows, whatever was done before', () => {
    fc.assert(
      fc.property(transforms, (transform) => {
        const view = { ...fitted(size, canvas), transform };
        for (const [x, y] of [
          [1, 0],
          [0, 1],
        ] as const) {
          const before = direction(transform, x, y);
          // Clockwise takes the screen's right to its bottom, and its bottom to its left.
          expect(direction(turned(view, 'clockwise').transform, x, y)).toEqual({
            x: 0 - before.y,
            y: before.x,
          });
          expect(direction(mirrored(view, 'horizontal').transform, x, y)).toEqual({
            x: 0 - before.x,
            y: before.y,
          });
          expect(direction(mirrored(view, 'vertical').transform, x, y)).toEqual({
            x: before.x,
            y: 0 - before.y,
          });
        }
      }),
    );
  });

  test('takes the orientation letters along', () => {
    fc.assert(
      fc.property(transforms, (transform) => {
        const letters = sides({ right: 'L', bottom: 'F' }, transform);
        const row = direction(transform, 1, 0);
        const edge =
          row.x > 0 ? letters.right : row.x < 0 ? letters.left : row.y > 0 ? letters.bottom : letters.top;
        expect(edge).toBe('L');
      }),
    );
  });

  test('four quarter turns are none', () => {
    let view = fitted(size, canvas);
    for (let i = 0; i < 4; i++) view = turned(view, 'counterclockwise');
    expect(view).toEqual(fitted(size, canvas));
  });
});

test('a cell shows the part of the image that the viewport shows', () => {
  const size = { columns: 1000, rows: 800, aspect: 1 };
  const [from, to] = [
    { width: 500, height: 400 },
    { width: 100, height: 80 },
  ];
  const view = { ...fitted(size, from), zoom: 2, x: 100, y: 50 };
  const seen = (canvas: typeof from, of: typeof view): Point =>
    apply(inverse(imageToCanvas(of, size, canvas)), { x: 0, y: 0 });
  expectNear(seen(to, viewOnto(view, size, from, to)), seen(from, view));
});

describe('the scale bar', () => {
  test('is a round length that fits', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.02, max: 64, noNaN: true }),
        fc.double({ min: 0.01, max: 2, noNaN: true }),
        (zoom, spacing) => {
          const bar = scaleBar({ row: spacing, column: spacing, basis: 'detector' }, zoom, 160);
          expect(bar.length).toBeLessThanOrEqual(160 * (1 + 1e-9));
          expect(bar.length).toBeGreaterThan(160 / 2.6);
          const [number] = bar.label.split(' ');
          expect(bar.length).toBeCloseTo((Number(number) / spacing) * zoom, 6);
        },
      ),
    );
  });

  test.each([
    [{ row: 0.2, column: 0.2, basis: 'detector' } as const, '50 mm', 'at the detector'],
    [{ row: 0.2, column: 0.2, basis: 'calibrated' } as const, '50 mm', 'calibrated'],
    [null, '200 px', 'no pixel spacing in the file'],
  ])('says what it measures: %o', (spacing, label, basis) => {
    expect(scaleBar(spacing, 0.5, 150)).toMatchObject({ label, basis });
  });
});
