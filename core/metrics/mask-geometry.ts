/**
 * The geometry of a pathology's mask: maps find small and complex shapes worst (Saporta et al. 2022, figure 3), so that a folder's localisation
 * is to be read by it.
 */
import { connectedRegions } from './connected-regions.ts';

export interface MaskGeometry {
  /** Regions whose pixels touch, at corners too. */
  instances: number;
  /** Share of the image's area. */
  areaShare: number;
  /** Longer over shorter side of the smallest rectangle, at any angle, around a region; over all regions the mean, weighted by area. */
  elongation: number;
  /** 1 - area / area of that rectangle; weighted likewise. 0 is a rectangle, 0.21 a disc. */
  irrectangularity: number;
}

type Point = readonly [x: number, y: number];

/**
 * Rectangles go around the pixels' corners, not their centres as OpenCV's, which gives a line of pixels no area.
 * @param mask [height, width] not 0 inside
 * @returns null for an empty mask
 */
export function maskGeometry(mask: Uint8Array, height: number, width: number): MaskGeometry | null {
  const regions = connectedRegions(mask, height, width);
  const area = regions.reduce((sum, region) => sum + region.length, 0);
  if (area === 0) return null;
  let [elongation, irrectangularity] = [0, 0];
  for (const region of regions) {
    const { longer, shorter } = smallestRectangle(convexHull(cornersOf(region, width)));
    const weight = region.length / area;
    elongation += (weight * longer) / shorter;
    irrectangularity += weight * (1 - region.length / (longer * shorter));
  }
  return { instances: regions.length, areaShare: area / mask.length, elongation, irrectangularity };
}

/**
 * Which third of a folder each value is in: 0, 1 or 2, by rank; equal values share the lower third.
 * @param values for example area shares
 */
export function tertiles(values: readonly number[]): number[] {
  return values.map((value) =>
    Math.floor((3 * values.filter((other) => other < value).length) / values.length),
  );
}

/** The outer corners of a region's rows: all that a hull can touch, sorted by y, then x. */
function cornersOf(region: readonly number[], width: number): Point[] {
  const ends = new Map<number, [left: number, right: number]>();
  const reach = (y: number, x: number): void => {
    const [left, right] = ends.get(y) ?? [x, x + 1];
    ends.set(y, [Math.min(left, x), Math.max(right, x + 1)]);
  };
  for (const pixel of region) {
    const row = Math.floor(pixel / width);
    reach(row, pixel % width);
    reach(row + 1, pixel % width);
  }
  return [...ends]
    .toSorted(([a], [b]) => a - b)
    .flatMap(([y, [left, right]]): Point[] => [
      [left, y],
      [right, y],
    ]);
}

/** Andrew's monotone chain (1979), of points sorted by y, then x. */
function convexHull(points: readonly Point[]): Point[] {
  const half = (ordered: readonly Point[]): Point[] => {
    const chain: Point[] = [];
    for (const point of ordered) {
      while (chain.length > 1 && turn(chain.at(-2), chain.at(-1), point) <= 0) chain.pop();
      chain.push(point);
    }
    return chain.slice(0, -1);
  };
  return [...half(points), ...half(points.toReversed())];
}

function turn(a: Point = [0, 0], b: Point = [0, 0], c: Point = [0, 0]): number {
  return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}

/** One side of the smallest rectangle lies on a side of the hull (Freeman and Shapira 1975). */
function smallestRectangle(hull: readonly Point[]): { longer: number; shorter: number } {
  let best = { longer: Infinity, shorter: Infinity };
  hull.forEach((from, i) => {
    const to = hull[(i + 1) % hull.length] ?? from;
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
    const [ux, uy] = [(to[0] - from[0]) / length, (to[1] - from[1]) / length];
    const extent = (along: (point: Point) => number): number => {
      const places = hull.map(along);
      return Math.max(...places) - Math.min(...places);
    };
    const sides = [extent(([x, y]) => x * ux + y * uy), extent(([x, y]) => y * ux - x * uy)] as const;
    if (sides[0] * sides[1] >= best.longer * best.shorter) return;
    best = { longer: Math.max(...sides), shorter: Math.min(...sides) };
  });
  return best;
}
