/** The plain words of a finding: a mean with its interval, its number of images, and what the nulls get. */
import { significant } from '../../report/numbers.ts';
import type { StatisticsRow } from '../row.ts';
import { spanOf } from './names.ts';

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
  const shownMean = significant(mean, 3);
  return count > 1
    ? `${shownMean} (${significant(low, 3)} to ${significant(high, 3)})`
    : `${shownMean} (one image: no interval)`;
}

/** ", where a random map gets 0.41 and the edges 0.50". */
export function nullWords(rows: readonly StatisticsRow[]): string {
  const mean = (values: (number | null)[]): number | null => {
    const known = values.filter((value) => value !== null);
    return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
  };
  const random = mean(rows.map((row) => row.random));
  const edges = mean(rows.map((row) => row.edges));
  const said = [
    random === null ? '' : `a random map gets ${significant(random, 3)}`,
    edges === null ? '' : `the edges ${random === null ? 'get ' : ''}${significant(edges, 3)}`,
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
