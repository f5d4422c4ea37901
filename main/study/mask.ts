/** Masks of the user's own: where the evidence should be, drawn as PNG. */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { decode, type DecodedPng, type PngDataArray } from 'fast-png';
import { PathlightError } from '../../core/contract/errors.ts';
import { stemOf } from './labels.ts';

export interface DrawnMask {
  /** [height, width] 1 inside, else 0. */
  mask: Uint8Array;
  /** Of the file. */
  sha256: string;
}

const MOST_BYTES = 64 * 2 ** 20;
const MOST_PIXELS = 2 ** 26;

/**
 * The file that a mask of an image stands in: the image's name with .png behind it or for its ending, below the same subfolder or straight in
 * the folder.
 */
async function fileOf(folder: string, image: string): Promise<string | null> {
  const names = [`${image}.png`, `${stemOf(image)}.png`];
  for (const each of new Set([...names, ...names.map((name) => path.posix.basename(name))])) {
    const file = path.join(folder, each);
    if (
      await stat(file).then(
        (found) => found.isFile(),
        () => false,
      )
    )
      return file;
  }
  return null;
}

/**
 * The mask of an image at the model's input size, by the nearest pixel. Inside is what is brighter than half of the mask's brightest pixel, so
 * that 0 and 1, 0 and 255, and a grey between them for what is to be ignored, all read as meant.
 * @param image name relative to the studied folder
 * @returns null where there is no such file
 * Rejects with `too-large`, or `damaged` where the file is not a PNG.
 */
export async function readMask(
  folder: string,
  image: string,
  height: number,
  width: number,
): Promise<DrawnMask | null> {
  const file = await fileOf(folder, image);
  if (file === null) return null;
  const name = path.basename(file);
  if ((await stat(file)).size > MOST_BYTES) {
    throw new PathlightError('too-large', `The mask '${name}' is larger than 64 MB`, 'Save it smaller.');
  }
  const bytes = await readFile(file);
  const { values, rows, columns } = decodeMask(bytes, name);
  const threshold = values.reduce((most, value) => Math.max(most, value), 0) / 2;
  const mask = new Uint8Array(height * width);
  for (let row = 0; row < height; row++) {
    const from = Math.floor(((row + 0.5) * rows) / height) * columns;
    for (let column = 0; column < width; column++) {
      const value = values[from + Math.floor(((column + 0.5) * columns) / width)] ?? 0;
      mask[row * width + column] = value > threshold ? 1 : 0;
    }
  }
  return { mask, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** @returns [rows, columns] brightness: of colours the brightest channel, without what is transparent */
function decodeMask(
  bytes: Uint8Array,
  name: string,
): { values: Float32Array; rows: number; columns: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // The header of a PNG states the size before anything is unpacked.
  if (bytes.length >= 24 && view.getUint32(16) * view.getUint32(20) > MOST_PIXELS) {
    throw new PathlightError(
      'too-large',
      `The mask '${name}' has more than 64 million pixels`,
      'Save it smaller.',
    );
  }
  let image;
  try {
    image = decode(bytes);
  } catch (cause) {
    throw new PathlightError('damaged', `The mask '${name}' cannot be read as PNG`, 'Save it again as PNG.', {
      cause,
    });
  }
  const { channels, palette, width: columns, height: rows } = image;
  const samples = samplesOf(image);
  const colours = channels === 2 ? 1 : Math.min(channels, 3);
  const brightness = (pixel: number): number => {
    if (palette !== undefined) return Math.max(...(palette[samples[pixel] ?? 0] ?? [0]).slice(0, 3));
    let most = 0;
    for (let channel = 0; channel < colours; channel++) {
      most = Math.max(most, samples[pixel * channels + channel] ?? 0);
    }
    const transparent = channels % 2 === 0 && samples[pixel * channels + channels - 1] === 0;
    return transparent ? 0 : most;
  };
  return {
    values: Float32Array.from({ length: rows * columns }, (_, pixel) => brightness(pixel)),
    rows,
    columns,
  };
}

/** Of less than 8 bits a sample there are several in a byte, the first in its highest bits; every row begins with a byte of its own. */
function samplesOf({ data, depth, channels, width, height }: DecodedPng): PngDataArray {
  if (depth >= 8) return data;
  const perRow = width * channels;
  const bytesPerRow = Math.ceil((perRow * depth) / 8);
  const samples = new Uint8Array(perRow * height);
  for (let row = 0; row < height; row++) {
    for (let i = 0; i < perRow; i++) {
      const bit = i * depth;
      const byte = data[row * bytesPerRow + (bit >> 3)] ?? 0;
      samples[row * perRow + i] = (byte >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
    }
  }
  return samples;
}
