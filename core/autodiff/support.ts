/** Whether a model can be explained, and if not, why: `pathlight model check`. */
import { PathlightError } from '../contract/errors.ts';
import { readModel } from '../onnx/file.ts';
import { inlineFunctions } from '../onnx/functions.ts';
import type { Declaration, Graph, Model, Node } from '../onnx/graph.ts';
import { unrollOf } from '../onnx/control-flow.ts';
import { operatorName } from '../onnx/graph.ts';
import type { PreprocessingGuess } from '../onnx/preprocessing.ts';
import { guessPreprocessing } from '../onnx/preprocessing.ts';
import type { Ends } from './ends.ts';
import { replacementOf } from './fused/index.ts';
import { describeObstacles, openModel } from './opening.ts';
import { ruleOf } from './rules/index.ts';

export interface OperatorSupport {
  operator: string;
  count: number;
  support: 'differentiable' | 'zero-gradient' | 'refused';
}

export interface ModelSupport {
  explainable: boolean;
  inputs: { name: string; type: string; shape: (number | string)[] }[];
  outputs: { name: string; type: string; shape: (number | string)[] }[];
  preprocessing: PreprocessingGuess;
  opset: number;
  operators: OperatorSupport[];
  /** Why not, each with the nodes concerned. */
  reasons: string[];
  /** What readers of its results should know of how it is read: one sentence each. */
  notes: readonly string[];
}

/**
 * @param model an ONNX file
 * @param ends by default the first input, the first output
 * @throws PathlightError where the file is no ONNX model or damaged
 */
export function checkSupport(model: Uint8Array, ends: Partial<Ends> = {}): ModelSupport {
  const read = readModel(model, ends.externalFiles);
  const { graph, opset } = read;
  const chosen = {
    input: graph.inputs[0]?.name ?? '',
    output: graph.outputs[0]?.name ?? '',
    ...ends,
  };
  const { reasons, notes } = obstacles(read, chosen);
  return {
    explainable: reasons.length === 0,
    inputs: graph.inputs.map(describe),
    outputs: graph.outputs.map(describe),
    preprocessing: guessPreprocessing(graph, chosen.input),
    opset,
    operators: operators(written(read), reasons),
    reasons,
    notes,
  };
}

function obstacles(model: Model, ends: Ends): Pick<ModelSupport, 'reasons' | 'notes'> {
  try {
    const { obstacles: found, plan, notes } = openModel(model, ends);
    if (found.length > 0) return { reasons: describeObstacles(found), notes };
    if (plan.active.has(ends.output)) return { reasons: [], notes };
    const reason = `The output "${ends.output}" does not depend differentiably on the input "${ends.input}".`;
    return { reasons: [reason], notes };
  } catch (error) {
    if (error instanceof PathlightError && error.kind !== 'internal') {
      return { reasons: [error.message], notes: model.notes };
    }
    throw error;
  }
}

/** The graph with its functions written out, where they can be. */
function written(model: Model): Graph {
  try {
    return inlineFunctions(model).graph;
  } catch (error) {
    if (error instanceof PathlightError) return model.graph;
    throw error;
  }
}

function describe({ name, typeName, shape }: Declaration): ModelSupport['inputs'][number] {
  return { name, type: typeName, shape: (shape ?? []).map((size) => size ?? '?') };
}

/** Every operator of the file, those inside branches included, in alphabetical order. */
function operators(graph: Graph, reasons: readonly string[]): OperatorSupport[] {
  const counts = new Map<string, { node: Node; count: number }>();
  const visit = (nodes: readonly Node[]): void => {
    for (const node of nodes) {
      const name = operatorName(node);
      counts.set(name, { node, count: (counts.get(name)?.count ?? 0) + 1 });
      for (const attribute of node.attributes.values()) {
        if (attribute.kind === 'graph') visit(attribute.value.nodes);
      }
    }
  };
  visit(graph.nodes);
  return [...counts]
    .map(([operator, { node, count }]) => ({ operator, count, support: supportOf(node, reasons) }))
    .sort((a, b) => (a.operator < b.operator ? -1 : 1));
}

function supportOf(node: Node, reasons: readonly string[]): OperatorSupport['support'] {
  // What holds a sub-graph is written out where its condition, or the number of its turns, is constant.
  if (unrollOf(node) !== undefined) {
    return reasons.some((reason) => reason.startsWith(`${node.operator}:`)) ? 'refused' : 'differentiable';
  }
  if (replacementOf(node) !== undefined) return 'differentiable';
  return (node.domain === '' ? ruleOf(node.operator) : undefined)?.kind ?? 'refused';
}
