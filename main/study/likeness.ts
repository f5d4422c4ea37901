/** How the maps of one image differ: from baseline to baseline, and from a few steps to many. */
import { agreementOf } from '../../core/metrics/agreement.ts';
import { relativeDistance } from '../../core/metrics/map-change.ts';
import { grouped } from './grouped.ts';
import type { AgreementRow, StepsRow, StudyImage, StudyMap } from './row.ts';

/** How alike the maps of two baselines of one image are. */
export interface Likeness
  extends
    StudyImage,
    Pick<AgreementRow, 'model' | 'method' | 'steps' | 'baselines' | 'measure' | 'random' | 'randomP95'> {
  value: number;
}

/** Reads a map of the study. @returns [pixels] */
type ReadMap = (map: StudyMap) => Promise<Float32Array>;

/** The most that |gap| may be, and the map may still change, for the steps to count as enough. */
const enough = { gap: 0.01, map: 0.05 } as const;

const imageOf = ({ image, frame, sha256, group }: StudyMap): StudyImage => ({ image, frame, sha256, group });

/**
 * Every pair of baselines of every method, at the most steps that both have.
 * @param maps of one image and model
 */
export async function likenessesOf(maps: readonly StudyMap[], read: ReadMap): Promise<Likeness[]> {
  const likenesses: Likeness[] = [];
  for (const alike of grouped(maps, ({ method }) => method).values()) {
    const most = Math.max(...alike.map(({ steps }) => steps ?? 0));
    const compared = alike.flatMap((map) =>
      (map.steps ?? 0) === most && map.baseline !== null ? [{ ...map, baseline: map.baseline }] : [],
    );
    if (compared.length < 2) continue;
    const maps = await Promise.all(
      compared.map(async (map) => ({ baseline: map.baseline, map: await read(map) })),
    );
    const agreement = agreementOf(maps);
    for (const [i, a] of compared.entries()) {
      for (const [j, b] of compared.entries()) {
        if (j <= i) continue;
        for (const measure of ['rank-correlation', 'top-overlap'] as const) {
          const of = measure === 'top-overlap' ? 'topOverlap' : 'rankCorrelation';
          likenesses.push({
            ...imageOf(a),
            ...{
              model: a.model,
              method: a.method,
              steps: a.steps,
              baselines: [a.baseline, b.baseline],
              measure,
            },
            value: agreement[of][i]?.[j] ?? NaN,
            random: agreement.null[of].mean,
            randomP95: agreement.null[of].p95,
          });
        }
      }
    }
  }
  return likenesses;
}

/**
 * How many steps each method took from each baseline.
 * @param maps of one image and model
 */
export async function stepsOf(maps: readonly StudyMap[], read: ReadMap): Promise<StepsRow[]> {
  const rows: StepsRow[] = [];
  const over = grouped(
    maps.filter(({ steps }) => steps !== null),
    ({ method, baseline }) => JSON.stringify([method, baseline]),
  );
  for (const alike of over.values()) {
    const ascending = alike.toSorted((a, b) => (a.steps ?? 0) - (b.steps ?? 0));
    const last = ascending.at(-1);
    if (last?.steps == null || ascending.length < 2) continue;
    const reference = await read(last);
    const changes: (number | null)[] = [];
    for (const map of ascending) changes.push(relativeDistance(reference, await read(map)));
    const { model, method, baseline } = last;
    // Of the most steps the map is itself: that says nothing.
    const toMap = fewest(ascending, (_, k) => (changes[k] ?? Infinity) <= enough.map);
    rows.push({
      ...imageOf(last),
      ...{ model, method, baseline },
      toGap: fewest(ascending, ({ gapRelative }) => (gapRelative ?? Infinity) <= enough.gap),
      toMap: toMap === last.steps ? null : toMap,
      most: last.steps,
    });
  }
  return rows;
}

/** The fewest steps from which on all hold. */
function fewest(ascending: readonly StudyMap[], holds: (map: StudyMap, k: number) => boolean): number | null {
  let steps: number | null = null;
  for (const [k, map] of [...ascending.entries()].reverse()) {
    if (!holds(map, k)) break;
    steps = map.steps;
  }
  return steps;
}
