import { createHash } from 'node:crypto';
import { readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Ends } from '../../core/autodiff/index.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import { type ExternalFiles, staysInFolder } from '../../core/onnx/external-data.ts';
import { externalLocations } from '../../core/onnx/file.ts';
import type { EngineModel } from './engine.ts';

/** Protobuf's own limit for one message; here for a model with the files beside it, too. */
const largestModel = 2 ** 31 - 1;

/**
 * Reads a model file.
 * @throws PathlightError `not-found`, `too-large`
 */
export async function readModelFile(file: string): Promise<Uint8Array> {
  const name = path.basename(file);
  try {
    const found = await stat(file);
    const { size } = found;
    if (!found.isFile()) throw notPlain(name);
    if (size > largestModel) {
      throw new PathlightError(
        'too-large',
        `The model file ${name} has ${(size / 2 ** 30).toFixed(1)} GiB; an ONNX file has less than 2 GiB`,
        'Choose a smaller model.',
      );
    }
    return await readFile(file);
  } catch (error) {
    if (error instanceof PathlightError) throw error;
    throw new PathlightError('not-found', `The model file ${name} cannot be read`, 'Check that it exists.', {
      cause: error,
    });
  }
}

function notPlain(name: string): PathlightError {
  return new PathlightError(
    'not-found',
    `'${name}' is not a plain file`,
    'Name an ONNX file, or the folder of a TensorFlow.js model.',
  );
}

/**
 * Reads a model file that was checked against its card before, and makes sure that it is still the same.
 * @param sha256 lower-case hexadecimal
 * @throws PathlightError `not-found`, `too-large`; `model-refused` where the file has changed
 */
async function readCheckedFile(file: string, sha256: string): Promise<Uint8Array> {
  const bytes = await readModelFile(file);
  if (digest(bytes) !== sha256) {
    throw new PathlightError(
      'model-refused',
      `The model file ${path.basename(file)} is not the one that its card describes: its SHA-256 differs`,
      'Restore the file that belongs to the card.',
    );
  }
  return bytes;
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Reads the files in which a model keeps weights: those of its own folder alone, links that leave it not followed.
 * @param bytes the model file
 * @throws PathlightError `not-found`, `unsupported`: outside the folder; `too-large`
 */
export async function readExternalFiles(file: string, bytes: Uint8Array): Promise<ExternalFiles> {
  const files = new Map<string, Uint8Array>();
  const folder = await realpath(path.dirname(file));
  let total = bytes.length;
  for (const location of externalLocations(bytes)) {
    // Names that leave the folder are refused by whoever reads the tensors.
    if (!staysInFolder(location)) continue;
    let own;
    try {
      own = await realpath(path.join(folder, location));
      const found = await stat(own);
      // Refused by whoever reads the tensors, as what is not there: reading a pipe would wait forever.
      if (!found.isFile()) continue;
      total += found.size;
    } catch {
      continue;
    }
    if (!own.startsWith(folder + path.sep)) {
      throw new PathlightError(
        'unsupported',
        `The model keeps weights in '${location}', a link that leaves its own folder`,
        'Put the file itself beside the model.',
      );
    }
    if (total > largestModel) {
      throw new PathlightError(
        'too-large',
        `The model has ${(total / 2 ** 30).toFixed(1)} GiB with the files beside it; at most 2 GiB are read`,
        'Choose a smaller model.',
      );
    }
    files.set(location, await readFile(own));
  }
  return files;
}

export interface CheckedModel {
  bytes: Uint8Array;
  ends: Ends & { inputShape: readonly number[] };
}

/**
 * Reads a model that was checked against its card before, with the files beside it, and makes sure that all are still the same.
 * @throws PathlightError `not-found`, `too-large`, `unsupported`; `model-refused` where a file has changed, or the card does not name it
 */
export async function readCheckedModel(model: EngineModel): Promise<CheckedModel> {
  const bytes = await readCheckedFile(model.file, model.sha256);
  const externalFiles = await readExternalFiles(model.file, bytes);
  for (const [name, content] of externalFiles) {
    const stated = model.externalData?.[name];
    if (stated === digest(content)) continue;
    throw new PathlightError(
      'model-refused',
      stated === undefined
        ? `The model keeps weights in '${name}', which its card does not name`
        : `The file '${name}' is not the one that the model's card describes: its SHA-256 differs`,
      "State the SHA-256 of every file that belongs to the model in its card, under 'externalData'.",
    );
  }
  const { name, shape, layout } = model.input;
  return {
    bytes,
    ends: {
      input: name,
      output: model.output.name,
      inputShape: shape,
      elementType: 'float32',
      externalFiles,
      ...(layout === undefined ? {} : { layout }),
      ...(model.heldInputs === undefined ? {} : { heldInputs: model.heldInputs }),
    },
  };
}
