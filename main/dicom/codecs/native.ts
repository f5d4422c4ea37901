/** Native pixel data (PS3.5 8.1.1) of 8 or 16 bits a pixel. */
import type { PixelFormat } from '../pixel-format.ts';

/**
 * @param bytes one frame; pixels of 8 bits are in their own order, whatever words they came in
 * @param bigEndian of pixels of 16 bits
 */
export function decodeNative(
  bytes: Uint8Array,
  { bitsAllocated }: PixelFormat,
  bigEndian: boolean,
): Uint16Array {
  if (bitsAllocated === 8) return Uint16Array.from(bytes);
  const words = new Uint16Array(bytes.length >> 1);
  const [low, high] = bigEndian ? [1, 0] : [0, 1];
  for (let i = 0; i < words.length; i++) {
    words[i] = (bytes[2 * i + low] ?? 0) | ((bytes[2 * i + high] ?? 0) << 8);
  }
  return words;
}
