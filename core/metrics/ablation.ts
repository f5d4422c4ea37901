import { areaUnder, evenCounts, replacementCurve, type ReplacementCurve } from './pixel-replacement.ts';
import type { Asking, Score } from './score.ts';

export interface Ablation extends ReplacementCurve {
  /**
   * (p(x) - mean p) / (p(x) - p(baseline)): how much of the way down the model is on average. 1 where the first pixel already takes all,
   * 1/2 where every pixel takes alike; null where the image scores less than 0.1 above the baseline: shares of so short a way say nothing.
   */
  drop: number | null;
  /** |p(baseline) - chance|. */
  fromChance: number;
  /** Whether that is small enough for the baseline to say nothing. */
  uninformative: boolean;
}

/** How far from chance a baseline may score and still count as saying nothing. Ours. */
const mostFromChance = 0.05;

/** Least fall of the probability that a share is taken of. Ours. */
const leastFall = 0.1;

/**
 * The improved ablation of the maximum-entropy paper (Tan 2023, arXiv 2204.05948, as its abstract describes it): pixels are replaced by
 * those of a baseline at which the model is undecided, the most salient first, so that the score falls to chance because
 * evidence is gone, not because a black hole has appeared.
 * @param score probability of the explained class
 * @param saliency [pixels] e.g. |map|; only its order counts
 * @param x [channels, pixels] the image, in the model's input units
 * @param baseline [channels, pixels] the maximum-entropy baseline
 * @param chance 1 / classes for a softmax, 1/2 for a sigmoid
 * @throws PathlightError as `replacementCurve`
 */
export async function ablation(
  score: Score,
  saliency: Float32Array,
  x: Float32Array,
  baseline: Float32Array,
  chance: number,
  { points = 65, ...asking }: Asking & { points?: number } = {},
): Promise<Ablation> {
  const counts = evenCounts(saliency.length, points);
  const curve = await replacementCurve(score, saliency, x, baseline, counts, asking);
  const [whole = 0, end = 0] = [curve.scores[0], curve.scores.at(-1)];
  const fromChance = Math.abs(end - chance);
  return {
    ...curve,
    drop: whole - end >= leastFall ? (whole - areaUnder(curve.shares, curve.scores)) / (whole - end) : null,
    fromChance,
    uninformative: fromChance <= mostFromChance,
  };
}
