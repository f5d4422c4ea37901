/** RLE Lossless (PS3.5 annex G): PackBits by byte plane, the most significant plane first. */
import { PathlightError } from '../../../core/contract/errors.ts';
import type { PixelFormat } from '../pixel-format.ts';

const headerLength = 64;

function damaged(message: string): PathlightError {
  return new PathlightError('damaged', message, 'Export or send the image again.');
}

/** Unpacks one segment into its plane; a segment may hold more than its plane (padding), not less. */
function unpack(segment: Uint8Array, plane: Uint8Array): void {
  let read = 0;
  let written = 0;
  while (written < plane.length) {
    const control = segment[read++];
    if (control === undefined) {
      throw damaged('The RLE data end before the image is complete.');
    }
    if (control < 128) {
      const literal = segment.subarray(read, read + Math.min(control + 1, plane.length - written));
      plane.set(literal, written);
      written += literal.length;
      read += control + 1;
    } else if (control > 128) {
      const value = segment[read++];
      if (value === undefined) throw damaged('The RLE data end before the image is complete.');
      plane.fill(value, written, written + 257 - control);
      written += 257 - control;
    }
  }
}

/** @param bytes one frame, with its header of segment offsets */
export function decodeRle(bytes: Uint8Array, { rows, columns, bitsAllocated }: PixelFormat): Uint16Array {
  const planes = bitsAllocated / 8;
  if (bytes.length < headerLength) throw damaged('The RLE data have no header.');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const segments = view.getUint32(0, true);
  if (segments !== planes) {
    throw damaged(
      `The RLE data have ${segments} segments; an image of ${bitsAllocated} bits a pixel has ${planes}.`,
    );
  }
  const offsets = Array.from({ length: planes }, (_, i) => view.getUint32(4 + 4 * i, true));
  const words = new Uint16Array(rows * columns);
  const plane = new Uint8Array(rows * columns);
  offsets.forEach((offset, i) => {
    const end = offsets[i + 1] ?? bytes.length;
    if (offset < headerLength || end < offset || end > bytes.length)
      throw damaged('The RLE segment offsets are damaged.');
    unpack(bytes.subarray(offset, end), plane);
    for (let pixel = 0; pixel < words.length; pixel++) {
      words[pixel] = ((words[pixel] ?? 0) << 8) | (plane[pixel] ?? 0);
    }
  });
  return words;
}
