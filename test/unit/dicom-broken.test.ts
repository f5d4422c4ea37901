/** Every file ends in exactly one of: shown, shown with warnings, refused with a reason. Here, files made to be difficult. */
import { constants, deflateRawSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { displayValues } from '../../core/imaging/grayscale.ts';
import { isProbablyDicom, readFrame, readHeader, sniffLength } from '../../main/dicom/read.ts';
import { fileWriter } from '../support/dicom-files.ts';
import { writeDicom, type DicomOptions } from '../support/dicom-writer.ts';

const write = fileWriter();
const plain = {
  rows: 2,
  columns: 3,
  pixels: Uint16Array.of(1, 2, 3, 4, 5, 6),
  bitsStored: 12,
} satisfies DicomOptions;
const jpegBaseline = '1.2.840.10008.1.2.4.50';
const rle = '1.2.840.10008.1.2.5';
const jpegSample = readFileSync(path.resolve(import.meta.dirname, '../../examples/04-pneumonia-dx-jpeg.dcm'));
/** The codestream of sample 04: 855 x 920, 8 bits. */
const codestream = jpegSample.subarray(
  jpegSample.indexOf(Buffer.from([0xff, 0xd8, 0xff])),
  jpegSample.lastIndexOf(Buffer.from([0xff, 0xd9])) + 2,
);

async function values(file: string, index = 0): Promise<number[]> {
  const { frame } = await readFrame(file, index);
  return Array.from(
    frame.signed
      ? new Int16Array(frame.values.buffer, frame.values.byteOffset, frame.values.length)
      : frame.values,
  );
}

const text = (part: string) => expect.stringContaining(part) as string;

function refused(bytes: Uint8Array, kind: string, message: string): Promise<void> {
  return expect(readHeader(write(bytes))).rejects.toMatchObject({
    name: 'PathlightError',
    kind,
    message: text(message),
  });
}

describe('refused with a reason, in bounded memory', () => {
  it('an image of 60,000 x 60,000 in a small file', async () => {
    await refused(
      writeDicom({ ...plain, rows: 60_000, columns: 60_000 }),
      'too-large',
      '60000 rows and 60000 columns',
    );
    const compressed = {
      rows: 60_000,
      columns: 60_000,
      transferSyntax: jpegBaseline,
      pixels: [[codestream]],
    };
    await refused(writeDicom(compressed), 'too-large', '60000 rows');
  });

  it('a compressed image that says one size and holds another', async () => {
    const options = { rows: 8000, columns: 8000, transferSyntax: jpegBaseline, pixels: [[codestream]] };
    await refused(writeDicom(options), 'damaged', 'says 8000 x 8000, its compressed pixels 855 x 920');
  });

  it('zero rows, no rows, no pixel data, empty pixel data', async () => {
    await refused(writeDicom({ ...plain, rows: 0 }), 'damaged', '0 rows and 3 columns');
    await refused(writeDicom({ ...plain, attributes: { '00280010': null } }), 'damaged', '0 rows');
    await refused(writeDicom({ ...plain, pixels: null }), 'damaged', 'holds no pixel data');
    await refused(writeDicom({ ...plain, pixels: new Uint8Array() }), 'damaged', 'holds no pixel data');
    const empty = { rows: 2, columns: 3, transferSyntax: jpegBaseline, pixels: [] };
    await refused(writeDicom(empty), 'damaged', 'no fragment');
  });

  it('pixels that are cut off, native or compressed', async () => {
    await refused(writeDicom({ ...plain, rows: 3 }), 'damaged', '12 of the 18 bytes of a 3 x 3 image');
    await refused(writeDicom({ ...plain, frames: 5 }), 'damaged', '12 of the 60 bytes of a 2 x 3 x 5 image');
    await refused(writeDicom(plain).subarray(0, -4), 'damaged', '8 of the 12 bytes');

    const jpeg = { rows: 855, columns: 920, transferSyntax: jpegBaseline };
    const half = writeDicom({ ...jpeg, pixels: [[codestream.subarray(0, 20_000)]] });
    await expect(readFrame(write(half), 0)).rejects.toMatchObject({
      kind: 'damaged',
      message: text('cut off'),
    });
    await refused(writeDicom({ ...jpeg, pixels: [[codestream]] }).subarray(0, -1000), 'damaged', 'cut off');
    const ended = Buffer.concat([codestream.subarray(0, 20_000), Buffer.from([0xff, 0xd9])]);
    const file = write(writeDicom({ ...jpeg, pixels: [[ended]] }));
    await expect(readFrame(file, 0)).rejects.toMatchObject({
      kind: 'damaged',
      message: text('JPEG data are damaged'),
    });
  });

  it('a data set that is cut off before its pixels', async () => {
    const bytes = writeDicom({ ...plain, attributes: { '00081030': ['LO', 'CHEST'] } });
    await refused(bytes.subarray(0, -40), 'damaged', 'cut off or damaged before its pixel data');
    const bare = writeDicom({ ...plain, pixels: null, attributes: { '00280010': null } });
    await refused(bare, 'unsupported', 'no image, or is cut off before it');
  });

  it('sample types and bit depths that it does not show', async () => {
    await refused(
      writeDicom({ ...plain, attributes: { '00280002': ['US', [3]], '00280004': ['CS', 'RGB'] } }),
      'unsupported',
      'colour image (RGB)',
    );
    await refused(
      writeDicom({ ...plain, photometricInterpretation: 'PALETTE COLOR' }),
      'unsupported',
      'palette colour',
    );
    for (const bits of [1, 12, 32]) {
      await refused(
        writeDicom({ ...plain, bitsAllocated: bits, bitsStored: 1 }),
        'unsupported',
        `${bits} bits a pixel`,
      );
    }
    await refused(writeDicom({ ...plain, bitsStored: 17 }), 'damaged', '17 bits in 16');
  });

  it('transfer syntaxes, by UID and name', async () => {
    await refused(
      writeDicom({ ...plain, transferSyntax: '1.2.840.10008.1.2.4.201' }),
      'unsupported',
      '1.2.840.10008.1.2.4.201 (High-Throughput JPEG 2000',
    );
    await refused(
      writeDicom({ ...plain, transferSyntax: '1.2.840.10008.1.2.4.110' }),
      'unsupported',
      'JPEG XL',
    );
    await refused(writeDicom({ ...plain, transferSyntax: '1.2.3.4' }), 'unsupported', '1.2.3.4 (unknown)');
    await refused(writeDicom({ ...plain, transferSyntax: jpegBaseline }), 'damaged', 'not encapsulated');
    await refused(writeDicom({ rows: 2, columns: 3, pixels: [[codestream]] }), 'damaged', 'not compressed');
  });

  it('what is not DICOM, and what is not there', async () => {
    await refused(
      Buffer.from('Not DICOM at all, but long enough to be looked at.'.repeat(9)),
      'not-recognised',
      'not DICOM',
    );
    await refused(new Uint8Array(), 'not-recognised', 'not DICOM');
    await expect(readHeader('/nowhere/NAME^OF^A^PATIENT.dcm')).rejects.toMatchObject({
      kind: 'not-found',
      message: 'There is no such file.',
    });
    await expect(readHeader(import.meta.dirname)).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('a deflated file that inflates without end', async () => {
    const bytes = Buffer.from(writeDicom({ ...plain, transferSyntax: '1.2.840.10008.1.2.1.99' }));
    const head = bytes.subarray(0, 144 + bytes.readUInt32LE(140));
    const mebibyte = deflateRawSync(Buffer.alloc(1024 * 1024), { finishFlush: constants.Z_FULL_FLUSH });
    await refused(
      Buffer.concat([head, ...Array<Uint8Array>(300).fill(mebibyte)]),
      'too-large',
      'inflates to more than 256 MiB',
    );
    await refused(Buffer.concat([head, mebibyte.subarray(0, 500)]), 'damaged', 'cannot be inflated');
  });

  it('sequences nested without end, and items without number', async () => {
    const open = Buffer.from('08001111535100 00ffffffff feff00e0ffffffff'.replace(/ /g, ''), 'hex');
    const head = writeDicom({ ...plain, pixels: null });
    await refused(Buffer.concat([head, ...Array<Uint8Array>(20_000).fill(open)]), 'damaged', 'damaged');
    const items = Buffer.concat([
      Buffer.from('0900101053510000ffffffff', 'hex'),
      Buffer.alloc(8 * 600_000, Buffer.from('feff00e000000000', 'hex')),
    ]);
    await refused(Buffer.concat([head, items]), 'too-large', 'sequence items');
  });

  it('reasons hold no patient data', async () => {
    const attributes = { '00100010': ['PN', 'SECRET^NAME'], '00100020': ['LO', 'SECRET-ID'] } as const;
    for (const options of [
      { rows: 0 },
      { rows: 9 },
      { pixels: null },
      { photometricInterpretation: 'RGB' },
      { transferSyntax: '1.2' },
    ]) {
      const refusal: unknown = await readHeader(
        write(writeDicom({ ...plain, ...options, attributes })),
      ).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ name: 'PathlightError' });
      expect(JSON.stringify([String(refusal), refusal])).not.toContain('SECRET');
    }
  });
});

describe('shown', () => {
  it('without a preamble, as some archives keep files', async () => {
    const bytes = writeDicom({ ...plain, meta: false });
    expect(isProbablyDicom(bytes.subarray(0, sniffLength))).toBe(true);
    const file = write(bytes);
    expect(await values(file)).toEqual([1, 2, 3, 4, 5, 6]);
    expect((await readHeader(file)).warnings).toEqual([
      'The file has no DICOM preamble.',
      'The file names no transfer syntax; it was told from the data set.',
    ]);
  });

  it('bits above the stored ones cleared, values between others shifted down', async () => {
    const overlays = Uint16Array.of(0xf001, 0x8002, 0x1003, 4, 5, 6);
    expect(await values(write(writeDicom({ ...plain, pixels: overlays })))).toEqual([1, 2, 3, 4, 5, 6]);
    const shifted = {
      ...plain,
      pixels: plain.pixels.map((value) => (value << 4) | 0xf),
      attributes: { '00280102': ['US', [15]] },
    } as const;
    expect(await values(write(writeDicom(shifted)))).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('signed values of fewer bits than allocated, sign-extended', async () => {
    const signed = Int16Array.of(-2048, -1, 0, 1, 2047, 0x0fff);
    expect(await values(write(writeDicom({ ...plain, pixels: signed })))).toEqual([
      -2048, -1, 0, 1, 2047, -1,
    ]);
  });

  it('8 bits, odd sizes, several frames', async () => {
    const bytes = writeDicom({
      rows: 1,
      columns: 3,
      frames: 3,
      pixels: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9),
    });
    const file = write(bytes);
    expect(await values(file, 1)).toEqual([4, 5, 6]);
    expect(await values(file, 2)).toEqual([7, 8, 9]);
  });

  it('with a warning: more pixel data than the image has', async () => {
    const bytes = writeDicom({ ...plain, pixels: new Uint16Array(10) });
    expect((await readHeader(write(bytes))).warnings).toEqual([
      'The pixel data hold 8 bytes more than the image has.',
    ]);
  });

  it('with a warning: a JPEG that is not what its transfer syntax says', async () => {
    const lossless = '1.2.840.10008.1.2.4.70';
    for (const transferSyntax of [lossless, '1.2.840.10008.1.2.4.90']) {
      const file = write(writeDicom({ rows: 855, columns: 920, pixels: [[codestream]], transferSyntax }));
      const { warnings } = await readHeader(file);
      expect(warnings).toEqual([text('the pixels are coded as JPEG baseline, 8 bit')]);
      expect((await readFrame(file, 0)).frame.values).toHaveLength(855 * 920);
    }
  });

  it('with a warning: invalid windows, contradicting shapes, unknown orientations', async () => {
    const attributes = {
      '00281050': ['DS', ['100', 'x', '50']],
      '00281051': ['DS', ['0', '10', '20']],
      '00281055': ['LO', ['A', 'B', 'C']],
      '00200020': ['CS', ['L', 'R']],
      '20500020': ['CS', 'INVERSE'],
    } as const;
    const file = write(writeDicom({ ...plain, attributes }));
    const { warnings, orientation } = await readHeader(file);
    expect(orientation).toBeNull();
    expect(warnings).toEqual([
      text('MONOCHROME2 and Presentation LUT Shape INVERSE contradict'),
      text('A window or VOI LUT of the file is not valid'),
      text('Patient Orientation is not valid'),
    ]);
    const { grayscale } = await readFrame(file, 0);
    expect(grayscale.vois).toEqual([
      { kind: 'window', function: 'linear', center: 50, width: 20, explanation: 'C' },
    ]);
  });

  it('with a warning: text that is not in its character set', async () => {
    const attributes = { '00080005': ['CS', 'ISO_IR 999'], '00100010': ['PN', 'M\xfcller'] } as const;
    const { patient, warnings } = await readHeader(write(writeDicom({ ...plain, attributes })));
    expect(patient.name.alphabetic).toBe('Müller');
    expect(warnings).toEqual([text('character set')]);
  });

  it('a VOI LUT whose descriptor is signed because the values are', async () => {
    const item = { '00283002': ['SS', [4, -2, 16]], '00283006': ['OW', [0, 100, 200, 65535]] } as const;
    const unmarked = { ...item, '00283002': ['US', [4, 0xfffe, 16]] } as const;
    const pixels = Int16Array.of(-3, -2, -1, 0, 1, 2);
    for (const table of [item, unmarked]) {
      const { frame, grayscale } = await readFrame(
        write(writeDicom({ ...plain, pixels, attributes: { '00283010': ['SQ', [table]] } })),
        0,
      );
      expect(Array.from(displayValues(frame, grayscale), (value) => Math.round(value * 65535))).toEqual([
        0, 0, 100, 200, 65535, 65535,
      ]);
    }
  });

  it('files with elements whose length other readers take for 16 bits (OV, SV, UV)', async () => {
    const attributes = { '00091010': ['OV', [1, 2]], '00091012': ['UV', new Uint8Array(8)] } as const;
    expect(await values(write(writeDicom({ ...plain, attributes })))).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('a header larger than the first read', async () => {
    const attributes = { '00091010': ['OB', new Uint8Array(1_000_000)] } as const;
    expect(await values(write(writeDicom({ ...plain, attributes })))).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe('fragments', () => {
  /** One RLE frame of two rows of three bytes, as two literal runs. */
  const frame = (...pixels: number[]) =>
    Buffer.concat([
      Buffer.from(Uint32Array.of(1, 64).buffer),
      Buffer.alloc(56),
      Buffer.of(pixels.length - 1, ...pixels),
    ]);
  const frames = [frame(1, 2, 3, 4, 5, 6), frame(7, 8, 9, 10, 11, 12), frame(1, 1, 1, 1, 1, 1)];
  const options = { rows: 2, columns: 3, frames: 3, transferSyntax: rle };
  const lengths = frames.map(({ length }) => length + (length % 2) + 8);
  const offsets = [0, lengths[0] ?? 0, (lengths[0] ?? 0) + (lengths[1] ?? 0)];

  it('one a frame, with and without a Basic Offset Table', async () => {
    for (const offsetTable of [[], offsets]) {
      const file = write(writeDicom({ ...options, pixels: frames.map((bytes) => [bytes]), offsetTable }));
      expect(await values(file, 1)).toEqual([7, 8, 9, 10, 11, 12]);
      expect(await values(file, 2)).toEqual([1, 1, 1, 1, 1, 1]);
    }
  });

  it('several a frame, by the Basic or the Extended Offset Table', async () => {
    const split = frames.map((bytes) => [bytes.subarray(0, 64), bytes.subarray(64)]);
    const starts = [0, 1, 2].map((i) =>
      split
        .slice(0, i)
        .flat()
        .reduce((sum, { length }) => sum + length + (length % 2) + 8, 0),
    );
    const tables: Partial<DicomOptions>[] = [
      { offsetTable: starts },
      { attributes: { '7FE00001': ['OV', starts], '7FE00002': ['OV', frames.map(({ length }) => length)] } },
    ];
    for (const table of tables) {
      const file = write(writeDicom({ ...options, pixels: split, ...table }));
      expect(await values(file, 1)).toEqual([7, 8, 9, 10, 11, 12]);
    }
  });

  it('several a frame without a table: a frame starts where a codestream does', async () => {
    const cut = [codestream.subarray(0, 30_000), codestream.subarray(30_000)];
    const jpeg = { rows: 855, columns: 920, frames: 2, transferSyntax: jpegBaseline };
    const file = write(writeDicom({ ...jpeg, pixels: [cut, [codestream]] }));
    expect(await values(file, 0)).toEqual(await values(file, 1));
    const three = write(writeDicom({ ...jpeg, frames: 3, pixels: [cut, [codestream], cut] }));
    expect((await readHeader(three)).frames).toBe(3);
    const missing = write(writeDicom({ ...jpeg, frames: 4, pixels: [cut, [codestream]] }));
    await expect(readFrame(missing, 0)).rejects.toMatchObject({
      kind: 'damaged',
      message: text('hold 2 frames; the file says 4'),
    });
  });

  it('RLE: runs, both planes of 16 bits, data that end early, offsets that lie', async () => {
    const planes = Buffer.concat([
      Buffer.from(Uint32Array.of(2, 64, 66).buffer),
      Buffer.alloc(52),
      Buffer.of(0xfb, 0x01), // six times 1
      Buffer.of(0x02, 1, 2, 3, 0x80, 0xfe, 9, 0), // three literals, no operation, three times 9
    ]);
    const image = { rows: 2, columns: 3, transferSyntax: rle, bitsAllocated: 16 };
    expect(await values(write(writeDicom({ ...image, pixels: [[planes]] })))).toEqual([
      257, 258, 259, 265, 265, 265,
    ]);
    const short = write(writeDicom({ ...image, pixels: [[planes.subarray(0, 70)]] }));
    await expect(readFrame(short, 0)).rejects.toMatchObject({
      kind: 'damaged',
      message: text('end before the image is complete'),
    });
    const lying = Buffer.from(planes);
    lying.writeUInt32LE(0xffffff, 8);
    await expect(readFrame(write(writeDicom({ ...image, pixels: [[lying]] })), 0)).rejects.toMatchObject({
      kind: 'damaged',
    });
  });
});
