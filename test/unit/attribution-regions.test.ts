import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { leastNewPixels, mapByRegions } from '../../core/attribution/regions.ts';
import { overlappingRegions, segment } from '../../core/attribution/segments.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';

const [height, width] = [24, 30];
const plane = height * width;
const picture = (value: (row: number, column: number) => number): Float32Array =>
  Float32Array.from({ length: plane }, (_, i) => value(Math.floor(i / width), i % width));
const options = { scale: 50, sigma: 0, fewestPixels: 1 };

describe('segmentation', () => {
  test('finds flat areas that differ, and nothing else', () => {
    const halves = picture((_, column) => (column < 11 ? -1 : 1));
    const { labels, count } = segment(halves, 1, height, width, options);
    expect(count).toBe(2);
    labels.forEach((label, i) => expect(label).toBe(i % width < 11 ? 0 : 1));
    expect(
      segment(
        picture(() => 0.3),
        1,
        height,
        width,
        options,
      ).count,
    ).toBe(1);
  });

  test('joins across corners: a pixel has eight neighbours', () => {
    const diagonal = picture((row, column) => (row === column ? 1 : -1));
    // The diagonal is one segment; it does not part the rest, which is joined across its gaps.
    expect(segment(diagonal, 1, height, width, options).count).toBe(2);
  });

  test('a slope is parted into its lines until scale / |line| reaches the step between them', () => {
    const slope = picture((_, column) => column / 100);
    const step = Math.sqrt(3) / 100;
    const limit = 255 * step * height;
    const countAt = (scale: number): number => segment(slope, 1, height, width, { ...options, scale }).count;
    expect([countAt(0.99 * limit), countAt(1.01 * limit)]).toEqual([width, 1]);
  });

  test('parts a colour picture by any channel, and takes a grey one for three equal channels', () => {
    const [flat, halves] = [picture(() => 0), picture((row) => (row < 12 ? 0 : 0.5))];
    const colour = Float32Array.from([...flat, ...flat, ...halves]);
    expect(segment(colour, 3, height, width, options).count).toBe(2);
    const noise = picture(() => 0).map((_, i) => normalNumbers(plane, randomSource(4))[i] ?? 0);
    const three = Float32Array.from([...noise, ...noise, ...noise]);
    expect(segment(noise, 1, height, width, options)).toEqual(segment(three, 3, height, width, options));
  });

  test('leaves no segment smaller than the least size, and fewer at a large scale', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 2, max: 40 }), (seed, fewestPixels) => {
        const noise = normalNumbers(plane, randomSource(seed));
        const counts = [20, 1e6].map((scale) => {
          const { labels, count } = segment(noise, 1, height, width, { scale, sigma: 0.8, fewestPixels });
          const sizes = new Array<number>(count).fill(0);
          for (const label of labels) sizes[label] = (sizes[label] ?? 0) + 1;
          expect(Math.min(...sizes)).toBeGreaterThanOrEqual(fewestPixels);
          return count;
        });
        expect(counts[1]).toBe(1);
        expect(counts[0]).toBeGreaterThan(1);
      }),
      { numRuns: 10 },
    );
  });
});

describe('overlapping regions', () => {
  test('cover the picture at every scale, each grown by a disc', () => {
    const blocks = picture((row, column) => (row < 12 ? 0 : 1) + (column < 15 ? 0 : 2));
    const regions = overlappingRegions(blocks, 1, height, width);
    expect(regions.length).toBeGreaterThanOrEqual(6);
    const cover = new Uint8Array(plane);
    for (const region of regions) for (const pixel of region) cover[pixel] = (cover[pixel] ?? 0) + 1;
    expect(cover.every((times) => times >= 6)).toBe(true);
    for (const region of regions) expect([...region]).toEqual([...new Set(region)].sort((a, b) => a - b));
    // Each of the four blocks reaches one pixel over its edges, not to the corner's diagonal neighbour.
    const first = regions.find((region) => region[0] === 0 && region.length < plane / 2);
    expect(first).toHaveLength(12 * 15 + 12 + 15);
  });

  test('of a picture of one value are the whole of it', () => {
    const regions = overlappingRegions(
      picture(() => 7),
      1,
      height,
      width,
    );
    expect(regions.map((region) => region.length)).toEqual(new Array(6).fill(plane));
  });
});

describe('a map by regions', () => {
  const random = randomSource(3);
  const regionsOf = (count: number): Uint32Array[] =>
    Array.from({ length: count }, () => {
      const [top, left] = [Math.floor(random() * height), Math.floor(random() * width)];
      const inside = (i: number): boolean =>
        Math.abs(Math.floor(i / width) - top) < 5 && Math.abs((i % width) - left) < 6;
      return Uint32Array.from([...Array(plane).keys()].filter(inside));
    });

  /** The published algorithm, word for word: every mean anew in every round. */
  function plainly(map: Float32Array, regions: readonly Uint32Array[], fewest: number): Float64Array {
    const covered = new Set<number>();
    const heat = new Float64Array(plane).fill(NaN);
    const mean = (pixels: readonly number[]): number =>
      pixels.reduce((sum, pixel) => sum + (map[pixel] ?? NaN), 0) / pixels.length;
    for (let left = [...regions]; ;) {
      const fresh = (region: Uint32Array): number[] => [...region].filter((pixel) => !covered.has(pixel));
      left = left.filter((region) => fresh(region).length >= fewest);
      const [best] = left.toSorted((a, b) => mean(fresh(b)) - mean(fresh(a)));
      if (best === undefined) break;
      const pixels = fresh(best);
      for (const pixel of pixels) heat[pixel] = mean(pixels);
      for (const pixel of pixels) covered.add(pixel);
    }
    const rest = [...heat.keys()].filter((pixel) => !covered.has(pixel));
    for (const pixel of rest) heat[pixel] = mean(rest);
    return heat;
  }

  test('is that of the published algorithm, at a fraction of its work', () => {
    const map = normalNumbers(plane, random);
    const regions = regionsOf(40);
    const { heat } = mapByRegions(map, regions, 'full', 9);
    plainly(map, regions, 9).forEach((value, i) => expect(heat[i]).toBeCloseTo(value, 5));
  });

  test.each(['full', 'fast'] as const)(
    'sums to what the map sums to, ranks from 1 without a gap: %s',
    (mode) => {
      const map = normalNumbers(plane, random);
      const { heat, ranks } = mapByRegions(map, regionsOf(20), mode, 5);
      const sum = (values: Float32Array): number => values.reduce((total, value) => total + value, 0);
      expect(sum(heat)).toBeCloseTo(sum(map), 3);
      expect(new Set(ranks)).toEqual(new Set(Array.from({ length: Math.max(...ranks) }, (_, k) => k + 1)));
    },
  );

  test('a map that is not finite is refused, and regions without pixels are passed over', () => {
    const map = new Float32Array(plane).fill(1);
    expect(mapByRegions(map, [new Uint32Array()], 'fast', 1).heat).toEqual(map);
    map[4] = NaN;
    expect(() => mapByRegions(map, [], 'full', 1)).toThrow(/not finite/);
  });

  test('the least size is that published, in proportion to the area', () => {
    expect([leastNewPixels(224, 224), leastNewPixels(448, 224), leastNewPixels(8, 8)]).toEqual([50, 100, 1]);
  });
});
