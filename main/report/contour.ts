/** Iso-lines of a small raster by marching squares. */

/** A straight piece of an iso-line, in units of pixels; pixel centres lie at (i + 0.5). */
export interface Segment {
  x1: number;
  y1: number;
  x2: number;
  y2: number;
}

/**
 * @param values [rows, columns]; beyond the border they are taken to be below the level, so that lines close
 * @returns the line where the bilinear surface crosses `level`
 */
export function contour(values: Float32Array, rows: number, columns: number, level: number): Segment[] {
  const at = (row: number, column: number): number =>
    row < 0 || column < 0 || row >= rows || column >= columns
      ? Number.NEGATIVE_INFINITY
      : (values[row * columns + column] ?? 0);
  // Where between two neighbours the level lies; half way towards the outside.
  const crossing = (a: number, b: number): number =>
    Number.isFinite(a) && Number.isFinite(b) ? (level - a) / (b - a) : 0.5;

  const segments: Segment[] = [];
  for (let row = -1; row < rows; row++) {
    for (let column = -1; column < columns; column++) {
      const [a, b, c, d] = [
        at(row, column),
        at(row, column + 1),
        at(row + 1, column + 1),
        at(row + 1, column),
      ];
      const x = column + 0.5;
      const y = row + 0.5;
      const edges = {
        top: [x + crossing(a, b), y],
        right: [x + 1, y + crossing(b, c)],
        bottom: [x + crossing(d, c), y + 1],
        left: [x, y + crossing(a, d)],
      } as const;
      const corners = [a, b, c, d].reduce((bits, value, i) => bits | (value >= level ? 1 << i : 0), 0);
      for (const [from, to] of linesOf[corners] ?? []) {
        const [x1, y1] = edges[from];
        const [x2, y2] = edges[to];
        segments.push({ x1, y1, x2, y2 });
      }
    }
  }
  return segments;
}

type Edge = 'top' | 'right' | 'bottom' | 'left';

/** By which corners are inside: bit 0 top left, then clockwise. */
const linesOf: readonly (readonly (readonly [Edge, Edge])[])[] = [
  [],
  [['left', 'top']],
  [['top', 'right']],
  [['left', 'right']],
  [['right', 'bottom']],
  [
    ['left', 'top'],
    ['right', 'bottom'],
  ],
  [['top', 'bottom']],
  [['left', 'bottom']],
  [['bottom', 'left']],
  [['bottom', 'top']],
  [
    ['top', 'right'],
    ['bottom', 'left'],
  ],
  [['bottom', 'right']],
  [['right', 'left']],
  [['right', 'top']],
  [['top', 'left']],
  [],
];
