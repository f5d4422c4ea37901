/** Structural similarity (Wang et al. 2004), and over several scales (Wang, Simoncelli and Bovik 2003). */
import { PathlightError } from '../contract/errors.ts';

/** The papers' window: 11 x 11, Gaussian with a standard deviation of 1.5, only where it lies wholly inside. */
const side = 11;
const kernel = gaussian(side, 1.5);
const [k1, k2] = [0.01, 0.03];
/** The weights of the five scales, from the finest, as published. */
const scaleWeights = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333] as const;

type Image = Float64Array | Float32Array | Uint8Array;

function gaussian(length: number, sigma: number): Float64Array {
  const values = Float64Array.from({ length }, (_, i) =>
    Math.exp(-0.5 * ((i - (length - 1) / 2) / sigma) ** 2),
  );
  const sum = values.reduce((total, value) => total + value, 0);
  return values.map((value) => value / sum);
}

/**
 * Mean structural similarity.
 * @param a [height, width]
 * @param b [height, width]
 * @param range largest minus least value that such images can have: 255, or 1
 * @returns at most 1, which is equality alone
 * @throws PathlightError `bad-request`: sizes that differ, or a side under 11 pixels
 */
export function structuralSimilarity(
  a: Image,
  b: Image,
  height: number,
  width: number,
  range: number,
): number {
  return compared(a, b, height, width, range).similarity;
}

/**
 * Structural similarity over as many of the five scales as leave a side of 11 pixels at the coarsest; with fewer than five (a side under
 * 176 pixels) the published weights are scaled to sum to their full sum. A negative contrast term counts as 0.
 * @returns 0..1
 * @throws PathlightError as `structuralSimilarity`
 */
export function multiScaleSimilarity(
  a: Image,
  b: Image,
  height: number,
  width: number,
  range: number,
): number {
  const fitting = scaleWeights.filter((_, scale) => Math.min(height, width) >> scale >= side);
  const sum = (weights: readonly number[]): number => weights.reduce((total, weight) => total + weight, 0);
  const rescale = fitting.length === 0 ? 1 : sum(scaleWeights) / sum(fitting);
  let [first, second, rows, columns] = [a, b, height, width];
  let product = 1;
  (fitting.length === 0 ? [1] : fitting).forEach((weight, scale) => {
    if (scale > 0) {
      [first, second] = [halved(first, rows, columns), halved(second, rows, columns)];
      [rows, columns] = [rows >> 1, columns >> 1];
    }
    const { similarity, structure } = compared(first, second, rows, columns, range);
    const coarsest = scale === fitting.length - 1;
    product *= Math.max(0, coarsest ? similarity : structure) ** (weight * rescale);
  });
  return product;
}

/** Means over the image of luminance x structure, and of structure (with contrast) alone. */
function compared(
  a: Image,
  b: Image,
  height: number,
  width: number,
  range: number,
): { similarity: number; structure: number } {
  if (a.length !== height * width || b.length !== a.length || Math.min(height, width) < side) {
    throw new PathlightError(
      'bad-request',
      `Structural similarity needs two images of one size, ${side} pixels or more on each side, not ${height} x ${width}`,
      'Compare larger images.',
    );
  }
  const [squares, products] = [new Float64Array(a.length), new Float64Array(a.length)];
  for (let i = 0; i < a.length; i++) {
    const [one, other] = [a[i] ?? 0, b[i] ?? 0];
    squares[i] = one * one + other * other;
    products[i] = one * other;
  }
  const [meanA, meanB, square, product] = [a, b, squares, products].map((values) =>
    filtered(values, height, width),
  ) as [Float64Array, Float64Array, Float64Array, Float64Array];
  const [c1, c2] = [(k1 * range) ** 2, (k2 * range) ** 2];
  let [similarity, structure] = [0, 0];
  for (let i = 0; i < meanA.length; i++) {
    const [mean, other] = [meanA[i] ?? 0, meanB[i] ?? 0];
    const means = mean * mean + other * other;
    const covariance = (product[i] ?? 0) - mean * other;
    const contrast = (2 * covariance + c2) / ((square[i] ?? 0) - means + c2);
    structure += contrast;
    similarity += contrast * ((2 * mean * other + c1) / (means + c1));
  }
  return { similarity: similarity / meanA.length, structure: structure / meanA.length };
}

/** The window's weighted mean at every place where it fits. */
function filtered(values: Image, height: number, width: number): Float64Array {
  const [rows, columns] = [height - side + 1, width - side + 1];
  const across = new Float64Array(height * columns);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < columns; column++) {
      const from = row * width + column;
      let sum = 0;
      for (let k = 0; k < side; k++) sum += (kernel[k] ?? 0) * (values[from + k] ?? 0);
      across[row * columns + column] = sum;
    }
  }
  const down = new Float64Array(rows * columns);
  // A row of the window after the other, so that memory is read in its order.
  for (let k = 0; k < side; k++) {
    const weight = kernel[k] ?? 0;
    for (let i = 0; i < down.length; i++) down[i] = (down[i] ?? 0) + weight * (across[i + k * columns] ?? 0);
  }
  return down;
}

/** Means of 2 x 2 pixels; an odd last row or column is left out. */
function halved(image: Image, height: number, width: number): Float64Array {
  const [rows, columns] = [height >> 1, width >> 1];
  const means = new Float64Array(rows * columns);
  for (let i = 0; i < means.length; i++) {
    const corner = 2 * Math.floor(i / columns) * width + 2 * (i % columns);
    const sum =
      (image[corner] ?? 0) +
      (image[corner + 1] ?? 0) +
      (image[corner + width] ?? 0) +
      (image[corner + width + 1] ?? 0);
    means[i] = sum / 4;
  }
  return means;
}
