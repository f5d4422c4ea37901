/**
 * Models whose weights are randomised layer by layer, from the last to the first (cascading randomisation, Adebayo et al. 2018): a map that
 * stays the same while the model forgets what it learnt does not explain the model.
 */
import { PathlightError } from '../contract/errors.ts';
import { randomSource } from '../metrics/random.ts';
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

/**
 * Yields one model for each layer, the last layer first; each keeps all earlier changes. Every float parameter of a layer is permuted within its
 * own tensor: the values, and so their mean, spread and tails, stay, the variances of a normalisation stay positive, and the network's
 * signals keep their scale; what was learnt, which value stands where, is gone. A tensor of equal values or of one
 * element stays as it is. A tensor that several layers share is permuted for each of them by itself. One stream of random numbers runs
 * through all layers: two layers of one shape are not permuted alike. Weights inside the branches of If and Loop are left alone.
 * @param model an ONNX file
 * @throws PathlightError `unsupported`: no layer with weights; as `readModel`
 */
export function* randomisedModels(model: Uint8Array, seed = 1): Generator<RandomisedModel, void> {
  const { graph, ...versions } = readModel(model);
  const ordered = topologicalOrder(graph);
  const source = sourcesOf(ordered, graph.constants);
  const parametersOf = (node: Node): string[] =>
    parametrised.has(node.operator) && node.domain === ''
      ? node.inputs.filter((name) => isParameter(source.get(name)))
      : [];

  const layers: { name: string; nodes: Node[] }[] = [];
  let before: Node[] = [];
  for (const node of ordered) {
    if (parametersOf(node).length === 0) continue;
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
      'Choose a model with its weights inside, as convolutions or matrix products.',
    );
  }

  const random = randomSource(seed);
  const constants = new Map(graph.constants);
  const nodes = new Map(ordered.map((node) => [node, node]));
  for (const [done, layer] of layers.toReversed().entries()) {
    for (const node of layer.nodes) {
      const wanted = new Set(parametersOf(node));
      const inputs = node.inputs.map((name, place) => {
        const learnt = source.get(name);
        if (learnt === undefined || !wanted.has(name)) return name;
        const own = `${node.outputs[0] ?? ''}/randomised_${place}`;
        constants.set(own, permuted(learnt, random));
        return own;
      });
      nodes.set(node, { ...node, inputs });
    }
    const changed = [...nodes.values()];
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

/**
 * Constants by every name they have: initialisers, Constant nodes, and either through Identity.
 * @param nodes in topological order
 */
function sourcesOf(
  nodes: readonly Node[],
  constants: ReadonlyMap<string, Tensor>,
): ReadonlyMap<string, Tensor> {
  const source = new Map(constants);
  for (const node of nodes) {
    const value = node.attributes.get('value');
    const [output = ''] = node.outputs;
    const same = node.operator === 'Identity' ? source.get(node.inputs[0] ?? '') : undefined;
    if (node.operator === 'Constant' && value?.kind === 'tensor') source.set(output, value.value);
    else if (same !== undefined) source.set(output, same);
  }
  return source;
}

function isParameter(value: Tensor | undefined): boolean {
  return value !== undefined && isFloat(value.type) && value.data.length > 1;
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
