/** Puts the nodes of a sub-graph (a branch, a turn of a loop, a function) into the graph around it. */
import type { Attribute, Graph, Node } from './graph.ts';
import { topologicalOrder } from './graph.ts';
import type { Tensor } from './tensor.ts';

export type Rename = (name: string) => string;

export function identity(from: string, to: string): Node {
  return { name: to, operator: 'Identity', domain: '', inputs: [from], outputs: [to], attributes: new Map() };
}

/** @param prefix put before the node's own name, so that no two copies share one: ONNX Runtime refuses that */
export function renamed(node: Node, rename: Rename, prefix = ''): Node {
  return {
    ...node,
    name: node.name === '' ? '' : prefix + node.name,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
    attributes: new Map(
      [...node.attributes].map(([name, value]): [string, Attribute] => [
        name,
        value.kind === 'graph' ? { kind: 'graph', value: renamedGraph(value.value, rename) } : value,
      ]),
    ),
  };
}

function renamedGraph(graph: Graph, rename: Rename, prefix = ''): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) => renamed(node, rename, prefix)),
    constants: new Map([...graph.constants].map(([name, value]) => [rename(name), value])),
    inputs: graph.inputs.map((input) => ({ ...input, name: rename(input.name) })),
    outputs: graph.outputs.map((output) => ({ ...output, name: rename(output.name) })),
  };
}

export interface Inlined {
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<string, Tensor>;
}

/**
 * @param prefix makes the names of the body's own values unlike any other: two bodies of a file may use the same
 * @param given what the body's inputs stand for
 * @param results names for the body's outputs; '' or none where an output is not wanted
 * @param outer the names that the body may capture
 */
export function inlineBody(
  body: Graph,
  prefix: string,
  given: readonly string[],
  results: readonly string[],
  outer: ReadonlySet<string>,
): Inlined {
  const own = new Set([...body.constants.keys(), ...body.nodes.flatMap(({ outputs }) => outputs)]);
  const bound = new Map(body.inputs.map(({ name }, index) => [name, given[index] ?? '']));
  const rename: Rename = (name) =>
    name === '' ? '' : (bound.get(name) ?? (own.has(name) ? `${prefix}/${name}` : name));
  const graph = { ...renamedGraph(body, rename, `${prefix}/`), inputs: [] };
  const wanted = graph.outputs.flatMap(({ name }, index) => {
    const result = results[index] ?? '';
    return result === '' ? [] : [identity(name, result)];
  });
  return {
    nodes: [...topologicalOrder(graph, new Set([...outer, ...given])), ...wanted],
    constants: graph.constants,
  };
}
