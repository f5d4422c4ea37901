/** Writes out the functions that a model brings along (ONNX FunctionProto), so that only operators are left. */
import { PathlightError } from '../contract/errors.ts';
import type { Attribute, Graph, LocalFunction, Model, Node } from './graph.ts';
import { nodeName, operatorName } from './graph.ts';
import type { Rename } from './inline.ts';
import { identity, renamed } from './inline.ts';
import { NodeCount } from './limits.ts';

function key(entry: { domain: string; name: string; overload?: string | undefined }): string {
  return `${entry.domain}::${entry.name}:${entry.overload ?? ''}`;
}

/** @throws PathlightError: damaged, where a function calls itself; too-large */
export function inlineFunctions(model: Model): Model {
  if (model.functions.length === 0) return model;
  const functions = new Map(model.functions.map((entry) => [key(entry), entry]));
  const count = new NodeCount();
  let calls = 0;

  const graphOf = (graph: Graph, open: readonly LocalFunction[]): Graph => ({
    ...graph,
    nodes: nodesOf(graph.nodes, open),
  });
  const nodesOf = (nodes: readonly Node[], open: readonly LocalFunction[]): Node[] =>
    nodes.flatMap((node) => {
      // Calls count, too: a function may hold nothing but calls.
      count.add(1);
      const called = functions.get(key({ ...node, name: node.operator }));
      if (called === undefined) {
        return mapGraphs(node, (graph) => graphOf(graph, open));
      }
      if (open.includes(called)) {
        throw new PathlightError(
          'damaged',
          `The model's function ${operatorName(node)} calls itself (node ${nodeName(node)}).`,
          'Export the model again.',
        );
      }
      return nodesOf(body(called, node, `pathlight/call_${calls++}`), [...open, called]);
    });
  return { ...model, graph: graphOf(model.graph, []), functions: [] };
}

/** The function's nodes as they stand for one call. */
function body(called: LocalFunction, call: Node, prefix: string): Node[] {
  const given = new Map(called.inputs.map((name, index) => [name, call.inputs[index] ?? '']));
  const wanted = new Map<string, string>();
  const copies: [string, string][] = [];
  called.outputs.forEach((name, index) => {
    const result = call.outputs[index] ?? '';
    if (result === '') return;
    if (given.has(name) || wanted.has(name)) copies.push([name, result]);
    else wanted.set(name, result);
  });
  const rename: Rename = (name) =>
    name === '' ? '' : (given.get(name) ?? wanted.get(name) ?? `${prefix}/${name}`);
  const opset = called.domains.get('');
  const stated = (node: Node): Node => {
    const inner = mapGraphs(node, (graph) => ({ ...graph, nodes: graph.nodes.map(stated) }));
    const attributes = [...inner.attributes].flatMap(([name, value]): [string, Attribute][] => {
      if (value.kind !== 'reference') return [[name, value]];
      const own = call.attributes.get(value.value) ?? called.defaults.get(value.value);
      return own === undefined ? [] : [[name, own]];
    });
    return { ...inner, ...(opset === undefined ? {} : { opset }), attributes: new Map(attributes) };
  };
  return [
    ...called.nodes.map((node) => renamed(stated(node), rename, `${prefix}/`)),
    ...copies.map(([name, result]) => identity(rename(name), result)),
  ];
}

function mapGraphs(node: Node, change: (graph: Graph) => Graph): Node {
  if (![...node.attributes.values()].some(({ kind }) => kind === 'graph')) return node;
  return {
    ...node,
    attributes: new Map(
      [...node.attributes].map(([name, value]): [string, Attribute] => [
        name,
        value.kind === 'graph' ? { kind: 'graph', value: change(value.value) } : value,
      ]),
    ),
  };
}
