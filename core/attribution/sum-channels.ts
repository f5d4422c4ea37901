/**
 * A map of the picture's pixels: contributions of a pixel's channels, added up.
 * @param map [channels, pixels] or [pixels], which is given back
 * @returns [pixels]
 */
export function sumChannels(map: Float32Array, pixels: number): Float32Array {
  if (map.length === pixels) return map;
  return Float32Array.from({ length: pixels }, (_, pixel) => {
    let sum = 0;
    for (let at = pixel; at < map.length; at += pixels) sum += map[at] ?? 0;
    return sum;
  });
}
