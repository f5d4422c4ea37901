import { describe, expect, test } from 'vitest';
import { mapSimilarity, relativeDistance, shareDistance } from '../../core/metrics/map-change.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { multiScaleSimilarity, structuralSimilarity } from '../../core/metrics/ssim.ts';

const [height, width] = [192, 200];
const picture = (value: (row: number, column: number) => number): Float64Array =>
  Float64Array.from({ length: height * width }, (_, i) => value(Math.floor(i / width), i % width));
const a = picture((row, column) => 128 + 100 * Math.sin(0.3 * row) * Math.cos(0.2 * column));
const b = a.map((value, i) => 0.8 * value + 30 + 20 * Math.sin(0.7 * (Math.floor(i / width) + (i % width))));

describe('structural similarity', () => {
  test('agrees with the same formulas written in NumPy and SciPy', () => {
    expect(structuralSimilarity(a, b, height, width, 255)).toBeCloseTo(0.7970836055705015, 10);
    expect(multiScaleSimilarity(a, b, height, width, 255)).toBeCloseTo(0.9498581837112114, 10);
  });

  test.each([structuralSimilarity, multiScaleSimilarity])(
    '%o of an image with itself is 1, and symmetric',
    (similarity) => {
      expect(similarity(a, a, height, width, 255)).toBeCloseTo(1, 12);
      expect(similarity(b, a, height, width, 255)).toBe(similarity(a, b, height, width, 255));
    },
  );

  test('of two even images is the luminance term alone', () => {
    const [dark, light] = [a.map(() => 100), a.map(() => 200)];
    const c1 = (0.01 * 255) ** 2;
    const luminance = (2 * 100 * 200 + c1) / (100 ** 2 + 200 ** 2 + c1);
    expect(structuralSimilarity(dark, light, height, width, 255)).toBeCloseTo(luminance, 9);
    // At five scales the luminance counts at the coarsest only, with its published weight.
    expect(multiScaleSimilarity(dark, light, height, width, 255)).toBeCloseTo(luminance ** 0.1333, 9);
  });

  test('depends on values over their range alone', () => {
    const [smallA, smallB] = [a, b].map((image) => image.map((value) => value / 255));
    expect(structuralSimilarity(smallA ?? a, smallB ?? b, height, width, 1)).toBeCloseTo(
      0.7970836055705015,
      10,
    );
  });

  test('uses the scales that fit a small image, and refuses one under the window', () => {
    const small = normalNumbers(11 * 11, randomSource(1));
    const other = small.map((value) => value + 0.3);
    // One scale of weight 1.0001, the published weights' sum.
    expect(multiScaleSimilarity(small, other, 11, 11, 4)).toBeCloseTo(
      structuralSimilarity(small, other, 11, 11, 4) ** 1.0001,
      12,
    );
    for (const similarity of [structuralSimilarity, multiScaleSimilarity]) {
      expect(() => similarity(small, small, 11, 10, 1)).toThrow('11 pixels or more');
      expect(() => similarity(new Float32Array(100), new Float32Array(100), 10, 10, 1)).toThrow('11 pixels');
    }
  });

  test('an image turned into its negative keeps nothing', () => {
    const negative = a.map((value) => 255 - value);
    expect(structuralSimilarity(a, negative, height, width, 255)).toBeLessThan(0);
    expect(multiScaleSimilarity(a, negative, height, width, 255)).toBe(0);
  });
});

describe('the change of a map', () => {
  const side = 16;
  const map = normalNumbers(side * side, randomSource(8));

  test('to itself is none, at any scale', () => {
    const scaled = map.map((value) => 4 * value);
    const { ssim, rankAbsolute, rankSigned } = mapSimilarity(map, scaled, side, side) ?? {};
    for (const figure of [ssim, rankAbsolute, rankSigned]) expect(figure).toBeCloseTo(1, 9);
    expect(shareDistance(map, scaled)).toBeCloseTo(0, 12);
    expect(relativeDistance(map, map)).toBe(0);
    expect(relativeDistance(map, scaled)).toBeCloseTo(3, 6);
  });

  test('a change of sign alone shows in the signed order alone', () => {
    const turned = mapSimilarity(
      map,
      map.map((value) => -value),
      side,
      side,
    );
    expect(turned?.rankSigned).toBeCloseTo(-1, 12);
    expect(turned?.rankAbsolute).toBeCloseTo(1, 12);
    expect(turned?.ssim).toBeCloseTo(1, 12);
  });

  test('has no value where a map is constant or zero', () => {
    const zero = new Float32Array(side * side);
    expect(mapSimilarity(map, zero, side, side)).toBeNull();
    expect(relativeDistance(zero, map)).toBeNull();
    expect(shareDistance(map, zero)).toBeNull();
    expect(() =>
      relativeDistance(
        map,
        map.map(() => NaN),
      ),
    ).toThrow('not finite');
  });

  test('squared shares by hand', () => {
    expect(shareDistance(Float32Array.of(1, -1), Float32Array.of(3, 1))).toBeCloseTo(0.0625, 12);
  });
});
