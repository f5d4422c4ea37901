/** What a study measures: one row an image, model, method, baseline, number of steps and metric. docs/results.md describes the columns. */
import type { BaselineId } from '../../core/attribution/baseline-kinds.ts';
import type { MethodId } from '../../core/attribution/methods.ts';
import type { Scalar } from '../../core/attribution/model.ts';
import type { MetricId } from '../../core/metrics/metrics.ts';
import type { Value } from '../../core/metrics/subject.ts';
import { type CsvCell, csvRecord } from '../app/csv.ts';

/** An image as it is counted. */
export interface StudyImage {
  /** The file's name, relative to the studied folder. */
  image: string;
  /** Counted from 0. */
  frame: number;
  /** Of the whole file. */
  sha256: string;
  /** Its label in labels.csv; '' where it has none. */
  group: string;
}

/** How a map was made. */
export interface StudyChoice {
  model: string;
  method: MethodId;
  /** null: the method starts from none. */
  baseline: BaselineId | null;
  /** null: the method has none, or stops by itself. */
  steps: number | null;
}

/** One map. */
export interface StudyMap extends StudyImage, StudyChoice {
  /** The explained label. */
  target: string;
  /** The model's decision on the image, and its probability of the target. */
  prediction: string;
  probability: number;
  scalar: Scalar;
  /** Gradients that the map took, and the time, that of its baseline included. */
  evaluations: number;
  seconds: number;
  /** The map's sum, what it should be, in units of the scalar, and |sum - expectedSum| / max(|expectedSum|, floor). null: nothing is promised. */
  sum: number;
  expectedSum: number | null;
  gapRelative: number | null;
  /** Where the mask comes from: the folder of masks, or the model that draws lungs; null: there is none. */
  mask: 'file' | 'lungs' | null;
  /** Name of the map in maps/: float32, [height, width] of the model's input, channels summed. */
  map: string;
}

/** A row of results.csv. */
export interface StudyRow extends StudyMap {
  metric: MetricId;
  /** null: the metric has no answer here (docs/metrics.md). */
  value: Value;
  /** The same of random maps, and of the image's edges. */
  random: Value;
  edges: Value;
}

/** A row of statistics.csv: a metric over images. */
export interface StatisticsRow extends StudyChoice {
  /** null: all images, those without a label included. */
  group: string | null;
  metric: MetricId;
  mean: number;
  /** 95 % confidence interval. */
  low: number;
  high: number;
  /** Images with a value, and without. */
  count: number;
  missing: number;
  /** Means of the nulls over the same images. */
  random: Value;
  edges: Value;
  /** Means. */
  evaluations: number;
  seconds: number;
}

/** A row of agreement.csv: how alike the maps of two baselines are, over images. */
export interface AgreementRow extends Omit<StudyChoice, 'baseline'> {
  /** null: all images. */
  group: string | null;
  baselines: readonly [BaselineId, BaselineId];
  /** Spearman's rank correlation of |map|, or the overlap (intersection over union) of the strongest 5 %. */
  measure: 'rank-correlation' | 'top-overlap';
  mean: number;
  low: number;
  high: number;
  count: number;
  /** The same of pairs of random maps: mean and 95th percentile. */
  random: number;
  randomP95: number;
}

/** A row of steps.csv: how many steps one image's map took. */
export interface StepsRow extends StudyImage, Omit<StudyChoice, 'steps'> {
  /** Fewest of the studied steps from which on |gap| stays under 1 %; null: none, or nothing is promised. */
  toGap: number | null;
  /** Fewest from which on the map stays within 5 % of that of the most steps; null: the most alone. */
  toMap: number | null;
  /** The most that were studied. */
  most: number;
}

/** A column: its name, and its cell of a row. */
export type Column<Row> = readonly [name: string, cell: (row: Row) => CsvCell];

export const ROW_COLUMNS: readonly Column<StudyRow>[] = [
  ['image', (row) => row.image],
  ['frame', (row) => row.frame],
  ['sha256', (row) => row.sha256],
  ['group', (row) => row.group],
  ['model', (row) => row.model],
  ['target', (row) => row.target],
  ['prediction', (row) => row.prediction],
  ['probability', (row) => row.probability],
  ['scalar', (row) => row.scalar],
  ['method', (row) => row.method],
  ['baseline', (row) => row.baseline],
  ['steps', (row) => row.steps],
  ['evaluations', (row) => row.evaluations],
  ['sum', (row) => row.sum],
  ['expected_sum', (row) => row.expectedSum],
  ['gap_relative', (row) => row.gapRelative],
  ['mask', (row) => row.mask],
  ['map', (row) => row.map],
  ['metric', (row) => row.metric],
  ['value', (row) => row.value],
  ['random', (row) => row.random],
  ['edges', (row) => row.edges],
  ['seconds', (row) => row.seconds],
];

export const STATISTICS_COLUMNS: readonly Column<StatisticsRow>[] = [
  ['group', (row) => row.group ?? 'all'],
  ['model', (row) => row.model],
  ['method', (row) => row.method],
  ['baseline', (row) => row.baseline],
  ['steps', (row) => row.steps],
  ['metric', (row) => row.metric],
  ['mean', (row) => row.mean],
  ['low', (row) => row.low],
  ['high', (row) => row.high],
  ['count', (row) => row.count],
  ['missing', (row) => row.missing],
  ['random', (row) => row.random],
  ['edges', (row) => row.edges],
  ['evaluations', (row) => row.evaluations],
  ['seconds', (row) => row.seconds],
];

export const AGREEMENT_COLUMNS: readonly Column<AgreementRow>[] = [
  ['group', (row) => row.group ?? 'all'],
  ['model', (row) => row.model],
  ['method', (row) => row.method],
  ['steps', (row) => row.steps],
  ['baseline', ({ baselines: [one] }) => one],
  ['other_baseline', ({ baselines: [, other] }) => other],
  ['measure', (row) => row.measure],
  ['mean', (row) => row.mean],
  ['low', (row) => row.low],
  ['high', (row) => row.high],
  ['count', (row) => row.count],
  ['random', (row) => row.random],
  ['random_p95', (row) => row.randomP95],
];

export const STEPS_COLUMNS: readonly Column<StepsRow>[] = [
  ['image', (row) => row.image],
  ['frame', (row) => row.frame],
  ['sha256', (row) => row.sha256],
  ['group', (row) => row.group],
  ['model', (row) => row.model],
  ['method', (row) => row.method],
  ['baseline', (row) => row.baseline],
  ['to_gap', (row) => row.toGap],
  ['to_map', (row) => row.toMap],
  ['most', (row) => row.most],
];

/** The whole table, its header first. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const header = csvRecord(columns.map(([name]) => name));
  return header + rows.map((row) => csvRecord(columns.map(([, cell]) => cell(row)))).join('');
}
