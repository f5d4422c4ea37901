/** Replaces an If whose condition is constant by the nodes of the branch it takes. */
import * as attribute from './attributes.ts';
import type { Attribute, Graph, Node } from './graph.ts';
import { topologicalOrder } from './graph.ts';
import type { Tensor } from './tensor.ts';

type Rename = (name: string) => string;

function renamed(node: Node, rename: Rename): Node {
  return {
    ...node,
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

function renamedGraph(graph: Graph, rename: Rename): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) => renamed(node, rename)),
    constants: new Map([...graph.constants].map(([name, value]) => [rename(name), value])),
    outputs: graph.outputs.map((output) => ({ ...output, name: rename(output.name) })),
  };
}

/** @param outer the names that the branch may capture */
export function inlineBranch(
  node: Node,
  condition: boolean,
  outer: ReadonlySet<string>,
): { nodes: readonly Node[]; constants: ReadonlyMap<string, Tensor> } | undefined {
  const branch = attribute.graphAttribute(node, condition ? 'then_branch' : 'else_branch', undefined);
  if (branch === undefined) return undefined;
  const own = new Set([...branch.constants.keys(), ...branch.nodes.flatMap(({ outputs }) => outputs)]);
  // Two branches of a file may use the same names: each gets those of its If.
  const prefix = node.outputs.find((name) => name !== '') ?? node.name;
  const graph = renamedGraph(branch, (name) => (name !== '' && own.has(name) ? `${prefix}/${name}` : name));
  const results = graph.outputs.map((output, index): Node => ({
    name: `${prefix}/output_${index}`,
    operator: 'Identity',
    domain: '',
    inputs: [output.name],
    outputs: [node.outputs[index] ?? ''],
    attributes: new Map(),
  }));
  return {
    nodes: [...topologicalOrder(graph, outer), ...results.filter(({ outputs }) => outputs[0] !== '')],
    constants: graph.constants,
  };
}
