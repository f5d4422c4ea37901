/** Gradient graphs made of the kernels that GPUs have: the same numbers by other operators. */
import { describe, expect, it } from 'vitest';
import { buildGradientModel } from '../../core/autodiff/index.ts';
import { readModel } from '../../core/onnx/file.ts';
import type { Node } from '../../core/onnx/graph.ts';
import { declaration, floatTensor, modelBytes, node, numbers, openSession } from '../support/onnx-models.ts';

type Kernels = 'cpu' | 'gpu';
const kinds: readonly Kernels[] = ['cpu', 'gpu'];

function built(nodes: readonly Node[], shape: readonly number[], kernels: Kernels) {
  const bytes = modelBytes({
    nodes,
    inputs: [declaration('x', ['N', ...shape])],
    outputs: [declaration('y', ['N', 'K'])],
  });
  return buildGradientModel(bytes, {
    input: 'x',
    output: 'y',
    objective: 'logit',
    activation: 'none',
    kernels,
  });
}

async function gradient(nodes: readonly Node[], shape: readonly number[], kernels: Kernels, x: number[]) {
  const model = built(nodes, shape, kernels);
  const session = await openSession(model.bytes);
  const images = x.length / shape.reduce((product, size) => product * size, 1);
  const seed = Array.from({ length: images * model.outputCount }, (_, index) => 1 + index);
  const results = await session.run({
    [model.inputName]: floatTensor('float32', x, [images, ...shape]),
    [model.seedName]: floatTensor('float32', seed, [images, model.outputCount]),
  });
  await session.release();
  return [...numbers(results[model.gradientName])];
}

describe('a pool of the greatest', () => {
  const pool = [
    node('MaxPool', ['x'], ['pooled'], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
    node('Flatten', ['pooled'], ['y']),
  ];

  it('gives to the first of equals, on either kind of kernels', async () => {
    // Zeros left by a Relu tie all over; two images of two channels.
    const x = Array.from({ length: 2 * 2 * 5 * 5 }, (_, at) => Math.max(0, ((at * 7) % 5) - 2));
    const [cpu, gpu] = await Promise.all(kinds.map((kernels) => gradient(pool, [2, 5, 5], kernels, x)));
    expect(gpu).toEqual(cpu);
    expect(cpu?.reduce((sum, value) => sum + value, 0)).toBe((36 * 37) / 2);
  });

  it('asks no pool for its indices', () => {
    const { graph } = readModel(built(pool, [2, 5, 5], 'gpu').bytes);
    const [found] = graph.nodes.filter(({ operator }) => operator === 'MaxPool');
    expect(found?.outputs).toHaveLength(1);
  });
});

it('adds up what comes back on many ways two by two', async () => {
  const ways = [
    node('Exp', ['x'], ['a']),
    node('Tanh', ['x'], ['b']),
    node('Mul', ['x', 'x'], ['c']),
    node('Concat', ['a', 'b', 'c', 'x'], ['y'], { axis: 1 }),
  ];
  const x = [0.5, -1, 2];
  const [cpu, gpu] = await Promise.all(kinds.map((kernels) => gradient(ways, [3], kernels, x)));
  expect(gpu).toEqual(cpu);
  const operators = readModel(built(ways, [3], 'gpu').bytes).graph.nodes.map(({ operator }) => operator);
  expect(operators).not.toContain('Sum');
});
