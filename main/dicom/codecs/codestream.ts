/** What a JPEG or JPEG 2000 codestream says of itself, read before a decoder is let near it. */

export interface CodestreamHeader {
  family: 'jpeg' | 'jpeg2000';
  /** How it is coded, by name. */
  process: string;
  decodable: boolean;
  rows: number;
  columns: number;
  components: number;
  precision: number;
  signed: boolean;
}

/** ITU-T T.81 table B.1, and T.87 for JPEG-LS. */
const jpegProcesses: Readonly<Record<number, string>> = {
  0xc0: 'JPEG baseline',
  0xc1: 'JPEG extended sequential',
  0xc2: 'JPEG progressive',
  0xc3: 'JPEG lossless',
  0xc5: 'JPEG differential sequential',
  0xc6: 'JPEG differential progressive',
  0xc7: 'JPEG differential lossless',
  0xc9: 'JPEG extended sequential, arithmetic',
  0xca: 'JPEG progressive, arithmetic',
  0xcb: 'JPEG lossless, arithmetic',
  0xcd: 'JPEG differential sequential, arithmetic',
  0xce: 'JPEG differential progressive, arithmetic',
  0xcf: 'JPEG differential lossless, arithmetic',
  0xf7: 'JPEG-LS',
};
const huffmanSequentialOrProgressive: ReadonlySet<number> = new Set([0xc0, 0xc1, 0xc2]);

/** @returns the frame header; null where the bytes at hand hold none */
function readJpegHeader(bytes: Uint8Array): CodestreamHeader | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 2;
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff) return null;
    const marker = bytes[at + 1] ?? 0;
    if (marker === 0xff) {
      at += 1; // fill byte
      continue;
    }
    const process = jpegProcesses[marker];
    if (process !== undefined) {
      if (at + 10 > bytes.length) return null;
      const precision = view.getUint8(at + 4);
      return {
        family: 'jpeg',
        process,
        decodable: huffmanSequentialOrProgressive.has(marker) && precision === 8,
        rows: view.getUint16(at + 5),
        columns: view.getUint16(at + 7),
        components: view.getUint8(at + 9),
        precision,
        signed: false,
      };
    }
    if (marker === 0xda || marker === 0xd9) return null; // scan or end before a frame header
    at += 2 + view.getUint16(at + 2);
  }
  return null;
}

/** ISO/IEC 15444-1 A.5.1: SIZ follows SOC. Bit 14 of Rsiz announces high throughput (15444-15). */
function readJpeg2000Header(bytes: Uint8Array): CodestreamHeader | null {
  if (bytes.length < 45) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const components = view.getUint16(40);
  const depth = view.getUint8(42);
  const precision = (depth & 0x7f) + 1;
  const highThroughput = (view.getUint16(6) & 0x4000) !== 0;
  const subsampled = view.getUint8(43) !== 1 || view.getUint8(44) !== 1;
  return {
    family: 'jpeg2000',
    process: highThroughput ? 'High-Throughput JPEG 2000' : 'JPEG 2000',
    decodable: !highThroughput && !subsampled && precision <= 16,
    rows: view.getUint32(12) - view.getUint32(20),
    columns: view.getUint32(8) - view.getUint32(16),
    components,
    precision,
    signed: (depth & 0x80) !== 0,
  };
}

const startOfJpeg2000 = Buffer.from([0xff, 0x4f, 0xff, 0x51]);
const jp2Signature = Buffer.from([0, 0, 0, 12, 0x6a, 0x50, 0x20, 0x20]);

/** Where the codestream starts: behind the boxes of a JP2 file, which do not belong into DICOM but are met. */
export function codestreamStart(bytes: Uint8Array): number {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!buffer.subarray(0, jp2Signature.length).equals(jp2Signature)) return 0;
  return Math.max(buffer.indexOf(startOfJpeg2000), 0);
}

/** @returns null where the bytes do not start a JPEG or JPEG 2000 codestream, or end before its header */
export function readCodestreamHeader(fragment: Uint8Array): CodestreamHeader | null {
  const bytes = fragment.subarray(codestreamStart(fragment));
  if (Buffer.from(bytes.subarray(0, 4)).equals(startOfJpeg2000)) return readJpeg2000Header(bytes);
  return bytes[0] === 0xff && bytes[1] === 0xd8 ? readJpegHeader(bytes) : null;
}

/** Whether the codestream reaches its end marker, which is FFD9 in both families; padding may follow it. */
export function endsProperly(bytes: Uint8Array): boolean {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0 || bytes[end - 1] === 0xff)) end--;
  return bytes[end - 2] === 0xff && bytes[end - 1] === 0xd9;
}
