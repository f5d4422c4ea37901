/**
 * Moves the scale of a BatchNormalization's gradient into the convolution before it.
 *
 * Backward through BatchNormalization -> Relu -> Conv, the gradient is convolved, masked and scaled a channel. Masking and
 * scaling commute, so that the kernels can carry the scale: one pass over the largest tensors less for every such layer.
 */
import type { GraphBuilder, Value } from '../onnx/builder.ts';
import type { Node } from '../onnx/graph.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { allocate, elementCount, tensor } from '../onnx/tensor.ts';

/** Conv(dy, w) -> Mul(mask) -> Mul(scale) becomes Conv(dy, scale w) -> Mul(mask). */
export function foldScales(graph: GraphBuilder, outputs: readonly Value[]): void {
  const producer = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node])));
  const uses = new Map<Value, number>();
  for (const name of [...outputs, ...graph.nodes.flatMap(({ inputs }) => inputs)]) {
    uses.set(name, (uses.get(name) ?? 0) + 1);
  }
  /** The node that makes a value which nothing else reads. */
  const only = (name: Value | undefined, operator: string): Node | undefined => {
    const node = name === undefined ? undefined : producer.get(name);
    return node?.operator === operator && uses.get(node.outputs[0] ?? '') === 1 ? node : undefined;
  };

  const replaced = new Map<Node, Node | undefined>();
  for (const scaling of graph.nodes) {
    const [masked, factor = ''] = scaling.inputs;
    const scale = scaling.operator === 'Mul' ? graph.constants.get(factor) : undefined;
    const masking = only(masked, 'Mul');
    const conv = only(masking?.inputs[0], 'Conv');
    if (scale === undefined || masking === undefined || conv === undefined) continue;
    const weights = graph.constants.get(conv.inputs[1] ?? '');
    if (weights === undefined || conv.inputs.length > 2 || !isPerChannel(scale, weights)) continue;
    replaced.set(conv, {
      ...conv,
      inputs: [conv.inputs[0] ?? '', graph.constant(scaled(weights, scale))],
    });
    replaced.set(masking, { ...masking, outputs: scaling.outputs });
    replaced.set(scaling, undefined);
  }
  const nodes = graph.nodes.flatMap((node) => (replaced.has(node) ? (replaced.get(node) ?? []) : node));
  graph.nodes.splice(0, graph.nodes.length, ...nodes);
}

/** [C, 1, ...] of as many channels as the convolution makes. */
function isPerChannel(scale: Tensor, weights: Tensor): boolean {
  const [channels, ...rest] = scale.shape;
  return (
    channels === weights.shape[0] &&
    rest.length === weights.shape.length - 2 &&
    rest.every((size) => size === 1)
  );
}

function scaled(weights: Tensor, scale: Tensor): Tensor {
  const kernel = elementCount(weights.shape.slice(1));
  const data = allocate(weights.type, weights.data.length);
  scale.data.forEach((factor, output) => {
    for (let at = output * kernel; at < (output + 1) * kernel; at++) {
      data[at] = (weights.data[at] ?? 0) * factor;
    }
  });
  return tensor(weights.type, weights.shape, data);
}
