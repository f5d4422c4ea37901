/** Models in TensorFlow.js form, made here and written as the converter writes them: model.json, two shards, a card. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
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
      input: { name: input, shape: [side, side, channels] },
      output: { name: output, activation },
    },
  };
}

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/**
 * A Keras-like net: convolution, batch normalisation, Relu6, depthwise and pointwise convolutions with a residual sum, both poolings, a
 * dense layer with softmax.
 */
export function kerasLike(side: number, channels: 1 | 3): tfl.LayersModel {
  const { layers, initializers } = tfl;
  let seed = 0;
  const kernel = (): { kernelInitializer: ReturnType<typeof initializers.heNormal> } => ({
    kernelInitializer: initializers.heNormal({ seed: ++seed }),
  });
  const around = (): object => ({
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
  x = apply(layers.batchNormalization(around()), x);
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
