import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type BaselineKind, baselineKinds } from '../../core/attribution/baseline-kinds.ts';
import { lastFrame, type ScoringModel } from '../../core/attribution/inquiry.ts';
import {
  explain,
  explainOverBaselines,
  METHOD_IDS,
  type Method,
  type MethodId,
  methods,
} from '../../core/attribution/methods.ts';
import { totalVariation } from '../../core/attribution/smooth-taylor.ts';
import { AnalyticModel, linearModel } from '../support/analytic-models.ts';
import { allMethods, pictureTask, quick, side, smoothModel } from '../support/attribution-tasks.ts';

const run = { batchSize: 4 };
const elements = side * side;
afterEach(() => vi.restoreAllMocks());

describe('the table', () => {
  test('holds every method, each saying what it is for and what its sum should be', () => {
    expect(Object.keys(methods)).toEqual([...METHOD_IDS]);
    for (const { name, helps, sum } of Object.values<Method>(methods)) {
      expect(name).toMatch(/^[A-Z]/);
      expect(helps).toMatch(/\.$/);
      expect(sum).not.toBe('');
    }
  });

  test('is what docs/methods.md says', () => {
    // Prettier pads the cells of a table.
    const text = readFileSync(path.resolve(import.meta.dirname, '../../docs/methods.md'), 'utf8').replaceAll(
      / +/g,
      ' ',
    );
    for (const [id, { name, helps, sum }] of Object.entries<Method>(methods)) {
      expect(text).toContain(`| ${name} | \`${id}\` | ${helps} | ${sum} |`);
    }
    for (const [id, { name, meaning }] of Object.entries<BaselineKind>(baselineKinds)) {
      expect(text).toContain(`| ${name} | \`${id}\` | ${meaning} |`);
    }
  });

  test.each(allMethods)('%s takes its defaults where nothing is said', async (id) => {
    const around = id === 'xrai' ? { around: { method: 'gradient' } } : {};
    const frame = await lastFrame(explain(id, pictureTask(smoothModel()), around, run));
    expect(frame.final).toBe(true);
  });

  test('says which parameter does not fit', () => {
    const attempt = (parameters: unknown) => () =>
      explain('guided-ig', pictureTask(smoothModel()), parameters, run);
    expect(attempt({ fraction: 0 })).toThrow(
      /^Guided IG: fraction is a number above 0 and at most 1, not 0$/,
    );
    expect(attempt({ steps: 1.5 })).toThrow(/^Guided IG: steps is a whole number from 1 to 4096, not 1\.5$/);
    expect(attempt({ rule: 'middle' })).toThrow(/^Guided IG: rule is one of left, trapezoid, not 'middle'$/);
    expect(attempt({ fractoin: 0.5 })).toThrow(
      /^There is no parameter 'fractoin'; Guided IG has steps, fraction, maxDistance, rule$/,
    );
    expect(attempt(7)).toThrow(/^Guided IG takes its parameters by name, not 7$/);
    expect(attempt({ steps: 1e9 })).toThrow(expect.objectContaining({ kind: 'bad-request' }));
  });

  test('says which parameter of a method around another does not fit', () => {
    const attempt = (around: unknown) => () =>
      explain('smoothgrad', pictureTask(smoothModel()), { around }, run);
    expect(attempt('gradient')).toThrow(
      "SmoothGrad: around is another method, as in around.method=integrated-gradients, not 'gradient'",
    );
    expect(attempt({ method: 'lime' })).toThrow(
      /^SmoothGrad: around\.method is one of integrated-gradients, .*, not 'lime'$/,
    );
    expect(attempt({ method: 'gradient', steps: 5 })).toThrow("There is no parameter 'around.steps'");
    const adaptive = () =>
      explain('smooth-taylor', pictureTask(smoothModel()), { deviation: 'automatic' }, run);
    expect(adaptive).toThrow("SmoothTaylor: deviation is a number above 0, or adaptive, not 'automatic'");
  });

  test('says what a method needs', () => {
    const { model, x, input } = pictureTask(smoothModel());
    const poor = { model, x, input };
    expect(() => explain('guided-ig', poor, {}, run)).toThrow(/needs: a baseline/);
    expect(() => explain('ig2', { ...poor, references: [] }, {}, run)).toThrow(
      /needs: at least one reference image, the model's representation/,
    );
  });
});

/** Those whose gradients the model adds up, and what is put around them. */
const sumsInTheModel: ReadonlySet<MethodId> = new Set([
  'integrated-gradients',
  'integrated-gradients-fixed',
  'integrated-gradients-adaptive',
  'xrai',
]);

describe.each(allMethods)('%s', (id, parameters) => {
  test('streams frames that count, and ends with a finite map and its gap', async () => {
    const model = smoothModel();
    const task = pictureTask(model);
    const frames = await Array.fromAsync(explain(id, task, parameters, run));
    const last = frames.at(-1);
    expect(frames.map(({ final }) => final)).toEqual(frames.map((_, k) => k === frames.length - 1));
    expect(new Set(frames.map(({ map }) => map.buffer)).size).toBeGreaterThan(frames.length / 8);
    expect(last?.map).toHaveLength(elements);
    expect(last?.map.every(Number.isFinite)).toBe(true);
    expect(last?.map.some((value) => value !== 0)).toBe(true);
    expect(last?.map.reduce((sum, value) => sum + value, 0)).toBeCloseTo(last?.sum ?? NaN, 4);
    for (const { sum, expectedSum, gap, evaluations, maxEvaluations } of frames) {
      if (expectedSum !== null) expect(gap).toBeCloseTo(sum - expectedSum, 9);
      expect(evaluations).toBeLessThanOrEqual(maxEvaluations);
    }
    expect(last?.evaluations).toBe(model.points.length + task.representation.gradients);
    expect(last?.evaluations).toBe(last?.maxEvaluations);
    expect(Math.max(...model.batches)).toBeLessThanOrEqual(run.batchSize);
  });

  test('gives the same bits twice, whatever the batch', async () => {
    const maps = await Promise.all(
      [4, 4, 1, 7].map(async (batchSize) => {
        const { map } = await lastFrame(explain(id, pictureTask(smoothModel()), parameters, { batchSize }));
        return [...map];
      }),
    );
    expect(maps[1]).toEqual(maps[0]);
    for (const map of maps.slice(2)) {
      // These take the sum of a batch from the model, in float32.
      if (!sumsInTheModel.has(id)) expect(map).toEqual(maps[0]);
      else map.forEach((value, i) => expect(value).toBeCloseTo(maps[0]?.[i] ?? NaN, 6));
    }
  });

  test('asks nothing more once it is cancelled', async () => {
    const cancellation = new AbortController();
    const model = smoothModel();
    const stream = explain(id, pictureTask(model), parameters, { batchSize: 2, signal: cancellation.signal });
    const first = await stream.next();
    cancellation.abort();
    const asked = model.points.length;
    if (first.done === false && !first.value.final) {
      await expect(stream.next()).rejects.toMatchObject({ kind: 'cancelled' });
    }
    expect(model.points).toHaveLength(asked);

    const late = explain(id, pictureTask(model), parameters, { ...run, signal: cancellation.signal });
    await expect(late.next()).rejects.toMatchObject({ kind: 'cancelled' });
    expect(model.points).toHaveLength(asked);
  });

  test('ends with an error where the gradient is not a number', async () => {
    const bad = new AnalyticModel(
      elements,
      () => 1,
      (z) => z.map((_, i) => (i === 3 ? NaN : 1)),
    );
    await expect(lastFrame(explain(id, pictureTask(bad), parameters, run))).rejects.toMatchObject({
      kind: 'unsupported',
      message: expect.stringMatching(/gradient is not a finite number/) as string,
    });
  });

  test('refuses batches of nothing', async () => {
    const stream = async () =>
      lastFrame(explain(id, pictureTask(smoothModel()), parameters, { batchSize: 0 }));
    await expect(stream).rejects.toMatchObject({ kind: 'bad-request' });
  });

  test('refuses an image that does not fit', async () => {
    const task = { ...pictureTask(smoothModel()), x: new Float32Array(3) };
    await expect(async () => lastFrame(explain(id, task, parameters, run))).rejects.toMatchObject({
      kind: 'bad-request',
    });
  });
});

describe('the gradients that a method asks for', () => {
  /** Counts with a model that gives scores by themselves, and with one that does not. */
  async function counts(id: MethodId, parameters: unknown, measureSum = true): Promise<[number, number]> {
    const [scoring, plain] = [smoothModel(), smoothModel()];
    const withScores: ScoringModel = {
      shape: scoring.shape,
      evaluate: (points, count) => scoring.evaluate(points, count),
      score: async (points, count) => (await smoothModel().evaluate(points, count)).f,
    };
    const results = await Promise.all(
      [withScores, plain].map((model) =>
        lastFrame(explain(id, pictureTask(model), parameters, { ...run, measureSum })),
      ),
    );
    const [cheap, dear] = results.map(({ evaluations }) => evaluations);
    expect(results[0]?.map).toEqual(results[1]?.map);
    expect(results[0]?.gap).toEqual(results[1]?.gap);
    return [cheap ?? NaN, dear ?? NaN];
  }

  test.each<[MethodId, Record<string, unknown>, number, number]>([
    ['integrated-gradients-fixed', { rule: 'midpoint', nodes: 6 }, 6, 8],
    ['integrated-gradients-fixed', { rule: 'gauss-legendre', nodes: 6 }, 6, 8],
    ['integrated-gradients-fixed', { rule: 'left', nodes: 6 }, 6, 7],
    ['integrated-gradients-fixed', { rule: 'right', nodes: 6 }, 6, 7],
    ['integrated-gradients-fixed', { rule: 'trapezoid', nodes: 6 }, 6, 6],
    ['integrated-gradients-adaptive', { nodes: 9 }, 9, 9],
    ['integrated-gradients-adaptive', { nodes: 20 }, 20, 20],
    ['gradient', {}, 1, 1],
    ['gradient-x-input', {}, 1, 1],
    ['smoothgrad', { samples: 5 }, 5, 5],
    [
      'vargrad',
      { samples: 3, around: { method: 'integrated-gradients-fixed', parameters: { nodes: 4 } } },
      12,
      12,
    ],
    // Both references are drawn: their scores and the image's.
    ['expected-gradients', { samples: 12 }, 12, 15],
    ['expected-gradients', { samples: 12, deviation: 0.1 }, 12, 26],
    ['blur-ig', { steps: 7, rule: 'left' }, 7, 8],
    ['blur-ig', { steps: 7, rule: 'derivative' }, 7, 8],
    ['blur-ig', { steps: 7, rule: 'trapezoid' }, 8, 8],
    ['guided-ig', { steps: 7, rule: 'left' }, 7, 8],
    ['guided-ig', { steps: 7, rule: 'trapezoid' }, 8, 8],
    // Two references: 5 steps of the path and 5 gradients each, that at the image once.
    ['ig2', { steps: 5, rule: 'left' }, 19, 21],
    ['ig2', { steps: 5, rule: 'trapezoid' }, 21, 21],
    ['smooth-taylor', { roots: 6 }, 6, 7],
    ['idgi-ig', { steps: 7 }, 7, 8],
    ['idgi-blur-ig', { steps: 7 }, 7, 8],
    ['idgi-guided-ig', { steps: 7 }, 7, 8],
  ])('%s, %j: %i, and %i where a score costs a gradient', async (id, parameters, cheap, dear) => {
    expect(await counts(id, parameters)).toEqual([cheap, dear]);
  });

  test('are no more than those of the map where nobody asks for the sum', async () => {
    expect(await counts('integrated-gradients-fixed', { rule: 'midpoint', nodes: 6 }, false)).toEqual([6, 6]);
    expect(await counts('expected-gradients', { samples: 12 }, false)).toEqual([12, 12]);
    expect(await counts('smooth-taylor', { roots: 6 }, false)).toEqual([6, 6]);
  });
});

describe('seeds', () => {
  const mapOf = async (id: MethodId, seed: number): Promise<number[]> => {
    const parameters = { ...quick[id], seed };
    return [...(await lastFrame(explain(id, pictureTask(smoothModel()), parameters, run))).map];
  };

  test.each(['smoothgrad', 'expected-gradients', 'smooth-taylor'] as const)('%s', async (id) => {
    expect(await mapOf(id, 1)).toEqual(await mapOf(id, 1));
    expect(await mapOf(id, 2)).not.toEqual(await mapOf(id, 1));
  });
});

describe('several baselines', () => {
  test('give the mean map and its spread', async () => {
    const task = pictureTask(linearModel([1, ...new Array<number>(elements - 1).fill(0)]));
    const baselines = [-1, 1, 3].map((value) => task.x.map((own, i) => (i === 0 ? own - value : own)));
    const parameters = { rule: 'trapezoid', nodes: 2 };
    const stream = explainOverBaselines('integrated-gradients-fixed', task, parameters, baselines, run);
    const frame = await lastFrame(stream);
    expect(frame.map[0]).toBeCloseTo(1, 5);
    expect(frame.deviation[0]).toBeCloseTo(Math.sqrt(8 / 3), 5);
    expect(frame.spread).toBeCloseTo(Math.sqrt(8 / 3), 5);
    expect(frame).toMatchObject({ runs: 3, final: true, evaluations: 6, maxEvaluations: 6 });
    expect(frame.gap).toBeCloseTo(0, 5);
  });

  test('give the gap of their mean, also where one of them scores nearly as the image does', async () => {
    const task = pictureTask(linearModel([1, ...new Array<number>(elements - 1).fill(0)]));
    const from = (...values: number[]) =>
      lastFrame(
        explainOverBaselines(
          'integrated-gradients',
          task,
          { maxEvaluations: 9 },
          values.map((value) => task.x.map((own, i) => (i === 0 ? own - value : own))),
          run,
        ),
      );
    const frame = await from(0.1, 3.9);
    expect(frame.expectedSum).toBeCloseTo(2, 5);
    expect(frame.integral?.gapRelative).toBeCloseTo(Math.abs(frame.gap ?? NaN) / 2, 12);
    // Each stops at five; together they might have taken twice nine.
    expect(frame).toMatchObject({ final: true, evaluations: 10, maxEvaluations: 18 });
    expect((await from(0.1, 0.3)).integral?.gapRelative).toBeNull();
  });

  test('say how many of them have converged, and how long they still take once one is done', async () => {
    const model = smoothModel();
    const task = pictureTask(model);
    const baselines = [0, 0.1, -0.1].map((value) => new Float32Array(elements).fill(value));
    vi.spyOn(performance, 'now').mockImplementation(() => 1000 * model.points.length);
    const framesOf = (parameters: object) =>
      Array.fromAsync(explainOverBaselines('integrated-gradients', task, parameters, baselines, run));

    const frames = await framesOf({ maxEvaluations: 5, gapTolerance: 1e9, mapTolerance: 1e9 });
    const state = frames.map(({ evaluations, convergedRuns, integral }) => ({
      evaluations,
      convergedRuns,
      converged: integral?.converged,
      secondsLeft: integral?.secondsLeft,
    }));
    const before = state.filter(({ evaluations }) => evaluations < 5);
    expect(before.length).toBeGreaterThan(1);
    for (const each of before)
      expect(each).toMatchObject({ convergedRuns: 0, converged: false, secondsLeft: null });
    for (const each of state.slice(before.length)) expect(each.secondsLeft).toBe(15 - each.evaluations);
    expect(state).toContainEqual({ evaluations: 10, convergedRuns: 2, converged: false, secondsLeft: 5 });
    expect(state.at(-1)).toEqual({ evaluations: 15, convergedRuns: 3, converged: true, secondsLeft: 0 });

    const hopeless = await framesOf({ maxEvaluations: 5, gapTolerance: 0, mapTolerance: 0 });
    expect(hopeless.at(-1)).toMatchObject({ convergedRuns: 0, integral: { converged: false } });
  });
});

describe("what goes wrong in others' code", () => {
  test('IDGI: a step whose gradient is zero contributes nothing, and the gap says what it would have', async () => {
    // Flat in the first half of the way from the baseline, -2, to the image, where the score jumps all the same.
    const model = new AnalyticModel(
      elements,
      (z) => ((z[0] ?? 0) < -1 ? 0 : 1) + Math.max(0, z[0] ?? 0),
      (z) => z.map((value, i) => (i === 0 && value > 0 ? 1 : 0)),
    );
    const task = pictureTask(model);
    task.x[0] = 1;
    const frame = await lastFrame(explain('idgi-ig', task, { steps: 30 }, run));
    expect(frame.map.every(Number.isFinite)).toBe(true);
    expect(frame.map[0]).toBeCloseTo(0.9, 1);
    expect(frame.gap).toBeCloseTo((frame.map[0] ?? NaN) - 2, 6);
  });

  test('IDGI: the last interval counts, at any number of steps', async () => {
    for (const steps of [1, 8, 24]) {
      const { gap } = await lastFrame(explain('idgi-ig', pictureTask(smoothModel()), { steps }, run));
      expect(gap).toBeCloseTo(0, 9);
    }
  });

  test('Guided IG: comes to its end whatever rounding leaves of the way', async () => {
    const task = pictureTask(smoothModel());
    const far = {
      ...task,
      x: task.x.map((value) => 1024 * value + 0.1),
      baseline: task.x.map(() => -1024.3),
    };
    for (const parameters of [{ maxDistance: 1 }, { maxDistance: 0 }, { fraction: 1 }, { fraction: 0.01 }]) {
      const frame = await lastFrame(explain('guided-ig', far, { steps: 40, ...parameters }, run));
      const ends = await lastFrame(explain('idgi-ig', far, { steps: 1 }, run));
      expect(frame.expectedSum).toBe(ends.expectedSum);
    }
  });

  test('Guided IG: elements that do not differ from the baseline do not move and get nothing', async () => {
    const task = pictureTask(smoothModel());
    task.baseline.set(task.x.subarray(0, 10));
    const { map } = await lastFrame(explain('guided-ig', task, { steps: 9, maxDistance: 1 }, run));
    expect([...map.subarray(0, 10)]).toEqual(new Array(10).fill(0));
  });

  test('Blur IG: begins at the image itself, and steps of unequal width are each their own whatever the batch', async () => {
    const model = smoothModel();
    const task = pictureTask(model);
    const parameters = { steps: 6, largestSigma: 2, spacing: 'variance' };
    await lastFrame(explain('blur-ig', task, { ...parameters, rule: 'derivative' }, run));
    expect(model.points[0]).toEqual(task.x);
    // Of a linear model the derivative's sum must come near the points' own, whose sum is exact.
    const linear = pictureTask(linearModel(Array.from({ length: elements }, (_, i) => Math.sin(3 * i))));
    const exact = await lastFrame(explain('blur-ig', linear, { ...parameters, steps: 400 }, run));
    const derivative = { ...parameters, steps: 400, rule: 'derivative' };
    const near = await lastFrame(explain('blur-ig', linear, derivative, run));
    expect(exact.gap).toBeCloseTo(0, 5);
    expect(Math.abs(near.gap ?? NaN)).toBeLessThan(0.04 * Math.abs(near.expectedSum ?? NaN));
    const oneByOne = await lastFrame(explain('blur-ig', linear, derivative, { batchSize: 1 }));
    expect(oneByOne.map).toEqual(near.map);
  });

  test('IG2: a reference of the very same representation leaves the image where it is', async () => {
    const task = pictureTask(smoothModel());
    const frame = await lastFrame(explain('ig2', { ...task, references: [task.x] }, { steps: 4 }, run));
    expect(frame.map.every((value) => value === 0)).toBe(true);
    expect(frame.gap).toBe(0);
  });

  test("IG2: the step is one of the display's range, whatever the model's own units", async () => {
    const ends: number[] = [];
    for (const std of [0.25, 1 / 2048]) {
      const task = pictureTask(smoothModel());
      const input = { ...task.input, std };
      const scaled = (values: Float32Array): Float32Array => values.map((value) => (value * 0.25) / std);
      const model = smoothModel();
      const references = task.references.map(scaled).slice(0, 1);
      await lastFrame(
        explain(
          'ig2',
          { ...task, model, input, x: scaled(task.x), references },
          { steps: 1, step: 0.1 },
          run,
        ),
      );
      const [from, to] = model.points;
      const squares = Array.from(to ?? [], (value, i) => (value - (from?.[i] ?? NaN)) ** 2);
      ends.push(std * Math.sqrt(squares.reduce((sum, value) => sum + value, 0)));
    }
    expect(ends[0]).toBeCloseTo(0.1, 5);
    expect(ends[1]).toBeCloseTo(0.1, 5);
  });

  test('VarGrad: a variance is never below 0, however alike the maps are', async () => {
    const task = pictureTask(linearModel(new Array<number>(elements).fill(1e4 / 3)));
    const { map } = await lastFrame(explain('vargrad', task, { samples: 20 }, run));
    expect(map.every((value) => value >= 0)).toBe(true);
  });
});

describe('the roughness of a map', () => {
  test('is the mean difference of neighbours of its magnitude, in units of its range', () => {
    expect(totalVariation(new Float32Array([0, 1, 0, -1]), [1, 1, 4])).toBe(0.75);
    expect(totalVariation(new Float32Array([0, 5, 0, -5]), [1, 1, 4])).toBe(0.75);
    // Channels are summed first.
    expect(totalVariation(new Float32Array([1, 1, 1, 1, -1, 0, -1, -2]), [2, 1, 4])).toBe(0.75);
    expect(totalVariation(new Float32Array(16).fill(3), [1, 4, 4])).toBe(0);
    expect(totalVariation(new Float32Array(16), [1, 4, 4])).toBe(0);
  });

  test('is less the smoother the map is, over all its scales', () => {
    const side = 68;
    const waves = (period: number): number =>
      totalVariation(
        Float32Array.from(
          { length: side * side },
          (_, i) => 1 + Math.sin((2 * Math.PI * (i % side)) / period),
        ),
        [1, side, side],
      );
    expect(waves(40)).toBeLessThan(waves(20));
    expect(waves(20)).toBeLessThan(waves(10));
    // Three scales, 68, 45 and 30, spaced by 1: Simpson's rule makes about twice the value of one.
    const single = ((4 / 20) * (side - 1)) / side / 2;
    expect(waves(20) / single).toBeGreaterThan(2);
    expect(waves(20) / single).toBeLessThan(4);
  });
});

describe('adaptive noising', () => {
  test('keeps the smoothest map and says which noise made it', async () => {
    const model = smoothModel();
    const frames = await Array.fromAsync(
      explain('smooth-taylor', pictureTask(model), { roots: 3, deviation: 'adaptive' }, run),
    );
    const last = frames.at(-1);
    const { deviation = NaN, roughness = NaN } = last?.findings ?? {};
    expect(deviation).toBeGreaterThan(0);
    expect(roughness).toBeGreaterThan(0);
    expect(last?.evaluations).toBe(model.points.length);
    expect(last?.evaluations).toBeLessThanOrEqual(41 * 3 + 1);
    // The same map again, at the noise that was chosen.
    const plain = await lastFrame(
      explain('smooth-taylor', pictureTask(smoothModel()), { roots: 3, deviation }, run),
    );
    plain.map.forEach((value, i) => expect(value).toBeCloseTo(last?.map[i] ?? NaN, 5));
  });
});
