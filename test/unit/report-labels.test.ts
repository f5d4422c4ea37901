import { describe, expect, test } from 'vitest';
import { type LabelRoom, placeLabels } from '../../main/report/labels.ts';

const grid = { height: 40, width: 40 };
const room: LabelRoom = { size: [200, 200], plate: [10, 12], cover: new Float32Array(1600), grid };

describe('numbers beside what they point at', () => {
  test.each([
    ['in a corner', [0, 0]],
    ['on the lowest row', [100, 199]],
    ['in the middle', [100, 100]],
  ] as const)('of a point %s: inside the picture, near, and not on it', (_, point) => {
    const [[x, y] = [NaN, NaN]] = placeLabels([point], room);
    expect(x).toBeGreaterThanOrEqual(5);
    expect(x).toBeLessThanOrEqual(195);
    expect(y).toBeGreaterThanOrEqual(6);
    expect(y).toBeLessThanOrEqual(194);
    expect(Math.abs(x - point[0]) > 5 || Math.abs(y - point[1]) > 6).toBe(true);
    expect(Math.hypot(x - point[0], y - point[1])).toBeLessThan(20);
  });

  test('of a region: clear of all of it', () => {
    // Rows and columns 10 to 19: 50 to 100 points.
    const cover = Float32Array.from({ length: 1600 }, (_, i) => {
      const [row, column] = [Math.floor(i / 40), i % 40];
      return row >= 10 && row < 20 && column >= 10 && column < 20 ? 50 : 0;
    });
    const [[x, y] = [NaN, NaN]] = placeLabels([[75, 75]], { ...room, cover });
    expect(x + 5 <= 50 || x - 5 >= 100 || y + 6 <= 50 || y - 6 >= 100).toBe(true);
  });

  test('of points close together: clear of one another', () => {
    const labels = placeLabels(
      Array.from({ length: 6 }, (_, i) => [100 + 3 * i, 2] as const),
      room,
    );
    labels.forEach(([x, y], i) => {
      for (const [otherX, otherY] of labels.slice(i + 1)) {
        expect(Math.abs(x - otherX) >= 10 || Math.abs(y - otherY) >= 12).toBe(true);
      }
    });
  });
});
