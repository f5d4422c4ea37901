/** The part of a model that makes one output of one input, upgraded, with shapes known and constants folded. */
import { PathlightError } from '../contract/errors.ts';
import * as attribute from './attributes.ts';
import { GraphBuilder } from './builder.ts';
import type { Graph, Model, Node } from './graph.ts';
import { nodeName, operatorName, reads, topologicalOrder } from './graph.ts';
import { isKnown } from './inference.ts';
import { inlineBranch } from './inline.ts';
import { GRADIENT_OPSET, upgrade } from './upgrade.ts';

export interface Forward {
  readonly graph: GraphBuilder;
  /** What stands in the way, one line a node or operator; shapes are known only where this is empty. */
  readonly obstacles: readonly Obstacle[];
}

export interface Obstacle {
  readonly operator: string;
  readonly node: string;
  readonly reason: string;
}

export interface ForwardOptions {
  readonly input: string;
  readonly output: string;
  /** The input's whole shape at each probed size of the batch. */
  readonly shapes: readonly (readonly number[])[];
  /** Why an operator cannot be computed or differentiated at all; undefined: it can. */
  readonly refusal: (node: Node) => string | undefined;
}

/** The nodes on which the output depends, in topological order. */
function needed(graph: Graph, output: string): Node[] {
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

/** @throws PathlightError of kind `damaged` where the graph contradicts itself */
export function readForward(model: Model, options: ForwardOptions): Forward {
  const { input, output, shapes, refusal } = options;
  const nodes = needed(model.graph, output);
  const graph = new GraphBuilder(
    Math.max(model.opset, GRADIENT_OPSET),
    shapes.map(([batch = 1]) => batch),
    new Set(model.graph.nodes.flatMap((node) => node.outputs)),
  );
  const obstacles: Obstacle[] = [];
  const obstruct = (node: Node, reason: string): void => {
    obstacles.push({ operator: operatorName(node), node: nodeName(node), reason });
  };

  for (const [name, value] of model.graph.constants) graph.initialiser(name, value);
  const used = new Set(nodes.flatMap(reads));
  for (const declared of model.graph.inputs) {
    if (declared.name === input && declared.type !== null) {
      graph.input(input, declared.type, shapes);
    } else if (used.has(declared.name)) {
      obstacles.push({
        operator: '',
        node: declared.name,
        reason: `the output also depends on the input "${declared.name}"`,
      });
    }
  }

  const visit = (node: Node): void => {
    // Behind an obstacle nothing is known; only further obstacles are of interest.
    const known = reads(node).every((name) => graph.has(name));
    if (node.operator === 'If' && node.domain === '') {
      if (known) visitBranch(node);
      return;
    }
    const refused = refusal(node);
    if (refused !== undefined) return obstruct(node, refused);
    if (!known) return;
    for (const step of upgrade(node, model.opset, graph)) {
      for (const form of inferenceForm(step)) {
        if (form.domain !== '' || !isKnown(form.operator)) {
          return obstruct(node, `the operator ${operatorName(form)} is not supported`);
        }
        try {
          graph.add(form);
        } catch (error) {
          if (!(error instanceof PathlightError) || error.kind !== 'unsupported') throw error;
          return obstruct(node, error.message);
        }
      }
    }
  };

  const visitBranch = (node: Node): void => {
    const condition = graph.data(node.inputs[0] ?? '');
    if (condition === undefined) {
      return obstruct(node, 'which branch it takes depends on the image or on the batch');
    }
    const branch = inlineBranch(node, condition.data[0] !== 0, new Set(reads(node)));
    if (branch === undefined) return obstruct(node, 'it has no branch to take');
    for (const [name, value] of branch.constants) graph.initialiser(name, value);
    for (const inner of branch.nodes) visit(inner);
  };

  for (const node of nodes) visit(node);
  return { graph, obstacles };
}

/** In inference, Dropout passes its input on, and BatchNormalization has one output. */
function inferenceForm(node: Node): readonly Node[] {
  if (node.operator === 'Dropout' && node.inputs.length < 3) {
    const [x = '', [y = '']] = [node.inputs[0], node.outputs];
    return [{ ...node, operator: 'Identity', inputs: [x], outputs: [y], attributes: new Map() }];
  }
  if (node.operator === 'BatchNormalization' && attribute.int(node, 'training_mode', 0) === 0) {
    return [{ ...node, outputs: node.outputs.slice(0, 1) }];
  }
  return [node];
}
