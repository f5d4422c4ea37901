/** Insertion and deletion (RISE, Petsiuk et al. 2018), with the blank image as a parameter: what stands for "nothing" decides much. */
import { areaUnder, evenCounts, replacementCurve, type ReplacementCurve } from './pixel-replacement.ts';
import type { Asking, Score } from './score.ts';

export interface ReplacementResult extends ReplacementCurve {
  /** Mean probability along the curve. */
  area: number;
  /** area / probability of the whole image, so that sure and unsure images count alike; null where that is 0. */
  ratio: number | null;
}

interface Options extends Asking {
  /** Points of the curve, both ends included; by default 65. */
  points?: number;
}

/**
 * Deletion: the image's pixels are blanked, the most salient first. The lower, the sooner the model loses what it went by.
 * @param score probability of the explained class
 * @param saliency [pixels] e.g. |map|; only its order counts
 * @param x [channels, pixels] the image, in the model's input units
 * @param blank [channels, pixels] what pixels become: black or blurred, say
 * @throws PathlightError as `replacementCurve`
 */
export async function deletion(
  score: Score,
  saliency: Float32Array,
  x: Float32Array,
  blank: Float32Array,
  { points = 65, ...asking }: Options = {},
): Promise<ReplacementResult> {
  const counts = evenCounts(saliency.length, points);
  return resultOf(await replacementCurve(score, saliency, x, blank, counts, asking), 0);
}

/** Insertion: the image's pixels appear on the blank, the most salient first. The higher, the sooner the model has what it goes by. */
export async function insertion(
  score: Score,
  saliency: Float32Array,
  x: Float32Array,
  blank: Float32Array,
  { points = 65, ...asking }: Options = {},
): Promise<ReplacementResult> {
  const counts = evenCounts(saliency.length, points);
  return resultOf(await replacementCurve(score, saliency, blank, x, counts, asking), points - 1);
}

function resultOf(curve: ReplacementCurve, wholeAt: number): ReplacementResult {
  const area = areaUnder(curve.shares, curve.scores);
  const whole = curve.scores[wholeAt] ?? 0;
  return { ...curve, area, ratio: whole === 0 ? null : area / whole };
}
