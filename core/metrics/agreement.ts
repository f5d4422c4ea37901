/** How far maps of different baselines agree. */
import type { BaselineId } from '../attribution/baseline-kinds.ts';
import { normalNumbers, randomSource } from './random.ts';
import { averageRanks, rankCorrelation } from './rank-correlation.ts';
import { intersectionOverUnion, topPixels } from './top-overlap.ts';

/** @typeParam Name what baselines go by */
export interface Agreement<Name extends string = BaselineId> {
  baselines: Name[];
  /** [i][j] Spearman rank correlation of |map|. */
  rankCorrelation: number[][];
  /** [i][j] intersection over union of the top 5 % of |map|. */
  topOverlap: number[][];
  null: ChanceAgreement;
  /** Smallest off-diagonal rank correlation >= 0.5 and smallest top overlap >= 0.3. */
  stable: boolean;
}

/** The same two numbers for pairs of random maps: mean and 95th percentile over seeded pairs. */
export interface ChanceAgreement {
  rankCorrelation: { mean: number; p95: number };
  topOverlap: { mean: number; p95: number };
}

/** From here on maps count as stable. The thresholds are ours. */
const stableFrom = { rankCorrelation: 0.5, topOverlap: 0.3 } as const;

/** The null: every pair of this many maps of independent normal noise, from this seed. */
const nullMaps = 16;
const nullSeed = 20_240_229;

/** What a pair is measured by. */
interface Ordered {
  ranks: Float64Array;
  top: Uint8Array;
}

/**
 * @param maps each [pixels], signed, all of one size
 * @returns matrices in the order of the maps; with fewer than two maps, `stable` is false
 */
export function agreementOf<Name extends string>(
  maps: readonly { baseline: Name; map: Float32Array }[],
): Agreement<Name> {
  const ordered = maps.map(({ map }) => orderOf(map));
  const matrix = (measure: (a: Ordered, b: Ordered) => number): number[][] =>
    ordered.map((a, i) => ordered.map((b, j) => (i === j ? 1 : measure(a, b))));
  const pairs = pairsOf(ordered);
  return {
    baselines: maps.map(({ baseline }) => baseline),
    rankCorrelation: matrix(correlationOf),
    topOverlap: matrix(overlapOf),
    null: chanceAgreement(maps[0]?.map.length ?? 0),
    stable:
      pairs.length > 0 &&
      pairs.every(
        ([a, b]) =>
          correlationOf(a, b) >= stableFrom.rankCorrelation && overlapOf(a, b) >= stableFrom.topOverlap,
      ),
  };
}

/** Of two maps of one size: rank correlation of |map|, and overlap of its strongest 5 %. */
export function pairAgreement(
  a: Float32Array,
  b: Float32Array,
): { rankCorrelation: number; topOverlap: number } {
  const [first, second] = [orderOf(a), orderOf(b)];
  return { rankCorrelation: correlationOf(first, second), topOverlap: overlapOf(first, second) };
}

function orderOf(map: Float32Array): Ordered {
  const magnitude = map.map(Math.abs);
  return { ranks: averageRanks(magnitude), top: topPixels(magnitude) };
}

const correlationOf = (a: Ordered, b: Ordered): number => rankCorrelation(a.ranks, b.ranks);
const overlapOf = (a: Ordered, b: Ordered): number => intersectionOverUnion(a.top, b.top);

function pairsOf<T>(items: readonly T[]): [T, T][] {
  return items.flatMap((a, i) => items.slice(i + 1).map((b): [T, T] => [a, b]));
}

/** The null of each number of pixels, which it depends on alone. */
const nulls = new Map<number, ChanceAgreement>();

export function chanceAgreement(pixels: number): ChanceAgreement {
  let computed = nulls.get(pixels);
  if (computed === undefined) {
    const random = randomSource(nullSeed);
    const maps = Array.from({ length: nullMaps }, () => orderOf(normalNumbers(pixels, random)));
    const pairs = pairsOf(maps);
    computed = {
      rankCorrelation: summary(pairs.map(([a, b]) => correlationOf(a, b))),
      topOverlap: summary(pairs.map(([a, b]) => overlapOf(a, b))),
    };
    nulls.set(pixels, computed);
  }
  return computed;
}

function summary(values: readonly number[]): { mean: number; p95: number } {
  const sorted = values.toSorted((a, b) => a - b);
  return {
    mean: values.reduce((sum, value) => sum + value, 0) / values.length,
    p95: sorted[Math.ceil(0.95 * sorted.length) - 1] ?? 0,
  };
}
