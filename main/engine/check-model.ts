import { buildGradientModel } from '../../core/autodiff/index.ts';
import { ruleOf } from '../../core/autodiff/rules/index.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import { readModel } from '../../core/onnx/file.ts';
import { type Declaration, type Model, type Node, operatorName } from '../../core/onnx/graph.ts';
import type { ModelSupport } from './engine.ts';
import { readModelFile } from './model-file.ts';
import { openSession } from './sessions.ts';

type Support = ModelSupport['operators'][number]['support'];

/**
 * Whether a model can be explained: its gradient graph is built and loaded, nothing is run.
 * @param file path of an ONNX file
 * @throws PathlightError `not-found`, `too-large`, or what reading an ONNX file says of one that is none
 */
export async function checkModel(file: string): Promise<ModelSupport> {
  const bytes = await readModelFile(file);
  const model = readModel(bytes);
  const reasons = await obstacles(bytes, model);
  return {
    explainable: reasons.length === 0,
    inputs: model.graph.inputs.map(described),
    outputs: model.graph.outputs.map(described),
    opset: model.opset,
    operators: operatorsOf(model),
    reasons,
  };
}

async function obstacles(bytes: Uint8Array, model: Model): Promise<string[]> {
  const [input] = model.graph.inputs;
  const [output] = model.graph.outputs;
  if (input === undefined || output === undefined) return ['The model has no input or no output.'];
  try {
    const graph = buildGradientModel(bytes, {
      input: input.name,
      output: output.name,
      objective: 'logit',
      activation: 'none',
    });
    const session = await openSession(graph.bytes, 'the gradient graph');
    await session.release();
    return [];
  } catch (error) {
    if (error instanceof PathlightError) return [error.message];
    throw error;
  }
}

function described({ name, typeName, shape }: Declaration): ModelSupport['inputs'][number] {
  return { name, type: typeName, shape: (shape ?? []).map((size) => size ?? '?') };
}

/** Operators by how often they occur, those of the branches of an If included. */
function operatorsOf(model: Model): ModelSupport['operators'] {
  const found = new Map<string, { operator: string; count: number; support: Support }>();
  const visit = (nodes: readonly Node[]): void => {
    for (const node of nodes) {
      const operator = operatorName(node);
      const entry = found.get(operator) ?? { operator, count: 0, support: supportOf(node) };
      entry.count++;
      found.set(operator, entry);
      for (const attribute of node.attributes.values()) {
        if (attribute.kind === 'graph') visit(attribute.value.nodes);
      }
    }
  };
  visit(model.graph.nodes);
  return [...found.values()].sort((a, b) => b.count - a.count || (a.operator < b.operator ? -1 : 1));
}

function supportOf({ operator, domain }: Node): Support {
  if (domain !== '') return 'refused';
  // The branch that a constant condition chooses takes the node's place.
  return operator === 'If' ? 'differentiable' : (ruleOf(operator)?.kind ?? 'refused');
}
