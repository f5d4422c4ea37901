/** What a model says while the pixels of one image are replaced by another's, in the order of a map. */
import { PathlightError } from '../contract/errors.ts';
import { checkMap } from './map.ts';
import { ascendingOrder } from './order.ts';
import { type Asking, type Score, scoresOf } from './score.ts';

export interface ReplacementCurve {
  /** [points] share of the pixels replaced: ascending, 0 first, 1 last. */
  shares: Float64Array;
  /** [points] the model's score. */
  scores: Float64Array;
}

/**
 * Numbers of pixels replaced, evenly spread: RISE's steps of s pixels are pixels / s + 1 points.
 * @param points at least 2
 */
export function evenCounts(pixels: number, points: number): number[] {
  return Array.from({ length: points }, (_, k) => Math.floor((k * pixels) / (points - 1)));
}

/**
 * Images on the way from one to another: pixels are replaced in descending order of the map, all channels of a pixel together; of equal
 * values the later pixel goes first, as in RISE. Only the order counts: any ascending function of the map gives the same images.
 * @param saliency [pixels]
 * @param from [channels, pixels] the image to begin with
 * @param to [channels, pixels] the image to end with
 * @param counts pixels replaced in each image: ascending, from 0 to all
 * @yields the same array each time, changed: to be copied, not kept
 * @throws PathlightError `bad-request`: sizes that do not fit; as `checkMap`
 */
export function* replacedImages<Pixels extends Float32Array | Uint8Array>(
  saliency: Float32Array,
  from: Pixels,
  to: Pixels,
  counts: readonly number[],
): Generator<Pixels, void> {
  const pixels = saliency.length;
  checkMap(saliency, pixels);
  const ascending = counts.every((count, k) => k === 0 || count > (counts[k - 1] ?? 0));
  if (from.length !== to.length || pixels === 0 || from.length % pixels !== 0) {
    throw new PathlightError(
      'bad-request',
      `A map of ${pixels} pixels does not order the pixels of images of ${from.length} and ${to.length} values`,
      'Give both images and the map at the model input size.',
    );
  }
  if (counts[0] !== 0 || counts.at(-1) !== pixels || !ascending) {
    throw new PathlightError(
      'bad-request',
      `The numbers of pixels replaced must ascend from 0 to ${pixels}`,
      'Ask for fewer points.',
    );
  }
  const order = ascendingOrder(saliency).reverse();
  const image = from.slice() as Pixels;
  for (const [k, count] of counts.entries()) {
    for (const pixel of order.subarray(counts[k - 1] ?? 0, count)) {
      for (let i = pixel; i < image.length; i += pixels) image[i] = to[i] ?? 0;
    }
    yield image;
  }
}

/**
 * What the model says of those images, in its input units.
 * @throws PathlightError as `replacedImages` and `scoresOf`
 */
export async function replacementCurve(
  score: Score,
  saliency: Float32Array,
  from: Float32Array,
  to: Float32Array,
  counts: readonly number[],
  asking: Asking = {},
): Promise<ReplacementCurve> {
  const images = replacedImages(saliency, from, to, counts);
  const scores = await scoresOf(
    score,
    from.length,
    counts.length,
    (point) => point.set(images.next().value ?? to),
    asking,
  );
  return { shares: Float64Array.from(counts, (count) => count / saliency.length), scores };
}

/** Area under a curve over 0..1 by trapezoids: its mean height. */
export function areaUnder(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let area = 0;
  for (let k = 1; k < x.length; k++) {
    area += ((x[k] ?? 0) - (x[k - 1] ?? 0)) * (((y[k] ?? 0) + (y[k - 1] ?? 0)) / 2);
  }
  return area;
}
