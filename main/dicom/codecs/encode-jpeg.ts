import createLibjpegTurbo from '@cornerstonejs/codec-libjpeg-turbo-8bit/wasmjs';
import { PathlightError } from '../../../core/contract/errors.ts';

/**
 * A grey picture as baseline JPEG, by libjpeg-turbo.
 * @param grey [rows, columns] 8 bits
 * @param quality 1 to 100, as libjpeg scales its tables
 */
export async function encodeJpeg(
  grey: Uint8Array,
  rows: number,
  columns: number,
  quality: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const complaints: string[] = [];
  // Each picture gets an instance of its own, whose memory goes with it.
  const { JPEGEncoder } = await createLibjpegTurbo({
    print: () => undefined,
    printErr: (line) => complaints.push(line),
  });
  try {
    const encoder = new JPEGEncoder();
    const frame = { width: columns, height: rows, bitsPerSample: 8, componentCount: 1, isSigned: false };
    encoder.getDecodedBuffer(frame).set(grey);
    encoder.setQuality(quality);
    encoder.encode();
    if (complaints.length > 0) throw new Error(complaints.join('; '));
    return Uint8Array.from(encoder.getEncodedBuffer());
  } catch (cause) {
    throw new PathlightError(
      'unsupported',
      `A picture of ${columns} × ${rows} pixels cannot be encoded as JPEG`,
      'JPEG holds up to 65,500 pixels a side.',
      { cause },
    );
  }
}
