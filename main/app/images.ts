/** Decoded frames and what a model is given of them, kept while they are in use. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { PathlightError } from '../../core/contract/errors.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import { displayValues } from '../../core/imaging/grayscale.ts';
import { modelInput } from '../../core/imaging/model-input.ts';
import { type PictureTransform, placed, windowed } from '../../core/imaging/transform.ts';
import { readFrame, readHeader } from '../dicom/read.ts';
import type { DecodedFrame, ImageHeader } from '../dicom/types.ts';
import { MemoCache } from './byte-cache.ts';
import type { LibraryImage } from './library.ts';

/** One frame of an opened image, counted from 0. */
export interface FrameOf {
  image: LibraryImage;
  frame: number;
  /** A known change of the picture before any model is given it; absent: as the file says. */
  transform?: PictureTransform;
}

/** A picture as it is shown. */
export interface Displayed {
  /** [rows, columns] display values in [0, 1]. */
  display: Float32Array;
  rows: number;
  columns: number;
}

export interface Images {
  /** Rejects as the decoder does; a frame that the image does not have with `bad-request`. */
  decoded(of: FrameOf): Promise<DecodedFrame>;
  /** The frame through the grayscale chain: its default display values, or the transform's. Not kept. */
  displayed(of: FrameOf): Promise<Displayed>;
  /** [channels, height, width] in the model's input units, of the displayed picture. */
  input(of: FrameOf, contract: ModelCard['input']): Promise<Float32Array>;
  /** Names the displayed picture by its content. */
  identity(of: FrameOf): Promise<string>;
  /** What the file says of itself; rejects as the decoder does. */
  header(file: string): Promise<ImageHeader>;
  /** SHA-256 of the whole file, lower-case hexadecimal. */
  sha256(image: LibraryImage): Promise<string>;
}

const FRAME_BUDGET = 256 * 2 ** 20;
const INPUT_BUDGET = 32 * 2 ** 20;
const DIGEST_BUDGET = 2 ** 20;
const HEADER_BUDGET = 32 * 2 ** 20;

export function createImages(): Images {
  const frames = new MemoCache<DecodedFrame>(FRAME_BUDGET, ({ frame }) => frame.values.byteLength);
  const inputs = new MemoCache<Float32Array>(INPUT_BUDGET, (input) => input.byteLength);
  const headers = new MemoCache<ImageHeader>(HEADER_BUDGET, (header) => JSON.stringify(header).length);
  const digests = new MemoCache<string>(DIGEST_BUDGET, (digest) => digest.length);

  async function decoded(of: FrameOf): Promise<DecodedFrame> {
    const { image, frame } = of;
    if (frame >= image.entry.frames) {
      throw new PathlightError(
        'bad-request',
        `The image has no frame ${frame + 1}`,
        image.entry.frames === 1 ? 'It has one frame.' : `It has ${image.entry.frames} frames.`,
      );
    }
    return frames.get(`${await stateOf(image.path)} ${frame}`, () => readFrame(image.path, frame));
  }

  async function displayed(of: FrameOf): Promise<Displayed> {
    const { frame, grayscale } = await decoded(of);
    const { rows, columns } = frame;
    const { transform } = of;
    if (transform === undefined) return { display: displayValues(frame, grayscale), rows, columns };
    const display = displayValues(frame, windowed(grayscale, transform));
    return { display: placed(display, rows, columns, transform), rows, columns };
  }

  async function input(of: FrameOf, contract: ModelCard['input']): Promise<Float32Array> {
    const key = `${await stateOf(of.image.path)} ${of.frame} ${JSON.stringify([of.transform, contract])}`;
    return inputs.get(key, async () => {
      const { display, rows, columns } = await displayed(of);
      return modelInput(display, rows, columns, contract);
    });
  }

  async function identity({ image, frame, transform }: FrameOf): Promise<string> {
    const changed = transform === undefined ? '' : ` ${JSON.stringify(transform)}`;
    return `${await sha256(image)} ${frame}${changed}`;
  }

  async function header(file: string): Promise<ImageHeader> {
    return headers.get(await stateOf(file), () => readHeader(file));
  }

  async function sha256({ path }: LibraryImage): Promise<string> {
    return digests.get(await stateOf(path), () => fileSha256(path));
  }

  return { decoded, displayed, input, identity, header, sha256 };
}

/** Names a file in the state that it is in now, so that a file that changes is read again. */
async function stateOf(file: string): Promise<string> {
  try {
    const { mtimeMs, size } = await stat(file);
    return `${file}\0${mtimeMs} ${size}`;
  } catch (cause) {
    throw new PathlightError(
      'not-found',
      'The file of this image is no longer there or cannot be read',
      'Open its folder again.',
      { cause },
    );
  }
}

/** Reads the file in pieces: it may be larger than the memory. */
export async function fileSha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
