/** JPEG of 8 bits with Huffman coding, sequential or progressive, by libjpeg-turbo. */
import createLibjpegTurbo from '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs';
import type { PixelFormat } from '../pixel-format.ts';
import { WasmImageDecoder } from './wasm.ts';

const libjpegTurbo = new WasmImageDecoder('JPEG', async (complaints) => {
  const { JPEGDecoder } = await createLibjpegTurbo({
    print: () => undefined,
    printErr: (line) => complaints.push(line),
  });
  return () => new JPEGDecoder();
});

/** @param bytes one frame's codestream */
export function decodeJpeg(
  bytes: Uint8Array,
  format: Pick<PixelFormat, 'rows' | 'columns'>,
): Promise<Uint16Array> {
  return libjpegTurbo.decode(bytes, format);
}
