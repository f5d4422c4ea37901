/** Native pixel data (PS3.5 8.1.1) of 8 or 16 bits a pixel. */
import type { PixelFormat } from '../pixel-format.ts';

/** @param bytes one frame */
export function decodeLittleEndian(bytes: Uint8Array, { bitsAllocated }: PixelFormat): Uint16Array {
  if (bitsAllocated === 8) return Uint16Array.from(bytes);
  const words = new Uint16Array(bytes.length >> 1);
  for (let i = 0; i < words.length; i++) {
    words[i] = (bytes[2 * i] ?? 0) | ((bytes[2 * i + 1] ?? 0) << 8);
  }
  return words;
}

/** @param bytes one frame; pixels of 8 bits are in their own order, words that hold two of them already swapped back */
export function decodeBigEndian(bytes: Uint8Array, { bitsAllocated }: PixelFormat): Uint16Array {
  if (bitsAllocated === 8) return Uint16Array.from(bytes);
  const words = new Uint16Array(bytes.length >> 1);
  for (let i = 0; i < words.length; i++) {
    words[i] = ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0);
  }
  return words;
}
