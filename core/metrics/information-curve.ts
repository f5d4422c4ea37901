/**
 * Performance information curves (Kapishnikov et al. 2019, "XRAI"; PAIR's `pic.py`): how much of the model's performance is back when so much
 * of the image's information is. With the class's probability as performance the area under it is the softmax information curve's (SIC), with
 * "decided rightly" (1 or 0) the accuracy information curve's (AIC).
 */
import { PathlightError } from '../contract/errors.ts';
import { interpolateBetween } from '../imaging/triangulation.ts';
import { checkMap } from './map.ts';
import { ascendingOrder } from './order.ts';
import { areaUnder } from './pixel-replacement.ts';
import { randomSource } from './random.ts';
import { type Asking, type Score, scoresOf } from './score.ts';

/** The shares of the pixels that PAIR's notebook reveals. */
const thresholds = [0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.13, 0.21, 0.34, 0.5, 0.75] as const;

/** One picture on the way, in the order of revealing: the start, each threshold, the whole image. */
export interface Revealed {
  /** Of the picture: bytes, or similarity to the whole image. */
  information: number;
  /** Of the model on it: 0..1. */
  performance: number;
}

export interface InformationCurve {
  /** [resolution + 1] normalised performance at k / resolution of the information. */
  performance: Float64Array;
  /** Area under it: 0..1. */
  area: number;
}

/** Why an image has no curve; a folder's figure says how many. */
export type NoCurve = 'performance-too-low' | 'no-information-to-gain' | 'no-performance-to-gain';

export interface CurveOptions {
  /** Points that the curve is read at; by default 1000. */
  resolution?: number;
  /** Performance on the whole image under which it is left out; by default 0.5. */
  leastPerformance?: number;
  /** Information from 0 at the start to 1 for the whole image; false: as measured, for a measure that is 0..1 by itself. */
  rescaled?: boolean;
}

/**
 * The curve through what was measured: performance from the start's to the whole image's as 0..1, never falling with more revealed; (0, 0)
 * and (1, 1) are added; linear between. Of points of equal information the last counts.
 * @param steps start, thresholds, whole image
 * @throws PathlightError `bad-request`: fewer than two steps, or one that is not of finite numbers
 */
export function informationCurve(
  steps: readonly Revealed[],
  { resolution = 1000, leastPerformance = 0.5, rescaled = true }: CurveOptions = {},
): InformationCurve | NoCurve {
  const [start, whole] = [steps[0], steps.at(-1)];
  if (start === undefined || whole === undefined || steps.length < 2) {
    throw new PathlightError('bad-request', 'An information curve needs its start and the whole image');
  }
  if (!steps.every(({ information, performance }) => Number.isFinite(information + performance))) {
    throw new PathlightError('bad-request', 'An information curve has a point that is not a finite number');
  }
  if (whole.performance < leastPerformance) return 'performance-too-low';
  if (start.information >= whole.information) return 'no-information-to-gain';
  if (start.performance >= whole.performance) return 'no-performance-to-gain';
  const clipped = (value: number): number => Math.min(1, Math.max(0, value));
  const between = (value: number, from: number, to: number): number => clipped((value - from) / (to - from));
  let best = 0;
  const points = steps.slice(1, -1).map(({ information, performance }) => {
    best = Math.max(best, between(performance, start.performance, whole.performance));
    return {
      x: rescaled ? between(information, start.information, whole.information) : clipped(information),
      y: best,
    };
  });
  // Sorting keeps the order of equals.
  const curve = [{ x: 0, y: 0 }, ...points, { x: 1, y: 1 }].toSorted((a, b) => a.x - b.x);
  const x = Float64Array.from({ length: resolution + 1 }, (_, k) => k / resolution);
  let segment = 0;
  const performance = x.map((place, k) => {
    if (k === resolution) return 1;
    while ((curve[segment + 1]?.x ?? Infinity) <= place) segment++;
    const [from, to] = [curve[segment], curve[segment + 1]];
    if (from === undefined) return 0;
    return to === undefined ? from.y : from.y + ((place - from.x) / (to.x - from.x)) * (to.y - from.y);
  });
  return { performance, area: areaUnder(x, performance) };
}

export interface RevealOptions {
  seed?: number;
  /** [height, width] not 0 for the pixels known from the start, in place of a hundredth of them drawn by the seed. */
  known?: Uint8Array;
}

/**
 * Pictures of an image with ever more of its pixels, the most salient first; the rest is interpolated linearly between known pixels and
 * the four corners. PAIR reveals the pixels at or above a quantile of the saliency, so that ties all appear at once; here the same number of
 * pixels appears in the map's order, of equal values the later first, and a constant map does not give the whole image away.
 * @param saliency [height, width] e.g. |map|; only its order counts
 * @param image [height, width] as shown
 * @returns pictures [height, width]: the start, one for each threshold, the whole image
 * @throws PathlightError `bad-request` as `checkMap`
 */
export function revealedPictures(
  saliency: Float32Array,
  image: Uint8Array,
  height: number,
  width: number,
  { seed = 1, known = randomPixels(image.length, seed) }: RevealOptions = {},
): Uint8Array[] {
  checkMap(saliency, image.length);
  const order = ascendingOrder(saliency).reverse();
  const parts = [0, ...thresholds].map((threshold) => {
    const revealed = known.slice();
    const count = threshold === 0 ? 0 : Math.floor((image.length - 1) * threshold) + 1;
    for (const pixel of order.subarray(0, count)) revealed[pixel] = 1;
    return Uint8Array.from(interpolateBetween(image, revealed, height, width), Math.round);
  });
  return [...parts, image];
}

/** A hundredth of the pixels, drawn without replacement. */
function randomPixels(pixels: number, seed: number): Uint8Array {
  const random = randomSource(seed);
  const chosen = new Uint8Array(pixels);
  for (let left = Math.floor(pixels / 100); left > 0;) {
    const pixel = Math.floor(random() * pixels);
    if (chosen[pixel] === 1) continue;
    chosen[pixel] = 1;
    left--;
  }
  return chosen;
}

/**
 * The model's performance on pictures.
 * @param score probability of the class (SIC), or 1 where the model decides for it (AIC)
 * @param toInput a picture in the model's input units
 * @returns [pictures]
 */
export function scoresOfPictures(
  score: Score,
  pictures: readonly Uint8Array[],
  toInput: (picture: Uint8Array) => Float32Array,
  asking: Asking = {},
): Promise<Float64Array> {
  const none = new Uint8Array();
  const elements = toInput(pictures[0] ?? none).length;
  return scoresOf(
    score,
    elements,
    pictures.length,
    (point, k) => point.set(toInput(pictures[k] ?? none)),
    asking,
  );
}

/**
 * One curve of a folder's: at each place the median of the images', as PAIR for SIC, or their mean, as usual for AIC.
 * @param curves of one resolution, at least one
 */
export function pooledCurve(curves: readonly InformationCurve[], by: 'median' | 'mean'): InformationCurve {
  const length = curves[0]?.performance.length ?? 0;
  const performance = Float64Array.from({ length }, (_, k) => {
    const values = Float64Array.from(curves, (curve) => curve.performance[k] ?? 0).sort();
    if (by === 'mean') return values.reduce((sum, value) => sum + value, 0) / values.length;
    const half = values.length >> 1;
    return ((values[half] ?? 0) + (values[values.length - 1 - half] ?? 0)) / 2;
  });
  const x = performance.map((_, k) => k / (length - 1));
  return { performance, area: areaUnder(x, performance) };
}
