/** Whether a model can be explained, and if not, why: `pathlight model check`. */
import { PathlightError } from '../contract/errors.ts';
import { readModel } from '../onnx/file.ts';
import type { Declaration, Graph, Model, Node } from '../onnx/graph.ts';
import { operatorName } from '../onnx/graph.ts';
import type { PreprocessingGuess } from '../onnx/preprocessing.ts';
import { guessPreprocessing } from '../onnx/preprocessing.ts';
import type { Ends } from './opening.ts';
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
}

/**
 * @param model an ONNX file
 * @param ends by default the first input, the first output
 * @throws PathlightError where the file is no ONNX model or damaged
 */
export function checkSupport(model: Uint8Array, ends: Partial<Ends> = {}): ModelSupport {
  const read = readModel(model);
  const { graph, opset } = read;
  const chosen = {
    input: graph.inputs[0]?.name ?? '',
    output: graph.outputs[0]?.name ?? '',
    ...ends,
  };
  const reasons = obstacles(read, chosen);
  return {
    explainable: reasons.length === 0,
    inputs: graph.inputs.map(describe),
    outputs: graph.outputs.map(describe),
    preprocessing: guessPreprocessing(graph, chosen.input),
    opset,
    operators: operators(graph, reasons),
    reasons,
  };
}

function obstacles(model: Model, ends: Ends): string[] {
  try {
    const opened = openModel(model, ends);
    if (opened.obstacles.length > 0) return describeObstacles(opened.obstacles);
    if (opened.plan.active.has(ends.output)) return [];
    return [`The output "${ends.output}" does not depend differentiably on the input "${ends.input}".`];
  } catch (error) {
    if (error instanceof PathlightError && error.kind !== 'internal') return [error.message];
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
  // An If goes away where its condition is constant.
  if (node.operator === 'If' && node.domain === '') {
    return reasons.some((reason) => reason.startsWith('If:')) ? 'refused' : 'differentiable';
  }
  return (node.domain === '' ? ruleOf(node.operator) : undefined)?.kind ?? 'refused';
}
