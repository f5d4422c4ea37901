/** Efficient graph-based segmentation (Felzenszwalb and Huttenlocher 2004), and the overlapping regions that XRAI makes of it. */
import { gaussianBlur } from '../imaging/resample.ts';
import { ascendingOrder } from '../metrics/order.ts';
import { rangeOf } from './noise.ts';

export interface SegmentationOptions {
  /** Preference for large segments: tau(C) = scale / |C|, in units of 1/255 of the picture's unit of value, as scikit-image takes it. */
  scale: number;
  /** Of the blur beforehand, in pixels. */
  sigma: number;
  /** Segments of fewer pixels are joined to the neighbour that differs least. */
  fewestPixels: number;
}

/** A forest of pixels that belong together; the size and the largest inner difference of each tree stand at its root. */
class Forest {
  readonly #parent: Uint32Array;
  readonly #size: Uint32Array;
  readonly #inner: Float64Array;

  constructor(count: number) {
    this.#parent = Uint32Array.from({ length: count }, (_, i) => i);
    this.#size = new Uint32Array(count).fill(1);
    this.#inner = new Float64Array(count);
  }

  root(of: number): number {
    let node = of;
    for (;;) {
      const parent = this.#parent[node] ?? node;
      if (parent === node) return node;
      const grandparent = this.#parent[parent] ?? parent;
      this.#parent[node] = grandparent;
      node = grandparent;
    }
  }

  size(root: number): number {
    return this.#size[root] ?? 0;
  }

  inner(root: number): number {
    return this.#inner[root] ?? 0;
  }

  join(a: number, b: number, difference: number): void {
    const [large, small] = this.size(a) < this.size(b) ? [b, a] : [a, b];
    this.#parent[small] = large;
    this.#size[large] = this.size(large) + this.size(small);
    this.#inner[large] = difference;
  }
}

/**
 * @param picture [channels, height, width]; a grey one counts as three equal channels, so that scales mean the same for both
 * @returns [height, width] labels from 0 on, in the order of their first pixels, and how many there are
 */
export function segment(
  picture: Float32Array,
  channels: number,
  height: number,
  width: number,
  { scale, sigma, fewestPixels }: SegmentationOptions,
): { labels: Uint32Array; count: number } {
  const plane = height * width;
  const smooth = Array.from({ length: channels }, (_, channel) =>
    gaussianBlur(picture.subarray(channel * plane, (channel + 1) * plane), height, width, sigma),
  );
  const edges = neighbours(smooth, height, width);
  const order = ascendingOrder(edges.difference);
  const forest = new Forest(plane);
  const tau = scale / 255;
  const edgeAt = (at: number): [number, number, number] => [
    forest.root(edges.from[at] ?? 0),
    forest.root(edges.to[at] ?? 0),
    edges.difference[at] ?? 0,
  ];
  for (const at of order) {
    const [a, b, difference] = edgeAt(at);
    const bound = (root: number): number => forest.inner(root) + tau / forest.size(root);
    if (a !== b && difference <= Math.min(bound(a), bound(b))) forest.join(a, b, difference);
  }
  for (const at of order) {
    const [a, b, difference] = edgeAt(at);
    if (a !== b && Math.min(forest.size(a), forest.size(b)) < fewestPixels) forest.join(a, b, difference);
  }

  const labelOf = new Map<number, number>();
  const labels = Uint32Array.from({ length: plane }, (_, pixel) => {
    const root = forest.root(pixel);
    const label = labelOf.get(root) ?? labelOf.size;
    labelOf.set(root, label);
    return label;
  });
  return { labels, count: labelOf.size };
}

/** The edges between each pixel and its eight neighbours, once each, weighed by the Euclidean distance of their values. */
function neighbours(
  channels: readonly Float32Array[],
  height: number,
  width: number,
): { from: Uint32Array; to: Uint32Array; difference: Float32Array } {
  const repeats = channels.length === 1 ? 3 : 1;
  const count = 4 * height * width - 3 * (height + width) + 2;
  const [from, to] = [new Uint32Array(count), new Uint32Array(count)];
  const difference = new Float32Array(count);
  let edge = 0;
  for (const [down, right] of [
    [0, 1],
    [1, 0],
    [1, 1],
    [1, -1],
  ] as const) {
    for (let row = 0; row + down < height; row++) {
      for (let column = Math.max(0, -right); column < Math.min(width, width - right); column++) {
        const here = row * width + column;
        const there = here + down * width + right;
        let squares = 0;
        for (const values of channels) squares += ((values[here] ?? 0) - (values[there] ?? 0)) ** 2;
        from[edge] = here;
        to[edge] = there;
        difference[edge] = Math.sqrt(repeats * squares);
        edge++;
      }
    }
  }
  return { from, to, difference };
}

/** The scales, blur, least size and dilation that XRAI is published with, for an input of 224 pixels. */
const xraiSegmentation = {
  scales: [50, 100, 150, 250, 500, 1200],
  sigma: 0.8,
  fewestPixels: 150,
  dilation: 5,
} as const;

/**
 * Overlapping regions of a picture: its segments at six scales, each grown by a disc. Sizes are in proportion to the input's, those
 * published being for 224 pixels.
 * @param picture [channels, height, width] in any unit: it is scaled to [-1, 1] first
 * @returns the pixels of each region, ascending
 */
export function overlappingRegions(
  picture: Float32Array,
  channels: number,
  height: number,
  width: number,
): Uint32Array[] {
  const enlargement = Math.min(height, width) / 224;
  const [lowest, range] = [picture.reduce((a, b) => Math.min(a, b), Infinity), rangeOf(picture)];
  const scaled = picture.map((value) => (range === 0 ? 0 : (2 * (value - lowest)) / range - 1));
  const radius = Math.max(1, Math.round(xraiSegmentation.dilation * enlargement));
  const fewestPixels = Math.max(1, Math.round(xraiSegmentation.fewestPixels * enlargement ** 2));
  return xraiSegmentation.scales.flatMap((scale) => {
    const options = {
      scale: scale * enlargement ** 2,
      sigma: xraiSegmentation.sigma * enlargement,
      fewestPixels,
    };
    const { labels, count } = segment(scaled, channels, height, width, options);
    return dilatedSegments(labels, count, height, width, radius);
  });
}

/** The pixels within `radius` of each label's, ascending. */
function dilatedSegments(
  labels: Uint32Array,
  count: number,
  height: number,
  width: number,
  radius: number,
): Uint32Array[] {
  const disc: [number, number][] = [];
  for (let down = -radius; down <= radius; down++) {
    for (let right = -radius; right <= radius; right++) {
      if (down ** 2 + right ** 2 <= radius ** 2) disc.push([down, right]);
    }
  }
  const members = Array.from({ length: count }, (): number[] => []);
  labels.forEach((label, pixel) => members[label]?.push(pixel));
  // Which region has last taken a pixel: one array serves them all.
  const takenBy = new Int32Array(labels.length).fill(-1);
  return members.map((pixels, label) => {
    const region: number[] = [];
    for (const pixel of pixels) {
      const [row, column] = [Math.floor(pixel / width), pixel % width];
      const inside =
        row > 0 &&
        column > 0 &&
        row < height - 1 &&
        column < width - 1 &&
        [pixel - 1, pixel + 1, pixel - width, pixel + width].every((next) => labels[next] === label);
      // The disc about an inner pixel lies within the discs about the outer ones and the segment itself.
      for (const [down, right] of inside ? ([[0, 0]] as const) : disc) {
        const [toRow, toColumn] = [row + down, column + right];
        if (toRow < 0 || toColumn < 0 || toRow >= height || toColumn >= width) continue;
        const at = toRow * width + toColumn;
        if (takenBy[at] === label) continue;
        takenBy[at] = label;
        region.push(at);
      }
    }
    return Uint32Array.from(region).sort();
  });
}
