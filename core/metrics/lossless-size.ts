/**
 * How many bytes a lossless coder would need for an 8-bit grey image: what "information" means to a performance information curve. Each
 * pixel is foretold from its neighbours (the median edge detector of JPEG-LS, ISO/IEC 14495-1 A.4), and the error coded by an adaptive
 * order-0 arithmetic coder, whose length is its counts' logarithms: no coder need run. Unlike WebP's or PNG's length, which depend on the
 * library and jump by whole bytes, it is the same everywhere.
 * @param image [height, width]
 * @returns bytes, not rounded
 */
export function losslessSize(image: Uint8Array, width: number): number {
  const counts = new Float64Array(256);
  let bits = 0;
  image.forEach((value, i) => {
    const error = (value - foretold(image, i, width)) & 255;
    // Krichevsky and Trofimov (1981): every error has been seen half a time before the first pixel.
    const seen = (counts[error] ?? 0) + 0.5;
    bits -= Math.log2(seen / (i + 128));
    counts[error] = seen + 0.5;
  });
  return bits / 8;
}

function foretold(image: Uint8Array, i: number, width: number): number {
  const column = i % width;
  const above = i < width ? undefined : image[i - width];
  const left = column === 0 ? above : image[i - 1];
  if (left === undefined) return 0;
  if (above === undefined) return left;
  const corner = column === 0 ? above : (image[i - width - 1] ?? 0);
  if (corner >= Math.max(left, above)) return Math.min(left, above);
  if (corner <= Math.min(left, above)) return Math.max(left, above);
  return left + above - corner;
}
