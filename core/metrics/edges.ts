/**
 * Sobel's gradient magnitude, the border repeated: an edge map looks like an explanation and knows nothing of the model
 * (Adebayo et al. 2018), which makes it a null to hold a map against.
 * @param image [height, width]
 * @returns [height, width], 0 or more
 */
export function edgeMap(image: Float32Array, height: number, width: number): Float32Array {
  const edges = new Float32Array(image.length);
  for (let row = 0; row < height; row++) {
    const [above, here, below] = [Math.max(0, row - 1), row, Math.min(height - 1, row + 1)].map(
      (line) => line * width,
    ) as [number, number, number];
    for (let column = 0; column < width; column++) {
      const left = Math.max(0, column - 1);
      const right = Math.min(width - 1, column + 1);
      const at = (line: number, place: number): number => image[line + place] ?? 0;
      const across =
        at(above, right) -
        at(above, left) +
        2 * (at(here, right) - at(here, left)) +
        at(below, right) -
        at(below, left);
      const down =
        at(below, left) -
        at(above, left) +
        2 * (at(below, column) - at(above, column)) +
        at(below, right) -
        at(above, right);
      edges[here + column] = Math.hypot(across, down);
    }
  }
  return edges;
}
