/**
 * The pixels of each connected region; pixels touch at corners, too.
 * @param mask [height, width] not 0 inside
 * @returns indices; regions in the order of their first pixels
 */
export function connectedRegions(mask: Uint8Array, height: number, width: number): number[][] {
  const left = mask.slice();
  const regions: number[][] = [];
  left.forEach((_, first) => {
    if (left[first] === 0) return;
    left[first] = 0;
    const region = [first];
    // Grows while it is walked through.
    for (const pixel of region) {
      const [row, column] = [Math.floor(pixel / width), pixel % width];
      for (let r = Math.max(0, row - 1); r <= Math.min(height - 1, row + 1); r++) {
        for (let c = Math.max(0, column - 1); c <= Math.min(width - 1, column + 1); c++) {
          const neighbour = r * width + c;
          if (left[neighbour] === 0) continue;
          left[neighbour] = 0;
          region.push(neighbour);
        }
      }
    }
    regions.push(region);
  });
  return regions;
}
