/**
 * Models whose weights are randomised layer by layer, from the last to the first (cascading randomisation, Adebayo et al. 2018): a map that
 * stays the same while the model forgets what it learnt does not explain the model.
 */
import { PathlightError } from '../contract/errors.ts';
import { randomSource } from '../metrics/random.ts';
import type { ExternalFiles } from './external-data.ts';
import { readModel, writeModel } from './file.ts';
import { type Node, nodeName, reads, topologicalOrder } from './graph.ts';
import { isFloat, type Tensor, tensor } from './tensor.ts';

export interface RandomisedModel {
  /** The layer randomised last: the name of its node that multiplies by weights. */
  layer: string;
  /** Layers randomised so far, this one included, of all. */
  randomised: number;
  layers: number;
  /** Writes it as an ONNX file with the inputs and outputs of the original; of layers that nobody asks for, nothing is written. */
  bytes: () => Uint8Array<ArrayBuffer>;
}

/** What multiplies by weights and so makes a layer. What else has parameters (normalisation, biases) belongs to the layer before it. */
const weighted: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);
/** Further operators with parameters, whose constants of more than one element were learnt. Pads, scales and shapes were not. */
const parametrised: ReadonlySet<string> = new Set([
  ...weighted,
  'Add',
  'BatchNormalization',
  'Concat',
  'Expand',
  'Gather',
  'GroupNormalization',
  'InstanceNormalization',
  'LayerNormalization',
  'Mul',
  'PRelu',
]);

/** What hands a tensor's values on in another shape or order: weights may come to their layer through it. */
const movements: ReadonlySet<string> = new Set([
  'Cast',
  'Flatten',
  'Identity',
  'Reshape',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
]);

/**
 * Yields one model for each layer, the last layer first; each keeps all earlier changes. Every float parameter of a layer is permuted within its
 * own tensor: the values, and so their mean, spread and tails, stay, the variances of a normalisation stay positive, and the network's
 * signals keep their scale; what was learnt, which value stands where, is gone. A tensor of equal values or of one
 * element stays as it is. A tensor that several layers share is permuted for each of them by itself. One stream of random numbers runs
 * through all layers: two layers of one shape are not permuted alike. Weights inside the branches of If and Loop are left alone.
 * @param model an ONNX file
 * @param externalFiles beside it, in which it keeps weights; those that are written hold theirs inside
 * @throws PathlightError `unsupported`: no layer with weights; as `readModel`
 */
export function* randomisedModels(
  model: Uint8Array,
  seed = 1,
  externalFiles?: ExternalFiles,
): Generator<RandomisedModel, void> {
  const { graph, ...versions } = readModel(model, externalFiles);
  const ordered = topologicalOrder(graph);
  const makers = new Map(ordered.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const parameterAt = (name: string): Parameter | undefined => {
    const moved: Node[] = [];
    for (let at = name; ;) {
      const maker = makers.get(at);
      const value = graph.constants.get(at) ?? (maker && constantOf(maker));
      if (value !== undefined)
        return isFloat(value.type) && value.data.length > 1 ? { value, moved } : undefined;
      if (maker === undefined || !movements.has(maker.operator)) return undefined;
      moved.unshift(maker);
      at = maker.inputs[0] ?? '';
    }
  };
  const hasParameters = (node: Node): boolean =>
    node.domain === '' &&
    parametrised.has(node.operator) &&
    node.inputs.some((name) => parameterAt(name) !== undefined);

  const layers: { name: string; nodes: Node[] }[] = [];
  let before: Node[] = [];
  for (const node of ordered) {
    if (!hasParameters(node)) continue;
    const last = layers.at(-1);
    if (weighted.has(node.operator)) {
      layers.push({ name: nodeName(node), nodes: [...before, node] });
      before = [];
    } else if (last === undefined) before.push(node);
    else last.nodes.push(node);
  }
  if (layers.length === 0) {
    throw new PathlightError(
      'unsupported',
      'The model has no layer whose weights could be randomised.',
      'Choose a model of convolutions or matrix products.',
    );
  }

  const random = randomSource(seed);
  const constants = new Map(graph.constants);
  /** Each node after what was added for it. */
  const nodes = new Map(ordered.map((node) => [node, [node]]));
  for (const [done, layer] of layers.toReversed().entries()) {
    for (const node of layer.nodes) {
      const added: Node[] = [];
      const inputs = node.inputs.map((name, place) => {
        const parameter = parameterAt(name);
        if (parameter === undefined) return name;
        let own = `${node.outputs[0] ?? ''}/randomised_${place}`;
        constants.set(own, permuted(parameter.value, random));
        for (const movement of parameter.moved) {
          const output = `${own}/${movement.operator}`;
          added.push({
            ...movement,
            name: output,
            inputs: [own, ...movement.inputs.slice(1)],
            outputs: [output],
          });
          own = output;
        }
        return own;
      });
      nodes.set(node, [...added, { ...node, inputs }]);
    }
    const changed = [...nodes.values()].flat();
    const read = new Set([...changed.flatMap(reads), ...graph.outputs.map(({ name }) => name)]);
    const written = {
      ...graph,
      nodes: changed,
      constants: new Map([...constants].filter(([name]) => read.has(name))),
    };
    yield {
      layer: layer.name,
      randomised: done + 1,
      layers: layers.length,
      bytes: () => writeModel({ ...versions, graph: written }),
    };
  }
}

interface Parameter {
  value: Tensor;
  /** What its values pass through on the way to the layer. */
  moved: readonly Node[];
}

function constantOf(node: Node): Tensor | undefined {
  const value = node.attributes.get('value');
  return node.operator === 'Constant' && value?.kind === 'tensor' ? value.value : undefined;
}

/** Fisher and Yates' shuffle. */
function permuted({ type, shape, data }: Tensor, random: () => number): Tensor {
  const values = data.slice();
  for (let i = values.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [values[i], values[j]] = [values[j] ?? 0, values[i] ?? 0];
  }
  return tensor(type, shape, values);
}
