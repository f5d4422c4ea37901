/**
 * The metrics against those of the peers, recorded on tiny_cnn with their own code: RISE's insertion and deletion, PAIR's performance
 * information curve, Quantus 0.6's localisation and complexity.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { complexity, effectiveComplexity, sparseness } from '../../core/metrics/concentration.ts';
import {
  informationCurve,
  revealedPictures,
  scoresOfPictures,
} from '../../core/metrics/information-curve.ts';
import { deletion, insertion } from '../../core/metrics/insertion-deletion.ts';
import { losslessSize } from '../../core/metrics/lossless-size.ts';
import { pointingGame } from '../../core/metrics/pointing-game.ts';
import { rocArea } from '../../core/metrics/precision-recall.ts';
import { averageRanks, rankCorrelation } from '../../core/metrics/rank-correlation.ts';
import { relevanceMass } from '../../core/metrics/relevance-mass.ts';
import { relevanceRank } from '../../core/metrics/relevance-rank.ts';
import type { Score } from '../../core/metrics/score.ts';
import { readArray } from '../support/npy.ts';
import { floatTensor, numbers, openSession } from '../support/onnx-models.ts';
import { sharedFolder } from '../support/shared.ts';

const golden = sharedFolder('golden/tiny_cnn');

const side = 32;
const pixels = side * side;

const CurveSchema = v.object({ auc: v.number(), scores: v.array(v.number()) });
const MethodsSchema = v.object({
  pic: v.object({
    cls: v.number(),
    auc: v.number(),
    predictions: v.array(v.number()),
    webp_bytes: v.array(v.number()),
  }),
  rise_deletion: CurveSchema,
  rise_insertion: CurveSchema,
  quantus_PointingGame: v.number(),
  quantus_RelevanceMassAccuracy: v.number(),
  quantus_RelevanceRankAccuracy: v.number(),
  quantus_AUC: v.number(),
  quantus_TopKIntersection_k50: v.number(),
  quantus_Sparseness: v.number(),
  quantus_Complexity: v.number(),
  quantus_EffectiveComplexity: v.number(),
});

describe.skipIf(golden === null)('the metrics of the peers', () => {
  const array = (name: string): Float64Array => readArray(path.join(golden ?? '', name)).values;
  const recorded = (): v.InferOutput<typeof MethodsSchema> =>
    v.parse(MethodsSchema, JSON.parse(readFileSync(path.join(golden ?? '', 'methods/methods.json'), 'utf8')));
  /** All of the recorded metrics are of this map: Integrated Gradients from black, summed over channels, in float32. */
  const map = (): Float32Array => {
    const channels = Float32Array.from(array('ig_gl50_black.npy'));
    return Float32Array.from(channels.subarray(0, pixels), (red, i) =>
      Math.fround(Math.fround(red + (channels[pixels + i] ?? 0)) + (channels[2 * pixels + i] ?? 0)),
    );
  };

  let session: Awaited<ReturnType<typeof openSession>>;
  beforeAll(async () => {
    session = await openSession(readFileSync(path.join(golden ?? '', 'model.onnx')));
  });
  afterAll(() => session.release());

  const softmax =
    (target: number): Score =>
    async (points, count) => {
      const results = await session.run({ input: floatTensor('float32', points, [count, 3, side, side]) });
      const logits = numbers(results['logits']);
      const classes = logits.length / count;
      return Float64Array.from({ length: count }, (_, k) => {
        const powers = logits.subarray(k * classes, (k + 1) * classes).map(Math.exp);
        return (powers[target] ?? 0) / powers.reduce((sum, value) => sum + value, 0);
      });
    };

  const expectCurve = (scores: Float64Array, expected: readonly number[]): void => {
    expect(scores).toHaveLength(expected.length);
    scores.forEach((score, k) => expect(Math.abs(score / (expected[k] ?? NaN) - 1)).toBeLessThan(1e-5));
  };

  describe('RISE', () => {
    const target = 4;
    const x = (): Float32Array => Float32Array.from(array('input.npy'));

    test('deletion to the zero of normalised space', async () => {
      const { auc, scores } = recorded().rise_deletion;
      const blank = new Float32Array(3 * pixels);
      const result = await deletion(softmax(target), map().map(Math.abs), x(), blank);
      expectCurve(result.scores, scores);
      expect(result.area / auc).toBeCloseTo(1, 6);
      expect(result.ratio).toBeCloseTo(result.area / (scores[0] ?? NaN), 5);
    });

    test('insertion on its blurred image', async () => {
      const { auc, scores } = recorded().rise_insertion;
      const result = await insertion(softmax(target), map().map(Math.abs), x(), riseBlur(x()));
      expectCurve(result.scores, scores);
      expect(result.area / auc).toBeCloseTo(1, 6);
      expect(result.ratio).toBeCloseTo(result.area / (scores.at(-1) ?? NaN), 5);
    });
  });

  describe("PAIR's performance information curve", () => {
    const picture = (): Uint8Array => Uint8Array.from(array('methods/pic_image_u8.npy'));
    const pictures = (): Uint8Array[] => {
      const all = Uint8Array.from(array('methods/pic_blurred.npy'));
      return Array.from({ length: 15 }, (_, k) => all.slice(k * pixels, (k + 1) * pixels));
    };
    const toInput = (image: Uint8Array): Float32Array => {
      const [mean, std] = [
        [0.485, 0.456, 0.406],
        [0.229, 0.224, 0.225],
      ];
      return Float32Array.from({ length: 3 * pixels }, (_, i) => {
        const channel = Math.floor(i / pixels);
        return ((image[i % pixels] ?? 0) / 255 - (mean[channel] ?? 0)) / (std[channel] ?? 1);
      });
    };

    test('of the recorded predictions and WebP lengths is the recorded one', () => {
      const { predictions, webp_bytes, auc } = recorded().pic;
      const steps = predictions.map((performance, k) => ({ performance, information: webp_bytes[k] ?? 0 }));
      const curve = informationCurve(steps, { resolution: 100 });
      if (typeof curve === 'string') throw new Error(curve);
      // PAIR rescales the predictions in float32.
      expect(curve.area).toBeCloseTo(auc, 8);
      const expected = array('methods/pic_curve_y.npy');
      expect(curve.performance).toHaveLength(expected.length);
      curve.performance.forEach((y, k) => expect(Math.abs(y - (expected[k] ?? NaN))).toBeLessThan(1e-7));
    });

    test('the model predicts what it did for PAIR on the recorded pictures', async () => {
      const { cls, predictions } = recorded().pic;
      expectCurve(await scoresOfPictures(softmax(cls), pictures(), toInput), predictions);
    });

    test('reveals the same pixels, and fills in the rest alike but where several triangulations are right', () => {
      const known = Uint8Array.from(array('methods/pic_mask.npy'));
      const own = revealedPictures(map().map(Math.abs), picture(), side, side, { known });
      expect(own).toHaveLength(15);
      const expected = pictures();
      own.forEach((part, k) => {
        const differences = Int16Array.from(part, (value, i) => Math.abs(value - (expected[k]?.[i] ?? NaN)));
        // Elsewhere than between pixels on one circle, the two differ by how they round a half. Measured: at most 6 % of the pixels more.
        expect(differences.filter((difference) => difference > 1).length / pixels).toBeLessThan(0.07);
        expect(differences.reduce((sum, value) => sum + value, 0) / pixels).toBeLessThan(1);
      });
      expect(own.at(-1)).toEqual(expected.at(-1));
    });

    test('the own lossless size orders the pictures much as the length of WebP does', () => {
      const { webp_bytes } = recorded().pic;
      const own = pictures().map((part) => losslessSize(part, side));
      const [ranks, expected] = [own, webp_bytes].map((sizes) => averageRanks(Float32Array.from(sizes)));
      if (ranks === undefined || expected === undefined) throw new Error('two lists of sizes');
      expect(rankCorrelation(ranks, expected)).toBeGreaterThan(0.95);
    });
  });

  describe('Quantus', () => {
    /** Rows and columns 8 to 15. */
    const mask = Uint8Array.from({ length: pixels }, (_, i) =>
      Math.floor(i / side) >> 3 === 1 && (i % side) >> 3 === 1 ? 1 : 0,
    );

    test('localisation', () => {
      const expected = recorded();
      expect(Number(pointingGame(map(), mask, side))).toBe(expected.quantus_PointingGame);
      expect(relevanceMass(map(), mask)?.share).toBeCloseTo(expected.quantus_RelevanceMassAccuracy, 7);
      expect(relevanceRank(map(), mask)).toBe(expected.quantus_RelevanceRankAccuracy);
      expect(relevanceRank(map(), mask, 50)).toBeCloseTo(expected.quantus_TopKIntersection_k50, 12);
      expect(rocArea(map(), mask)).toBeCloseTo(expected.quantus_AUC, 12);
    });

    test('complexity; sparseness without the 1e-7 that Quantus adds to every value', () => {
      const expected = recorded();
      expect(complexity(map())).toBeCloseTo(expected.quantus_Complexity, 5);
      expect(effectiveComplexity(map())).toBe(expected.quantus_EffectiveComplexity);
      const magnitude = map().map(Math.abs);
      const largest = Math.max(...magnitude);
      const offset = sparseness(magnitude.map((value) => value / largest + 1e-7));
      expect(Math.abs((offset ?? NaN) - expected.quantus_Sparseness)).toBeLessThan(1e-7);
      expect(Math.abs((sparseness(map()) ?? NaN) - expected.quantus_Sparseness)).toBeLessThan(1e-6);
    });
  });
});

/** RISE's 11 x 11 Gaussian: a reflected filter of standard deviation 5 applied to a point, then a convolution with zeros beyond the border. */
function riseBlur(x: Float32Array): Float32Array {
  const size = 11;
  const line = (at: number): number => {
    const sigma = 5;
    const radius = Math.floor(4 * sigma + 0.5);
    let [sum, total] = [0, 0];
    for (let offset = -radius; offset <= radius; offset++) {
      const weight = Math.exp(-0.5 * (offset / sigma) ** 2);
      total += weight;
      const wrapped = (((at + offset) % (2 * size)) + 2 * size) % (2 * size);
      if ((wrapped < size ? wrapped : 2 * size - 1 - wrapped) === 5) sum += weight;
    }
    return sum / total;
  };
  const kernel = Array.from({ length: size }, (_, i) => line(i));
  return x.map((_, i) => {
    const channel = Math.floor(i / pixels);
    const [row, column] = [Math.floor((i % pixels) / side), i % side];
    let sum = 0;
    for (let a = 0; a < size; a++) {
      for (let b = 0; b < size; b++) {
        const [r, c] = [row + a - 5, column + b - 5];
        if (r < 0 || c < 0 || r >= side || c >= side) continue;
        sum += (kernel[a] ?? 0) * (kernel[b] ?? 0) * (x[channel * pixels + r * side + c] ?? 0);
      }
    }
    return sum;
  });
}
