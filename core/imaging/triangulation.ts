/** Delaunay triangulation of pixels, and linear interpolation on it. */

/** Corner vertices of each triangle, three a triangle, anticlockwise (rows downwards); a vertex is a pixel's index. */
type Triangles = Int32Array;

/**
 * Twice the signed area of (a, b, c), in pixel indices of an image of this width: whole numbers, exact. Positive is the orientation that
 * `triangulate` gives its triangles.
 */
function orientation(a: number, b: number, c: number, width: number): number {
  const [ay, by, cy] = [Math.floor(a / width), Math.floor(b / width), Math.floor(c / width)];
  const [ax, bx, cx] = [a - ay * width, b - by * width, c - cy * width];
  return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
}

/** Whether d lies strictly inside the circle through a, b, c, which are positively oriented. Exact to sides of 4096 pixels. */
function inCircle(a: number, b: number, c: number, d: number, width: number): boolean {
  const dy = Math.floor(d / width);
  const dx = d - dy * width;
  const offset = (point: number): [number, number, number] => {
    const row = Math.floor(point / width);
    const [x, y] = [point - row * width - dx, row - dy];
    return [x, y, x * x + y * y];
  };
  const [ax, ay, aa] = offset(a);
  const [bx, by, bb] = offset(b);
  const [cx, cy, cc] = offset(c);
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
  const set = (triangle: number, corners3: readonly number[], beyond3: readonly number[]): void => {
    vertices.set(corners3, 3 * triangle);
    neighbours.set(beyond3, 3 * triangle);
  };
  /** Tells what lies beyond an edge that its neighbour is now another triangle. */
  const relink = (outer: number, from: number, to: number): void => {
    if (outer < 0) return;
    for (let corner = 0; corner < 3; corner++) {
      if (neighbours[3 * outer + corner] === from) {
        neighbours[3 * outer + corner] = to;
        return;
      }
    }
  };
  /** Flips the edge opposite corner 0 of a triangle while a point lies within its circle. Corner 0 is the new pixel. */
  const legalise = (first: readonly number[]): void => {
    const pending = [...first];
    for (let triangle = pending.pop(); triangle !== undefined; triangle = pending.pop()) {
      const other = beyond(triangle, 0);
      if (other < 0) continue;
      const [p, a, b] = [vertex(triangle, 0), vertex(triangle, 1), vertex(triangle, 2)];
      const apex = [0, 1, 2].find((corner) => beyond(other, corner) === triangle) ?? 0;
      const q = vertex(other, apex);
      if (!inCircle(p, a, b, q, width)) continue;
      // Beyond a-q and q-b of the neighbour, beyond b-p and p-a of this one.
      const [beyondAq, beyondQb] = [beyond(other, apex + 1), beyond(other, apex + 2)];
      const [beyondBp, beyondPa] = [beyond(triangle, 1), beyond(triangle, 2)];
      set(triangle, [p, a, q], [beyondAq, other, beyondPa]);
      set(other, [p, q, b], [beyondQb, beyondBp, triangle]);
      relink(beyondAq, other, triangle);
      relink(beyondBp, triangle, other);
      pending.push(triangle, other);
    }
  };

  const [topLeft, topRight, bottomRight, bottomLeft] = corners;
  set(0, [topLeft, topRight, bottomRight], [-1, 1, -1]);
  set(1, [topLeft, bottomRight, bottomLeft], [-1, -1, 0]);
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
      set(at, [p, a, b], [beyondAb, second, third]);
      set(second, [p, b, c], [beyondBc, third, at]);
      set(third, [p, c, a], [beyondCa, at, second]);
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
    set(at, [p, c, a], [beyondCa, other < 0 ? -1 : other, second]);
    set(second, [p, b, c], [beyondBc, at, fourth]);
    relink(beyondBc, at, second);
    if (other < 0) {
      legalise([at, second]);
      continue;
    }
    triangles += 1;
    const apex = [0, 1, 2].find((place) => beyond(other, place) === at) ?? 0;
    const q = vertex(other, apex);
    const [beyondAq, beyondQb] = [beyond(other, apex + 1), beyond(other, apex + 2)];
    set(other, [p, a, q], [beyondAq, fourth, at]);
    set(fourth, [p, q, b], [beyondQb, second, other]);
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
 * @param height at least 2, at most 4096, as `width`
 * @returns [height, width]
 */
export function interpolateBetween(
  values: ArrayLike<number>,
  known: Uint8Array,
  height: number,
  width: number,
): Float64Array {
  const filled = Float64Array.from({ length: height * width }, () => NaN);
  const triangles = triangulate(known, height, width);
  for (let t = 0; t < triangles.length; t += 3) {
    const [a = 0, b = 0, c = 0] = triangles.subarray(t, t + 3);
    const rows = [a, b, c].map((pixel) => Math.floor(pixel / width));
    const columns = [a, b, c].map((pixel) => pixel % width);
    const area = orientation(a, b, c, width);
    const [left, right] = [Math.min(...columns), Math.max(...columns)];
    for (let row = Math.min(...rows); row <= Math.max(...rows); row++) {
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
