/** The plain words of a finding: a mean with its interval, its number of images, and what the nulls get. */
import { fixed, significant } from '../../report/numbers.ts';
import type { StatisticsRow } from '../row.ts';
import { listed, methodName, metricOf, spanOf } from './names.ts';

/** Of the means. */
export function extremes(rows: readonly StatisticsRow[]): {
  highest?: StatisticsRow;
  lowest?: StatisticsRow;
} {
  const sorted = rows.toSorted((a, b) => a.mean - b.mean);
  const [lowest, highest] = [sorted[0], sorted.at(-1)];
  return { ...(highest === undefined ? {} : { highest }), ...(lowest === undefined ? {} : { lowest }) };
}

/** Whether there are images enough for one to mean anything. */
export function hasInterval({ count }: { count: number }): boolean {
  return count >= 3;
}

/** "0.62 (0.55 to 0.70)"; of one or two images there is no interval. */
export function intervalWords({ mean, low, high, count }: StatisticsRow): string {
  const interval = hasInterval({ count }) ? `${short(low)} to ${short(high)}` : `n = ${count}: no interval`;
  return `${short(mean)} (${interval})`;
}

/** Whether two means print the same. */
export function alike(one: StatisticsRow, other: StatisticsRow): boolean {
  return short(one.mean) === short(other.mean);
}

/**
 * Which method does best by what the metric calls better, "it is best (lowest) for Blur IG, 0.12 (0.08 to 0.15)"; where neither end is
 * better, which are the largest and the smallest.
 * @param rows of one metric, one a method
 */
export function bestWords(rows: readonly StatisticsRow[]): string {
  const { highest, lowest } = extremes(rows);
  if (highest === undefined || lowest === undefined) return '';
  const of = (row: StatisticsRow): string => `${methodName(row.method)}, ${intervalWords(row)}`;
  if (rows.length === 1) return `it is ${intervalWords(highest)} for ${methodName(highest.method)}`;
  if (alike(highest, lowest)) return `it is equal for all, ${short(highest.mean)}`;
  const { better } = metricOf(highest.metric);
  if (better === 'neither') return `it is largest for ${of(highest)}, and smallest for ${of(lowest)}`;
  const best = better === 'higher' ? highest : lowest;
  const tied = rows.filter((row) => alike(row, best));
  const end = `best (${better === 'higher' ? 'highest' : 'lowest'})`;
  return tied.length === 1
    ? `it is ${end} for ${of(best)}`
    : `it is ${end}, ${short(best.mean)}, for ${listed(
        tied.map(({ method }) => methodName(method)),
        rows.length,
      )}`;
}

/** ", where a random map gets 0.41 and the edges 0.50". */
export function nullWords(rows: readonly StatisticsRow[]): string {
  const random = meanOf(rows.map((row) => row.random));
  const edges = meanOf(rows.map((row) => row.edges));
  const said = [
    random === null ? '' : `a random map gets ${short(random)}`,
    edges === null ? '' : `the edges ${random === null ? 'get ' : ''}${short(edges)}`,
  ].filter((part) => part !== '');
  return said.length === 0 ? '' : `, where ${said.join(' and ')}`;
}

/** "n = 24", or "n = 22 of 24" where some images have no value; "n = 2: no interval". */
export function imagesOf(rows: readonly { count: number; missing: number }[]): string {
  if (rows.length === 0) return 'n = 0';
  const counts = spanOf(rows.map(({ count }) => count));
  const totals = spanOf(rows.map(({ count, missing }) => count + missing));
  const none = rows.some(hasInterval) ? '' : ': no interval';
  return (counts === totals ? `n = ${counts}` : `n = ${counts} of ${totals}`) + none;
}

/** A number at an axis: no digits that the axis does not need. */
export function shown(value: number): string {
  return significant(Number(value.toPrecision(12)), 6)
    .replace(/(\.\d*?)0+(?=$| )/, '$1')
    .replace(/\.(?=$| )/, '');
}

/** What an axis must show of a row. */
export function reach({ mean, low, high, count }: StatisticsRow): number[] {
  return hasInterval({ count }) ? [mean, low, high] : [mean];
}

type NullName = 'random' | 'edges';

/** How many times as far from the values as these are from one another. */
const farAway = 8;

/**
 * The nulls so far from every value that an axis which reached them would show nothing else; of a metric with two ends there are none.
 * @param rows of one metric
 */
export function farNulls(rows: readonly StatisticsRow[]): NullName[] {
  const [first] = rows;
  if (first === undefined || metricOf(first.metric).range[1] !== null) return [];
  const values = rows.flatMap(reach);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const far = farAway * Math.max(most - least, 0.05 * Math.abs(most));
  return (['random', 'edges'] as const).filter((name) =>
    rows.some((row) => row[name] !== null && (row[name] > most + far || row[name] < least - far)),
  );
}

/** The rows as they are drawn where some nulls are not. */
export function withoutNulls<Row extends StatisticsRow>(
  rows: readonly Row[],
  names: readonly NullName[],
): Row[] {
  return rows.map((row) => ({
    ...row,
    random: names.includes('random') ? null : row.random,
    edges: names.includes('edges') ? null : row.edges,
  }));
}

/** "; off the axis: random map 113, edges 4070" */
export function offAxisWords(rows: readonly StatisticsRow[], names: readonly NullName[]): string {
  const said = names.flatMap((name) => {
    const mean = meanOf(rows.map((row) => row[name]));
    return mean === null ? [] : [`${name === 'random' ? 'random map' : 'edges'} ${short(mean)}`];
  });
  return said.length === 0 ? '' : `; off the axis: ${said.join(', ')}`;
}

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** Three significant digits; from 100 on the whole number. */
export function short(value: number): string {
  return Math.abs(value) >= 100 ? fixed(value, 0) : significant(value, 3);
}
