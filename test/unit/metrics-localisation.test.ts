import { describe, expect, test } from 'vitest';
import { boxMask } from '../../core/metrics/boxes.ts';
import { pointingGame, pointingTolerance } from '../../core/metrics/pointing-game.ts';
import { averagePrecision, rocArea } from '../../core/metrics/precision-recall.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { relevanceMass } from '../../core/metrics/relevance-mass.ts';
import { relevanceRank } from '../../core/metrics/relevance-rank.ts';
import { segmentationOverlap } from '../../core/metrics/segmentation-overlap.ts';

const side = 20;
const mask = boxMask([{ row: 4, column: 5, height: 6, width: 8 }], side, side);
const area = 48;
const empty = new Uint8Array(side * side);
const full = new Uint8Array(side * side).fill(1);
const perfect = Float32Array.from(mask, (inside) => -2 * inside);
const opposite = Float32Array.from(mask, (inside) => 1 - inside);
const constant = new Float32Array(side * side).fill(3);

/** Every metric against a mask, as one number; a hit is 1. */
const metrics: Record<string, (map: Float32Array, mask: Uint8Array) => number | null> = {
  'hit rate': (map, of) => numberOf(pointingGame(map, of, side)),
  'pointing game': (map, of) => numberOf(pointingGame(map, of, side, pointingTolerance(side, side))),
  'relevance mass': (map, of) => relevanceMass(map, of)?.share ?? null,
  'relevance rank': (map, of) => relevanceRank(map, of),
  'IoU after Otsu': (map, of) => segmentationOverlap(map, of, 'otsu'),
  'IoU of the top': (map, of) => segmentationOverlap(map, of, 'top'),
  'average precision': (map, of) => averagePrecision(map, of)?.area ?? null,
  'ROC area': (map, of) => rocArea(map, of),
};
const numberOf = (hit: boolean | null): number | null => (hit === null ? null : Number(hit));

describe.each(Object.entries(metrics))('%s', (name, measure) => {
  test('an empty mask has no value: it is neither hit, as Quantus has it, nor missed', () => {
    expect(measure(perfect, empty)).toBeNull();
    expect(measure(new Float32Array(side * side), empty)).toBeNull();
  });

  test.runIf(name !== 'IoU of the top')('a map of the mask itself reaches 1', () => {
    expect(measure(perfect, mask)).toBe(1);
  });

  test('a map of everything else is at the bottom', () => {
    const least = { 'average precision': 0.13, 'pointing game': 1 }[name] ?? 0;
    expect(measure(opposite, mask)).toBeLessThanOrEqual(least);
  });

  test('neither scale nor sign of the map counts, nor what other maps were measured', () => {
    const map = normalNumbers(side * side, randomSource(4));
    const value = measure(map, mask);
    expect(
      measure(
        map.map((attribution) => attribution * -1024),
        mask,
      ),
    ).toBe(value);
    measure(constant, mask);
    expect(measure(map, mask)).toBe(value);
  });

  test('a value that is no number, or a map of another size, is an error', () => {
    const map = perfect.slice();
    map[7] = NaN;
    const refusal = expect.objectContaining({ name: 'PathlightError', kind: 'bad-request' }) as Error;
    expect(() => measure(map, mask)).toThrow(refusal);
    expect(() => measure(perfect.slice(1), mask)).toThrow(refusal);
  });
});

test('a constant map points nowhere, and is an even one where it has an order of none', () => {
  expect(pointingGame(constant, mask, side)).toBeNull();
  expect(relevanceRank(constant, mask)).toBeNull();
  expect(segmentationOverlap(constant, mask, 'otsu')).toBeNull();
  expect(segmentationOverlap(constant, mask, 'top')).toBeNull();
  expect(relevanceMass(constant, mask)).toEqual({
    share: area / 400,
    areaShare: area / 400,
    enrichment: 1,
  });
  expect(averagePrecision(constant, mask)).toEqual({ area: area / 400, prevalence: area / 400 });
  expect(rocArea(constant, mask)).toBe(0.5);
  expect(relevanceMass(new Float32Array(side * side), mask)).toBeNull();
  expect(rocArea(constant, full)).toBeNull();
});

test('a random map hits by area, and gets the area of the mass, the rank and the precision', () => {
  const draws = 2000;
  const random = randomSource(11);
  const sums = { hits: 0, mass: 0, rank: 0, precision: 0, roc: 0 };
  for (let k = 0; k < draws; k++) {
    const map = normalNumbers(side * side, random);
    sums.hits += Number(pointingGame(map, mask, side));
    sums.mass += relevanceMass(map, mask)?.share ?? NaN;
    sums.rank += relevanceRank(map, mask) ?? NaN;
    sums.roc += rocArea(map, mask) ?? NaN;
  }
  const share = area / 400;
  // Three standard errors of a proportion of 2000.
  expect(Math.abs(sums.hits / draws - share)).toBeLessThan(3 * Math.sqrt((share * (1 - share)) / draws));
  expect(sums.mass / draws).toBeCloseTo(share, 2);
  expect(sums.rank / draws).toBeCloseTo(share, 2);
  expect(sums.roc / draws).toBeCloseTo(0.5, 2);
});

test('of equal maxima the first decides; a tolerance reaches to the mask and no farther', () => {
  const map = new Float32Array(side * side);
  map[0] = map[4 * side + 5] = 1;
  expect(pointingGame(map, mask, side)).toBe(false);
  // From row 0, column 0 to row 4, column 5: the square root of 41 pixels.
  expect(pointingGame(map, mask, side, 6.4)).toBe(false);
  expect(pointingGame(map, mask, side, 6.5)).toBe(true);
  expect(pointingTolerance(224, 448)).toBe(15);
});

test('boxes hold the pixels whose centres they hold, and are cut at the border', () => {
  expect([...boxMask([{ row: 0.4, column: 0.6, height: 1.2, width: 2 }], 2, 3)]).toEqual([0, 1, 1, 0, 1, 1]);
  expect([...boxMask([{ row: -5, column: 1, height: 6, width: 100 }], 2, 3)]).toEqual([0, 1, 1, 0, 0, 0]);
  expect([...boxMask([{ row: 0, column: 5, height: 2, width: 2 }], 2, 3)]).toEqual([0, 0, 0, 0, 0, 0]);
  expect(() => boxMask([{ row: NaN, column: 0, height: 1, width: 1 }], 2, 3)).toThrow('is not one');
});

test('average precision and ROC area agree with scikit-learn, ties included', () => {
  // sklearn.metrics 1.3: average_precision_score and roc_auc_score of these.
  const truth = new Uint8Array([0, 0, 1, 1]);
  const scores = new Float32Array([0.1, 0.4, 0.35, 0.8]);
  expect(averagePrecision(scores, truth)?.area).toBeCloseTo(0.8333333333, 9);
  expect(rocArea(scores, truth)).toBeCloseTo(0.75, 12);
  const tied = new Float32Array([1, 2, 2, 2]);
  expect(averagePrecision(tied, truth)?.area).toBeCloseTo(2 / 3, 12);
  expect(rocArea(tied, truth)).toBeCloseTo(0.75, 12);
});

test('Otsu parts two heaps between them, and the upper one is held against the mask', () => {
  const random = randomSource(2);
  const map = Float32Array.from(mask, (inside) => (inside === 1 ? 0.8 : 0.2) + 0.1 * random());
  expect(segmentationOverlap(map, mask, 'otsu')).toBe(1);
  // Half of the mask bright: half of it is the intersection, and no more the union.
  const half = mask.map((inside, i) => (Math.floor(i / side) < 7 ? inside : 0));
  expect(segmentationOverlap(Float32Array.from(half), mask, 'otsu')).toBe(0.5);
});
