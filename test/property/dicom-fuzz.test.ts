/** Damage at random: a file is shown or refused with a reason; it never hangs, and nothing else is ever thrown. */
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { PathlightError } from '../../core/contract/errors.ts';
import { displayValues } from '../../core/imaging/grayscale.ts';
import { isProbablyDicom, readFrame, readHeader } from '../../main/dicom/read.ts';
import { fileWriter } from '../support/dicom-files.ts';
import { writeDicom } from '../support/dicom-writer.ts';

const write = fileWriter();
const samples = [
  '03-normal-dx-rle',
  '04-pneumonia-dx-jpeg',
  '05-pneumonia-dx-voilut',
  '06-pneumonia-cr-jpeg2000',
].map((name) => readFileSync(path.resolve(import.meta.dirname, `../../examples/${name}.dcm`)));
const small = writeDicom({
  rows: 4,
  columns: 5,
  frames: 2,
  pixels: Int16Array.from({ length: 40 }, (_, i) => i - 20),
  bitsStored: 12,
  attributes: {
    '00080005': ['CS', ['', 'ISO 2022 IR 87']],
    '00081030': ['LO', 'CHEST'],
    '00200037': ['DS', ['1', '0', '0', '0', '1', '0']],
    '00281050': ['DS', '0'],
    '00281051': ['DS', '40'],
    '00283010': ['SQ', [{ '00283002': ['US', [2, 0, 16]], '00283006': ['OW', [0, 65535]] }]],
    '52009229': ['SQ', [{ '00289110': ['SQ', [{ '00280030': ['DS', ['1', '1']] }]] }]],
  },
});

/** Opens a file as the application does. @returns what became of it */
async function outcome(bytes: Uint8Array): Promise<'shown' | 'refused'> {
  isProbablyDicom(bytes);
  const file = write(bytes);
  try {
    const header = await readHeader(file);
    const { frame, grayscale } = await readFrame(file, 0);
    expect(frame.values).toHaveLength(frame.rows * frame.columns);
    expect([frame.rows, frame.columns]).toEqual([header.rows, header.columns]);
    if (frame.values.length < 1000) {
      for (const value of displayValues(frame, grayscale)) expect(value >= 0 && value <= 1).toBe(true);
    }
    return 'shown';
  } catch (error) {
    if (!(error instanceof PathlightError)) throw error;
    expect(['not-recognised', 'damaged', 'unsupported', 'too-large']).toContain(error.kind);
    expect(error.message).not.toBe('');
    return 'refused';
  }
}

function flip(bytes: Uint8Array, flips: readonly (readonly [number, number])[]): Uint8Array {
  const damaged = Uint8Array.from(bytes);
  for (const [at, value] of flips) damaged[at % damaged.length] = value;
  return damaged;
}

const byte = fc.integer({ min: 0, max: 255 });
const flips = (within: number) => fc.array(fc.tuple(fc.nat(within), byte), { minLength: 1, maxLength: 6 });

describe('a small file with sequences and signed frames', () => {
  it('survives changed bytes', async () => {
    await fc.assert(
      fc.asyncProperty(flips(small.length), async (changes) => {
        await outcome(flip(small, changes));
      }),
      { numRuns: 600 },
    );
  });

  it('is refused wherever it is cut off', async () => {
    for (let length = 0; length < small.length; length++) {
      expect(await outcome(small.subarray(0, length))).toBe('refused');
    }
    expect(await outcome(small)).toBe('shown');
  });

  it('survives bytes put in and taken out', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(small.length),
        fc.uint8Array({ maxLength: 16 }),
        fc.nat(16),
        async (at, inserted, removed) => {
          await outcome(Buffer.concat([small.subarray(0, at), inserted, small.subarray(at + removed)]));
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('samples', () => {
  it('survive changed bytes in their headers', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...samples), flips(2000), async (sample, changes) => {
        await outcome(flip(sample, changes));
      }),
      { numRuns: 60 },
    );
  });

  it('survive changed bytes and cuts anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...samples),
        flips(2 ** 30),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        async (sample, changes, share) => {
          await outcome(flip(sample.subarray(0, Math.ceil(share * sample.length)), changes));
        },
      ),
      { numRuns: 30 },
    );
  });
});

it('bytes that are not DICOM are refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
      expect(await outcome(bytes)).toBe('refused');
    }),
    { numRuns: 200 },
  );
});
