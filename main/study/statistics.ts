/** What the rows of a study say together, over its images. */
import type { Value } from '../../core/metrics/subject.ts';
import { overFolder } from '../../core/metrics/measure.ts';
import { bootstrapMean } from '../../core/metrics/interval.ts';
import { grouped } from './grouped.ts';
import type { Likeness } from './likeness.ts';
import type { AgreementRow, StatisticsRow, StudyRow } from './row.ts';

/** All images, and those of each label, in the order of their first row. */
function* byGroup<Row extends { group: string }>(rows: readonly Row[]): Generator<[string | null, Row[]]> {
  yield [null, [...rows]];
  for (const [group, members] of grouped(rows, (row) => row.group)) {
    if (group !== '') yield [group, members];
  }
}

/**
 * Each metric over the images, by the way that the maps were made: means with the bootstrap's interval, hits with Wilson's.
 * @param seed of the bootstrap
 */
export function statisticsOf(rows: readonly StudyRow[], seed: number): StatisticsRow[] {
  return Array.from(byGroup(rows)).flatMap(([group, members]) => {
    const same = ({ model, method, baseline, steps, metric }: StudyRow): string =>
      JSON.stringify([model, method, baseline, steps, metric]);
    return [...grouped(members, same).values()].flatMap((alike): StatisticsRow[] => {
      const [first] = alike;
      if (first === undefined) return [];
      const { model, method, baseline, steps, metric } = first;
      const interval = overFolder(
        metric,
        alike.map(({ value }) => value),
        { seed },
      );
      if (interval === null) return [];
      const { estimate: mean, low, high, count, missing } = interval;
      const measured = alike.filter(({ value }) => value !== null);
      return [
        {
          ...{ group, model, method, baseline, steps, metric, mean, low, high, count, missing },
          random: meanOf(measured.map(({ random }) => random)),
          edges: meanOf(measured.map(({ edges }) => edges)),
          evaluations: meanOf(alike.map(({ evaluations }) => evaluations)) ?? 0,
          seconds: meanOf(alike.map(({ seconds }) => seconds)) ?? 0,
        },
      ];
    });
  });
}

/**
 * How alike maps from different baselines are, over the images.
 * @param random the same of pairs of random maps
 */
export function agreementRows(likenesses: readonly Likeness[], seed: number): AgreementRow[] {
  return Array.from(byGroup(likenesses)).flatMap(([group, members]) => {
    const same = ({ model, method, steps, baselines, measure }: Likeness): string =>
      JSON.stringify([model, method, steps, baselines, measure]);
    return [...grouped(members, same).values()].flatMap((alike): AgreementRow[] => {
      const [first] = alike;
      const interval = bootstrapMean(
        alike.map(({ value }) => value),
        { seed },
      );
      if (first === undefined || interval === null) return [];
      const { model, method, steps, baselines, measure, random, randomP95 } = first;
      const { estimate: mean, low, high, count } = interval;
      return [{ group, model, method, steps, baselines, measure, mean, low, high, count, random, randomP95 }];
    });
  });
}

function meanOf(values: readonly Value[]): Value {
  const present = values.filter((value) => value !== null);
  return present.length === 0 ? null : present.reduce((sum, value) => sum + value, 0) / present.length;
}
