/** What a graph asks of the machine that runs it: an estimate from its shapes, before anything runs. */
import * as attribute from './attributes.ts';
import type { GraphBuilder, Value } from './builder.ts';
import type { Node } from './graph.ts';
import { allocate, elementCount } from './tensor.ts';

export interface Cost {
  /** Bytes of the weights, which do not depend on the batch. */
  readonly weights: number;
  /** Bytes of the values that are alive together at the worst moment, for one image more in a batch. */
  readonly perImage: number;
  /** Multiplications with an addition, an image: those of convolutions and matrix products, which is nearly all. */
  readonly multiplyAdds: number;
}

/**
 * Memory by liveness: a value is alive from the node that makes it to the last that reads it. ONNX Runtime reuses buffers in place and
 * rounds them up, so that what it takes differs by some tens of per cent.
 * @param nodes in the order of their execution
 */
export function costOf(graph: GraphBuilder, nodes: readonly Node[], outputs: readonly Value[]): Cost {
  const [images = 1] = graph.probes;
  const bytes = (name: Value): number => {
    const [fact] = graph.facts(name);
    return fact === undefined ? 0 : elementCount(fact.shape) * allocate(fact.type, 0).BYTES_PER_ELEMENT;
  };
  const kept = new Set(outputs);
  const lastReader = new Map<Value, Node>();
  for (const node of nodes) for (const name of node.inputs) lastReader.set(name, node);
  const used = [...lastReader.keys()].filter((name) => graph.constants.has(name));
  const makes = new Set(nodes.flatMap((node) => node.outputs));
  const given = [...lastReader.keys()].filter(
    (name) => name !== '' && !makes.has(name) && !graph.constants.has(name),
  );

  let alive = given.reduce((sum, name) => sum + bytes(name), 0);
  let peak = alive;
  let multiplyAdds = 0;
  for (const node of nodes) {
    const made = node.outputs.filter((name) => name !== '' && graph.has(name));
    for (const name of made) alive += bytes(name);
    peak = Math.max(peak, alive);
    const done = new Set([
      ...node.inputs.filter((name) => lastReader.get(name) === node && !graph.constants.has(name)),
      ...made.filter((name) => !lastReader.has(name)),
    ]);
    for (const name of done) if (name !== '' && !kept.has(name)) alive -= bytes(name);
    multiplyAdds += multiplyAddsOf(graph, node);
  }
  return {
    weights: used.reduce((sum, name) => sum + bytes(name), 0),
    perImage: Math.ceil(peak / images),
    multiplyAdds: Math.round(multiplyAdds / images),
  };
}

function multiplyAddsOf(graph: GraphBuilder, node: Node): number {
  const [x = '', w = ''] = node.inputs;
  const [y = ''] = node.outputs;
  const shape = (name: Value): readonly number[] => graph.facts(name)[0]?.shape ?? [];
  switch (node.operator) {
    // Every element of the result is a sum over a kernel of the channels of its group.
    case 'Conv':
      return elementCount(shape(y)) * elementCount(shape(w).slice(1));
    case 'ConvTranspose':
      return elementCount(shape(x)) * elementCount(shape(w).slice(1));
    case 'MatMul':
      return elementCount(shape(y)) * (shape(x).at(-1) ?? 1);
    case 'Gemm':
      return elementCount(shape(y)) * (shape(x)[attribute.int(node, 'transA', 0) === 1 ? 0 : 1] ?? 1);
    default:
      return 0;
  }
}
