/** JPEG 2000 Part 1 by OpenJPEG. */
import createOpenJpeg from '@cornerstonejs/codec-openjpeg/decodewasmjs';
import type { PixelFormat } from '../pixel-format.ts';
import { codestreamStart } from './codestream.ts';
import { WasmImageDecoder } from './wasm.ts';

const openJpeg = new WasmImageDecoder('JPEG 2000', async (complaints) => {
  const { J2KDecoder } = await createOpenJpeg({
    print: () => undefined,
    printErr: (line) => complaints.push(line),
  });
  return () => new J2KDecoder();
});

/** @param bytes one frame's codestream; signed samples come in two's complement */
export function decodeJpeg2000(bytes: Uint8Array, format: PixelFormat): Promise<Uint16Array> {
  return openJpeg.decode(bytes.subarray(codestreamStart(bytes)), format);
}
