/**
 * Real files of the reference data. Hashes are SHA-256 (first 16 digits) of the stored values as 16-bit little-endian integers,
 * computed with pydicom 2.3.1 (Pillow 9.4 for JPEG and JPEG 2000).
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { displayValues } from '../../core/imaging/grayscale.ts';
import { readFrame, readHeader } from '../../main/dicom/read.ts';
import { sharedFolder } from '../support/shared.ts';

const folder = sharedFolder('dicom');
const file = (name: string) => path.join(folder ?? '', name);
const slice = (ending: string) => file(`one-slice-every-syntax/CTImage.dcm${ending}`);

async function hashOf(name: string, index = 0): Promise<string> {
  const { frame } = await readFrame(name, index);
  const { buffer, byteOffset, byteLength } = frame.values;
  return createHash('sha256')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex')
    .slice(0, 16);
}

describe.skipIf(folder === null)('one slice in every transfer syntax', () => {
  it.each([
    ['', 'Implicit VR Little Endian'],
    ['_LittleEndianImplicitTransferSyntax_1.2.840.10008.1.2.dcm', 'Implicit VR Little Endian'],
    ['_LittleEndianExplicitTransferSyntax_1.2.840.10008.1.2.1.dcm', 'Explicit VR Little Endian'],
    ['_BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2.dcm', 'Explicit VR Big Endian'],
    [
      '_DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99.dcm',
      'Deflated Explicit VR Little Endian',
    ],
    ['_RLELosslessTransferSyntax_1.2.840.10008.1.2.5.dcm', 'RLE Lossless'],
    ['_JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90.dcm', 'JPEG 2000 (Lossless Only)'],
  ])('CTImage%s', async (ending, name) => {
    const header = await readHeader(slice(ending));
    expect(header).toMatchObject({
      rows: 512,
      columns: 512,
      frames: 1,
      bitsStored: 16,
      modality: 'CT',
      warnings: [],
      spacing: { basis: 'patient' },
      orientation: { right: 'L', bottom: 'P' },
    });
    expect(header.transferSyntax.name).toBe(name);
    expect(await hashOf(slice(ending))).toBe('1bee432808f49770');
  });

  it('decodes the lossy ones to their own values', async () => {
    expect(await hashOf(slice('_JPEG2000TransferSyntax_1.2.840.10008.1.2.4.91.dcm'))).toBe(
      'ca3472c2d32b272f',
    );
    expect(await hashOf(slice('_JPEGProcess1TransferSyntax_1.2.840.10008.1.2.4.50.dcm'))).toBe(
      'bb8b0c13bf127c19',
    );
  });

  it.each([
    ['_JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80.dcm', '1.2.840.10008.1.2.4.80 (JPEG-LS Lossless)'],
    [
      '_JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81.dcm',
      '1.2.840.10008.1.2.4.81 (JPEG-LS Near-Lossless)',
    ],
    ['_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm', 'JPEG progressive, 12 bit'],
    ['_JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70.dcm', 'JPEG lossless, 16 bit'],
    ['_JPEGProcess14TransferSyntax_1.2.840.10008.1.2.4.57.dcm', 'JPEG lossless, 16 bit'],
    ['_JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51.dcm', 'JPEG extended sequential, 12 bit'],
    ['_JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53.dcm', 'JPEG progressive, 12 bit'],
  ])('refuses by name what it does not decode: %s', async (ending, reason) => {
    await expect(readHeader(slice(ending))).rejects.toMatchObject({
      kind: 'unsupported',
      message: expect.stringContaining(reason) as string,
    });
  });
});

describe.skipIf(folder === null)('pixels', () => {
  it.each([
    ['signed', 'test_files/CT_small.dcm', '7a481f6ffff833ae'],
    ['big endian', 'test_files/MR_small_bigendian.dcm', '88617aaa46138fb1'],
    ['RLE', 'test_files/MR_small_RLE.dcm', '88617aaa46138fb1'],
    ['implicit', 'test_files/MR_small_implicit.dcm', '88617aaa46138fb1'],
    ['JPEG 2000 lossless', 'test_files/MR_small_jp2klossless.dcm', '88617aaa46138fb1'],
    ['padded', 'test_files/MR_small_padded.dcm', '88617aaa46138fb1'],
    ['deflated, 8 bits', 'test_files/image_dfl.dcm', '4497866512b32b39'],
    ['with overlays beside them', 'MR-SIEMENS-DICOM-WithOverlays.dcm', '8c042a175e4a49ca'],
    ['12 bits, JPEG 2000 lossless', 'MR2_J2KR.dcm', '7d1a676f3c012d0c'],
    ['the same, native', 'MR2_UNCR.dcm', '7d1a676f3c012d0c'],
    ['MONOCHROME1, JPEG 2000 lossless', 'RG3_J2KR.dcm', '85480a0287e37795'],
    ['signed JPEG 2000 of fewer bits than stored', '693_J2KR.dcm', '6b3b6bb553a0b569'],
    ['the same, native', '693_UNCR.dcm', '6b3b6bb553a0b569'],
    ['signed JPEG 2000 of more bits than stored', 'test_files/693_J2KI.dcm', 'f249f833d5e3cbc3'],
    ['unsigned JPEG 2000 of a signed image', 'test_files/J2K_pixelrep_mismatch.dcm', '1296350a0006ef69'],
    ['padding behind the JPEG 2000 codestream', '../one-slice-every-syntax/CT1_J2KR', null],
  ])('%s', async (_, name, expected) => {
    const hash = await hashOf(file(path.join('pydicom', name)));
    if (expected !== null) expect(hash).toBe(expected);
  });

  it.each([
    'emri_small.dcm',
    'emri_small_RLE.dcm',
    'emri_small_big_endian.dcm',
    'emri_small_jpeg_2k_lossless.dcm',
  ])('first and last of ten frames: %s', async (name) => {
    const image = file(path.join('pydicom', name));
    expect((await readHeader(image)).frames).toBe(10);
    expect(await hashOf(image, 0)).toBe('c789183acdfdfb1c');
    expect(await hashOf(image, 9)).toBe('bed570ab2acd9dd9');
    await expect(readFrame(image, 10)).rejects.toMatchObject({ kind: 'bad-request' });
  });

  it('takes an enhanced image’s window, slope and spacing from its functional groups', async () => {
    const image = file('pydicom/eCT_Supplemental.dcm');
    const { grayscale } = await readFrame(image, 1);
    expect(grayscale).toMatchObject({
      modalityLut: { kind: 'linear', slope: 1, intercept: -1024 },
      vois: [{ kind: 'window', function: 'linear', center: 49, width: 102 }],
    });
    expect((await readHeader(image)).spacing).toMatchObject({ basis: 'patient' });
  });
});

describe.skipIf(folder === null)(
  'the grayscale chain on real files, means by DCMTK’s dcm2pnm at 16 bits',
  () => {
    it.each([
      ['Modality LUT, full range', 'pydicom/mlut_18.dcm', 0.50625],
      ['VOI LUT of 16 bits', 'pydicom/vlut_04.dcm', 0.505216],
      ['CT in its window', 'one-slice-every-syntax/CTImage.dcm', 0.18558],
    ])('%s', async (_, name, mean) => {
      const { frame, grayscale } = await readFrame(file(name), 0);
      const display = displayValues(frame, grayscale);
      expect(display.reduce((sum, value) => sum + value, 0) / display.length).toBeCloseTo(mean, 5);
    });

    it('keeps a Modality LUT’s signed first value', async () => {
      const { grayscale } = await readFrame(file('pydicom/mlut_18.dcm'), 0);
      expect(grayscale.modalityLut).toMatchObject({ kind: 'table', table: { firstValue: -2048, bits: 16 } });
    });

    it('lists every window with its explanation', async () => {
      const { grayscale } = await readFrame(file('pydicom/MR-SIEMENS-DICOM-WithOverlays.dcm'), 0);
      expect(grayscale.vois).toMatchObject([
        { center: 450, width: 790, explanation: 'WINDOW1' },
        { center: 200, width: 443, explanation: 'WINDOW2' },
      ]);
    });
  },
);

describe.skipIf(folder === null)('what is no grayscale image is refused with its reason', () => {
  it.each([
    ['pydicom/SC_rgb.dcm', 'a colour image (RGB)'],
    ['pydicom/US1_J2KR.dcm', 'a colour image (YBR_RCT)'],
    ['pydicom/OBXXXX1A.dcm', 'a palette colour image (PALETTE COLOR)'],
    ['pydicom/liver.dcm', 'a segmentation'],
    ['pydicom/parametric_map_float.dcm', 'a parametric map'],
    ['pydicom/test_files/rtdose.dcm', 'a radiotherapy dose'],
    ['pydicom/test_files/rtplan_truncated.dcm', 'a radiotherapy plan'],
    ['pydicom/test_files/test-SR.dcm', 'a structured report'],
    ['pydicom/test_files/waveform_ecg.dcm', 'a waveform'],
    ['pydicom/test_files/dicomdirtests/DICOMDIR', 'a DICOMDIR'],
    ['pydicom/HTJ2K_08_RGB.dcm', 'RGB'],
  ])('%s', async (name, reason) => {
    await expect(readHeader(file(name))).rejects.toMatchObject({
      kind: 'unsupported',
      message: expect.stringContaining(reason) as string,
    });
  });

  it('refuses cut-off pixels, naming how much there is', async () => {
    await expect(readHeader(file('pydicom/test_files/MR_truncated.dcm'))).rejects.toMatchObject({
      kind: 'damaged',
      message: 'The pixel data are cut off: 8130 of the 8192 bytes of a 64 x 64 image.',
    });
  });
});

describe.skipIf(folder === null)('names (charset_files/FileInfo.txt)', () => {
  it.each([
    ['chrArab', 'قباني^لنزار', '', ''],
    ['chrFren', 'Buc^Jérôme', '', ''],
    ['chrGerm', 'Äneas^Rüdiger', '', ''],
    ['chrGreek', 'Διονυσιος', '', ''],
    ['chrH31', 'Yamada^Tarou', '山田^太郎', 'やまだ^たろう'],
    ['chrH32', 'ﾔﾏﾀﾞ^ﾀﾛｳ', '山田^太郎', 'やまだ^たろう'],
    ['chrHbrw', 'שרון^דבורה', '', ''],
    ['chrI2', 'Hong^Gildong', '洪^吉洞', '홍^길동'],
    ['chrRuss', 'Люкceмбypг', '', ''],
    ['chrX1', 'Wang^XiaoDong', '王^小東', ''],
    ['chrX2', 'Wang^XiaoDong', '王^小东', ''],
  ])('%s', async (name, alphabetic, ideographic, phonetic) => {
    const { patient, warnings } = await readHeader(file(`pydicom/charset_files/${name}.dcm`));
    expect(patient.name).toEqual({ alphabetic, ideographic, phonetic });
    expect(warnings).toEqual([]);
  });
});
