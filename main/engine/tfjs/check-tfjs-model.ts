/** `pathlight model check` of a model in TensorFlow.js form: it is built, and its gradient computed once. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { OperatorSupport } from '../../../core/autodiff/support.ts';
import { PathlightError } from '../../../core/contract/errors.ts';
import type { ModelSupport } from '../engine.ts';
import { readGraph } from './graph-model.ts';
import { layerSupport } from './layers-model.ts';
import { readTfjsModel, type TfjsFiles } from './model-folder.ts';
import { weightFiles } from './model-json.ts';
import type { ModelEnd, OpenedModel } from './open-model.ts';
import { type TfjsRuntime, tfjsRuntime } from './runtime.ts';
import { Net, openFiles } from './tfjs-model.ts';

/** What does not make a file unreadable, but a model that cannot be explained. */
const obstacles: ReadonlySet<string> = new Set(['unsupported', 'model-refused', 'too-large']);

/**
 * @param file path of model.json
 * @throws PathlightError as reading the model does
 */
export async function checkTfjsModel(file: string): Promise<ModelSupport> {
  const files = await readTfjsModel(file, null);
  const runtime = await tfjsRuntime();
  const base = {
    inputs: [],
    outputs: [],
    preprocessing: { layout: null, channels: null, values: 'not told by the file' },
    opset: null,
    operators: operatorsOf(files, runtime),
  };
  const hashes = await hashesFor(file, files);
  try {
    const opened = await openFiles(files, null, runtime);
    try {
      const { inputs, outputs } = opened;
      return {
        ...base,
        explainable: true,
        reasons: [],
        inputs: inputs.map(described),
        outputs: outputs.map(described),
        preprocessing: { ...base.preprocessing, ...channelsOf(inputs[0]) },
        notes: [...notesOn(files, opened), ...(await proof(runtime, opened)), ...hashes],
      };
    } finally {
      opened.dispose();
    }
  } catch (error) {
    if (!(error instanceof PathlightError) || !obstacles.has(error.kind)) throw error;
    return { ...base, explainable: false, reasons: [error.message], notes: hashes };
  }
}

function operatorsOf(files: TfjsFiles, runtime: TfjsRuntime): OperatorSupport[] {
  return files.format === 'tfjs-graph'
    ? readGraph(files, null).operators
    : layerSupport(files.topology, runtime);
}

function notesOn({ format }: TfjsFiles, { activation }: OpenedModel): string[] {
  return [
    format === 'tfjs-graph' ? 'TensorFlow.js graph model' : 'TensorFlow.js layers model',
    activation === 'none'
      ? 'It ends in no softmax or sigmoid: its card says what turns its output into probabilities, or "none"'
      : `It ends in a ${activation}: its card says activation "${activation}", and the logit before it is explained`,
  ];
}

/** The gradient of the model on every backend, where the model states the size of its image. */
async function proof(runtime: TfjsRuntime, opened: OpenedModel): Promise<string[]> {
  const shape = (opened.inputs[0]?.shape ?? []).slice(1);
  if (shape.length === 0 || !shape.every((size) => size !== null)) {
    return ['Its gradient was not tried: the size of its image is open'];
  }
  // As the model takes it: nothing is turned.
  const net = new Net(runtime, opened, { name: '', shape }, 'none');
  const { provider, selfTest, refused } = await net.proven();
  return [
    selfTest === null
      ? `Computed by ${provider}`
      : `Computed by ${provider}: its gradient differs from that of tfjs-cpu by ${selfTest.error.toExponential(1)}, where ${selfTest.tolerance} is allowed`,
    ...refused.map((backend) => `Refused: ${backend}`),
  ];
}

async function hashesFor(file: string, files: TfjsFiles): Promise<string[]> {
  const names = [path.basename(file), ...weightFiles(files)];
  return Promise.all(
    names.map(async (name) => {
      const bytes = await readFile(path.join(path.dirname(file), name));
      return `SHA-256 of ${name}: ${createHash('sha256').update(bytes).digest('hex')}`;
    }),
  );
}

function described({ name, dtype, shape }: ModelEnd): ModelSupport['inputs'][number] {
  return { name, type: dtype, shape: shape.map((size) => size ?? '?') };
}

function channelsOf(input: ModelEnd | undefined): Partial<ModelSupport['preprocessing']> {
  const [, first, ...rest] = input?.shape ?? [];
  const last = rest.at(-1);
  const isChannels = (size: number | null | undefined): size is 1 | 3 => size === 1 || size === 3;
  if (isChannels(last)) return { layout: 'NHWC', channels: last };
  return isChannels(first) ? { layout: 'NCHW', channels: first } : {};
}
