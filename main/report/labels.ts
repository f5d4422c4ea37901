/** Numbers beside the places of a picture that they name: inside it, clear of what they point at and of one another. */

/** A length in points across and down, from the picture's top left. */
type Point = readonly [x: number, y: number];

export interface LabelRoom {
  /** The picture's size, and that of a number's plate. */
  size: Point;
  plate: Point;
  /** [height, width] what a plate on a pixel of the picture's raster costs, in points of distance. */
  cover: Float32Array;
  grid: { height: number; width: number };
}

/** Between the places that are tried, and least between two plates. */
const STEP = 2;
const APART = 2;
/** Of a plate over another, and of a leader across a plate: no distance makes up for them. */
const OVERPRINT = 1e6;
const CROSSING = 1e4;

/**
 * Where the middles of the plates go: each as near to its point as can be, the first first.
 * @returns as many as there are points, each plate wholly inside the picture
 */
export function placeLabels(points: readonly Point[], room: LabelRoom): Point[] {
  const [across, down] = room.size;
  const [halfWidth, halfHeight] = [room.plate[0] / 2, room.plate[1] / 2];
  const columns = Math.max(1, Math.floor((across - 2 * halfWidth) / STEP) + 1);
  const rows = Math.max(1, Math.floor((down - 2 * halfHeight) / STEP) + 1);
  const places = Array.from({ length: rows * columns }, (_, i): Point => {
    return [halfWidth + STEP * (i % columns), halfHeight + STEP * Math.floor(i / columns)];
  });
  const covered = places.map((place) => coverOf(place, room));
  const placed: Point[] = [];
  for (const point of points) {
    const cost = (place: Point, i: number): number => {
      let sum = Math.hypot(place[0] - point[0], place[1] - point[1]) + (covered[i] ?? 0);
      placed.forEach((other, at) => {
        if (isOver(place, other, room.plate)) sum += OVERPRINT;
        if (crosses(place, point, other, room.plate)) sum += CROSSING;
        if (crosses(other, points[at] ?? other, place, room.plate)) sum += CROSSING;
      });
      // No plate on the end of another's leader, either.
      for (const end of points) if (crosses(end, end, place, room.plate)) sum += CROSSING;
      return sum;
    };
    const costs = places.map(cost);
    const best = costs.reduce((least, value, i) => (value < (costs[least] ?? Infinity) ? i : least), 0);
    placed.push(places[best] ?? point);
  }
  return placed;
}

function coverOf([x, y]: Point, { size, plate, cover, grid }: LabelRoom): number {
  const pixels = (middle: number, length: number, all: number, count: number): [number, number] => [
    Math.max(0, Math.floor(((middle - length / 2 - APART) * count) / all)),
    Math.min(count, Math.ceil(((middle + length / 2 + APART) * count) / all)),
  ];
  const [left, right] = pixels(x, plate[0], size[0], grid.width);
  const [top, bottom] = pixels(y, plate[1], size[1], grid.height);
  let sum = 0;
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) sum += cover[row * grid.width + column] ?? 0;
  }
  return sum;
}

function isOver(one: Point, other: Point, [width, height]: Point): boolean {
  return Math.abs(one[0] - other[0]) < width + APART && Math.abs(one[1] - other[1]) < height + APART;
}

/** Whether the straight line comes over the plate about `middle`. */
function crosses(from: Point, to: Point, middle: Point, [width, height]: Point): boolean {
  const steps = Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1])) + 1;
  for (let i = 0; i <= steps; i++) {
    const x = from[0] + ((to[0] - from[0]) * i) / steps;
    const y = from[1] + ((to[1] - from[1]) * i) / steps;
    if (Math.abs(x - middle[0]) < width / 2 + APART && Math.abs(y - middle[1]) < height / 2 + APART)
      return true;
  }
  return false;
}
