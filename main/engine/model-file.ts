import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { PathlightError } from '../../core/contract/errors.ts';

/** Protobuf's own limit for one message, and with it ONNX's for a file without external data. */
const largestModel = 2 ** 31 - 1;

/**
 * Reads a model file.
 * @throws PathlightError `not-found`, `too-large`
 */
export async function readModelFile(file: string): Promise<Uint8Array> {
  const name = path.basename(file);
  try {
    const { size } = await stat(file);
    if (size > largestModel) {
      throw new PathlightError(
        'too-large',
        `The model file ${name} has ${(size / 2 ** 30).toFixed(1)} GiB; an ONNX file has less than 2 GiB`,
        'Export the model in float32 without external data, or choose a smaller one.',
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

/**
 * Reads a model file that was checked against its card before, and makes sure that it is still the same.
 * @param sha256 lower-case hexadecimal
 * @throws PathlightError `not-found`, `too-large`; `model-refused` where the file has changed
 */
export async function readCheckedModel(file: string, sha256: string): Promise<Uint8Array> {
  const bytes = await readModelFile(file);
  if (createHash('sha256').update(bytes).digest('hex') !== sha256) {
    throw new PathlightError(
      'model-refused',
      `The model file ${path.basename(file)} is not the one that its card describes: its SHA-256 differs`,
      'Restore the file that belongs to the card.',
    );
  }
  return bytes;
}
