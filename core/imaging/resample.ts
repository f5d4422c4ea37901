/** Resampling and smoothing of row-major float images. Pixel centres lie at (i + 0.5): borders, not centres, align. */

/** Where the output samples of one axis take their values. */
interface Taps {
  /** First input index of each output sample, and its normalised weights. */
  start: Int32Array;
  weights: Float64Array[];
}

/**
 * The triangle filter of one axis: half-width max(1, scale) input pixels about the output sample's centre; weights are
 * renormalised where the filter leaves the image. Agrees with Pillow's BILINEAR and torchvision's `antialias=True`.
 * @param scale input pixels an output pixel
 * @param centreOf where an output sample's centre lies among the input, in input pixels; at most the filter's half-width outside
 */
function triangleTaps(
  length: number,
  outLength: number,
  scale = length / outLength,
  centreOf: (i: number) => number = (i) => (i + 0.5) * scale,
): Taps {
  const support = Math.max(scale, 1);
  const start = new Int32Array(outLength);
  const weights = Array.from({ length: outLength }, (_, i) => {
    const centre = centreOf(i);
    const first = Math.max(0, Math.floor(centre - support + 0.5));
    const end = Math.min(length, Math.floor(centre + support + 0.5));
    start[i] = first;
    const taps = Float64Array.from({ length: end - first }, (_unused, k) =>
      Math.max(0, 1 - Math.abs(first + k + 0.5 - centre) / support),
    );
    const sum = taps.reduce((total, weight) => total + weight, 0);
    return taps.map((weight) => weight / sum);
  });
  return { start, weights };
}

/**
 * Resizes by a separable triangle filter, widened by the scale when shrinking (antialiasing); when enlarging it is plain
 * bilinear interpolation with the border repeated.
 * @param values [rows, columns]
 * @returns [outRows, outColumns]
 */
export function resizeTriangle(
  values: Float32Array,
  rows: number,
  columns: number,
  outRows: number,
  outColumns: number,
): Float32Array {
  if (rows === outRows && columns === outColumns) return values.slice();
  return filtered(values, rows, columns, triangleTaps(columns, outColumns), triangleTaps(rows, outRows));
}

/** How one axis of a raster is magnified about its middle, then moved. */
export interface AxisMove {
  /** Over 1 magnifies. */
  zoom: number;
  /** Towards larger indices, as a share of the axis. */
  shift: number;
}

/**
 * Magnifies a raster about its middle and moves it, in its own frame, by the same triangle filter; beyond its border the border is
 * repeated.
 * @param values [rows, columns]
 * @returns [rows, columns]
 */
export function moveTriangle(
  values: Float32Array,
  rows: number,
  columns: number,
  across: AxisMove,
  down: AxisMove,
): Float32Array {
  const taps = (length: number, { zoom, shift }: AxisMove): Taps =>
    triangleTaps(length, length, 1 / zoom, (i) => {
      const centre = length / 2 + (i + 0.5 - length / 2 - shift * length) / zoom;
      // The outermost sample's centre, from which on the border is repeated.
      return Math.min(Math.max(centre, 0.5), length - 0.5);
    });
  return filtered(values, rows, columns, taps(columns, across), taps(rows, down));
}

/** @returns [rows of `vertical`, columns of `horizontal`] */
function filtered(
  values: Float32Array,
  rows: number,
  columns: number,
  horizontal: Taps,
  vertical: Taps,
): Float32Array {
  const [outColumns, outRows] = [horizontal.weights.length, vertical.weights.length];
  const squeezed = new Float64Array(rows * outColumns);
  for (let column = 0; column < outColumns; column++) {
    const first = horizontal.start[column] ?? 0;
    const weights = horizontal.weights[column] ?? new Float64Array();
    for (let row = 0; row < rows; row++) {
      const offset = row * columns + first;
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += (weights[k] ?? 0) * (values[offset + k] ?? 0);
      squeezed[row * outColumns + column] = sum;
    }
  }

  const resized = new Float32Array(outRows * outColumns);
  const line = new Float64Array(outColumns);
  for (let row = 0; row < outRows; row++) {
    const first = vertical.start[row] ?? 0;
    line.fill(0);
    (vertical.weights[row] ?? []).forEach((weight, k) => {
      const offset = (first + k) * outColumns;
      for (let column = 0; column < outColumns; column++) {
        line[column] = (line[column] ?? 0) + weight * (squeezed[offset + column] ?? 0);
      }
    });
    resized.set(line, row * outColumns);
  }
  return resized;
}

/** Index of the sample that stands at `index` when the image is reflected about its borders: d c b a | a b c d | d c b a. */
function reflect(index: number, length: number): number {
  const period = 2 * length;
  const wrapped = ((index % period) + period) % period;
  return wrapped < length ? wrapped : period - 1 - wrapped;
}

/** What lies beyond the border: the image mirrored (d c b a | a b c d | d c b a), or zeros. */
export type Border = 'reflect' | 'zero';

/**
 * Gaussian blur, separable, reflected at the border, cut off at four standard deviations: `scipy.ndimage.gaussian_filter`
 * with its defaults.
 * @param values [rows, columns]
 * @param sigma standard deviation in pixels; 0 copies
 * @returns [rows, columns]
 */
export function gaussianBlur(
  values: Float32Array,
  rows: number,
  columns: number,
  sigma: number,
): Float32Array {
  return Float32Array.from(preciseBlur(values, rows, columns, sigma));
}

/** `gaussianBlur` in float64, for differences of blurs, with a choice of border (SciPy's `reflect`, or `constant` 0). */
export function preciseBlur(
  values: Float32Array,
  rows: number,
  columns: number,
  sigma: number,
  border: Border = 'reflect',
): Float64Array {
  if (sigma <= 0) return Float64Array.from(values);
  const radius = Math.floor(4 * sigma + 0.5);
  const kernel = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-0.5 * ((i - radius) / sigma) ** 2),
  );
  const total = kernel.reduce((sum, weight) => sum + weight, 0);

  const pass = (
    source: Float32Array | Float64Array,
    lines: number,
    length: number,
    lineStep: number,
    step: number,
  ) => {
    const blurred = new Float64Array(source.length);
    // A line with what lies beyond its ends; a little more, so that four sums can be taken at its end, too.
    const extended = new Float64Array(length + 2 * radius + 3);
    for (let line = 0; line < lines; line++) {
      const base = line * lineStep;
      for (let i = 0; i < extended.length; i++) {
        const at = i - radius;
        const outside = border === 'zero' && (at < 0 || at >= length);
        extended[i] = outside ? 0 : (source[base + reflect(at, length) * step] ?? 0);
      }
      // Four sums at a time: a single one would wait for each of its own additions.
      for (let i = 0; i < length; i += 4) {
        let [a, b, c, d] = [0, 0, 0, 0];
        for (let k = 0; k < kernel.length; k++) {
          const weight = kernel[k] ?? 0;
          const at = i + k;
          a += weight * (extended[at] ?? 0);
          b += weight * (extended[at + 1] ?? 0);
          c += weight * (extended[at + 2] ?? 0);
          d += weight * (extended[at + 3] ?? 0);
        }
        blurred[base + i * step] = a / total;
        if (i + 1 < length) blurred[base + (i + 1) * step] = b / total;
        if (i + 2 < length) blurred[base + (i + 2) * step] = c / total;
        if (i + 3 < length) blurred[base + (i + 3) * step] = d / total;
      }
    }
    return blurred;
  };
  return pass(pass(values, columns, rows, 1, columns), rows, columns, columns, 1);
}
