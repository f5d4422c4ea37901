/** Transfer syntaxes (PS3.6 table A-1): how the data set is written, and how the pixels are coded. */

export type Codestream = 'jpeg' | 'jpeg2000' | 'rle';

export interface TransferSyntax {
  name: string;
  explicit: boolean;
  bigEndian?: true;
  deflated?: true;
  pixels:
    | { kind: 'native' }
    /** `processes`: the kinds of codestream, by the names of codestream.ts, that the syntax promises. */
    | { kind: 'encapsulated'; codestream: Codestream; processes: readonly string[] }
    /** Known by name; Pathlight does not decode it. */
    | { kind: 'unsupported' };
}

const native = { kind: 'native' } as const;
const jpeg2000 = { kind: 'encapsulated', codestream: 'jpeg2000', processes: ['JPEG 2000'] } as const;
const rle = { kind: 'encapsulated', codestream: 'rle', processes: [] } as const;
const jpeg = (...processes: string[]) => ({ kind: 'encapsulated', codestream: 'jpeg', processes }) as const;

export const implicitLittleEndian = '1.2.840.10008.1.2';
export const explicitLittleEndian = '1.2.840.10008.1.2.1';
export const explicitBigEndian = '1.2.840.10008.1.2.2';

const decoded: Readonly<Record<string, TransferSyntax>> = {
  [implicitLittleEndian]: { name: 'Implicit VR Little Endian', explicit: false, pixels: native },
  [explicitLittleEndian]: { name: 'Explicit VR Little Endian', explicit: true, pixels: native },
  '1.2.840.10008.1.2.1.99': {
    name: 'Deflated Explicit VR Little Endian',
    explicit: true,
    deflated: true,
    pixels: native,
  },
  [explicitBigEndian]: {
    name: 'Explicit VR Big Endian',
    explicit: true,
    bigEndian: true,
    pixels: native,
  },
  '1.2.840.10008.1.2.4.50': {
    name: 'JPEG Baseline (Process 1)',
    explicit: true,
    pixels: jpeg('JPEG baseline'),
  },
  '1.2.840.10008.1.2.4.51': {
    name: 'JPEG Extended (Process 2 and 4)',
    explicit: true,
    pixels: jpeg('JPEG baseline', 'JPEG extended sequential'),
  },
  '1.2.840.10008.1.2.4.90': { name: 'JPEG 2000 (Lossless Only)', explicit: true, pixels: jpeg2000 },
  '1.2.840.10008.1.2.4.91': { name: 'JPEG 2000', explicit: true, pixels: jpeg2000 },
  '1.2.840.10008.1.2.5': { name: 'RLE Lossless', explicit: true, pixels: rle },
};

/** Not decoded as such, but their files now and then hold a baseline codestream all the same: the codestream decides. */
const otherJpeg: Readonly<Record<string, string>> = {
  '1.2.840.10008.1.2.4.52': 'JPEG Extended (Process 3 and 5)',
  '1.2.840.10008.1.2.4.53': 'JPEG Spectral Selection, Non-Hierarchical (Process 6 and 8)',
  '1.2.840.10008.1.2.4.54': 'JPEG Spectral Selection, Non-Hierarchical (Process 7 and 9)',
  '1.2.840.10008.1.2.4.55': 'JPEG Full Progression, Non-Hierarchical (Process 10 and 12)',
  '1.2.840.10008.1.2.4.56': 'JPEG Full Progression, Non-Hierarchical (Process 11 and 13)',
  '1.2.840.10008.1.2.4.57': 'JPEG Lossless, Non-Hierarchical (Process 14)',
  '1.2.840.10008.1.2.4.58': 'JPEG Lossless, Non-Hierarchical (Process 15)',
  '1.2.840.10008.1.2.4.70':
    'JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14, Selection Value 1)',
};

const unsupported: Readonly<Record<string, string>> = {
  '1.2.840.10008.1.2.1.98': 'Encapsulated Uncompressed Explicit VR Little Endian',
  '1.2.840.10008.1.2.4.80': 'JPEG-LS Lossless',
  '1.2.840.10008.1.2.4.81': 'JPEG-LS Near-Lossless',
  '1.2.840.10008.1.2.4.92': 'JPEG 2000 Part 2 Multi-component (Lossless Only)',
  '1.2.840.10008.1.2.4.93': 'JPEG 2000 Part 2 Multi-component',
  '1.2.840.10008.1.2.4.94': 'JPIP Referenced',
  '1.2.840.10008.1.2.4.95': 'JPIP Referenced Deflate',
  '1.2.840.10008.1.2.4.100': 'MPEG2 Main Profile / Main Level (video)',
  '1.2.840.10008.1.2.4.101': 'MPEG2 Main Profile / High Level (video)',
  '1.2.840.10008.1.2.4.102': 'MPEG-4 AVC/H.264 High Profile (video)',
  '1.2.840.10008.1.2.4.103': 'MPEG-4 AVC/H.264 BD-compatible High Profile (video)',
  '1.2.840.10008.1.2.4.104': 'MPEG-4 AVC/H.264 High Profile for 2D Video',
  '1.2.840.10008.1.2.4.105': 'MPEG-4 AVC/H.264 High Profile for 3D Video',
  '1.2.840.10008.1.2.4.106': 'MPEG-4 AVC/H.264 Stereo High Profile (video)',
  '1.2.840.10008.1.2.4.107': 'HEVC/H.265 Main Profile (video)',
  '1.2.840.10008.1.2.4.108': 'HEVC/H.265 Main 10 Profile (video)',
  '1.2.840.10008.1.2.4.110': 'JPEG XL Lossless',
  '1.2.840.10008.1.2.4.111': 'JPEG XL JPEG Recompression',
  '1.2.840.10008.1.2.4.112': 'JPEG XL',
  '1.2.840.10008.1.2.4.201': 'High-Throughput JPEG 2000 (Lossless Only)',
  '1.2.840.10008.1.2.4.202': 'High-Throughput JPEG 2000 with RPCL Options (Lossless Only)',
  '1.2.840.10008.1.2.4.203': 'High-Throughput JPEG 2000',
  '1.2.840.10008.1.2.8.1': 'Deflated Image Frame Compression',
};

/** Every syntax that is known by name; a UID that is not here is named by itself, and not supported. */
export const transferSyntaxes: ReadonlyMap<string, TransferSyntax> = new Map([
  ...Object.entries(decoded),
  ...Object.entries(otherJpeg).map(([uid, name]): [string, TransferSyntax] => [
    uid,
    { name, explicit: true, pixels: jpeg() },
  ]),
  ...Object.entries(unsupported).map(([uid, name]): [string, TransferSyntax] => [
    uid,
    { name, explicit: true, pixels: { kind: 'unsupported' } },
  ]),
]);

export function transferSyntax(uid: string): TransferSyntax {
  return transferSyntaxes.get(uid) ?? { name: 'unknown', explicit: true, pixels: { kind: 'unsupported' } };
}
