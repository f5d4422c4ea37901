/** The Image Pixel module (PS3.3 C.7.6.3): what one frame is made of, checked before anything is allocated. */
import { PathlightError } from '../../core/contract/errors.ts';
import type { Dataset } from './dataset.ts';

export interface PixelFormat {
  rows: number;
  columns: number;
  bitsAllocated: 8 | 16;
  bitsStored: number;
  highBit: number;
  signed: boolean;
  frames: number;
  photometricInterpretation: 'MONOCHROME1' | 'MONOCHROME2';
}

/** 64 Mi pixels: four times the largest radiography detectors. */
export const largestFrame = 64 * 1024 * 1024;

const resend = 'Export or send the image again.';

function colour(interpretation: string, samples: number): PathlightError {
  const kind = interpretation === 'PALETTE COLOR' ? 'a palette colour' : 'a colour';
  const name = interpretation === '' ? `${samples} samples a pixel` : interpretation;
  return new PathlightError(
    'unsupported',
    `The file holds ${kind} image (${name}); Pathlight shows grayscale images.`,
  );
}

/**
 * @throws PathlightError `damaged` where the attributes are missing or contradict each other, `unsupported` for colour and other
 *   sample types, `too-large` beyond `largestFrame`
 */
export function readPixelFormat(dataset: Dataset, warnings: string[]): PixelFormat {
  const samples = dataset.uint16('x00280002') ?? 1;
  const interpretation = dataset.string('x00280004');
  if (samples !== 1 || (interpretation !== '' && !interpretation.startsWith('MONOCHROME'))) {
    throw colour(interpretation, samples);
  }
  if (interpretation === '') {
    warnings.push('The file names no photometric interpretation; MONOCHROME2 is assumed.');
  }

  const rows = dataset.uint16('x00280010') ?? 0;
  const columns = dataset.uint16('x00280011') ?? 0;
  if (rows === 0 || columns === 0) {
    throw new PathlightError('damaged', `The image has ${rows} rows and ${columns} columns.`, resend);
  }
  if (rows * columns > largestFrame) {
    throw new PathlightError(
      'too-large',
      `The image is said to have ${rows} rows and ${columns} columns; Pathlight opens up to ${largestFrame} pixels a frame.`,
    );
  }

  const bitsAllocated = dataset.uint16('x00280100');
  if (bitsAllocated !== 8 && bitsAllocated !== 16) {
    throw bitsAllocated === null
      ? new PathlightError(
          'damaged',
          'The file does not say how many bits a pixel has (Bits Allocated).',
          resend,
        )
      : new PathlightError(
          'unsupported',
          `The image has ${bitsAllocated} bits a pixel; Pathlight opens 8 and 16.`,
        );
  }
  const bitsStored = dataset.uint16('x00280101') ?? bitsAllocated;
  if (bitsStored < 1 || bitsStored > bitsAllocated) {
    throw new PathlightError(
      'damaged',
      `The image stores ${bitsStored} bits in ${bitsAllocated} allocated ones.`,
      resend,
    );
  }
  let highBit = dataset.uint16('x00280102') ?? bitsStored - 1;
  if (highBit < bitsStored - 1 || highBit >= bitsAllocated) {
    warnings.push(
      `High Bit ${highBit} does not fit ${bitsStored} stored bits; ${bitsStored - 1} is assumed.`,
    );
    highBit = bitsStored - 1;
  }
  const representation = dataset.uint16('x00280103') ?? 0;
  if (representation > 1) {
    throw new PathlightError('damaged', `Pixel Representation is ${representation}, not 0 or 1.`, resend);
  }

  const frames = dataset.string('x00280008') === '' ? 1 : dataset.number('x00280008');
  if (frames === null || !Number.isInteger(frames) || frames < 1) {
    throw new PathlightError('damaged', 'Number of Frames is not a positive whole number.', resend);
  }
  return {
    rows,
    columns,
    bitsAllocated,
    bitsStored,
    highBit,
    signed: representation === 1,
    frames,
    photometricInterpretation: interpretation === 'MONOCHROME1' ? 'MONOCHROME1' : 'MONOCHROME2',
  };
}

/** Bytes of one frame as native pixel data hold it. */
export function frameLength({ rows, columns, bitsAllocated }: PixelFormat): number {
  return rows * columns * (bitsAllocated / 8);
}
