/** The frame along the image's edge: a tenth of its height above and below, a tenth of its width on either side. */
const borderWidth = 0.1;

/**
 * How much of a map's attribution lies in the outer tenth, where markers, collimator edges and burnt-in text are.
 * @param map [height, width] signed
 * @returns share of |map|, and of the area, both 0..1
 */
export function borderShare(
  map: Float32Array,
  height: number,
  width: number,
): { share: number; areaShare: number } {
  const rows = Math.round(borderWidth * height);
  const columns = Math.round(borderWidth * width);
  let [border, total, pixels] = [0, 0, 0];
  for (let i = 0; i < map.length; i++) {
    const magnitude = Math.abs(map[i] ?? 0);
    total += magnitude;
    const row = Math.floor(i / width);
    const column = i % width;
    if (row >= rows && row < height - rows && column >= columns && column < width - columns) continue;
    border += magnitude;
    pixels++;
  }
  return { share: total === 0 ? 0 : border / total, areaShare: pixels / map.length };
}
