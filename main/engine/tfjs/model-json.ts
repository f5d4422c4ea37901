/** A TensorFlow.js model's `model.json`: its topology, and the list of the weight files that stand beside it. */
import type { io } from '@tensorflow/tfjs-core';
import * as v from 'valibot';
import { PathlightError } from '../../../core/contract/errors.ts';

export type TfjsFormat = 'tfjs-layers' | 'tfjs-graph';

/** Weight files that are read one after the other as one piece. */
export interface WeightGroup {
  paths: string[];
  /** Bytes that the tensors of the group take in its files. */
  bytes: number;
}

export interface ModelJson {
  format: TfjsFormat;
  topology: Record<string, unknown>;
  signature: Record<string, unknown>;
  weightSpecs: io.WeightsManifestEntry[];
  groups: WeightGroup[];
}

const BYTES = { float32: 4, int32: 4, bool: 1, uint8: 1, uint16: 2, float16: 2 } as const;

const WeightSchema = v.looseObject({
  name: v.string(),
  shape: v.array(v.pipe(v.number(), v.integer(), v.minValue(0))),
  dtype: v.picklist(['float32', 'int32', 'bool']),
  quantization: v.optional(
    v.looseObject({
      dtype: v.picklist(['uint8', 'uint16', 'float16']),
      scale: v.optional(v.number()),
      min: v.optional(v.number()),
    }),
  ),
});

const ModelJsonSchema = v.looseObject({
  format: v.optional(v.nullable(v.string())),
  modelTopology: v.record(v.string(), v.unknown()),
  weightsManifest: v.array(v.looseObject({ paths: v.array(v.string()), weights: v.array(WeightSchema) })),
  signature: v.optional(v.nullable(v.record(v.string(), v.unknown()))),
});

/**
 * @param text content of the file
 * @param name of the file, for errors
 * @throws PathlightError `not-recognised`: no TensorFlow.js model; `unsupported`: tensors of another type than numbers;
 *   `model-refused`: a weight file outside the model's folder
 */
export function parseModelJson(text: string, name: string): ModelJson {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new PathlightError(
      'not-recognised',
      `The model file ${name} is not JSON`,
      'Restore the model.json that the TensorFlow.js converter wrote.',
      { cause },
    );
  }
  const json = v.safeParse(ModelJsonSchema, parsed);
  if (!json.success) {
    const [issue] = json.issues;
    throw new PathlightError(
      'not-recognised',
      `The model file ${name} is not the model.json of a TensorFlow.js model: at ${v.getDotPath(issue) ?? 'its top level'}: ${issue.message}`,
      'Choose the model.json that the TensorFlow.js converter wrote, with numeric weights in files beside it.',
    );
  }
  const { modelTopology, weightsManifest, signature, format } = json.output;
  for (const { paths } of weightsManifest) for (const path of paths) checkBareName(path, name);
  return {
    format: formatOf(format ?? null, modelTopology, name),
    topology: modelTopology,
    signature: signature ?? {},
    weightSpecs: weightsManifest.flatMap(({ weights }) => weights as io.WeightsManifestEntry[]),
    groups: weightsManifest.map(({ paths, weights }) => ({
      paths,
      bytes: weights.reduce((sum, weight) => sum + bytesOf(weight), 0),
    })),
  };
}

/** Names of all weight files, in the order in which they are read. */
export function weightFiles(json: ModelJson): string[] {
  return json.groups.flatMap(({ paths }) => paths);
}

function bytesOf({ shape, dtype, quantization }: v.InferOutput<typeof WeightSchema>): number {
  return shape.reduce((product, size) => product * size, 1) * BYTES[quantization?.dtype ?? dtype];
}

function formatOf(format: string | null, topology: Record<string, unknown>, name: string): TfjsFormat {
  if (Array.isArray(topology['node'])) return 'tfjs-graph';
  if ('model_config' in topology || 'class_name' in topology) return 'tfjs-layers';
  throw new PathlightError(
    'not-recognised',
    `The model file ${name} holds neither a layers model nor a graph model${format === null ? '' : `, but '${format}'`}`,
    'Convert the model with the TensorFlow.js converter to tfjs_layers_model or tfjs_graph_model.',
  );
}

/** A weight file stands beside model.json: no folder, no way out of this one, no address. */
function checkBareName(path: string, name: string): void {
  if (/^[^/\\:\0]+$/.test(path) && path !== '.' && path !== '..') return;
  throw new PathlightError(
    'model-refused',
    `The model file ${name} names a weight file outside its own folder: '${path}'`,
    "Put the weight files beside model.json, and their bare names into its 'weightsManifest'.",
  );
}
