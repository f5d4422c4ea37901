/** How alike the maps of different methods are, over the images: what agreement.csv says of baselines, said of methods. */
import type { BaselineId } from '../../../core/attribution/baseline-kinds.ts';
import type { MethodId } from '../../../core/attribution/methods.ts';
import { throwIfCancelled } from '../../../core/attribution/path.ts';
import { agreementOf } from '../../../core/metrics/agreement.ts';
import { bootstrapMean } from '../../../core/metrics/interval.ts';
import { grouped } from '../grouped.ts';
import type { AgreementRow, StudyMap } from '../row.ts';

export interface MethodAgreementRow extends Pick<
  AgreementRow,
  'model' | 'measure' | 'mean' | 'low' | 'high' | 'count' | 'random' | 'randomP95'
> {
  /** That of those of the methods which have one. */
  baseline: BaselineId | null;
  methods: readonly [MethodId, MethodId];
}

type Pair = Pick<
  MethodAgreementRow,
  'model' | 'baseline' | 'methods' | 'measure' | 'random' | 'randomP95'
> & {
  value: number;
};

/**
 * Of each baseline the pairs of methods that have it, or have none, over all images.
 * @param images the maps of one image and model each, one a method and baseline
 * @param read [pixels]; null: it can no longer be read, and is left out
 */
export async function methodAgreementRows(
  images: Iterable<readonly StudyMap[]>,
  read: (name: string) => Promise<Float32Array | null>,
  signal: AbortSignal,
): Promise<MethodAgreementRow[]> {
  const pairs: Pair[] = [];
  for (const maps of images) {
    const values = new Map<string, Float32Array>();
    for (const { map } of maps) {
      throwIfCancelled(signal);
      const value = await read(map);
      if (value !== null) values.set(map, value);
    }
    pairs.push(...pairsOf(maps, values));
  }
  return overImages(pairs);
}

function pairsOf(maps: readonly StudyMap[], values: ReadonlyMap<string, Float32Array>): Pair[] {
  const baselines = [...new Set(maps.map(({ baseline }) => baseline))].filter(
    (baseline) => baseline !== null,
  );
  return (baselines.length === 0 ? [null] : baselines).flatMap((baseline) => {
    const compared = maps.flatMap((map) => {
      const value = values.get(map.map);
      return value !== undefined && (map.baseline === baseline || map.baseline === null)
        ? [{ of: map, baseline: map.method, map: value }]
        : [];
    });
    const [first] = compared;
    if (first === undefined || compared.length < 2) return [];
    const agreement = agreementOf(compared);
    const { model } = first.of;
    return compared.flatMap((one, i) =>
      compared.slice(i + 1).flatMap((other, k) =>
        (['rankCorrelation', 'topOverlap'] as const).map((of): Pair => ({
          ...{ model, baseline },
          methods: [one.of.method, other.of.method],
          measure: of === 'rankCorrelation' ? 'rank-correlation' : 'top-overlap',
          value: agreement[of][i]?.[i + 1 + k] ?? NaN,
          random: agreement.null[of].mean,
          randomP95: agreement.null[of].p95,
        })),
      ),
    );
  });
}

function overImages(pairs: readonly Pair[]): MethodAgreementRow[] {
  const same = ({ model, baseline, methods, measure }: Pair): string =>
    JSON.stringify([model, baseline, methods, measure]);
  return [...grouped(pairs, same).values()].flatMap((alike): MethodAgreementRow[] => {
    const [first] = alike;
    const interval = bootstrapMean(alike.map(({ value }) => value));
    if (first === undefined || interval === null) return [];
    const { model, baseline, methods, measure, random, randomP95 } = first;
    const { estimate: mean, low, high, count } = interval;
    return [{ model, baseline, methods, measure, mean, low, high, count, random, randomP95 }];
  });
}
