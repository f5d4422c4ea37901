/** Delaunay triangulation of pixels, and linear interpolation on it. */
import { PathlightError } from '../contract/errors.ts';

/** Corner vertices of each triangle, three a triangle, anticlockwise (rows downwards); a vertex is a pixel's index. */
type Triangles = Int32Array;

/**
 * Twice the signed area of (a, b, c), in pixel indices of an image of this width: whole numbers, exact. Positive is the orientation that
 * `triangulate` gives its triangles.
 */
function orientation(a: number, b: number, c: number, width: number): number {
  const ax = a % width;
  const bx = b % width;
  const cx = c % width;
  // Rows, times the width.
  const [ay, by, cy] = [a - ax, b - bx, c - cx];
  return ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax)) / width;
}

/** Whether d lies strictly inside the circle through a, b, c, which are positively oriented. Exact to sides of 4096 pixels. */
function inCircle(a: number, b: number, c: number, d: number, width: number): boolean {
  const dx = d % width;
  const dy = (d - dx) / width;
  const ax = (a % width) - dx;
  const bx = (b % width) - dx;
  const cx = (c % width) - dx;
  const ay = (a - (a % width)) / width - dy;
  const by = (b - (b % width)) / width - dy;
  const cy = (c - (c % width)) / width - dy;
  const aa = ax * ax + ay * ay;
  const bb = bx * bx + by * by;
  const cc = cx * cx + cy * cy;
  return aa * (bx * cy - by * cx) - bb * (ax * cy - ay * cx) + cc * (ax * by - ay * bx) > 0;
}

/**
 * Triangulates the image's four corners and other pixels, by inserting one after the other and flipping edges (Lawson 1977). Pixels
 * of a grid often lie on one circle, where several triangulations are Delaunay's: the order of insertion decides, so that
 * the same pixels always give the same triangles.
 * @param known [height, width] not 0 for the pixels to connect; the corners always are
 * @param height at least 2, at most 4096, as `width`
 */
function triangulate(known: Uint8Array, height: number, width: number): Triangles {
  const corners = [0, width - 1, height * width - 1, (height - 1) * width] as const;
  const inner: number[] = [];
  known.forEach((is, pixel) => {
    if (is !== 0 && !(corners as readonly number[]).includes(pixel)) inner.push(pixel);
  });
  // Every pixel more makes two triangles more, or one where it lies on the border.
  const vertices = new Int32Array(3 * (2 + 2 * inner.length));
  /** The triangle beyond the edge opposite each vertex; -1 beyond the border. */
  const neighbours = new Int32Array(vertices.length).fill(-1);
  const vertex = (triangle: number, corner: number): number => vertices[3 * triangle + (corner % 3)] ?? 0;
  const beyond = (triangle: number, corner: number): number => neighbours[3 * triangle + (corner % 3)] ?? -1;
  /** Sets a triangle's corners, and what lies beyond the edge opposite each. Typed arrays' own `set` is slow for so few. */
  const set = (
    triangle: number,
    a: number,
    b: number,
    c: number,
    beyondA: number,
    beyondB: number,
    beyondC: number,
  ): void => {
    const at = 3 * triangle;
    vertices[at] = a;
    vertices[at + 1] = b;
    vertices[at + 2] = c;
    neighbours[at] = beyondA;
    neighbours[at + 1] = beyondB;
    neighbours[at + 2] = beyondC;
  };
  /** The corner of a triangle beyond whose opposite edge another lies. */
  const cornerTowards = (triangle: number, other: number): number =>
    neighbours[3 * triangle] === other ? 0 : neighbours[3 * triangle + 1] === other ? 1 : 2;
  /** Tells what lies beyond an edge that its neighbour is now another triangle. */
  const relink = (outer: number, from: number, to: number): void => {
    if (outer >= 0) neighbours[3 * outer + cornerTowards(outer, from)] = to;
  };
  /** Flips the edge opposite corner 0 of a triangle while a point lies within its circle. Corner 0 is the new pixel. */
  const legalise = (pending: number[]): void => {
    for (let triangle = pending.pop(); triangle !== undefined; triangle = pending.pop()) {
      const other = beyond(triangle, 0);
      if (other < 0) continue;
      const [p, a, b] = [vertex(triangle, 0), vertex(triangle, 1), vertex(triangle, 2)];
      const apex = cornerTowards(other, triangle);
      const q = vertex(other, apex);
      if (!inCircle(p, a, b, q, width)) continue;
      // Beyond a-q and q-b of the neighbour, beyond b-p and p-a of this one.
      const [beyondAq, beyondQb] = [beyond(other, apex + 1), beyond(other, apex + 2)];
      const [beyondBp, beyondPa] = [beyond(triangle, 1), beyond(triangle, 2)];
      set(triangle, p, a, q, beyondAq, other, beyondPa);
      set(other, p, q, b, beyondQb, beyondBp, triangle);
      relink(beyondAq, other, triangle);
      relink(beyondBp, triangle, other);
      pending.push(triangle, other);
    }
  };

  const [topLeft, topRight, bottomRight, bottomLeft] = corners;
  set(0, topLeft, topRight, bottomRight, -1, 1, -1);
  set(1, topLeft, bottomRight, bottomLeft, -1, -1, 0);
  let triangles = 2;
  let at = 0;
  for (const p of inner) {
    let edge: number | undefined;
    let moved = true;
    while (moved) {
      moved = false;
      edge = undefined;
      for (let corner = 0; corner < 3; corner++) {
        const side = orientation(vertex(at, corner + 1), vertex(at, corner + 2), p, width);
        if (side === 0) edge = corner;
        if (side < 0) {
          at = beyond(at, corner);
          moved = true;
          break;
        }
      }
    }
    const corner = edge ?? 0;
    const [c, a, b] = [vertex(at, corner), vertex(at, corner + 1), vertex(at, corner + 2)];
    const [beyondAb, beyondBc, beyondCa] = [
      beyond(at, corner),
      beyond(at, corner + 1),
      beyond(at, corner + 2),
    ];
    if (edge === undefined) {
      const [second, third] = [triangles, triangles + 1];
      triangles += 2;
      set(at, p, a, b, beyondAb, second, third);
      set(second, p, b, c, beyondBc, third, at);
      set(third, p, c, a, beyondCa, at, second);
      relink(beyondBc, at, second);
      relink(beyondCa, at, third);
      legalise([at, second, third]);
      continue;
    }
    // On the edge a-b: both triangles beside it are halved, or the one at the border.
    const second = triangles;
    triangles += 1;
    const other = beyondAb;
    const fourth = other < 0 ? -1 : triangles;
    set(at, p, c, a, beyondCa, other, second);
    set(second, p, b, c, beyondBc, at, fourth);
    relink(beyondBc, at, second);
    if (other < 0) {
      legalise([at, second]);
      continue;
    }
    triangles += 1;
    const apex = cornerTowards(other, at);
    const q = vertex(other, apex);
    const [beyondAq, beyondQb] = [beyond(other, apex + 1), beyond(other, apex + 2)];
    set(other, p, a, q, beyondAq, fourth, at);
    set(fourth, p, q, b, beyondQb, second, other);
    relink(beyondQb, other, fourth);
    legalise([at, second, other, fourth]);
  }
  return vertices.subarray(0, 3 * triangles);
}

/**
 * Fills in the pixels that are not known, linearly between those that are, on their Delaunay triangulation: what SciPy's `griddata` does,
 * but for the choice among triangulations where pixels lie on one circle.
 * @param values [height, width]
 * @param known [height, width] not 0 for the pixels whose values count; the corners always do
 * @returns [height, width]
 * @throws PathlightError `bad-request`: a side under 2 pixels, or over 4096, beyond which the arithmetic would not be exact
 */
export function interpolateBetween(
  values: ArrayLike<number>,
  known: Uint8Array,
  height: number,
  width: number,
): Float64Array {
  if (Math.min(height, width) < 2 || Math.max(height, width) > 4096) {
    throw new PathlightError(
      'bad-request',
      `An image of ${height} x ${width} pixels cannot be interpolated on triangles: each side must have 2 to 4096`,
      'Use the image at the model input size.',
    );
  }
  const filled = new Float64Array(height * width).fill(NaN);
  const triangles = triangulate(known, height, width);
  for (let t = 0; t < triangles.length; t += 3) {
    const a = triangles[t] ?? 0;
    const b = triangles[t + 1] ?? 0;
    const c = triangles[t + 2] ?? 0;
    const area = orientation(a, b, c, width);
    const left = Math.min(a % width, b % width, c % width);
    const right = Math.max(a % width, b % width, c % width);
    const last = Math.floor(Math.max(a, b, c) / width);
    for (let row = Math.floor(Math.min(a, b, c) / width); row <= last; row++) {
      for (let pixel = row * width + left; pixel <= row * width + right; pixel++) {
        if (!Number.isNaN(filled[pixel])) continue;
        const ofA = orientation(b, c, pixel, width);
        const ofB = orientation(c, a, pixel, width);
        const ofC = orientation(a, b, pixel, width);
        if (ofA < 0 || ofB < 0 || ofC < 0) continue;
        filled[pixel] = (ofA * (values[a] ?? 0) + ofB * (values[b] ?? 0) + ofC * (values[c] ?? 0)) / area;
      }
    }
  }
  return filled;
}
