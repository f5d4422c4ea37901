/** The plain words of a finding: a mean with its interval, its number of images, and what the nulls get. */
import { fixed, significant } from '../../report/numbers.ts';
import type { StatisticsRow } from '../row.ts';
import { metricOf, spanOf } from './names.ts';

/** Of the means. */
export function extremes(rows: readonly StatisticsRow[]): {
  highest?: StatisticsRow;
  lowest?: StatisticsRow;
} {
  const sorted = rows.toSorted((a, b) => a.mean - b.mean);
  const [lowest, highest] = [sorted[0], sorted.at(-1)];
  return { ...(highest === undefined ? {} : { highest }), ...(lowest === undefined ? {} : { lowest }) };
}

/** "0.62 (0.55 to 0.70)"; of one image there is no interval. */
export function intervalWords({ mean, low, high, count }: StatisticsRow): string {
  const shownMean = short(mean);
  return count > 1
    ? `${shownMean} (${short(low)} to ${short(high)})`
    : `${shownMean} (one image: no interval)`;
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

/** "n = 24", or "n = 22 of 24" where some images have no value. */
export function imagesOf(rows: readonly { count: number; missing: number }[]): string {
  if (rows.length === 0) return 'n = 0';
  const counts = spanOf(rows.map(({ count }) => count));
  const totals = spanOf(rows.map(({ count, missing }) => count + missing));
  return counts === totals ? `n = ${counts}` : `n = ${counts} of ${totals}`;
}

/** A number at an axis: no digits that the axis does not need. */
export function shown(value: number): string {
  return significant(Number(value.toPrecision(12)), 6)
    .replace(/(\.\d*?)0+(?=$| )/, '$1')
    .replace(/\.(?=$| )/, '');
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
  const values = rows.flatMap(({ mean, low, high, count }) => (count > 1 ? [mean, low, high] : [mean]));
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
