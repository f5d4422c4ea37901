/** How far maps of different baselines agree (CLINICAL 5, row 14). */
import type { BaselineName } from '../contract/result.ts';

export interface Agreement {
  baselines: BaselineName[];
  /** [i][j] Spearman rank correlation of |map|. */
  rankCorrelation: number[][];
  /** [i][j] intersection over union of the top 5 % of |map|. */
  topOverlap: number[][];
  /** The same two numbers for pairs of random maps: mean and 95th percentile over seeded pairs. */
  null: { rankCorrelation: { mean: number; p95: number }; topOverlap: { mean: number; p95: number } };
  /** Smallest off-diagonal rank correlation >= 0.5 and smallest top overlap >= 0.3. */
  stable: boolean;
}
