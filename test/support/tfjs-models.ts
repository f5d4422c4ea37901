/** Models in TensorFlow.js form, made here and written as the converter writes them: model.json, two shards, a card. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import type { EngineModel } from '../../main/engine/engine.ts';
import '@tensorflow/tfjs-backend-cpu';

tf.enableProdMode();

const labels = ['NORMAL', 'PNEUMONIA'];

/** What stands in model.json beside the weights. */
interface Written {
  topology: object;
  signature?: object;
  specs: tf.io.WeightsManifestEntry[];
  weights: ArrayBuffer;
}

export interface TfjsModelFolder {
  folder: string;
  card: ModelCard;
  engine: EngineModel;
}

interface Described {
  id: string;
  side: number;
  channels: 1 | 3;
  input: string;
  output: string;
  activation: ModelCard['output']['activation'];
}

/** Writes a folder as it stands in a models folder. @param at the folder of the models */
export function writeTfjsModel(
  at: string,
  { topology, signature, specs, weights }: Written,
  { id, side, channels, input, output, activation }: Described,
): TfjsModelFolder {
  const folder = path.join(at, id);
  mkdirSync(folder, { recursive: true });
  const bytes = new Uint8Array(weights);
  const middle = Math.floor(bytes.length / 2);
  const shards = {
    'group1-shard1of2.bin': bytes.subarray(0, middle),
    'group1-shard2of2.bin': bytes.subarray(middle),
  };
  const format = 'node' in topology ? 'tfjs-graph' : 'tfjs-layers';
  const json = JSON.stringify({
    format: format === 'tfjs-graph' ? 'graph-model' : 'layers-model',
    generatedBy: 'a test',
    convertedBy: null,
    ...(signature === undefined ? {} : { signature }),
    modelTopology: topology,
    weightsManifest: [{ paths: Object.keys(shards), weights: specs }],
  });
  writeFileSync(path.join(folder, 'model.json'), json);
  for (const [name, shard] of Object.entries(shards)) writeFileSync(path.join(folder, name), shard);
  const externalData = Object.fromEntries(
    Object.entries(shards).map(([name, shard]) => [name, sha256(shard)]),
  );
  const card: ModelCard = {
    schema: 1,
    id,
    name: id,
    version: '1.0.0',
    task: 'classification',
    format,
    file: 'model.json',
    sha256: sha256(json),
    externalData,
    intendedUse: 'A test.',
    input: {
      name: input,
      layout: 'NHWC',
      channels,
      height: side,
      width: side,
      fit: 'squeeze',
      filter: 'triangle',
      mean: 0.5,
      std: 0.25,
    },
    output: { name: output, activation, labels },
    decision: { positive: 'PNEUMONIA', negative: 'NORMAL', threshold: 0.5, source: 'A test.' },
    training: { data: 'None.', procedure: 'Random weights.' },
    performance: [],
    limits: ['Random weights: it knows nothing.'],
    licence: 'Apache-2.0',
    attribution: 'Made by a test.',
  };
  writeFileSync(path.join(folder, 'card.json'), JSON.stringify(card));
  return {
    folder,
    card,
    engine: {
      id,
      file: path.join(folder, 'model.json'),
      format,
      sha256: card.sha256,
      externalData,
      input: { name: input, shape: [channels, side, side], layout: 'NHWC' },
      output: { name: output, activation },
    },
  };
}

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/**
 * A Keras-like net: convolution, batch normalisation with and without a scale, Relu6, depthwise and pointwise convolutions with a residual sum, both poolings, a
 * dense layer with softmax.
 */
export function kerasLike(side: number, channels: 1 | 3): tfl.LayersModel {
  const { layers, initializers } = tfl;
  let seed = 0;
  const kernel = (): { kernelInitializer: ReturnType<typeof initializers.heNormal> } => ({
    kernelInitializer: initializers.heNormal({ seed: ++seed }),
  });
  const around = (scale = true): object => ({
    scale,
    gammaInitializer: initializers.randomUniform({ minval: 0.5, maxval: 1.5, seed: ++seed }),
    betaInitializer: initializers.randomNormal({ stddev: 0.3, seed: ++seed }),
    movingMeanInitializer: initializers.randomNormal({ stddev: 0.3, seed: ++seed }),
    movingVarianceInitializer: initializers.randomUniform({ minval: 0.5, maxval: 1.5, seed: ++seed }),
  });
  const image = tfl.input({ shape: [side, side, channels], name: 'image' });
  const apply = (
    layer: tfl.layers.Layer,
    to: tfl.SymbolicTensor | tfl.SymbolicTensor[],
  ): tfl.SymbolicTensor => layer.apply(to) as tfl.SymbolicTensor;
  let x = apply(layers.conv2d({ filters: 8, kernelSize: 3, padding: 'same', ...kernel() }), image);
  x = apply(layers.batchNormalization(around()), x);
  const stem = apply(layers.reLU({ maxValue: 6 }), x);
  x = apply(
    layers.depthwiseConv2d({
      kernelSize: 3,
      padding: 'same',
      depthwiseInitializer: initializers.heNormal({ seed: ++seed }),
    }),
    stem,
  );
  // Inception leaves the scale out.
  x = apply(layers.batchNormalization(around(false)), x);
  x = apply(layers.activation({ activation: 'swish' }), x);
  x = apply(layers.conv2d({ filters: 8, kernelSize: 1, ...kernel() }), x);
  x = apply(layers.add(), [x, stem]);
  x = apply(layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }), x);
  x = apply(layers.conv2d({ filters: 16, kernelSize: 3, strides: 2, activation: 'relu', ...kernel() }), x);
  x = apply(layers.averagePooling2d({ poolSize: 3, strides: 2, padding: 'same' }), x);
  x = apply(layers.globalAveragePooling2d({}), x);
  const scores = apply(layers.dense({ units: 2, activation: 'softmax', name: 'scores', ...kernel() }), x);
  return tfl.model({ inputs: image, outputs: scores });
}

/** A Sequential model, which names its ends after its layers alone: `first_input` and `scores`. */
export function sequential(side: number): tfl.LayersModel {
  const { layers, initializers } = tfl;
  return tfl.sequential({
    layers: [
      layers.conv2d({
        name: 'first',
        inputShape: [side, side, 3],
        filters: 4,
        kernelSize: 3,
        activation: 'relu',
        kernelInitializer: initializers.heNormal({ seed: 1 }),
      }),
      layers.globalAveragePooling2d({ name: 'pool' }),
      layers.dense({
        name: 'scores',
        units: 2,
        activation: 'softmax',
        kernelInitializer: initializers.heNormal({ seed: 2 }),
      }),
    ],
  });
}

export async function savedLayers(model: tfl.LayersModel): Promise<Written> {
  let saved: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler((artifacts) => {
      saved = artifacts;
      return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } });
    }),
  );
  if (saved?.modelTopology === undefined || saved.weightSpecs === undefined) throw new Error('Nothing saved');
  return {
    topology: JSON.parse(JSON.stringify(saved.modelTopology)) as object,
    specs: saved.weightSpecs,
    weights: saved.weightData as ArrayBuffer,
  };
}

export interface GraphNode {
  name: string;
  op: string;
  input?: string[];
  attr?: Record<string, unknown>;
}

/** What a model of TensorFlow's graph form holds: its nodes, and the values of its `Const` nodes. */
export interface GraphParts {
  nodes: GraphNode[];
  constants: Record<string, { shape: number[]; values: ArrayLike<number>; dtype?: 'float32' | 'int32' }>;
  outputs: Record<string, string>;
}

export const attribute = {
  ints: (...values: number[]): object => ({ list: { i: values.map(String) } }),
  text: (value: string): object => ({ s: btoa(value) }),
  texts: (...values: string[]): object => ({ list: { s: values.map((value) => btoa(value)) } }),
  flag: (b: boolean): object => ({ b }),
  float: (f: number): object => ({ f }),
};

/** @param shape of the placeholder 'image', its batch open */
export function savedGraph({ nodes, constants, outputs }: GraphParts, shape: readonly number[]): Written {
  const size = [-1, ...shape].map((each) => ({ size: String(each) }));
  const tensorShape = { dim: size };
  const specs = Object.entries(constants).map(([name, each]) => ({
    name,
    shape: each.shape,
    dtype: each.dtype ?? ('float32' as const),
  }));
  const pieces = Object.values(constants).map(({ values, dtype }) =>
    dtype === 'int32' ? Int32Array.from(values) : Float32Array.from(values),
  );
  return {
    topology: {
      node: [
        {
          name: 'image',
          op: 'Placeholder',
          attr: { dtype: { type: 'DT_FLOAT' }, shape: { shape: tensorShape } },
        },
        ...specs.map(({ name, dtype }) => ({
          name,
          op: 'Const',
          attr: { dtype: { type: dtype === 'int32' ? 'DT_INT32' : 'DT_FLOAT' } },
        })),
        ...nodes,
      ],
      library: {},
      versions: { producer: 1645 },
    },
    signature: {
      inputs: { image: { name: 'image:0', dtype: 'DT_FLOAT', tensorShape } },
      outputs: Object.fromEntries(
        Object.entries(outputs).map(([key, name]) => [
          key,
          {
            name: `${name}:0`,
            dtype: 'DT_FLOAT',
            tensorShape: { dim: [{ size: '-1' }, { size: String(labels.length) }] },
          },
        ]),
      ),
    },
    specs,
    weights: Uint8Array.from(Buffer.concat(pieces.map(({ buffer }) => new Uint8Array(buffer)))).buffer,
  };
}

/**
 * A graph as the converter leaves one: fused and plain convolutions, batch normalisation, Relu6, both poolings, a slice, a matrix, a
 * softmax behind an Identity.
 */
export function smallGraph(channels: 1 | 3): GraphParts {
  const random = randomSource(5);
  const normal = (deviation: number, ...shape: number[]): GraphParts['constants'][string] => ({
    shape,
    values: normalNumbers(
      shape.reduce((product, size) => product * size, 1),
      random,
    ).map((value) => deviation * value),
  });
  const convolution = {
    strides: attribute.ints(1, 1, 1, 1),
    dilations: attribute.ints(1, 1, 1, 1),
    padding: attribute.text('SAME'),
    data_format: attribute.text('NHWC'),
  };
  const pool = {
    ksize: attribute.ints(1, 3, 3, 1),
    strides: attribute.ints(1, 2, 2, 1),
    padding: attribute.text('SAME'),
  };
  return {
    constants: {
      w1: normal(0.5, 3, 3, channels, 8),
      b1: normal(0.3, 8),
      w2: normal(0.4, 3, 3, 8, 1),
      w3: normal(0.4, 1, 1, 8, 8),
      b3: normal(0.3, 8),
      scale: { shape: [8], values: [1, 0.9, 1.1, 1.2, 0.8, -1, 1, 1] },
      offset: normal(0.3, 8),
      mean: normal(0.3, 8),
      variance: { shape: [8], values: [1, 2, 1.5, 0.7, 1, 1, 0.9, 1.1] },
      axes: { shape: [2], values: [1, 2], dtype: 'int32' },
      begin: { shape: [2], values: [0, 1], dtype: 'int32' },
      end: { shape: [2], values: [0, 8], dtype: 'int32' },
      steps: { shape: [2], values: [1, 1], dtype: 'int32' },
      dense: normal(2, 7, 2),
      bias: normal(0.5, 2),
    },
    nodes: [
      {
        name: 'first',
        op: '_FusedConv2D',
        input: ['image', 'w1', 'b1'],
        attr: { ...convolution, fused_ops: attribute.texts('BiasAdd', 'Relu'), num_args: { i: '1' } },
      },
      { name: 'depth', op: 'DepthwiseConv2dNative', input: ['first', 'w2'], attr: convolution },
      {
        name: 'norm',
        op: 'FusedBatchNormV3',
        input: ['depth', 'scale', 'offset', 'mean', 'variance'],
        attr: { epsilon: attribute.float(1e-3), is_training: attribute.flag(false) },
      },
      { name: 'six', op: 'Relu6', input: ['norm'] },
      {
        name: 'linear',
        op: '_FusedConv2D',
        input: ['six', 'w3', 'b3'],
        attr: { ...convolution, fused_ops: attribute.texts('BiasAdd'), num_args: { i: '1' } },
      },
      { name: 'sum', op: 'AddV2', input: ['linear', 'first'] },
      { name: 'most', op: 'MaxPool', input: ['sum'], attr: pool },
      { name: 'average', op: 'AvgPool', input: ['most'], attr: pool },
      { name: 'global', op: 'Mean', input: ['average', 'axes'], attr: { keep_dims: attribute.flag(false) } },
      {
        name: 'part',
        op: 'StridedSlice',
        input: ['global', 'begin', 'end', 'steps'],
        attr: { begin_mask: { i: '1' }, end_mask: { i: '1' } },
      },
      {
        name: 'matrix',
        op: 'MatMul',
        input: ['part', 'dense'],
        attr: { transpose_a: attribute.flag(false), transpose_b: attribute.flag(false) },
      },
      { name: 'biased', op: 'BiasAdd', input: ['matrix', 'bias'] },
      { name: 'softmax', op: 'Softmax', input: ['biased'] },
      { name: 'Identity', op: 'Identity', input: ['softmax'] },
    ],
    outputs: { scores: 'Identity' },
  };
}
