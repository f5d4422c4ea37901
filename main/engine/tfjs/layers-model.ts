/** Layers models (Keras): the activation at the end is taken out of the topology, and tfjs-layers builds the rest. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import * as v from 'valibot';
import type { OperatorSupport } from '../../../core/autodiff/support.ts';
import type { Activation } from '../../../core/autodiff/objective.ts';
import { PathlightError } from '../../../core/contract/errors.ts';
import type { TfjsFiles } from './model-folder.ts';
import {
  cannotBuild,
  checkActivation,
  type ModelEnd,
  noSuchEnd,
  oneInputOnly,
  type OpenedModel,
  type TfjsEnds,
} from './open-model.ts';
import type { TfjsRuntime } from './runtime.ts';

const LayerSchema = v.looseObject({
  class_name: v.string(),
  config: v.union([v.array(v.unknown()), v.record(v.string(), v.unknown())]),
  name: v.optional(v.string()),
  inbound_nodes: v.optional(v.array(v.unknown())),
});
type Layer = v.InferOutput<typeof LayerSchema>;

const ModelSchema = v.looseObject({
  class_name: v.string(),
  config: v.union([
    v.array(LayerSchema),
    v.looseObject({ layers: v.array(LayerSchema), output_layers: v.optional(v.array(v.unknown())) }),
  ]),
});
type Model = v.InferOutput<typeof ModelSchema>;

/** [name of a layer, number of its call, number of its output] */
const Reference = v.looseTuple([v.string()]);

/** Layers that only arrange values, or do nothing outside training. */
const arranging: ReadonlySet<string> = new Set(['Reshape', 'Flatten', 'Dropout']);

/**
 * Builds the model on the backend that is set.
 * @param ends null: the first output, whatever stands at its end
 * @throws PathlightError `unsupported`, `damaged`; `model-refused` where card and model contradict each other
 */
export async function openLayersModel(
  files: TfjsFiles,
  ends: TfjsEnds | null,
  runtime: TfjsRuntime,
): Promise<OpenedModel> {
  const topology = structuredClone(files.topology);
  const root = rootOf(topology);
  refuseUnknownLayers(root, runtime);
  refuseDilatedLayers(root);
  const end = activationHolder(root, ends?.output ?? null);
  const activation = end === undefined ? 'none' : activationOf(end.layer);
  if (ends !== null) checkActivation(activation, ends);
  if (end !== undefined) {
    if (activation !== 'none' && end.shared) throw cannotSeparate(activation, nameOf(end.layer));
    takeActivation(end.layer, activation);
  }

  const model = await build(topology, withScales(root, files), runtime);
  const [inputs, outputs] = endsOf(model);
  const output = ends === null ? 0 : outputs.findIndex(({ name }) => name === ends.output);
  try {
    if (ends !== null && !inputs.some(({ name }) => name === ends.input))
      throw noSuchEnd('input', ends.input, inputs);
    if (inputs.length > 1) throw oneInputOnly(inputs);
    if (ends !== null && output < 0) throw noSuchEnd('output', ends.output, outputs);
  } catch (error) {
    model.dispose();
    throw error;
  }
  return {
    inputs,
    outputs,
    activation,
    logits(x) {
      const values = model.apply(x, { training: false }) as Tensor | Tensor[];
      return Array.isArray(values) ? (values[output] as Tensor) : values;
    },
    softmaxSize(logits) {
      const built = end?.arranged === true ? model.getLayer(nameOf(end.layer)).outputShape : logits.shape;
      return (built as (number | null)[]).at(-1) ?? NaN;
    },
    dispose: () => void model.dispose(),
  };
}

/** Every class of layer, those of models within the model included, in alphabetical order. */
export function layerSupport(topology: Record<string, unknown>, runtime: TfjsRuntime): OperatorSupport[] {
  const counts = new Map<string, number>();
  const layers = allLayers(rootOf(topology));
  for (const { class_name } of layers) counts.set(class_name, (counts.get(class_name) ?? 0) + 1);
  const dilated = new Set(layers.filter(isDilated).map(({ class_name }) => class_name));
  return [...counts]
    .map(([operator, count]): OperatorSupport => ({
      operator,
      count,
      support: isKnown(operator, runtime) && !dilated.has(operator) ? 'differentiable' : 'refused',
    }))
    .sort((a, b) => (a.operator < b.operator ? -1 : 1));
}

async function build(
  modelTopology: Record<string, unknown>,
  { weightSpecs, weights }: Pick<TfjsFiles, 'weightSpecs' | 'weights'>,
  { core, layers }: TfjsRuntime,
): Promise<LayersModel> {
  const engine = core.engine();
  const before = new Set(Object.values(engine.registeredVariables));
  engine.startScope('a layers model');
  try {
    return await layers.loadLayersModel(
      core.io.fromMemory({ modelTopology, weightSpecs, weightData: weights }),
    );
  } catch (error) {
    for (const variable of Object.values(engine.registeredVariables)) {
      if (!before.has(variable)) variable.dispose();
    }
    throw cannotBuild(error);
  } finally {
    engine.endScope();
  }
}

/**
 * Gives every batch normalisation without a scale one of ones: TensorFlow.js cannot differentiate it otherwise.
 * @param root is changed
 */
function withScales(
  root: Model,
  { weightSpecs, weights }: TfjsFiles,
): Pick<TfjsFiles, 'weightSpecs' | 'weights'> {
  const added = allLayers(root).flatMap((layer) => {
    if (layer.class_name !== 'BatchNormalization' || Array.isArray(layer.config)) return [];
    if (layer.config['scale'] !== false) return [];
    const variance = weightSpecs.find(({ name }) => name.endsWith(`${nameOf(layer)}/moving_variance`));
    if (variance === undefined) return [];
    layer.config['scale'] = true;
    return [{ name: variance.name.replace(/moving_variance$/, 'gamma'), shape: variance.shape }];
  });
  if (added.length === 0) return { weightSpecs, weights };
  const ones = added.map(({ shape }) => shape.reduce((product, size) => product * size, 1));
  const extra = new Float32Array(ones.reduce((sum, count) => sum + count, 0)).fill(1);
  const bytes = new Uint8Array(weights.byteLength + extra.byteLength);
  bytes.set(new Uint8Array(weights));
  bytes.set(new Uint8Array(extra.buffer), weights.byteLength);
  return {
    weightSpecs: [...weightSpecs, ...added.map((spec) => ({ ...spec, dtype: 'float32' as const }))],
    weights: bytes.buffer,
  };
}

function endsOf({ inputs, outputs, inputNames, outputNames }: LayersModel): [ModelEnd[], ModelEnd[]] {
  const describe = (tensors: LayersModel['inputs'], names: readonly string[]): ModelEnd[] =>
    // A Sequential model has no names of its own: its ends are called like their layers, as in other models.
    tensors.map(({ dtype, shape, sourceLayer }, i) => ({ name: names[i] ?? sourceLayer.name, dtype, shape }));
  return [describe(inputs, inputNames), describe(outputs, outputNames)];
}

function rootOf(topology: Record<string, unknown>): Model {
  const root = topology['model_config'] ?? topology;
  if (v.is(ModelSchema, root)) return root;
  throw new PathlightError(
    'damaged',
    'The topology in model.json lists no layers',
    'Convert the model anew with the TensorFlow.js converter.',
  );
}

function layersOf({ config }: Model): Layer[] {
  return Array.isArray(config) ? config : config.layers;
}

function allLayers(root: Model): Layer[] {
  const found: Layer[] = [];
  const open: Model[] = [root];
  for (let model = open.pop(); model !== undefined; model = open.pop()) {
    for (const layer of layersOf(model)) {
      if (v.is(ModelSchema, layer)) open.push(layer);
      else found.push(layer);
    }
  }
  return found;
}

function isKnown(className: string, { core }: TfjsRuntime): boolean {
  return Object.hasOwn(core.serialization.SerializationMap.getMap().classNameMap, className);
}

function refuseUnknownLayers(root: Model, runtime: TfjsRuntime): void {
  const unknown = allLayers(root)
    .filter(({ class_name }) => !isKnown(class_name, runtime))
    .map((layer) => `${layer.class_name} (layer '${nameOf(layer)}')`);
  if (unknown.length === 0) return;
  throw new PathlightError(
    'unsupported',
    `TensorFlow.js has no layers of these kinds: ${unknown.join(', ')}`,
    'Convert the model to a graph model (tfjs_graph_model), or export it as ONNX.',
  );
}

/** TensorFlow.js has a convolution's gradient only for windows without gaps. */
function refuseDilatedLayers(root: Model): void {
  const dilated = allLayers(root)
    .filter(isDilated)
    .map((layer) => `${layer.class_name} (layer '${nameOf(layer)}')`);
  if (dilated.length === 0) return;
  throw new PathlightError(
    'unsupported',
    `TensorFlow.js has no gradient for dilated convolutions: ${dilated.join(', ')}`,
    'Export the model as ONNX.',
  );
}

function isDilated({ config }: Layer): boolean {
  const rates = Array.isArray(config) ? [] : [config['dilation_rate'] ?? 1].flat();
  return rates.some((rate) => Number(rate) > 1);
}

interface End {
  /** The layer that may hold the activation. */
  layer: Layer;
  /** Its values are rearranged before they leave the model. */
  arranged: boolean;
  /** Its values go elsewhere, too. */
  shared: boolean;
}

/** The last layer before an output that does more than arrange values. */
function activationHolder(root: Model, output: string | null): End | undefined {
  let model = root;
  let shared = false;
  let arranged = false;
  let layer = lastLayer(model, output);
  const seen = new Set<Layer>();
  while (layer !== undefined && !seen.has(layer)) {
    seen.add(layer);
    if (v.is(ModelSchema, layer)) {
      model = layer;
      layer = lastLayer(model, null);
      continue;
    }
    shared ||= consumers(model, nameOf(layer)) > (arranged ? 1 : 0);
    if (!arranging.has(layer.class_name)) return { layer, arranged, shared };
    arranged = true;
    layer = layerBefore(model, layer);
  }
  return undefined;
}

function lastLayer(model: Model, output: string | null): Layer | undefined {
  const layers = layersOf(model);
  const outputs = Array.isArray(model.config) ? undefined : model.config.output_layers;
  if (outputs === undefined) return layers.at(-1);
  // One output is [name, 0, 0] in some versions, [[name, 0, 0]] in others.
  const references = v.is(Reference, outputs) ? [outputs] : outputs;
  const names = references.flatMap((each) => (v.is(Reference, each) ? [each[0]] : []));
  const name = output === null ? names[0] : names.find((each) => each === output);
  return layers.find((layer) => nameOf(layer) === name);
}

function layerBefore(model: Model, layer: Layer): Layer | undefined {
  const layers = layersOf(model);
  const [name] = namesInto(layer);
  return layer.inbound_nodes === undefined || name === undefined
    ? layers[layers.indexOf(layer) - 1]
    : layers.find((each) => nameOf(each) === name);
}

function consumers(model: Model, name: string): number {
  return layersOf(model).filter((layer) => namesInto(layer).includes(name)).length;
}

/** Names of the layers whose values a layer takes. */
function namesInto({ inbound_nodes }: Layer): string[] {
  return (inbound_nodes ?? []).flatMap((node) =>
    Array.isArray(node) ? node.flatMap((each: unknown) => (v.is(Reference, each) ? [each[0]] : [])) : [],
  );
}

function nameOf({ name, config }: Layer): string {
  const own = Array.isArray(config) ? undefined : config['name'];
  return name ?? (typeof own === 'string' ? own : '');
}

function activationOf({ class_name, config }: Layer): Activation {
  if (Array.isArray(config)) return 'none';
  const stated = class_name === 'Softmax' ? class_name : config['activation'];
  const name = v.is(v.looseObject({ class_name: v.string() }), stated) ? stated.class_name : stated;
  if (typeof name !== 'string') return 'none';
  const lower = name.toLowerCase();
  return lower === 'softmax' || lower === 'sigmoid' ? lower : 'none';
}

function takeActivation(layer: Layer, activation: Activation): void {
  if (activation === 'none' || Array.isArray(layer.config)) return;
  if (layer.class_name === 'Softmax') layer.class_name = 'Activation';
  layer.config = { ...layer.config, activation: 'linear' };
}

function cannotSeparate(activation: Activation, layer: string): PathlightError {
  return new PathlightError(
    'unsupported',
    `The ${activation} of layer '${layer}' feeds other layers, too: the logit before it cannot be taken out`,
    'Export the model with one output, or as ONNX.',
  );
}
