/** Reading a TensorFlow.js model from its folder: every byte is checked before TensorFlow.js sees it. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { PathlightError } from '../../../core/contract/errors.ts';
import { type ModelJson, parseModelJson, type WeightGroup } from './model-json.ts';

/** Bytes of model.json: topologies of thousands of layers have a few MiB. */
const largestTopology = 64 * 2 ** 20;
/** Bytes of all weights: what ONNX allows, too. */
const largestWeights = 2 ** 31 - 1;

/** SHA-256, lower-case hexadecimal, of model.json and of each weight file by its name. */
export interface TfjsHashes {
  sha256: string;
  externalData: Readonly<Record<string, string>>;
}

export interface TfjsFiles extends ModelJson {
  /** All weight files, one after the other. */
  weights: ArrayBuffer;
}

/** Path of the model.json that a path means: of the file itself, or of a folder that holds one; undefined for any other. */
export async function modelJsonAt(file: string): Promise<string | undefined> {
  if (file.endsWith('.json')) return file;
  const inside = path.join(file, 'model.json');
  try {
    return (await stat(inside)).isFile() ? inside : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param file path of model.json
 * @throws PathlightError `not-found`, `too-large`, `not-recognised`, as `parseModelJson` does
 */
export async function readModelJson(file: string): Promise<ModelJson & { sha256: string }> {
  const name = path.basename(file);
  const bytes = await readWhole(file, name, (size) => {
    if (size <= largestTopology) return size;
    throw new PathlightError(
      'too-large',
      `The model file ${name} has ${mebibytes(size)}; a model.json has at most ${mebibytes(largestTopology)}`,
      'Check that it is the model.json of a TensorFlow.js model.',
    );
  });
  const text = new TextDecoder().decode(bytes);
  return { ...parseModelJson(text, name), sha256: hashOf(bytes) };
}

/**
 * Reads a model and its weights.
 * @param file path of model.json
 * @param hashes those of its card; null: of a model without a card, whose files are taken as they are
 * @throws PathlightError `not-found`, `damaged`, `too-large`, `not-recognised`; `model-refused` where a file is not the one that the
 *   card describes, is not named by it, or lies outside the model's folder
 */
export async function readTfjsModel(file: string, hashes: TfjsHashes | null): Promise<TfjsFiles> {
  const json = await readModelJson(file);
  if (hashes !== null && json.sha256 !== hashes.sha256) throw otherThanCard(path.basename(file));
  return { ...json, weights: await readWeights(path.dirname(file), json.groups, hashes) };
}

async function readWeights(
  folder: string,
  groups: readonly WeightGroup[],
  hashes: TfjsHashes | null,
): Promise<ArrayBuffer> {
  const total = groups.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total > largestWeights) {
    throw new PathlightError(
      'too-large',
      `The weights of the model take ${mebibytes(total)}; at most ${mebibytes(largestWeights)} are read`,
      'Choose a smaller model.',
    );
  }
  // Sizes first: no memory is taken for a model whose files do not hold what its list promises.
  for (const { paths, bytes } of groups) {
    let found = 0;
    for (const name of paths) found += await sizeOf(await insideFolder(folder, name), name);
    if (found !== bytes) {
      throw new PathlightError(
        'damaged',
        `The weight files ${paths.map((name) => `'${name}'`).join(', ')} have ${found} bytes; model.json says ${bytes}`,
        'Restore the files that belong together: one of them is cut short, too long or from another model.',
      );
    }
  }
  const weights = new Uint8Array(new ArrayBuffer(total));
  let offset = 0;
  for (const name of groups.flatMap(({ paths }) => paths)) {
    const room = weights.length - offset;
    const bytes = await readWhole(await insideFolder(folder, name), name, (size) => Math.min(size, room));
    if (hashes !== null) checkHash(name, bytes, hashes.externalData);
    weights.set(bytes, offset);
    offset += bytes.length;
  }
  return weights.buffer;
}

function checkHash(name: string, bytes: Uint8Array, known: TfjsHashes['externalData']): void {
  const expected = Object.hasOwn(known, name) ? known[name] : undefined;
  if (expected === undefined) {
    throw new PathlightError(
      'model-refused',
      `The weight file '${name}' is not named by the model's card`,
      "Add it, with its SHA-256, to 'externalData' in card.json.",
    );
  }
  if (hashOf(bytes) !== expected) throw otherThanCard(name);
}

function otherThanCard(name: string): PathlightError {
  return new PathlightError(
    'model-refused',
    `The model file ${name} is not the one that its card describes: its SHA-256 differs`,
    'Restore the file that belongs to the card.',
  );
}

/** The file's real path, which must lie in the folder itself: a link may point anywhere. */
async function insideFolder(folder: string, name: string): Promise<string> {
  let file;
  let home;
  try {
    [file, home] = await Promise.all([realpath(path.join(folder, name)), realpath(folder)]);
  } catch (cause) {
    throw notFound(name, cause);
  }
  if (path.dirname(file) === home) return file;
  throw new PathlightError(
    'model-refused',
    `The weight file '${name}' is a link that leads out of the model's folder`,
    'Put the file itself beside model.json.',
  );
}

async function sizeOf(file: string, name: string): Promise<number> {
  return withFile(file, name, (_, size) => Promise.resolve(size));
}

/** @param check given the size in bytes; returns how many bytes to read */
async function readWhole(file: string, name: string, check: (size: number) => number): Promise<Uint8Array> {
  return withFile(file, name, async (handle, size) => {
    const bytes = new Uint8Array(check(size));
    for (let offset = 0; offset < bytes.length;) {
      const { bytesRead } = await handle.read(bytes, offset, bytes.length - offset, offset);
      if (bytesRead === 0) {
        throw new PathlightError(
          'damaged',
          `The model file ${name} became shorter while it was read`,
          'Try again.',
        );
      }
      offset += bytesRead;
    }
    return bytes;
  });
}

async function withFile<T>(
  file: string,
  name: string,
  use: (handle: Awaited<ReturnType<typeof open>>, size: number) => Promise<T>,
): Promise<T> {
  let handle;
  try {
    // Opening a pipe without O_NONBLOCK waits for a writer.
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const state = await handle.stat();
    if (!state.isFile()) throw notFound(name);
    return await use(handle, state.size);
  } catch (error) {
    if (error instanceof PathlightError) throw error;
    throw notFound(name, error);
  } finally {
    await handle?.close();
  }
}

function notFound(name: string, cause?: unknown): PathlightError {
  return new PathlightError(
    'not-found',
    `The model file ${name} is missing or cannot be read`,
    'Check that it stands beside model.json.',
    { cause },
  );
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
