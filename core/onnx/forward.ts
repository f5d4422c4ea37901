/** The part of a model that makes one output of one input, upgraded, with shapes known and constants folded. */
import { PathlightError } from '../contract/errors.ts';
import * as attribute from './attributes.ts';
import { GraphBuilder } from './builder.ts';
import { notHandled } from './call.ts';
import { unrollOf } from './control-flow.ts';
import type { Graph, Model, Node } from './graph.ts';
import { nodeName, operatorName, reads, topologicalOrder } from './graph.ts';
import { isKnown } from './inference.ts';
import type { Inlined } from './inline.ts';
import { NodeCount } from './limits.ts';
import type { Tensor } from './tensor.ts';
import { elementCount } from './tensor.ts';
import { GRADIENT_OPSET, upgrade } from './upgrade.ts';
import { windows } from './window.ts';

export interface Forward {
  readonly graph: GraphBuilder;
  /** What stands in the way, one line a node or operator; shapes are known only where this is empty. */
  readonly obstacles: readonly Obstacle[];
  /** What a reader of the results should know of how the model was followed. */
  readonly notes: readonly string[];
}

export interface Obstacle {
  readonly operator: string;
  readonly node: string;
  readonly reason: string;
}

/** Writes a node as other, standard ones; `note` takes what readers of the results should know. */
export type Replacement = (node: Node, graph: GraphBuilder, note: (text: string) => void) => void;

export interface ForwardOptions {
  readonly input: string;
  readonly output: string;
  /** The input's whole shape at each probed size of the batch. */
  readonly shapes: readonly (readonly number[])[];
  /** Values of further inputs, which are the same for every image. */
  readonly held: ReadonlyMap<string, Tensor>;
  /** For operators that others stand in for. */
  readonly replacement: (node: Node) => Replacement | undefined;
  /** Why an operator cannot be computed or differentiated at all; undefined: it can. */
  readonly refusal: (node: Node) => string | undefined;
}

/** The nodes on which the output depends, in topological order. */
export function needed(graph: Graph, output: string): Node[] {
  const order = topologicalOrder(graph);
  const wanted = new Set([output]);
  const result: Node[] = [];
  for (const node of order.toReversed()) {
    if (!node.outputs.some((name) => wanted.has(name))) continue;
    result.push(node);
    for (const name of reads(node)) wanted.add(name);
  }
  return result.reverse();
}

/** @throws PathlightError: damaged, where the graph contradicts itself; too-large, where it asks for too much */
export function readForward(model: Model, options: ForwardOptions): Forward {
  const { input, output, shapes, held, replacement, refusal } = options;
  const nodes = needed(model.graph, output);
  const graph = new GraphBuilder(
    Math.max(model.opset, GRADIENT_OPSET, ...opsetsOf(nodes)),
    shapes.map(([batch = 1]) => batch),
    new Set(model.graph.nodes.flatMap((node) => node.outputs)),
  );
  const count = new NodeCount();
  const obstacles: Obstacle[] = [];
  const notes = new Set(model.notes);
  const obstruct = (node: Node, reason: string): void => {
    obstacles.push({ operator: operatorName(node), node: nodeName(node), reason });
  };
  /** Adds to the graph; what is not handled becomes an obstacle. */
  const attempt = (node: Node, write: () => void): void => {
    try {
      write();
    } catch (error) {
      if (!(error instanceof PathlightError) || error.kind !== 'unsupported') throw error;
      obstruct(node, error.message);
    }
  };

  const isTop = new Set(nodes);
  const used = new Set([output, ...nodes.flatMap(reads)]);
  const stored = [...model.graph.constants].filter(([name]) => used.has(name));
  graph.allowFolding(stored.reduce((sum, [, value]) => sum + elementCount(value.shape), 0));
  for (const [name, value] of stored) graph.initialiser(name, value);
  for (const declared of model.graph.inputs) {
    const value = held.get(declared.name);
    if (declared.name === input && declared.type !== null) {
      graph.input(input, declared.type, shapes);
    } else if (value !== undefined) {
      graph.initialiser(declared.name, value);
    } else if (used.has(declared.name)) {
      obstacles.push({
        operator: '',
        node: declared.name,
        reason: `the output also depends on the input "${declared.name}", whose value the model's card must state`,
      });
    }
  }

  const visit = (node: Node): void => {
    // Behind an obstacle nothing is known; only further obstacles are of interest.
    const known = reads(node).every((name) => graph.has(name));
    const opset = node.opset ?? model.opset;
    const unroll = unrollOf(node);
    if (unroll !== undefined) {
      if (!known) return;
      const wanted = (name: string): string => (isTop.has(node) && !used.has(name) ? '' : name);
      const pruned = { ...node, outputs: node.outputs.map(wanted) };
      return attempt(node, () => {
        const reason = unroll(pruned, { graph, opset, count, take });
        if (reason !== undefined) obstruct(node, reason);
      });
    }
    const replace = replacement(node);
    if (replace !== undefined) {
      if (known) attempt(node, () => replace(node, graph, (text) => notes.add(text)));
      return;
    }
    const refused = refusal(node);
    if (refused !== undefined) return obstruct(node, refused);
    if (!known) return;
    attempt(node, () => {
      for (const step of upgrade(node, opset, graph)) {
        for (const form of inferenceForm(step, graph)) {
          if (form.domain !== '' || !isKnown(form.operator)) {
            return obstruct(node, `the operator ${operatorName(form)} is not supported`);
          }
          graph.add(form);
        }
      }
    });
  };
  const take = ({ nodes: inner, constants }: Inlined): void => {
    for (const [name, value] of constants) graph.initialiser(name, value);
    for (const node of inner) visit(node);
  };

  for (const node of nodes) visit(node);
  if (obstacles.length === 0 && !graph.has(output)) {
    throw new PathlightError(
      'damaged',
      `Nothing in the model's graph makes its output "${output}".`,
      'Export the model again.',
    );
  }
  return { graph, obstacles, notes: [...notes] };
}

/** The operator sets of nodes that came out of functions. */
function opsetsOf(nodes: readonly Node[]): Set<number> {
  return new Set(
    nodes.flatMap((node) => [
      ...(node.opset === undefined ? [] : [node.opset]),
      ...[...node.attributes.values()].flatMap((value) =>
        value.kind === 'graph' ? [...opsetsOf(value.value.nodes)] : [],
      ),
    ]),
  );
}

/** In inference, Dropout passes its input on, and BatchNormalization has one output. */
function inferenceForm(node: Node, graph: GraphBuilder): readonly Node[] {
  const [x = '', , training = ''] = node.inputs;
  if (node.operator === 'Dropout' && (training === '' || graph.data(training)?.data[0] === 0)) {
    const [y = ''] = node.outputs;
    return [{ ...node, operator: 'Identity', inputs: [x], outputs: [y], attributes: new Map() }];
  }
  if (node.operator === 'BatchNormalization' && attribute.int(node, 'training_mode', 0) === 0) {
    return [{ ...node, outputs: node.outputs.slice(0, 1) }];
  }
  return node.operator === 'MaxPool' ? [withoutCeiling(node, graph)] : [node];
}

/**
 * Ceil mode as padding at the end, which takes no part in a maximum. Before set 22, ONNX counted windows that begin in that padding, its
 * runtime's pools do not, and ONNX Runtime then finds its own shapes to contradict each other.
 */
function withoutCeiling(node: Node, graph: GraphBuilder): Node {
  const [x = ''] = node.inputs;
  const same = attribute.string(node, 'auto_pad', 'NOTSET').startsWith('SAME');
  if (attribute.int(node, 'ceil_mode', 0) !== 1 || same || !graph.has(x)) return node;
  const [call] = graph.calls(node);
  const sizes = graph.dimensions(x).slice(2);
  const known = sizes.filter((size) => size !== 'batch');
  if (call === undefined || known.length < sizes.length) return node;
  const stated = attribute.ints(node, 'kernel_shape', []);
  const { kernel, strides, dilations, begin, output } = windows(call, known, stated);
  const end = known.map((size, axis) => {
    const [width = 1, stride = 1, dilation = 1, before = 0] = [kernel, strides, dilations, begin].map(
      (list) => list[axis],
    );
    const reached = ((output[axis] ?? 1) - 1) * stride + (width - 1) * dilation + 1;
    return Math.max(reached - size - before, 0);
  });
  // The runtime takes no padding as wide as the kernel.
  if (end.some((size, axis) => size >= (kernel[axis] ?? 1))) {
    if (graph.opset >= 22) return node;
    throw notHandled(call, 'ceil mode whose last window reaches so far beyond the image');
  }
  const explicit = attribute.attributes({ ceil_mode: 0, auto_pad: 'NOTSET', pads: [...begin, ...end] });
  return { ...node, attributes: new Map([...node.attributes, ...explicit]) };
}
