/** Does a metric depend on the baseline? Dots and intervals: one row a baseline, one dot a method, the nulls as grey ticks. */
import type { BaselineId } from '../../../core/attribution/baseline-kinds.ts';
import type { MethodId } from '../../../core/attribution/methods.ts';
import { lowerFirst } from '../../../core/attribution/stated.ts';
import type { MetricId } from '../../../core/metrics/metrics.ts';
import { Sketch } from '../../report/drawing.ts';
import { color, size } from '../../report/theme.ts';
import type { Typesetter } from '../../report/typesetter.ts';
import { grouped } from '../grouped.ts';
import type { StatisticsRow } from '../row.ts';
import { valueScale } from './extent.ts';
import {
  alike,
  extremes,
  farNulls,
  hasInterval,
  imagesOf,
  intervalWords,
  offAxisWords,
  reach,
  short,
  shown,
  withoutNulls,
} from './finding.ts';
import { legendHeight, putLegend } from './legend.ts';
import { colorOf, nullLines, putShape } from './looks.ts';
import {
  baselineTitle,
  chunks,
  distinct,
  groupName,
  methodName,
  metricOf,
  metricTitle,
  slug,
} from './names.ts';
import { type Area, putHorizontalAxis, putPanelTitle, titleHeight } from './panel.ts';
import { sheet, sheetHeight, sheetWidth, type StudyFigure } from './sheet.ts';

const panelsPerRow = 2;
/** Of panels below one another, where they are low enough for a page. */
const mostRows = 3;
const labelStyle = { size: size.tiny, color: color.ink } as const;

/** Each method at its most steps, of each model and group; where there is one baseline alone, the rows still say how the methods differ. */
export function* overBaselines(
  statistics: readonly StatisticsRow[],
  typesetter: Typesetter,
): Generator<StudyFigure> {
  const rows = atMostSteps(statistics);
  for (const model of distinct(rows.map((row) => row.model))) {
    const ofModel = rows.filter((row) => row.model === model);
    for (const group of distinct(ofModel.map((row) => row.group))) {
      const ofGroup = ofModel.filter((row) => row.group === group);
      // The legend and the words take the rest of the page.
      const fit = Math.floor((sheetHeight - 170) / (40 + sumOf(heightsOf(ofGroup).values())));
      const panels = panelsPerRow * Math.min(mostRows, Math.max(1, fit));
      const parts = chunks(distinct(ofGroup.map(({ metric }) => metric)), panels);
      for (const [part, metrics] of parts.entries()) {
        const shownRows = ofGroup.filter(({ metric }) => metrics.includes(metric));
        const name = slug('baselines', model, groupName(group), parts.length > 1 ? String(part + 1) : null);
        yield figureOf(name, shownRows, metrics, model, group, typesetter);
      }
    }
  }
}

/** Of each baseline the height of its row, in which each of its methods has a line. */
function heightsOf(rows: readonly StatisticsRow[]): Map<BaselineId | null, number> {
  const height = (of: readonly StatisticsRow[]): number =>
    Math.max(15, 8 * distinct(of.map(({ method }) => method)).length + 5);
  return new Map(
    Array.from(
      grouped(rows, (row) => row.baseline),
      ([baseline, of]) => [baseline, height(of)],
    ),
  );
}

function sumOf(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

/** Of every method and baseline the rows of the most steps. */
export function atMostSteps(statistics: readonly StatisticsRow[]): StatisticsRow[] {
  const key = ({ model, method, baseline }: StatisticsRow): string =>
    JSON.stringify([model, method, baseline]);
  const most = new Map<string, number>();
  for (const row of statistics) most.set(key(row), Math.max(most.get(key(row)) ?? 0, row.steps ?? 0));
  return statistics.filter((row) => (row.steps ?? 0) === most.get(key(row)));
}

function figureOf(
  name: string,
  rows: readonly StatisticsRow[],
  metrics: readonly MetricId[],
  model: string,
  group: string | null,
  typesetter: Typesetter,
): StudyFigure {
  const methods = distinct(rows.map(({ method }) => method));
  const baselines = distinct(rows.map(({ baseline }) => baseline));
  const steps = distinct(rows.flatMap((row) => (row.steps === null ? [] : [row.steps])));
  const words = {
    name,
    inSummary: group === null,
    title:
      baselines.filter((baseline) => baseline !== null).length > 1
        ? `Does the choice of the baseline change what is measured? ${model}, ${groupName(group)}`
        : `How do the methods compare? ${model}, ${groupName(group)}`,
    says: metrics.map((metric) => findingOf(rows.filter((row) => row.metric === metric))).join(' '),
    caption:
      `Dots: means; lines: 95\u00a0% confidence intervals over the images${rows.every(hasInterval) ? '' : ' (of fewer than three there is none)'}. ` +
      `Grey ticks: the same of random maps (dotted) and of the image\u2019s edges (dashed). ` +
      (steps.length === 0 ? '' : `Each method at its most steps (${steps.join(', ')}). `) +
      'Axes need not begin at 0. Intervals that overlap do not show that two are equal, and the same images stand behind all rows. ' +
      'No metric here says that a map shows disease, only how it does on that test.',
  };
  const scratch = new Sketch(typesetter);
  const legend = legendHeight(scratch, methods, 'dots');
  const labelWidth = Math.min(
    110,
    Math.max(...baselines.map((baseline) => scratch.measure(baselineTitle(baseline), labelStyle).width)) + 8,
  );
  const gap = 18;
  const columns = Math.min(panelsPerRow, metrics.length);
  const width = (sheetWidth - labelWidth - 4 - gap * (columns - 1)) / columns;
  const inRow = (baseline: BaselineId | null): MethodId[] =>
    methods.filter((method) => rows.some((row) => row.method === method && row.baseline === baseline));
  const heights = [...heightsOf(rows).values()];
  const body = sumOf(heights);
  const of = (metric: MetricId): StatisticsRow[] => rows.filter((row) => row.metric === metric);
  const titleOf = (metric: MetricId): string =>
    `${metricTitle(metric)}, ${imagesOf(of(metric))}${offAxisWords(of(metric), farNulls(of(metric)))}`;
  const titles = Math.max(...metrics.map((metric) => titleHeight(scratch, titleOf(metric), width)));
  const rowHeight = titles + body + 20;
  const rowsOfPanels = chunks(metrics, columns);
  return sheet(typesetter, words, legend + 6 + rowsOfPanels.length * rowHeight, (sketch, top) => {
    putLegend(sketch, top, methods, 'dots');
    rowsOfPanels.forEach((ofRow, rowIndex) => {
      const panelTop = top + legend + 6 + rowIndex * rowHeight + titles;
      let rowTop = panelTop;
      const tops = heights.map((height) => (rowTop += height) - height);
      baselines.forEach((baseline, i) => {
        const middle = (tops[i] ?? 0) + (heights[i] ?? 0) / 2;
        const at = { x: labelWidth - 4, y: middle, align: 'right', vertical: 'middle' } as const;
        sketch.text(baselineTitle(baseline), { ...at, width: labelWidth - 4 }, labelStyle);
      });
      ofRow.forEach((metric, column) => {
        const left = labelWidth + 4 + column * (width + gap);
        const area = { left, right: left + width, top: panelTop, bottom: panelTop + body };
        putPanelTitle(sketch, area, titleOf(metric));
        const own = withoutNulls(of(metric), farNulls(of(metric)));
        const x = valueScale(
          own.flatMap((row) => [...reach(row), row.random, row.edges]),
          metricOf(metric).range,
          [left + 5, left + width - 5],
        );
        putHorizontalAxis(
          sketch,
          area,
          x.ticks(5).map((value) => ({ at: x(value), label: shown(value) })),
          true,
        );
        baselines.forEach((baseline, i) => {
          const strip = { ...area, top: tops[i] ?? 0, bottom: (tops[i] ?? 0) + (heights[i] ?? 0) };
          if (i > 0) sketch.line(left, strip.top, area.right, strip.top, { color: '#eef1f3', width: 0.5 });
          putStrip(
            sketch,
            strip,
            own.filter((row) => row.baseline === baseline),
            inRow(baseline),
            x,
          );
        });
      });
    });
  });
}

/** The methods of one baseline, each on a line of its own, over the ticks of the nulls. */
function putStrip(
  sketch: Sketch,
  strip: Area,
  rows: readonly StatisticsRow[],
  methods: readonly MethodId[],
  x: (value: number) => number,
): void {
  const height = (strip.bottom - strip.top) / methods.length;
  methods.forEach((method, i) => {
    const row = rows.find((candidate) => candidate.method === method);
    if (row === undefined) return;
    const [from, to] = [strip.top + i * height, strip.top + (i + 1) * height];
    for (const name of ['random', 'edges'] as const) {
      const value = row[name];
      if (value !== null) sketch.line(x(value), from + 0.5, x(value), to - 0.5, nullLines[name]);
    }
    const middle = (from + to) / 2;
    if (hasInterval(row)) {
      sketch.line(x(row.low), middle, x(row.high), middle, { color: colorOf(method), width: 1.1 });
    }
    putShape(sketch, method, x(row.mean), middle, 14);
  });
}

function findingOf(rows: readonly StatisticsRow[]): string {
  const [first] = rows;
  const { highest, lowest } = extremes(rows);
  if (first === undefined || highest === undefined || lowest === undefined) return '';
  const name = metricOf(first.metric).name;
  const called = (row: StatisticsRow): string =>
    distinct(rows.map(({ baseline }) => baseline)).length > 1
      ? `${methodName(row.method)}, ${lowerFirst(baselineTitle(row.baseline))}`
      : methodName(row.method);
  if (rows.length === 1) return `${name}: ${intervalWords(first)}.`;
  if (alike(lowest, highest)) return `${name}: ${short(highest.mean)} for all.`;
  return `${name}: from ${short(lowest.mean)} (${called(lowest)}) to ${short(highest.mean)} (${called(highest)}).`;
}
