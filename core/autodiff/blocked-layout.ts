/**
 * Keeps images in the layout in which ONNX Runtime computes convolutions on a CPU.
 *
 * There, channels lie in blocks of 8 or 16 (NCHWc), and an operator that knows only the plain layout costs a pass over its tensor to
 * leave the blocks and one to come back. Convolutions, pools, nearest-neighbour Resize, some activations, and Add and Mul of two images of
 * one shape stay inside; broadcasts and reductions do not. So those between images and one number a channel (squeeze-and-excitation, and
 * what is left of a global average) are written with operators that do. Other devices run the result, too.
 */
import type { GraphBuilder, Value } from '../onnx/builder.ts';
import { filled } from '../onnx/builder.ts';
import type { Node } from '../onnx/graph.ts';
import { elementCount, tensor } from '../onnx/tensor.ts';

/** The widest block; ONNX Runtime leaves images of other channel counts in the plain layout. */
export const BLOCK = 16;

/** [N, C, H, W] of float32 that can be laid out in blocks. */
interface Image {
  readonly channels: number;
  readonly sizes: readonly [number, number];
}

function imageOf(graph: GraphBuilder, value: Value): Image | undefined {
  if (graph.type(value) !== 'float32' || graph.rank(value) !== 4) return undefined;
  const [, channels, height, width] = graph.dimensions(value);
  if (typeof channels !== 'number' || typeof height !== 'number' || typeof width !== 'number')
    return undefined;
  return channels % BLOCK === 0 ? { channels, sizes: [height, width] } : undefined;
}

/** Rewrites nodes in place; values keep their names. */
export function keepBlocked(graph: GraphBuilder): void {
  writeInBlocks(graph);
  returnToBlocks(graph);
}

/** The same values, laid out in blocks: a convolution enters them. */
function entered(graph: GraphBuilder, value: Value, channels: number): Value {
  const kernel = graph.constant(filled('float32', [channels, 1, 1, 1], 1));
  return graph.op('Conv', [value, kernel], { group: channels });
}

/** Of images in blocks they make images in blocks. */
const STAYING: ReadonlySet<string> = new Set([
  ...['Add', 'Mul', 'Sum', 'Concat', 'Identity', 'BatchNormalization'],
  ...['Relu', 'LeakyRelu', 'Clip', 'Sigmoid', 'HardSigmoid', 'Tanh'],
  ...['MaxPool', 'AveragePool', 'GlobalAveragePool', 'Resize'],
]);

/** They make images outside: what the gradients of strided convolutions end with. */
const LEAVING: ReadonlySet<string> = new Set(['DepthToSpace', 'Pad', 'Reshape']);

/**
 * Where an image in blocks meets one outside, the result is outside, and so is all that is added to it down to the next convolution: the
 * gradient of a strided convolution takes a whole stage of a residual network out. It is brought in instead.
 */
function returnToBlocks(graph: GraphBuilder): void {
  const readers = new Map<Value, Node[]>();
  for (const node of graph.nodes) {
    for (const name of node.inputs) readers.set(name, [...(readers.get(name) ?? []), node]);
  }
  const inside = new Set<Value>();
  const outside = new Set<Value>();
  const returned = new Map<Value, Value>();
  const broughtIn = (name: Value, { channels }: Image): Value => {
    const known = returned.get(name) ?? entered(graph, name, channels);
    returned.set(name, known);
    return known;
  };
  rewriteNodes(graph, (node) => {
    const [output = '', ...more] = node.outputs;
    const image = imageOf(graph, output);
    if (image === undefined || more.length > 0) return node;
    const images = node.inputs.filter((name) => name !== '' && imageOf(graph, name) !== undefined);
    // A Pad that adds nothing is removed by the runtime.
    const stays =
      STAYING.has(node.operator) || (node.operator === 'Pad' && graph.sameShape(images[0] ?? output, output));
    if (node.operator === 'Conv' || (stays && images.every((name) => inside.has(name)))) inside.add(output);
    else if (LEAVING.has(node.operator) && !stays) outside.add(output);
    if (inside.has(output) || !['Add', 'Mul', 'Sum'].includes(node.operator)) return node;

    if (images.every((name) => outside.has(name))) outside.add(output);
    const mixed =
      images.some((name) => inside.has(name)) &&
      images.every((name) => inside.has(name) || outside.has(name));
    const goesOn = readers.get(output)?.every(({ operator }) => operator === 'Conv' || STAYING.has(operator));
    if (!mixed || goesOn !== true || !node.inputs.every((name) => graph.sameShape(name, output))) return node;
    inside.add(output);
    return { ...node, inputs: node.inputs.map((name) => (inside.has(name) ? name : broughtIn(name, image))) };
  });
}

/** Puts each node's replacement, and what it needs beforehand, in its place. */
function rewriteNodes(graph: GraphBuilder, rewritten: (node: Node) => Node): void {
  const nodes = [...graph.nodes].flatMap((node) => {
    const written = graph.nodes.length;
    const last = rewritten(node);
    return [...graph.nodes.splice(written), last];
  });
  graph.nodes.splice(0, graph.nodes.length, ...nodes);
}

/** Writes what joins images with one number a channel by operators that stay in the blocks. */
function writeInBlocks(graph: GraphBuilder): void {
  const wholes = new Map<Value, Value>();
  /** One number a channel, over a whole image. */
  const spread = (value: Value, { channels, sizes }: Image): Value => {
    const key = `${value} ${sizes.join()}`;
    const known = wholes.get(key);
    if (known !== undefined) return known;
    // Resize only stays in the blocked layout.
    const blocked = entered(graph, value, channels);
    const scales = graph.constant(tensor('float32', [4], [1, 1, ...sizes]));
    const whole = graph.op('Resize', [blocked, '', scales], {
      mode: 'nearest',
      coordinate_transformation_mode: 'asymmetric',
      nearest_mode: 'floor',
    });
    wholes.set(key, whole);
    return whole;
  };
  const rewritten = (node: Node): Node => {
    const image = imageOf(graph, node.outputs[0] ?? '');
    const [x = '', other = ''] = node.inputs;
    switch (node.operator) {
      case 'Mul':
      case 'Add': {
        if (image === undefined || elementCount(image.sizes) === 1) return node;
        const inputs = [x, other].map((input) => {
          const own = imageOf(graph, input);
          const single = own?.channels === image.channels && elementCount(own.sizes) === 1;
          return single && graph.data(input) === undefined ? spread(input, image) : input;
        });
        return { ...node, inputs };
      }
      case 'Expand': {
        const own = imageOf(graph, x);
        if (image === undefined || own?.channels !== image.channels) return node;
        if (elementCount(own.sizes) !== 1 || elementCount(image.sizes) === 1) return node;
        return { ...node, operator: 'Identity', inputs: [spread(x, image)], attributes: new Map() };
      }
      case 'ReduceSum': {
        const own = imageOf(graph, x);
        if (own === undefined || image === undefined || image.channels !== own.channels) return node;
        const count = elementCount(own.sizes);
        if (elementCount(image.sizes) !== 1 || count === 1) return node;
        const mean = graph.op('GlobalAveragePool', [x]);
        return {
          ...node,
          operator: 'Mul',
          inputs: [mean, graph.constant(tensor('float32', [], [count]))],
          attributes: new Map(),
        };
      }
      default:
        return node;
    }
  };
  rewriteNodes(graph, rewritten);
}
