/** The axioms that the methods' papers state (Sundararajan et al. 2017), on small nets whose answers are known. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { alongPath } from '../../core/attribution/along-path.ts';
import { guidedPath } from '../../core/attribution/guided-path.ts';
import { ig2 } from '../../core/attribution/ig2.ts';
import { type AttributionFrame, Inquiry, lastFrame } from '../../core/attribution/inquiry.ts';
import { explain, type MethodId, type Task } from '../../core/attribution/methods.ts';
import { buildGradientModel } from '../../core/autodiff/index.ts';
import type { Node } from '../../core/onnx/graph.ts';
import { tensor } from '../../core/onnx/tensor.ts';
import { differentiableModel } from '../../main/engine/gradient-model.ts';
import { AnalyticModel, linearModel, reluModel } from '../support/analytic-models.ts';
import { allMethods, PixelRepresentation, pictureTask, quick, side } from '../support/attribution-tasks.ts';
import { declaration, modelBytes, node, openSession } from '../support/onnx-models.ts';

const run = { batchSize: 8 };
const elements = side * side;

const value = fc.float({ min: -4, max: 4, noNaN: true });
const picture = fc.array(value, { minLength: elements, maxLength: elements });
const unit = fc.record({ weights: picture, bias: value, out: value });
const net = fc.array(unit, { minLength: 1, maxLength: 4 });

const frameOf = (id: MethodId, task: Task, parameters: unknown = quick[id]): Promise<AttributionFrame> =>
  lastFrame(explain(id, task, parameters, run));

/** A task from a baseline, -2 everywhere, that the image differs from. */
const taskOf = (model: Task['model'], x: readonly number[]): ReturnType<typeof pictureTask> => ({
  ...pictureTask(model),
  x: Float32Array.from(x),
});
const notBaseline = picture.filter((x) => x.some((each) => Math.fround(each) !== -2));

function expectClose(map: Float32Array, other: ArrayLike<number>, tolerance = 1e-5): void {
  const size = map.reduce((sum, each) => Math.max(sum, Math.abs(each)), 1);
  map.forEach((each, i) => expect(Math.abs(each - (other[i] ?? NaN))).toBeLessThan(tolerance * size));
}

const promising = allMethods.filter(
  ([id]) => !['gradient', 'gradient-x-input', 'smoothgrad', 'smoothgrad-squared', 'vargrad'].includes(id),
);

describe('completeness', () => {
  test.each(promising)('of a linear model, where every rule is exact: %s', async (id, parameters) => {
    await fc.assert(
      fc.asyncProperty(picture, notBaseline, async (weights, x) => {
        const { gap, expectedSum } = await frameOf(id, taskOf(linearModel(weights), x), parameters);
        fc.pre(!id.startsWith('idgi') || weights.some((weight) => Math.fround(weight) !== 0));
        const size = weights.reduce((sum, weight) => sum + Math.abs(weight), 1);
        expect(expectedSum).not.toBeNull();
        expect(Math.abs(gap ?? NaN)).toBeLessThan(1e-5 * 10 * size);
      }),
      { numRuns: 15 },
    );
  });

  test('of a net: more nodes leave less of a gap, by every rule and along every path', async () => {
    const hidden = [1, 2, 3].map((k) => ({
      weights: Array.from({ length: elements }, (_, i) => Math.sin(k * (i + 1))),
      bias: k - 2,
      out: (-1) ** k * k,
    }));
    const task = pictureTask(reluModel(hidden));
    const gapOf = async (id: MethodId, parameters: unknown): Promise<number> =>
      Math.abs((await frameOf(id, task, parameters)).gap ?? NaN);
    for (const [id, few, many] of [
      ...(['left', 'right', 'midpoint', 'trapezoid', 'gauss-legendre'] as const).map(
        (rule) => ['integrated-gradients-fixed', { rule, nodes: 8 }, { rule, nodes: 1024 }] as const,
      ),
      ['integrated-gradients-adaptive', { nodes: 9 }, { nodes: 512 }],
      ['blur-ig', { steps: 8, largestSigma: 3 }, { steps: 512, largestSigma: 3 }],
      ['ig2', { steps: 2, step: 0.2 }, { steps: 200, step: 0.002 }],
    ] as const) {
      const after = await gapOf(id, many);
      expect(after, id).toBeLessThan(0.05);
      expect(after, id).toBeLessThan(Math.max(await gapOf(id, few), 1e-3));
    }
  });

  test('IDGI shares out the whole change wherever a gradient is not zero', async () => {
    await fc.assert(
      fc.asyncProperty(net, notBaseline, async (hidden, x) => {
        // A slope of its own keeps the gradient from vanishing.
        const model = reluModel([
          ...hidden,
          { weights: Array<number>(elements).fill(0.1), bias: 100, out: 1 },
        ]);
        for (const id of ['idgi-ig', 'idgi-blur-ig', 'idgi-guided-ig'] as const) {
          const { gap, expectedSum } = await frameOf(id, taskOf(model, x));
          expect(Math.abs(gap ?? NaN)).toBeLessThan(1e-9 * (1 + Math.abs(expectedSum ?? NaN)) * 100);
        }
      }),
      { numRuns: 15 },
    );
  });
});

const fromBaseline = [
  'integrated-gradients',
  'integrated-gradients-fixed',
  'integrated-gradients-adaptive',
  'guided-ig',
] as const;

test.each(fromBaseline)('sensitivity (a): %s gives a lone difference all of the change', async (id) => {
  await fc.assert(
    fc.asyncProperty(fc.nat(elements - 1), value, value, async (at, weight, x) => {
      fc.pre(Math.abs(weight) > 0.1 && Math.abs(x + 2) > 0.1);
      const model = new AnalyticModel(
        elements,
        (z) => weight * (z[at] ?? 0) + z.reduce((sum, each, i) => (i === at ? sum : sum + 3 * each), 0),
        (z) => z.map((_, i) => (i === at ? weight : 3)),
      );
      const task = pictureTask(model);
      task.x = task.baseline.slice();
      task.x[at] = x;
      const { map } = await frameOf(id, task);
      const expected = new Float32Array(elements);
      expected[at] = weight * ((task.x[at] ?? NaN) + 2);
      expectClose(map, expected);
      expect(map[at]).not.toBe(0);
    }),
    { numRuns: 20 },
  );
});

test.each(fromBaseline)(
  'sensitivity (b): %s gives nothing to what the model does not look at',
  async (id) => {
    await fc.assert(
      fc.asyncProperty(net, notBaseline, async (hidden, x) => {
        const blind = hidden.map((each) => ({ ...each, weights: [0, ...each.weights.slice(1)] }));
        expect(Math.abs((await frameOf(id, taskOf(reluModel(blind), x))).map[0] ?? NaN)).toBe(0);
      }),
      { numRuns: 20 },
    );
  },
);

const linear = [
  'integrated-gradients-fixed',
  'gradient',
  'gradient-x-input',
  'smoothgrad',
  'expected-gradients',
  'blur-ig',
  'smooth-taylor',
] as const;

test.each(linear)('linearity: %s of a weighted sum of nets is the weighted sum of its maps', async (id) => {
  await fc.assert(
    fc.asyncProperty(net, net, value, notBaseline, async (first, second, scale, x) => {
      const scaled = second.map((each) => ({ ...each, out: scale * each.out }));
      const [a, b, both] = await Promise.all(
        [first, second, [...first, ...scaled]].map((hidden) => frameOf(id, taskOf(reluModel(hidden), x))),
      );
      const sum = a?.map.map((each, i) => each + scale * (b?.map[i] ?? NaN)) ?? [];
      const size = Math.max(...[a, b].flatMap((frame) => [...(frame?.map ?? [])].map(Math.abs)), 1);
      both?.map.forEach((each, i) =>
        expect(Math.abs(each - (sum[i] ?? NaN))).toBeLessThan(1e-5 * size * (1 + Math.abs(scale))),
      );
    }),
    { numRuns: 10 },
  );
});

const straight = [
  'integrated-gradients',
  'integrated-gradients-fixed',
  'integrated-gradients-adaptive',
  'idgi-ig',
] as const;

test.each(straight)(
  'symmetry: %s treats alike what is alike in the model, the image and the baseline',
  async (id) => {
    await fc.assert(
      fc.asyncProperty(net, notBaseline, async (hidden, x) => {
        const alike = hidden.map((each) => ({
          ...each,
          weights: each.weights.map((weight, i) => (i === 1 ? (each.weights[0] ?? 0) : weight)),
        }));
        const image = x.map((each, i) => (i === 1 ? (x[0] ?? 0) : each));
        fc.pre(image.some((each) => Math.fround(each) !== -2));
        const { map } = await frameOf(id, taskOf(reluModel(alike), image));
        expect(map[1]).toBe(map[0]);
      }),
      { numRuns: 20 },
    );
  },
);

test('implementation invariance: the same function as two graphs gets the same map by every method', async () => {
  const weights = Array.from({ length: elements * 3 }, (_, i) => Math.sin(i + 1));
  const out = [1, -2, 0.5];
  const open = async (nodes: readonly Node[], factor: number) => {
    const bytes = modelBytes({
      nodes,
      constants: new Map([
        ['w', tensor('float32', [elements, 3], weights)],
        [
          'v',
          tensor(
            'float32',
            [3, 1],
            out.map((each) => factor * each),
          ),
        ],
      ]),
      inputs: [declaration('x', ['N', elements])],
      outputs: [declaration('y', ['N', 1])],
    });
    const ends = { input: 'x', output: 'y', objective: 'logit', activation: 'none' } as const;
    const graph = buildGradientModel(bytes, ends);
    return differentiableModel(await openSession(graph.bytes), graph, 0);
  };
  const plain = await open(
    [node('MatMul', ['x', 'w'], ['h']), node('Relu', ['h'], ['r']), node('MatMul', ['r', 'v'], ['y'])],
    1,
  );
  // relu(h) = (h + |h|) / 2
  const other = await open(
    [
      node('MatMul', ['x', 'w'], ['h']),
      node('Abs', ['h'], ['a']),
      node('Add', ['a', 'h'], ['r']),
      node('MatMul', ['r', 'v'], ['y']),
    ],
    0.5,
  );
  for (const [id, parameters] of allMethods) {
    const [a, b] = [
      await frameOf(id, pictureTask(plain), parameters),
      await frameOf(id, pictureTask(other), parameters),
    ];
    expectClose(a.map, b.map, 1e-4);
  }
});

describe('the toy of the IG2 paper, y = max(x1, x2 - 1), from (0, 0) to (1, 3)', () => {
  const toy = () =>
    new AnalyticModel(
      2,
      ([x1 = 0, x2 = 0]) => Math.max(x1, x2 - 1),
      ([x1 = 0, x2 = 0]) => (x1 > x2 - 1 ? [1, 0] : [0, 1]),
    );
  const x = new Float32Array([1, 3]);
  const origin = new Float32Array(2);
  const task = (): Task => ({
    model: toy(),
    x,
    baseline: origin,
    input: { channels: 1, height: 1, width: 2, mean: 0, std: 1 },
  });

  test('the straight path shares the change at the point where the maximum passes over: half of the way', async () => {
    const { map } = await frameOf('integrated-gradients-fixed', task(), { rule: 'midpoint', nodes: 1000 });
    expectClose(map, [0.5, 1.5], 1e-3);
    const adaptive = await frameOf('integrated-gradients-adaptive', task(), { nodes: 100 });
    expectClose(adaptive.map, [0.5, 1.5], 0.01);
  });

  test('the adaptive rule puts its nodes where the maximum passes over', async () => {
    const model = toy();
    const further = { ...task(), model, x: new Float32Array([1, 3.5]) };
    await frameOf('integrated-gradients-adaptive', further, { nodes: 20 });
    // x1 = x2 - 1 at 1 / 2.5 of the way: between the pilot's nodes 3 and 4 of 8.
    const inside = model.points.slice(9).filter(([x1 = NaN]) => x1 > 3 / 8 && x1 < 4 / 8);
    expect(inside).toHaveLength(11);
  });

  test('Guided IG, free to roam, follows the edge where both are equal: the left rule misses half of the change', async () => {
    const gapOf = async (rule: 'left' | 'trapezoid'): Promise<number> => {
      const inquiry = new Inquiry(toy(), run);
      const path = guidedPath(inquiry, x, origin, { steps: 1000, fraction: 0.5, maxDistance: 1 }, rule);
      const { gap, expectedSum } = await lastFrame(alongPath(path, rule, 1, inquiry));
      expect(expectedSum).toBe(2);
      return gap ?? NaN;
    };
    expect(await gapOf('left')).toBeCloseTo(-1, 2);
    expect(Math.abs(await gapOf('trapezoid'))).toBeLessThan(0.4);
  });

  test('IG2 sums to the change on the way to its counterfactual, along the path of its representation', async () => {
    const options = { steps: 1000, stepLength: Math.sqrt(10) / 1000, lowest: [-9, -9], highest: [9, 9] };
    const frame = await lastFrame(ig2(toy(), new PixelRepresentation(2), x, [origin], options, 'left', run));
    expectClose(frame.map, [0.5, 1.5], 0.01);
    expect(frame.expectedSum).toBeCloseTo(2, 2);
  });
});
