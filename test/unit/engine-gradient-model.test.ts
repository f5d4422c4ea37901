/** Paths inside the graph: the same scores and gradients as those of points that are fed one by one. */
import type { InferenceSession } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import type { DifferentiableModel } from '../../core/attribution/model.ts';
import { sumAlong } from '../../core/attribution/path.ts';
import { buildGradientModel } from '../../core/autodiff/index.ts';
import { integers, tensor } from '../../core/onnx/tensor.ts';
import { differentiableModel } from '../../main/engine/gradient-model.ts';
import { declaration, modelBytes, node, openSession } from '../support/onnx-models.ts';
import { seededRandom } from '../support/onnx-random.ts';

const random = seededRandom('path');
const draw = (count: number): Float32Array => Float32Array.from({ length: count }, () => random() * 2 - 1);
const shape = [3, 8, 8];
const elements = 3 * 8 * 8;
const nodes = [0, 0.25, 0.5, 0.875, 1];
const weights = [0.1, 0.2, 0.3, 0.25, 0.15];
const x = draw(elements);
const baseline = draw(elements);

/** A small network of a convolution, SiLU and Relu6; `last` may add to it. */
function network(batch: number | string, last: ReturnType<typeof node>[] = []): Uint8Array<ArrayBuffer> {
  return modelBytes({
    nodes: [
      node('Conv', ['x', 'w'], ['a'], { pads: [1, 1, 1, 1], strides: [2, 2] }),
      node('Sigmoid', ['a'], ['s']),
      node('Mul', ['s', 'a'], ['b']),
      node('Clip', ['b', 'zero', 'six'], ['c']),
      node('GlobalAveragePool', ['c'], ['d']),
      node('Reshape', ['d', 'flat'], [last.length === 0 ? 'y' : 'e']),
      ...last,
    ],
    constants: new Map([
      ['w', tensor('float32', [16, 3, 3, 3], draw(16 * 27))],
      ['zero', tensor('float32', [], [0])],
      ['six', tensor('float32', [], [6])],
      ['flat', integers([-1, 16])],
    ]),
    inputs: [declaration('x', [batch, ...shape])],
    outputs: [declaration('y', [batch, 16])],
  });
}

async function opened(
  bytes: Uint8Array,
): Promise<{ session: InferenceSession; model: ReturnType<typeof differentiableModel> }> {
  const ends = { input: 'x', output: 'y', objective: 'logit', activation: 'none' } as const;
  const graph = buildGradientModel(bytes, { ...ends, path: true });
  const session = await openSession(graph.bytes);
  return { session, model: differentiableModel(session, graph, 3) };
}

describe.each([['any batch', 'N' as const] as const, ['a fixed batch', 2] as const])(
  'a graph of %s',
  (_, batch) => {
    test('adds up along the path what it gives at the points', async () => {
      const { session, model } = await opened(network(batch));
      const along = await model.sumAlong?.({ x, baseline, nodes, weights });
      // The same points by the fallback, which places and adds them up itself.
      const alone: DifferentiableModel = {
        shape,
        evaluate: (points, count) => model.evaluate(points, count),
      };
      const apart = await sumAlong(alone, { x, baseline, nodes, weights });
      await session.release();

      const largest = Math.max(...apart.gradient.map(Math.abs));
      expect(largest).toBeGreaterThan(0);
      along?.gradient.forEach((value, i) => {
        expect(Math.abs(value - (apart.gradient[i] ?? NaN))).toBeLessThan(2e-6 * largest);
      });
      // The ends themselves are met exactly, not a rounding away.
      expect([along?.f[0], along?.f.at(-1)]).toEqual([apart.f[0], apart.f.at(-1)]);
    });

    test('gives the same bits again', async () => {
      const { session, model } = await opened(network(batch));
      const first = await model.sumAlong?.({ x, baseline, nodes, weights });
      expect(await model.sumAlong?.({ x, baseline, nodes, weights })).toEqual(first);
      await session.release();
    });
  },
);

test('names the place where a gradient inside a sum is not finite', async () => {
  // The square root of 0 at the baseline, and of nothing less beyond it.
  const { session, model } = await opened(network('N', [node('Sqrt', ['e'], ['y'])]));
  const zeros = new Float32Array(elements);
  await expect(
    sumAlong(model, { x, baseline: zeros, nodes: [0, 0.5], weights: [1, 1] }),
  ).rejects.toMatchObject({ kind: 'unsupported', message: expect.stringContaining('gradient') as string });
  await expect(
    sumAlong(model, { x, baseline: zeros, nodes: [0.5, 0], weights: [1, 1] }),
  ).rejects.toMatchObject({ message: expect.stringContaining('at 0.00 %') as string });
  await session.release();
});
