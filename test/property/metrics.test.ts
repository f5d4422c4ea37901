import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { interpolateBetween } from '../../core/imaging/triangulation.ts';
import { complexity, effectiveComplexity, sparseness } from '../../core/metrics/concentration.ts';
import { informationCurve } from '../../core/metrics/information-curve.ts';
import { deletion, insertion } from '../../core/metrics/insertion-deletion.ts';
import { bootstrapMean, wilsonProportion } from '../../core/metrics/interval.ts';
import { mapSimilarity } from '../../core/metrics/map-change.ts';
import { averagePrecision, rocArea } from '../../core/metrics/precision-recall.ts';
import { relevanceMass } from '../../core/metrics/relevance-mass.ts';
import { relevanceRank } from '../../core/metrics/relevance-rank.ts';
import { segmentationOverlap } from '../../core/metrics/segmentation-overlap.ts';
import { multiScaleSimilarity, structuralSimilarity } from '../../core/metrics/ssim.ts';
import { scoreBy, sum } from '../support/probes.ts';

const pixels = 36;
const attribution = fc.float({ min: -8, max: 8, noNaN: true });
const map = fc
  .array(attribution, { minLength: pixels, maxLength: pixels })
  .map((values) => Float32Array.from(values));
const mask = fc
  .array(fc.boolean(), { minLength: pixels, maxLength: pixels })
  .map((values) => Uint8Array.from(values, Number));
const level = fc.integer({ min: 0, max: 255 });

/** A score that depends on every pixel, and on their places. */
const score = scoreBy((point) => 0.5 + 0.5 * Math.sin(sum(point.map((value, i) => value * (1 + (i % 7))))));
const x = Float32Array.from({ length: pixels }, (_, i) => ((i * 37) % 11) / 11);
const blank = new Float32Array(pixels).fill(0.2);

describe('insertion and deletion', () => {
  test('depend on the order of the map alone: ascending functions of it change nothing', async () => {
    await fc.assert(
      fc.asyncProperty(map, async (saliency) => {
        // Small whole numbers, which each function keeps apart.
        const whole = saliency.map(Math.round);
        for (const by of [insertion, deletion]) {
          const expected = await by(score, whole, x, blank, { points: 10 });
          for (const rescaled of [(v: number) => 3 * v - 40, (v: number) => v ** 3, Math.exp]) {
            expect(await by(score, whole.map(rescaled), x, blank, { points: 10 })).toEqual(expected);
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  test('of one map are each other backwards', async () => {
    await fc.assert(
      fc.asyncProperty(map, async (saliency) => {
        const distinct = saliency.map((_, i) => ((i * 7) % pixels) * (sum(saliency) < 0 ? -1 : 1));
        const shown = await insertion(score, distinct, x, blank, { points: 37 });
        const gone = await deletion(
          score,
          distinct.map((value) => -value),
          x,
          blank,
          { points: 37 },
        );
        expect([...gone.scores]).toEqual([...shown.scores].reverse());
        expect(gone.area).toBeCloseTo(shown.area, 12);
      }),
      { numRuns: 10 },
    );
  });
});

describe('metrics against a mask', () => {
  test('lie in 0..1, or have no value', () => {
    fc.assert(
      fc.property(map, mask, (attributions, inside) => {
        for (const value of [
          relevanceMass(attributions, inside)?.share ?? null,
          relevanceRank(attributions, inside),
          averagePrecision(attributions, inside)?.area ?? null,
          rocArea(attributions, inside),
          segmentationOverlap(attributions, inside, 'otsu'),
          segmentationOverlap(attributions, inside, 'top'),
        ]) {
          if (value === null) continue;
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThanOrEqual(1 + 1e-12);
        }
      }),
    );
  });

  test('a mask and what it leaves share the mass and the order between them', () => {
    fc.assert(
      fc.property(map, mask, (attributions, inside) => {
        const outside = inside.map((pixel) => 1 - pixel);
        const [mass, rest] = [relevanceMass(attributions, inside), relevanceMass(attributions, outside)];
        if (mass !== null && rest !== null) expect(mass.share + rest.share).toBeCloseTo(1, 9);
        const [area, other] = [rocArea(attributions, inside), rocArea(attributions, outside)];
        if (area !== null && other !== null) expect(area + other).toBeCloseTo(1, 9);
      }),
    );
  });

  test("Otsu's threshold has the largest variance between classes of all", () => {
    fc.assert(
      fc.property(fc.array(level, { minLength: 2, maxLength: 40 }), (values) => {
        // With 0 and 255 among them, the stretched map has these very levels.
        const levels = Float32Array.from([0, 255, ...values]);
        const between = (upper: (value: number) => boolean): number => {
          const [high, low] = [levels.filter(upper), levels.filter((value) => !upper(value))];
          if (high.length === 0 || low.length === 0) return 0;
          return high.length * low.length * (sum(high) / high.length - sum(low) / low.length) ** 2;
        };
        const best = Math.max(...Array.from({ length: 255 }, (_, t) => between((value) => value > t)));
        // The overlap is 1 with the very mask that Otsu makes, so find a mask of the best threshold.
        const threshold = Array.from({ length: 255 }, (_, t) => t).find(
          (t) => between((value) => value > t) > best * (1 - 1e-12),
        );
        const expected = Uint8Array.from(levels, (value) => Number(value > (threshold ?? 0)));
        expect(segmentationOverlap(levels, expected, 'otsu')).toBe(1);
      }),
    );
  });
});

test('concentration does not depend on where the pixels are', () => {
  fc.assert(
    fc.property(map, fc.integer({ min: 1, max: pixels - 1 }), (attributions, shift) => {
      const moved = attributions.map((_, i) => attributions[(i + shift) % pixels] ?? 0);
      for (const measure of [sparseness, complexity, effectiveComplexity]) {
        const value = measure(attributions);
        if (value === null) expect(measure(moved)).toBeNull();
        else expect(measure(moved)).toBeCloseTo(value, 9);
      }
      expect(complexity(attributions) ?? 0).toBeLessThanOrEqual(Math.log(pixels) + 1e-9);
      expect(sparseness(attributions) ?? 0).toBeGreaterThanOrEqual(-1e-12);
      expect(sparseness(attributions) ?? 0).toBeLessThan(1);
    }),
  );
});

const side = 13;
const square = fc
  .array(level, { minLength: side * side, maxLength: side * side })
  .map((values) => Uint8Array.from(values));

test('structural similarity is 1 for equal images, symmetric, and at most 1', () => {
  fc.assert(
    fc.property(square, square, (a, b) => {
      for (const similarity of [structuralSimilarity, multiScaleSimilarity]) {
        expect(similarity(a, a, side, side, 255)).toBeCloseTo(1, 9);
        expect(similarity(a, b, side, side, 255)).toBe(similarity(b, a, side, side, 255));
        expect(similarity(a, b, side, side, 255)).toBeLessThanOrEqual(1 + 1e-9);
      }
      const alike = mapSimilarity(
        Float32Array.from(a),
        Float32Array.from(a, (value) => 3 * value),
        side,
        side,
      );
      if (alike !== null) expect(alike.ssim).toBeCloseTo(1, 6);
    }),
    { numRuns: 30 },
  );
});

test('interpolation keeps what is known, and elsewhere stays between its extremes', () => {
  const image = fc
    .tuple(fc.integer({ min: 2, max: 14 }), fc.integer({ min: 2, max: 14 }))
    .chain(([height, width]) =>
      fc.record({
        height: fc.constant(height),
        width: fc.constant(width),
        values: fc.array(level, { minLength: height * width, maxLength: height * width }),
        known: fc.array(fc.boolean(), { minLength: height * width, maxLength: height * width }),
      }),
    );
  fc.assert(
    fc.property(image, ({ height, width, values, known }) => {
      const given = Uint8Array.from(known, Number);
      for (const corner of [0, width - 1, (height - 1) * width, height * width - 1]) given[corner] = 1;
      const filled = interpolateBetween(values, given, height, width);
      const among = values.filter((_, i) => given[i] === 1);
      filled.forEach((value, i) => {
        if (given[i] === 1) expect(value).toBe(values[i]);
        expect(value).toBeGreaterThanOrEqual(Math.min(...among) - 1e-9);
        expect(value).toBeLessThanOrEqual(Math.max(...among) + 1e-9);
      });
    }),
    { numRuns: 300 },
  );
});

test('an information curve runs from 0 to 1 and never falls', () => {
  const step = fc.record({
    information: fc.double({ min: 0, max: 10, noNaN: true }),
    performance: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 2, maxLength: 12 }), (steps) => {
      // As when information grows with what is revealed.
      const ascending = steps.toSorted((a, b) => a.information - b.information);
      const curve = informationCurve(ascending, { resolution: 50 });
      if (typeof curve === 'string') return;
      curve.performance.forEach((y, k) => {
        expect(y).toBeGreaterThanOrEqual(k === 0 ? 0 : (curve.performance[k - 1] ?? NaN) - 1e-12);
        expect(y).toBeLessThanOrEqual(1);
      });
      expect(curve.performance[50]).toBe(1);
    }),
  );
});

test('intervals hold their estimate, and stay within what is possible', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.boolean()), { maxLength: 30 }), (answers) => {
      const values = answers.map((answer) => (answer === null ? null : Number(answer)));
      for (const interval of [wilsonProportion(values), bootstrapMean(values, { resamples: 50 })]) {
        if (interval === null) {
          expect(values.every((value) => value === null)).toBe(true);
          continue;
        }
        expect(interval.low).toBeGreaterThanOrEqual(0);
        expect(interval.high).toBeLessThanOrEqual(1);
        expect(interval.low).toBeLessThanOrEqual(interval.high);
        expect(interval.count + interval.missing).toBe(values.length);
      }
      const wilson = wilsonProportion(values);
      if (wilson !== null) {
        expect(wilson.estimate).toBeGreaterThanOrEqual(wilson.low - 1e-12);
        expect(wilson.estimate).toBeLessThanOrEqual(wilson.high + 1e-12);
      }
    }),
  );
});
