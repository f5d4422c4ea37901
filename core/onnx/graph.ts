/** An ONNX graph as plain data: what the file says, independent of protobuf. */
import { PathlightError } from '../contract/errors.ts';
import type { ElementType, Tensor } from './tensor.ts';

export type Attribute =
  | { readonly kind: 'int' | 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints' | 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'tensor'; readonly value: Tensor }
  | { readonly kind: 'graph'; readonly value: Graph }
  /** Inside a function: the attribute of that name of the node that calls it. */
  | { readonly kind: 'reference'; readonly value: string }
  | { readonly kind: 'other' };

export interface Node {
  readonly name: string;
  readonly operator: string;
  /** '' for the operators of ONNX itself. */
  readonly domain: string;
  /** Which of several functions of one name. */
  readonly overload?: string;
  /** The version of ONNX's operator set that the node is written in, where that is not the model's. */
  readonly opset?: number;
  /** Its derivative is taken as 1, where that of its operator is 0: rounding, in quantised models. */
  readonly straightThrough?: true;
  /** An empty name stands for an optional input that is not given. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

/** A graph's input or output as declared. A dimension is a size, the name of a free one, or null where nothing is said. */
export interface Declaration {
  readonly name: string;
  /** null: not a tensor, or of an element type that Pathlight does not handle. */
  readonly type: ElementType | null;
  readonly typeName: string;
  readonly shape: readonly (number | string | null)[] | null;
}

export interface Graph {
  readonly name: string;
  readonly nodes: readonly Node[];
  /** Without the initialisers that older files also list here. */
  readonly inputs: readonly Declaration[];
  readonly outputs: readonly Declaration[];
  readonly constants: ReadonlyMap<string, Tensor>;
  /** Types and shapes of values in between, for whoever opens the file; not read from files. */
  readonly values?: readonly Declaration[];
}

/** A function that a model brings along (ONNX FunctionProto). */
export interface LocalFunction {
  readonly domain: string;
  readonly name: string;
  readonly overload: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Attributes that a call need not state. */
  readonly defaults: ReadonlyMap<string, Attribute>;
  readonly nodes: readonly Node[];
  /** Versions of the operator sets that its nodes are written in. */
  readonly domains: ReadonlyMap<string, number>;
}

export interface Model {
  readonly irVersion: number;
  /** Version of the operator set of ONNX itself. */
  readonly opset: number;
  /** Versions of all operator sets, by domain. */
  readonly domains: ReadonlyMap<string, number>;
  readonly graph: Graph;
  readonly functions: readonly LocalFunction[];
  /** What a reader of the results should know of how the file was read: one sentence each. */
  readonly notes: readonly string[];
}

/** For messages: the operator with its domain, where it is not ONNX's own. */
export function operatorName(node: Node): string {
  return node.domain === '' ? node.operator : `${node.domain}::${node.operator}`;
}

/** For messages: the node by its name, or by what it computes. */
export function nodeName(node: Node): string {
  return node.name !== '' ? node.name : `(${node.outputs.find((name) => name !== '') ?? 'no output'})`;
}

/** Names that a graph reads from the graph around it. */
function captured(graph: Graph): Set<string> {
  const own = new Set([
    ...graph.inputs.map((input) => input.name),
    ...graph.constants.keys(),
    ...graph.nodes.flatMap((node) => node.outputs),
  ]);
  const read = [...graph.nodes.flatMap(reads), ...graph.outputs.map((output) => output.name)];
  return new Set(read.filter((name) => !own.has(name)));
}

/** The node that makes a value. */
export function producer(nodes: readonly Node[], value: string): Node | undefined {
  return value === '' ? undefined : nodes.find(({ outputs }) => outputs.includes(value));
}

/** Every value that a node needs, those that its sub-graphs capture included. */
export function reads(node: Node): string[] {
  const names = node.inputs.filter((name) => name !== '');
  for (const attribute of node.attributes.values()) {
    if (attribute.kind === 'graph') names.push(...captured(attribute.value));
  }
  return names;
}

/**
 * The graph's nodes, each after those it reads from; a file already in order keeps its order.
 * @param outer names that the surrounding graph provides
 * @throws PathlightError for a value made twice, a value nobody makes, or a cycle
 */
export function topologicalOrder(graph: Graph, outer: ReadonlySet<string> = new Set()): Node[] {
  const given = new Set([...graph.inputs.map((input) => input.name), ...graph.constants.keys(), ...outer]);
  const producer = new Map<string, Node>();
  for (const node of graph.nodes) {
    for (const output of node.outputs) {
      if (output === '') continue;
      if (producer.has(output) || graph.constants.has(output)) {
        throw new PathlightError(
          'damaged',
          `The model's graph makes the value "${output}" twice (node ${nodeName(node)}).`,
          'Export the model again.',
        );
      }
      producer.set(output, node);
    }
  }

  const order: Node[] = [];
  const state = new Map<Node, 'open' | 'done'>();
  // An explicit stack: deep networks would overflow the call stack.
  for (const root of graph.nodes) {
    const stack = [{ node: root, pending: reads(root) }];
    if (state.has(root)) continue;
    state.set(root, 'open');
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const name = top.pending.shift();
      if (name === undefined) {
        state.set(top.node, 'done');
        order.push(top.node);
        stack.pop();
        continue;
      }
      const source = producer.get(name);
      if (source === undefined) {
        if (given.has(name)) continue;
        throw new PathlightError(
          'damaged',
          `Node ${nodeName(top.node)} (${operatorName(top.node)}) reads "${name}", which neither a node, an input nor an initialiser provides.`,
          'The file is incomplete: export the model again, with its weights inside.',
        );
      }
      const seen = state.get(source);
      if (seen === 'open') {
        throw new PathlightError(
          'damaged',
          `The model's graph has a cycle through node ${nodeName(source)} (${operatorName(source)}).`,
          'Export the model again.',
        );
      }
      if (seen === undefined) {
        state.set(source, 'open');
        stack.push({ node: source, pending: reads(source) });
      }
    }
  }
  return order;
}
