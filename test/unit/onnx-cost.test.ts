/** Memory and arithmetic of a graph, counted by hand on small ones. */
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { costOf } from '../../core/onnx/cost.ts';
import { tensor } from '../../core/onnx/tensor.ts';

const zeros = (...shape: number[]) =>
  tensor('float32', shape, new Float32Array(shape.reduce((product, size) => product * size, 1)));

function graphOf(shape: readonly number[]): GraphBuilder {
  const graph = new GraphBuilder(17, [2, 3]);
  graph.input('x', 'float32', [
    [2, ...shape],
    [3, ...shape],
  ]);
  return graph;
}

describe('costOf', () => {
  it('counts what is alive together, for one image', () => {
    const graph = graphOf([100]);
    const a = graph.op('Relu', ['x']);
    const b = graph.op('Exp', [a]);
    const c = graph.op('Exp', [b]);
    // At the sum, b and c have been read for the last time by it, and a waits for the product.
    const sum = graph.op('Add', [b, c]);
    const y = graph.op('Mul', [sum, a]);
    expect(costOf(graph, graph.nodes, [y])).toEqual({ weights: 0, perImage: 4 * 400, multiplyAdds: 0 });
  });

  it('counts weights once and does not multiply them by the batch', () => {
    const graph = graphOf([10]);
    const w = graph.constant(zeros(10, 20));
    const y = graph.op('MatMul', ['x', w]);
    const z = graph.op('MatMul', [y, graph.op('Transpose', [w], { perm: [1, 0] })]);
    const { weights, multiplyAdds } = costOf(graph, graph.nodes, [z]);
    // The transpose of a weight is folded into a second weight.
    expect(weights).toBe(2 * 200 * 4);
    expect(multiplyAdds).toBe(200 + 200);
  });

  it.each([
    ['a convolution', 1, 8 * 10 * 10 * (4 * 3 * 3)],
    ['a grouped convolution', 2, 8 * 10 * 10 * (2 * 3 * 3)],
  ])('counts the arithmetic of %s', (_, group, expected) => {
    const graph = graphOf([4, 10, 10]);
    const w = graph.constant(zeros(8, 4 / group, 3, 3));
    const y = graph.op('Conv', ['x', w], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], group });
    expect(costOf(graph, graph.nodes, [y]).multiplyAdds).toBe(expected);
  });
});
