import { describe, expect, test } from 'vitest';
import { differenceFloor, evaluationsLeft } from '../../core/attribution/convergence.ts';
import {
  type IntegralFrame,
  integratedGradients,
  type IntegrationOptions,
} from '../../core/attribution/integrated-gradients.ts';
import type { AnalyticModel } from '../support/analytic-models.ts';
import { linearModel, quarticModel } from '../support/analytic-models.ts';

const options: IntegrationOptions = {
  gapTolerance: 0.01,
  mapTolerance: 0.05,
  differenceFloor: 1,
  maxEvaluations: 513,
  batchSize: 8,
};
const x = new Float32Array([2, 1, -1]);
const baseline = new Float32Array([0, -1, -1]);

async function framesOf(
  model: AnalyticModel,
  changed: Partial<IntegrationOptions> = {},
  signal?: AbortSignal,
): Promise<IntegralFrame[]> {
  return Array.fromAsync(integratedGradients(model, x, baseline, { ...options, ...changed }, signal));
}

describe('the stream of an integral', () => {
  test('begins with one gradient at the middle, then the ends, then levels that halve the step', async () => {
    const model = quarticModel(3);
    const frames = await framesOf(model, { gapTolerance: 0, maxEvaluations: 17 });
    expect(frames.map(({ evaluations }) => evaluations)).toEqual([1, 3, 5, 9, 17]);
    expect(frames.map(({ nodes }) => nodes)).toEqual([1, 3, 5, 9, 17]);
    // The first coordinate runs from 0 to 2; within a level the order is bit-reversed.
    expect(model.points.slice(0, 9).map((point) => (point[0] ?? NaN) / 2)).toEqual([
      1 / 2,
      0,
      1,
      1 / 4,
      3 / 4,
      1 / 8,
      5 / 8,
      3 / 8,
      7 / 8,
    ]);
  });

  test('says nothing of scores, gap, map change and time left before it can know them', async () => {
    const [first, second, third, fourth] = await framesOf(quarticModel(3), { gapTolerance: 0 });
    expect(first).toMatchObject({ fx: null, fb: null, gap: null, gapRelative: null, gapBound: null });
    expect(first).toMatchObject({ mapChange: null, secondsLeft: null, converged: false, final: false });
    expect(second).toMatchObject({ fx: 18, fb: 2, mapChange: null, secondsLeft: null });
    expect(second?.gap).toBeTypeOf('number');
    expect(third?.mapChange).toBeGreaterThan(0);
    expect(third?.secondsLeft).toBeGreaterThanOrEqual(0);
    expect(fourth?.mapChange).toBeLessThan(third?.mapChange ?? 0);
  });

  test('converges only when both the gap and the map change are within their bounds', async () => {
    const frames = await framesOf(quarticModel(3), { gapTolerance: 1e-4, mapTolerance: 1 });
    const last = frames.at(-1);
    expect(last).toMatchObject({ converged: true, final: true, secondsLeft: 0 });
    expect(last?.gapBound).toBeCloseTo(16e-4, 12);
    expect(last?.gapRelative).toBeCloseTo(Math.abs(last?.gap ?? NaN) / 16, 12);
    for (const frame of frames.slice(0, -1)) expect(frame.converged).toBe(false);
    const strict = await framesOf(quarticModel(3), { gapTolerance: 1, mapTolerance: 1e-4 });
    expect(strict.at(-1)?.mapChange).toBeLessThanOrEqual(1e-4);
    expect(strict.at(-1)?.evaluations).toBeGreaterThan(5);
  });

  test('stops at the last level within the limit, and says that it did not converge', async () => {
    const last = (await framesOf(quarticModel(3), { gapTolerance: 0, maxEvaluations: 40 })).at(-1);
    expect(last).toMatchObject({ evaluations: 33, final: true, converged: false, secondsLeft: 0 });
  });

  test('holds the gap against an absolute bound where the scores hardly differ', async () => {
    const last = (await framesOf(linearModel([1, -1, 5]))).at(-1);
    expect(last).toMatchObject({ fx: -4, fb: -4, gapRelative: null, gapBound: 0.01, converged: true });
  });

  test('gives the same bits twice', async () => {
    const [once, again] = [await framesOf(quarticModel(3)), await framesOf(quarticModel(3))];
    expect(once.map(({ map }) => map)).toEqual(again.map(({ map }) => map));
  });

  test('gives every frame a map of its own', async () => {
    const frames = await framesOf(quarticModel(3));
    expect(new Set(frames.map(({ map }) => map.buffer)).size).toBe(frames.length);
  });
});

describe('an integral ends with a clear error', () => {
  test('when it is cancelled, before the next batch', async () => {
    const cancellation = new AbortController();
    const model = quarticModel(3);
    const stream = integratedGradients(model, x, baseline, options, cancellation.signal);
    await stream.next();
    cancellation.abort();
    await expect(stream.next()).rejects.toMatchObject({ kind: 'cancelled' });
    expect(model.points).toHaveLength(1);
  });

  test.each([
    ['an image that equals its baseline', x, x, /equals its baseline/],
    ['an image of the wrong size', new Float32Array(2), baseline, /2 values; the model takes 3/],
    [
      'a value that is not finite',
      new Float32Array([NaN, 0, 0]),
      baseline,
      /image holds values that are not finite/,
    ],
    ['a baseline that is not finite', x, new Float32Array([0, Infinity, 0]), /baseline holds values/],
  ])('for %s', async (_, image, from, message) => {
    const stream = integratedGradients(quarticModel(3), image, from, options);
    await expect(stream.next()).rejects.toMatchObject({
      kind: 'bad-request',
      message: expect.stringMatching(message) as string,
    });
  });

  test('for a limit under 5 evaluations', async () => {
    const stream = integratedGradients(quarticModel(3), x, baseline, { ...options, maxEvaluations: 4 });
    await expect(stream.next()).rejects.toMatchObject({ kind: 'bad-request' });
  });
});

describe('the evaluations left', () => {
  test('are unknown without a complete level', () => {
    expect(evaluationsLeft([], 3, 513)).toBeNull();
  });

  test('double with every level that the slower criterion needs', () => {
    // Four times too large: two halvings, from 5 nodes to 17.
    expect(evaluationsLeft([{ gap: 4, map: 0.5 }], 5, 513)).toBe(12);
    expect(evaluationsLeft([{ gap: 0.5, map: 4 }], 5, 513)).toBe(12);
    // The map's own decay, when it is known: a quarter a level.
    expect(
      evaluationsLeft(
        [
          { gap: 1, map: 16 },
          { gap: 1, map: 4 },
        ],
        9,
        513,
      ),
    ).toBe(8);
  });

  test('are at least one level, and never more than the limit leaves', () => {
    expect(evaluationsLeft([{ gap: 0, map: 1.01 }], 5, 513)).toBe(4);
    expect(evaluationsLeft([{ gap: 1e9, map: 1 }], 5, 100)).toBe(60);
    expect(evaluationsLeft([{ gap: Infinity, map: Infinity }], 5, 513)).toBe(508);
  });
});

test('the floor of the score difference is in units of the scalar', () => {
  expect(
    ['logit', 'log-probability', 'probability'].map((scalar) => differenceFloor(scalar as 'logit')),
  ).toEqual([1, 1, 0.1]);
});
