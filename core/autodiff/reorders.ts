/**
 * Takes needless reorderings out of a graph that ONNX Runtime has rewritten for a CPU.
 *
 * There, convolutions compute on channels in blocks of 8 or 16 (NCHWc), and the runtime puts `ReorderOutput` and `ReorderInput` around every
 * operator that it does not know to work in blocks. But to an element-wise operator on images of one shape the order is all one, and Split
 * and Concat along the channels move whole blocks as they move channels: inside the blocks they compute the same bits.
 */
import { attributes, int } from '../onnx/attributes.ts';
import type { Outline } from '../onnx/file.ts';
import type { Node } from '../onnx/graph.ts';
import { elementCount } from '../onnx/tensor.ts';
import { BLOCK } from './blocked-layout.ts';

const DOMAIN = 'com.microsoft.nchwc';

const ELEMENTWISE: ReadonlySet<string> = new Set([
  ...['Abs', 'Add', 'Clip', 'Div', 'Elu', 'Erf', 'Exp', 'HardSigmoid', 'HardSwish', 'Identity', 'LeakyRelu'],
  ...['Log', 'Max', 'Min', 'Mul', 'Neg', 'Pow', 'Relu', 'Sigmoid', 'Softplus', 'Sqrt', 'Sub', 'Sum', 'Tanh'],
]);

/** @returns the nodes that compute the same and reorder less; null where nothing can be spared */
export function withoutNeedlessReorders({ nodes, values, outputs }: Outline): readonly Node[] | null {
  const shapes = new Map(values.map(({ name, shape }) => [name, shape]));
  /** The channels of an image that fills the widest blocks, and so narrower ones, too; otherwise 0. */
  const channelsOf = (name: string): number => {
    const shape = shapes.get(name) ?? [];
    const channels = shape[1];
    const fills = typeof channels === 'number' && channels % BLOCK === 0;
    return fills && shape.length === 4 && !shape.includes(null) ? channels : 0;
  };
  const isNumber = (name: string): boolean => shapes.get(name)?.every((size) => size === 1) ?? false;
  const imagesOf = ({ operator, inputs }: Node): readonly string[] =>
    operator === 'Split' ? inputs.slice(0, 1) : inputs.filter((name) => name !== '' && !isNumber(name));
  const couldStay = (node: Node): boolean => {
    const images = [...imagesOf(node), ...node.outputs];
    if (node.domain !== '' || images.some((name) => channelsOf(name) === 0)) return false;
    if (node.operator === 'Split' || node.operator === 'Concat') return int(node, 'axis', 0) === 1;
    return (
      ELEMENTWISE.has(node.operator) && new Set(images.map((name) => shapes.get(name)?.join())).size === 1
    );
  };

  /** The names in the blocks of values that lie there, or could. */
  const inBlocks = new Map<string, string>();
  const staying = new Set<Node>();
  for (const node of nodes) {
    const [input = ''] = node.inputs;
    const [output = ''] = node.outputs;
    if (isReorder(node, 'ReorderOutput') && channelsOf(output) > 0) inBlocks.set(output, input);
    const images = imagesOf(node);
    if (images.length === 0 || !images.every((name) => inBlocks.has(name)) || !couldStay(node)) continue;
    staying.add(node);
    for (const name of node.outputs) inBlocks.set(name, `${name}/blocks`);
  }
  // Where nobody wants the result in blocks, staying would only put the reordering off.
  const wanted = new Set<string>();
  for (const node of nodes.toReversed()) {
    const enters = isReorder(node, 'ReorderInput');
    if (staying.has(node) && !node.outputs.some((name) => wanted.has(name))) {
      staying.delete(node);
      for (const name of node.outputs) inBlocks.delete(name);
    }
    if (enters || staying.has(node)) for (const name of imagesOf(node)) wanted.add(name);
  }

  /** Of a reordering that is spared: what its readers read instead. */
  const spared = new Map<string, string>();
  for (const node of nodes) {
    const [input = ''] = node.inputs;
    const [output = ''] = node.outputs;
    const inside = inBlocks.get(input);
    if (isReorder(node, 'ReorderInput') && inside !== undefined) spared.set(output, inside);
  }
  if (spared.size === 0) return null;
  const remaining = nodes.filter(({ outputs: [output = ''] }) => !spared.has(output));
  const outside = new Set(outputs);
  for (const node of remaining) if (!staying.has(node)) for (const name of node.inputs) outside.add(name);
  const rewritten = remaining.flatMap((node): Node[] => {
    const [output = ''] = node.outputs;
    if (!staying.has(node)) {
      if (isReorder(node, 'ReorderOutput') && !outside.has(output)) return [];
      if (!node.inputs.some((name) => spared.has(name))) return [node];
      return [{ ...node, inputs: node.inputs.map((name) => spared.get(name) ?? name) }];
    }
    const within = (name: string): string => inBlocks.get(name) ?? name;
    const leaving = node.outputs.filter((name) => outside.has(name));
    return [
      { ...node, inputs: node.inputs.map(within), outputs: node.outputs.map(within) },
      ...leaving.map((name) => reorderOutput(within(name), name, channelsOf(name))),
    ];
  });

  /** Elements of an image that are reordered. */
  const reordered = (all: readonly Node[]): number =>
    all.reduce((sum, node) => {
      if (!isReorder(node, 'ReorderInput') && !isReorder(node, 'ReorderOutput')) return sum;
      const outside = node.operator === 'ReorderInput' ? node.inputs[0] : node.outputs[0];
      return sum + elementCount((shapes.get(outside ?? '') ?? []).slice(1).map(Number));
    }, 0);
  // A part that leaves by itself, of a whole that leaves, too, can cost more than it spares.
  return reordered(rewritten) < reordered(nodes) ? rewritten : null;
}

function isReorder(node: Node, operator: 'ReorderInput' | 'ReorderOutput'): boolean {
  return node.domain === DOMAIN && node.operator === operator && int(node, 'channels_last', 0) === 0;
}

function reorderOutput(inside: string, outside: string, channels: number): Node {
  return {
    ...{ name: `${outside}/reorder`, operator: 'ReorderOutput', domain: DOMAIN },
    ...{ inputs: [inside], outputs: [outside], attributes: attributes({ channels }) },
  };
}
