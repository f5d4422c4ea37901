/**
 * DICOM files in, frames out. Every file ends in exactly one of: shown, shown with warnings, refused with a reason; a reason
 * never holds patient data or a path.
 */
import { PathlightError } from '../../core/contract/errors.ts';
import { withFile } from './byte-source.ts';
import { CharacterSet } from './character-set.ts';
import { endsProperly } from './codecs/codestream.ts';
import { decodeJpeg } from './codecs/jpeg.ts';
import { decodeJpeg2000 } from './codecs/jpeg2000.ts';
import { decodeNative } from './codecs/native.ts';
import { decodeRle } from './codecs/rle.ts';
import { readEncapsulatedFrame } from './fragments.ts';
import { readGrayscale } from './grayscale-attributes.ts';
import { headerOf } from './header.ts';
import { openImage, type ImageFile } from './image.ts';
import { frameLength, type PixelFormat } from './pixel-format.ts';
import type { Codestream } from './transfer-syntaxes.ts';
import type { DecodedFrame, ImageHeader } from './types.ts';

export { isProbablyDicom, sniffLength } from './part10.ts';

function characterSetOf({ dataset }: ImageFile): CharacterSet {
  return new CharacterSet(dataset.strings('x00080005').join('\\'));
}

/** Whatever a damaged file makes a reader stumble over is told as damage. */
async function guarded<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof PathlightError) throw error;
    throw new PathlightError('damaged', 'The file is damaged.', 'Export or send the image again.', {
      cause: error,
    });
  }
}

/**
 * Reads what the study list shows. Pixels are left alone but for the head of a compressed frame, so that a file that
 * `readFrame` would refuse for what it is (and not for damage within its pixels) is refused here.
 * @throws PathlightError `not-found`, `not-recognised`, `damaged`, `unsupported`, `too-large`
 */
export function readHeader(file: string): Promise<ImageHeader> {
  return guarded(() =>
    withFile(file, async (source) => {
      const image = await openImage(source);
      return headerOf(image, characterSetOf(image));
    }),
  );
}

type Decoder = (bytes: Uint8Array, format: PixelFormat) => Uint16Array | Promise<Uint16Array>;

/** Each gives one word a pixel, as the codestream holds it; bits outside the stored ones are not cleared. */
const decoders: Readonly<Record<Codestream, Decoder>> = {
  jpeg: decodeJpeg,
  jpeg2000: decodeJpeg2000,
  rle: decodeRle,
};

async function readWords(image: ImageFile, index: number): Promise<Uint16Array> {
  const { syntax, coding, format, pixelData, body, dataset } = image;
  if (coding === 'native') {
    return decodeNative(await readNativeFrame(image, index), format, syntax.bigEndian === true);
  }
  const codestream = await readEncapsulatedFrame(body, pixelData, dataset, format.frames, index);
  if (coding !== 'rle' && !endsProperly(codestream)) {
    throw new PathlightError(
      'damaged',
      'The compressed pixel data are cut off.',
      'Export or send the image again.',
    );
  }
  return decoders[coding](codestream, format);
}

async function readNativeFrame(
  { syntax, format, pixelData, body }: ImageFile,
  index: number,
): Promise<Uint8Array> {
  const length = frameLength(format);
  const start = index * length;
  // Big-endian words hold two pixels of 8 bits each in the wrong order (PS3.5 8.1.1 and annex A.3).
  if (syntax.bigEndian !== true || format.bitsAllocated !== 8 || pixelData.vr !== 'OW') {
    return body.read(pixelData.offset + start, length);
  }
  const even = start - (start % 2);
  const words = Buffer.from(await body.read(pixelData.offset + even, length + 2 - (length % 2)));
  words.subarray(0, words.length - (words.length % 2)).swap16();
  return words.subarray(start - even, start - even + length);
}

/**
 * Decodes one frame.
 * @param index from 0
 * @throws PathlightError as `readHeader`, and `damaged` for damage within the pixels, `bad-request` for a frame that is not there
 */
export function readFrame(file: string, index: number): Promise<DecodedFrame> {
  return guarded(() =>
    withFile(file, async (source) => {
      const image = await openImage(source);
      const { rows, columns, frames, bitsStored, highBit, signed } = image.format;
      if (!Number.isInteger(index) || index < 0 || index >= frames) {
        throw new PathlightError('bad-request', `The image has ${frames} frames, not a frame ${index + 1}.`);
      }
      const values = await readWords(image, index);
      if (values.length < rows * columns) {
        throw new PathlightError('damaged', 'The pixel data are cut off.', 'Export or send the image again.');
      }
      // Overlays of old files sit in the bits above and below the stored ones.
      const shift = highBit - bitsStored + 1;
      const unused = 16 - bitsStored;
      if (signed) {
        for (let i = 0; i < values.length; i++)
          values[i] = (((values[i] ?? 0) >> shift) << (16 + unused)) >> (16 + unused);
      } else {
        const mask = 2 ** bitsStored - 1;
        for (let i = 0; i < values.length; i++) values[i] = ((values[i] ?? 0) >> shift) & mask;
      }
      return {
        frame: { rows, columns, values, bitsStored, signed },
        grayscale: readGrayscale(image.dataset, image.format, index, characterSetOf(image), []),
      };
    }),
  );
}
