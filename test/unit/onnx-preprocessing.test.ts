/** What a model's file tells of its input, and what it does not. */
import { describe, expect, it } from 'vitest';
import { readModel } from '../../core/onnx/file.ts';
import type { Node } from '../../core/onnx/graph.ts';
import { guessPreprocessing } from '../../core/onnx/preprocessing.ts';
import { tensor, type Tensor } from '../../core/onnx/tensor.ts';
import { declaration, modelBytes, node } from '../support/onnx-models.ts';

function guess(nodes: Node[], constants: Record<string, Tensor>, shape: (number | string)[]) {
  const output = nodes.at(-1)?.outputs[0] ?? 'x';
  const bytes = modelBytes({
    nodes,
    constants: new Map(Object.entries(constants)),
    inputs: [declaration('x', shape)],
    outputs: [declaration(output, shape)],
  });
  return guessPreprocessing(readModel(bytes).graph, 'x');
}

const colour = (values: number[]): Tensor => tensor('float32', [1, 3, 1, 1], values);
const one = (value: number): Tensor => tensor('float32', [], [value]);

describe('the guess of a model’s preprocessing', () => {
  it('finds the axis of the channels by its size', () => {
    const relu = [node('Relu', ['x'], ['y'])];
    expect(guess(relu, {}, ['N', 1, 224, 224])).toMatchObject({ layout: 'NCHW', channels: 1 });
    expect(guess(relu, {}, ['N', 224, 224, 3])).toMatchObject({ layout: 'NHWC', channels: 3 });
    expect(guess(relu, {}, ['N', 'c', 'h', 'w'])).toMatchObject({ layout: null, channels: null });
    expect(guess(relu, {}, ['N', 1, 32, 64, 64])).toMatchObject({ layout: 'NCHW', channels: 1 });
  });

  it('recognises ImageNet’s scale inside the graph, whichever way it is written', () => {
    const mean = [0.485, 0.456, 0.406];
    const std = [0.229, 0.224, 0.225];
    const nodes = [
      node('Sub', ['x', 'mean'], ['a']),
      node('Div', ['a', 'std'], ['b']),
      node('Relu', ['b'], ['y']),
    ];
    const inUnits = (unit: number) =>
      guess(nodes, { mean: colour(mean.map((v) => v * unit)), std: colour(std.map((v) => v * unit)) }, [
        'N',
        3,
        8,
        8,
      ]).values;
    expect(inUnits(1)).toMatch(/^0 to 1: the graph itself applies ImageNet/);
    expect(inUnits(255)).toMatch(/^0 to 255: the graph itself applies ImageNet/);
  });

  it('recognises a division by 255, through Cast and Transpose', () => {
    const nodes = [
      node('Transpose', ['x'], ['a'], { perm: [0, 3, 1, 2] }),
      node('Mul', ['a', 'factor'], ['b']),
      node('Conv', ['b', 'w'], ['y']),
    ];
    const w = tensor('float32', [1, 1, 1, 1], [1]);
    const { values } = guess(nodes, { factor: one(1 / 255), w }, ['N', 8, 8, 1]);
    expect(values).toMatch(/^0 to 255: the graph itself divides/);
  });

  it('states other arithmetic as it stands, and stops where the image goes two ways', () => {
    const scaled = [
      node('Mul', ['x', 'f'], ['a']),
      node('Add', ['a', 'o'], ['b']),
      node('Relu', ['b'], ['y']),
    ];
    expect(guess(scaled, { f: one(2), o: one(-1) }, ['N', 1, 8, 8]).values).toContain('2 x + -1');
    const forked = [node('Mul', ['x', 'f'], ['a']), node('Add', ['a', 'x'], ['y'])];
    expect(guess(forked, { f: one(2) }, ['N', 1, 8, 8]).values).toMatch(/^not told by the file/);
  });
});
