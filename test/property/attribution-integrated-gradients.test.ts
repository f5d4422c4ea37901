import fc from 'fast-check';
import { expect, test } from 'vitest';
import { integrateFixed } from '../../core/attribution/integrate-fixed.ts';
import {
  type IntegralFrame,
  integratedGradients,
  type IntegrationOptions,
} from '../../core/attribution/integrated-gradients.ts';
import { lastFrame as finalFrame } from '../../core/attribution/inquiry.ts';
import type { DifferentiableModel } from '../../core/attribution/model.ts';
import { AnalyticModel, linearModel, reluModel } from '../support/analytic-models.ts';

const options: IntegrationOptions = {
  gapTolerance: 0.01,
  mapTolerance: 0.05,
  differenceFloor: 1,
  maxEvaluations: 513,
  batchSize: 8,
};

async function lastFrame(
  model: DifferentiableModel,
  x: Float32Array,
  baseline: Float32Array,
  changed: Partial<IntegrationOptions> = {},
): Promise<IntegralFrame> {
  let last: IntegralFrame | undefined;
  for await (const frame of integratedGradients(model, x, baseline, { ...options, ...changed })) last = frame;
  if (last === undefined) throw new Error('no frame');
  return last;
}

const value = fc.float({ min: -4, max: 4, noNaN: true });
const point = fc.array(value, { minLength: 3, maxLength: 3 });
const unit = fc.record({ weights: point, bias: value, out: value });
const net = fc.array(unit, { minLength: 1, maxLength: 6 });
/** Two ends that differ. */
const ends = fc
  .record({ x: point, baseline: point })
  .filter(({ x, baseline }) => x.some((end, i) => Math.fround(end) !== Math.fround(baseline[i] ?? 0)))
  .map(({ x, baseline }) => ({ x: Float32Array.from(x), baseline: Float32Array.from(baseline) }));

test('completeness: a converged map sums to f(x) - f(baseline) within the stated bound', async () => {
  await fc.assert(
    fc.asyncProperty(net, ends, async (hidden, { x, baseline }) => {
      const frame = await lastFrame(reluModel(hidden), x, baseline);
      const sum = frame.map.reduce((total, attribution) => total + attribution, 0);
      const difference = (frame.fx ?? NaN) - (frame.fb ?? NaN);
      expect(sum - difference).toBeCloseTo(frame.gap ?? NaN, 3);
      if (frame.converged) expect(Math.abs(frame.gap ?? NaN)).toBeLessThanOrEqual(frame.gapBound ?? NaN);
      else expect(frame.evaluations).toBe(513);
    }),
    { numRuns: 60 },
  );
});

test('linearity in the model: the map of a sum of nets is the sum of their maps', async () => {
  await fc.assert(
    fc.asyncProperty(net, net, ends, async (first, second, { x, baseline }) => {
      const fixed = { gapTolerance: 0, mapTolerance: 0, maxEvaluations: 17 };
      const maps = await Promise.all(
        [first, second, [...first, ...second]].map((hidden) =>
          lastFrame(reluModel(hidden), x, baseline, fixed),
        ),
      );
      const [one, two, both] = maps.map(({ map }) => map);
      both?.forEach((attribution, i) => {
        const parts = [one?.[i] ?? NaN, two?.[i] ?? NaN];
        const size = parts.reduce((sum, part) => sum + Math.abs(part), 1);
        expect(Math.abs(attribution - (parts[0] ?? NaN) - (parts[1] ?? NaN))).toBeLessThan(1e-5 * size);
      });
    }),
    { numRuns: 40 },
  );
});

test('sensitivity: an input that does not matter, or does not differ, gets nothing', async () => {
  await fc.assert(
    fc.asyncProperty(net, ends, async (hidden, { x, baseline }) => {
      const blind = hidden.map((each) => ({ ...each, weights: [0, ...each.weights.slice(1)] }));
      expect((await lastFrame(reluModel(blind), x, baseline, { maxEvaluations: 9 })).map[0]).toBeCloseTo(
        0,
        12,
      );
      baseline[0] = x[0] ?? 0;
      if (x.every((end, i) => end === baseline[i])) return;
      expect((await lastFrame(reluModel(hidden), x, baseline, { maxEvaluations: 9 })).map[0]).toBeCloseTo(
        0,
        12,
      );
    }),
    { numRuns: 40 },
  );
});

test('a linear model is exact at once: w (x - b), with 5 evaluations and no gap', async () => {
  await fc.assert(
    fc.asyncProperty(point, ends, async (weights, { x, baseline }) => {
      const frame = await lastFrame(linearModel(weights), x, baseline);
      expect(frame).toMatchObject({ evaluations: 5, converged: true, final: true, mapChange: 0 });
      frame.map.forEach((attribution, i) => {
        const exact = Math.fround(weights[i] ?? 0) * ((x[i] ?? 0) - (baseline[i] ?? 0));
        expect(Math.abs(attribution - exact)).toBeLessThan(1e-5);
      });
    }),
    { numRuns: 40 },
  );
});

test('every frame, complete level or not, weighs the gradients seen by positive weights that sum to 1', async () => {
  // With a constant gradient of 1 and x - b = 1 the map is the sum of the weights, whatever the batch size.
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 11 }), async (batchSize) => {
      const model = linearModel([1]);
      const frames: IntegralFrame[] = [];
      for await (const frame of integratedGradients(model, new Float32Array([1]), new Float32Array([0]), {
        ...options,
        gapTolerance: -1,
        maxEvaluations: 65,
        batchSize,
      })) {
        frames.push(frame);
        expect(frame.map[0]).toBeCloseTo(1, 6);
      }
      expect(model.points.map(([node]) => node).toSorted((a = 0, b = 0) => a - b)).toEqual(
        Array.from({ length: 65 }, (_, k) => Math.fround(k / 64)),
      );
      expect(Math.max(...model.batches)).toBeLessThanOrEqual(batchSize);
      expect(frames.at(-1)).toMatchObject({ final: true, converged: false, evaluations: 65 });
      expect(frames.slice(0, -1).every(({ final }) => !final)).toBe(true);
    }),
  );
});

test('a complete level equals the plain trapezoid of its nodes', async () => {
  await fc.assert(
    fc.asyncProperty(net, ends, fc.constantFrom(5, 9, 17), async (hidden, { x, baseline }, nodes) => {
      const model = reluModel(hidden);
      const { map } = await lastFrame(model, x, baseline, { gapTolerance: -1, maxEvaluations: nodes });
      const plain = await finalFrame(
        integrateFixed(model, x, baseline, 'trapezoid', nodes, { batchSize: 8 }),
      );
      map.forEach((attribution, i) =>
        expect(Math.abs(attribution - (plain.map[i] ?? NaN))).toBeLessThan(
          1e-5 * (1 + Math.abs(attribution)),
        ),
      );
    }),
    { numRuns: 40 },
  );
});

test('a model that answers with numbers that are not finite ends the integral with an error', async () => {
  await fc.assert(
    fc.asyncProperty(ends, fc.constantFrom(NaN, Infinity, -Infinity), async ({ x, baseline }, bad) => {
      const gradient = new AnalyticModel(
        3,
        () => 1,
        () => [0, bad, 0],
      );
      await expect(lastFrame(gradient, x, baseline)).rejects.toMatchObject({
        kind: 'unsupported',
        message: expect.stringMatching(/gradient is not a finite number at 50\.00 %/) as string,
      });
      const score = new AnalyticModel(
        3,
        () => bad,
        () => [0, 0, 0],
      );
      await expect(lastFrame(score, x, baseline)).rejects.toMatchObject({ kind: 'unsupported' });
    }),
    { numRuns: 10 },
  );
});
