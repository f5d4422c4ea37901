/** Writes out If, Loop and Scan where the branch taken or the number of turns is constant. */
import * as attribute from './attributes.ts';
import type { GraphBuilder, Value } from './builder.ts';
import type { Graph, Node } from './graph.ts';
import { reads } from './graph.ts';
import type { Inlined } from './inline.ts';
import { identity, inlineBody } from './inline.ts';
import type { NodeCount } from './limits.ts';
import { integers, scalar } from './tensor.ts';

export interface Unrolling {
  readonly graph: GraphBuilder;
  /** The operator set that the node is written in. */
  readonly opset: number;
  readonly count: NodeCount;
  /** Takes nodes into the graph; what has an obstacle in it does not arrive there. */
  readonly take: (body: Inlined) => void;
}

/** @returns why it cannot be written out; undefined where it was, or where an obstacle inside was found */
type Unroll = (node: Node, into: Unrolling) => string | undefined;

const NO_BODY = 'its body does not fit it';

function prefixOf(node: Node): string {
  return node.outputs.find((name) => name !== '') ?? node.name;
}

const unrollIf: Unroll = (node, { graph, take }) => {
  const [name = ''] = node.inputs;
  if (name === '') return 'it has no condition';
  const condition = graph.data(name);
  if (condition === undefined) return 'which branch it takes depends on the image or on the batch';
  const branch = attribute.graphAttribute(
    node,
    condition.data[0] === 0 ? 'else_branch' : 'then_branch',
    undefined,
  );
  if (branch === undefined) return 'it has no branch to take';
  take(inlineBody(branch, prefixOf(node), [], node.outputs, new Set(reads(node))));
  return undefined;
};

const unrollLoop: Unroll = (node, into) => {
  const { graph } = into;
  const [limit = '', start = '', ...initial] = node.inputs;
  const body = attribute.graphAttribute(node, 'body', undefined);
  if (body === undefined || body.outputs.length <= initial.length) return NO_BODY;
  const turns = limit === '' ? Infinity : graph.data(limit)?.data[0];
  let goesOn = start === '' ? 1 : graph.data(start)?.data[0];
  if (turns === undefined || goesOn === undefined) {
    return 'how often it runs depends on the image or on the batch';
  }
  const rows: Value[][] = body.outputs.slice(1 + initial.length).map(() => []);
  let carried: readonly Value[] = initial;
  for (let turn = 0; turn < turns && goesOn !== 0; turn++) {
    const given = [scalar('int64', turn), scalar('bool', 1)].map((value) => graph.constant(value));
    const results = takeTurn(node, body, turn, [...given, ...carried], into);
    if (results === undefined) return undefined;
    goesOn = graph.data(results[0] ?? '')?.data[0];
    if (goesOn === undefined) return 'when it ends depends on the image or on the batch';
    carried = results.slice(1, 1 + initial.length);
    rows.forEach((row, index) => row.push(results[1 + initial.length + index] ?? ''));
  }
  return give(node, into, carried, rows, () => ({ axis: 0, reverse: false }));
};

const unrollScan: Unroll = (node, into) => {
  const { graph } = into;
  if (into.opset < 9) return 'it is in the form of an operator set before 9';
  const body = attribute.graphAttribute(node, 'body', undefined);
  const states = node.inputs.length - attribute.int(node, 'num_scan_inputs', 0);
  if (body === undefined || states < 0 || body.outputs.length < states) return NO_BODY;
  const sequences = node.inputs.slice(states).map((name, index) => {
    const stated = attribute.ints(node, 'scan_input_axes', [])[index] ?? 0;
    const axis = stated < 0 ? stated + graph.rank(name) : stated;
    return {
      name,
      axis,
      length: graph.dimensions(name)[axis],
      reverse: attribute.ints(node, 'scan_input_directions', [])[index] === 1,
    };
  });
  const length = sequences[0]?.length;
  if (typeof length !== 'number') return 'how often it runs depends on the batch';
  if (sequences.some((sequence) => sequence.length !== length)) return 'its sequences differ in length';
  const rows: Value[][] = body.outputs.slice(states).map(() => []);
  let carried: readonly Value[] = node.inputs.slice(0, states);
  for (let turn = 0; turn < length; turn++) {
    const elements = sequences.map(({ name, axis, reverse }) => {
      const at = graph.constant(scalar('int64', reverse ? length - 1 - turn : turn));
      return graph.op('Gather', [name, at], { axis });
    });
    const results = takeTurn(node, body, turn, [...carried, ...elements], into);
    if (results === undefined) return undefined;
    carried = results.slice(0, states);
    rows.forEach((row, index) => row.push(results[states + index] ?? ''));
  }
  return give(node, into, carried, rows, (index) => ({
    axis: attribute.ints(node, 'scan_output_axes', [])[index] ?? 0,
    reverse: attribute.ints(node, 'scan_output_directions', [])[index] === 1,
  }));
};

/** @returns the names of the body's results, or undefined where an obstacle lies in it */
function takeTurn(
  node: Node,
  body: Graph,
  turn: number,
  given: readonly Value[],
  { graph, count, take }: Unrolling,
): Value[] | undefined {
  count.add(body.nodes.length + 1);
  const prefix = `${prefixOf(node)}/turn_${turn}`;
  const results = body.outputs.map((_, index) => `${prefix}/result_${index}`);
  take(inlineBody(body, prefix, given, results, new Set(reads(node))));
  return results.every((name) => graph.has(name)) ? results : undefined;
}

/** Hands over what was carried to the end, and what every turn gave, put together along an axis. */
function give(
  node: Node,
  { graph, take }: Unrolling,
  carried: readonly Value[],
  rows: readonly (readonly Value[])[],
  form: (index: number) => { axis: number; reverse: boolean },
): string | undefined {
  const nodes: Node[] = [];
  carried.forEach((name, index) => {
    const output = node.outputs[index] ?? '';
    if (output !== '') nodes.push(identity(name, output));
  });
  for (const [index, row] of rows.entries()) {
    const output = node.outputs[carried.length + index] ?? '';
    if (output === '') continue;
    if (row.length === 0) return 'it never runs, so that one of its outputs is empty';
    const { axis, reverse } = form(index);
    const axes = graph.constant(integers([axis]));
    const parts = row.map((name) => graph.op('Unsqueeze', [name, axes]));
    nodes.push({
      name: output,
      operator: 'Concat',
      domain: '',
      inputs: reverse ? parts.reverse() : parts,
      outputs: [output],
      attributes: attribute.attributes({ axis }),
    });
  }
  take({ nodes, constants: new Map() });
  return undefined;
}

const unrolls: Readonly<Record<string, Unroll>> = { If: unrollIf, Loop: unrollLoop, Scan: unrollScan };

/** The way to write the node out, for those that hold a sub-graph. */
export function unrollOf(node: Node): Unroll | undefined {
  return node.domain === '' && Object.hasOwn(unrolls, node.operator) ? unrolls[node.operator] : undefined;
}
