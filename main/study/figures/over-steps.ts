/** Does a metric change with the number of steps? One panel a model and group, one line a method. */
import { scaleLog } from 'd3-scale';
import { area, line } from 'd3-shape';
import type { BaselineId } from '../../../core/attribution/baseline-kinds.ts';
import type { MethodId } from '../../../core/attribution/methods.ts';
import { baselineName, lowerFirst } from '../../../core/attribution/stated.ts';
import type { MetricId } from '../../../core/metrics/metrics.ts';
import { Sketch } from '../../report/drawing.ts';
import type { Typesetter } from '../../report/typesetter.ts';
import { grouped } from '../grouped.ts';
import type { StatisticsRow } from '../row.ts';
import { valueScale } from './extent.ts';
import {
  alike,
  bestWords,
  farNulls,
  hasInterval,
  imagesOf,
  nullWords,
  offAxisWords,
  reach,
  short,
  shown,
  withoutNulls,
} from './finding.ts';
import { legendHeight, putLegend } from './legend.ts';
import { colorOf, lineOf, nullLines, putShape } from './looks.ts';
import {
  chunks,
  distinct,
  groupName,
  methodName,
  metricOf,
  metricTitle,
  slug,
  sumsByConstruction,
} from './names.ts';
import {
  type Area,
  putAxisName,
  putHorizontalAxis,
  putPanelTitle,
  putVerticalAxis,
  titleHeight,
} from './panel.ts';
import { sheet, type SheetWords, sheetWidth, type StudyFigure } from './sheet.ts';

/** A row of a number of steps. */
type Stepped = StatisticsRow & { steps: number };

interface Panel {
  model: string;
  group: string | null;
  rows: readonly Stepped[];
  /** Which nulls are not drawn. */
  offAxis: string;
}

const perRow = 3;
/** Of panels below one another. */
const mostRows = 3;

/** For each metric and baseline with at least two numbers of steps. A method without a baseline stands beside those of each. */
export function* overSteps(
  statistics: readonly StatisticsRow[],
  typesetter: Typesetter,
): Generator<StudyFigure> {
  const stepped = statistics.filter((row): row is Stepped => row.steps !== null);
  const baselines = distinct(stepped.flatMap(({ baseline }) => (baseline === null ? [] : [baseline])));
  for (const metric of distinct(stepped.map((row) => row.metric))) {
    for (const baseline of baselines.length === 0 ? [null] : baselines) {
      const rows = stepped.filter(
        (row) => row.metric === metric && (row.baseline === baseline || row.baseline === null),
      );
      if (distinct(rows.map(({ steps }) => steps)).length < 2) continue;
      const models = grouped(rows, ({ model }) => model);
      const below = models.size * Math.ceil(distinct(rows.map(({ group }) => group)).length / perRow);
      // What is too much for a page is a figure a model.
      for (const [model, part] of below > mostRows ? models : [[null, rows] as const]) {
        yield figureOf(part, metric, baseline, baselines, model, typesetter);
      }
    }
  }
}

function figureOf(
  measured: readonly Stepped[],
  metric: MetricId,
  baseline: BaselineId | null,
  baselines: readonly BaselineId[],
  ofModel: string | null,
  typesetter: Typesetter,
): StudyFigure {
  const far = farNulls(measured);
  const rows = withoutNulls(measured, far);
  const models = distinct(rows.map(({ model }) => model));
  const groups = distinct(rows.map(({ group }) => group));
  const steps = distinct(rows.map((row) => row.steps)).sort((a, b) => a - b);
  const methods = distinct(rows.map(({ method }) => method));
  const panels = models.map((model) =>
    groups.map((group): Panel => ({
      model,
      group,
      rows: rows.filter((row) => row.model === model && row.group === group),
      offAxis: offAxisWords(
        atTheEnd(measured.filter((row) => row.model === model && row.group === group)),
        far,
      ),
    })),
  );
  const { name, says, range } = metricOf(metric);
  const few = rows.some((row) => !hasInterval(row));
  const words: SheetWords = {
    inSummary: baseline === (baselines[0] ?? null),
    name: slug('steps', metric, baselines.length > 1 ? baseline : null, ofModel),
    title: `Does ${lowerFirst(name)} change with the number of steps?${baseline === null ? '' : ` Baseline: ${baselineName(baseline)}`}`,
    says: models.map((model) => findingOf(measured, model, models.length > 1 || ofModel !== null)).join(' '),
    caption:
      `${metricTitle(metric)}. Lines: means over the images; bands: 95\u00a0% confidence intervals over images (bootstrap; of hits, Wilson\u2019s)` +
      `${few ? '; fewer than three images have no interval, and none is drawn' : ''}. Dashed, hollow: with IDGI. Grey: the same of random maps and of the image\u2019s edges, which know nothing of the model. ` +
      `The vertical axis need not begin at 0; steps are each method\u2019s own and cost different numbers of gradients. ${says}`,
  };
  const scratch = new Sketch(typesetter);
  const legend = legendHeight(scratch, methods, 'lines');
  const columns = Math.min(perRow, groups.length);
  const [left, gap] = [42, 16];
  const width = (sheetWidth - left - gap * (columns - 1)) / columns;
  const height = columns === 1 ? 190 : columns === 2 ? 150 : 125;
  const titles = Math.max(...panels.flat().map((panel) => titleHeight(scratch, panelTitle(panel), width)));
  const rowsOfPanels = panels.flatMap((ofModel) => chunks(ofModel, columns));
  const rowHeight = titles + height + 28;
  const y = valueScale(
    rows.flatMap((row) => [...reach(row), row.random, row.edges]),
    range,
    [height, 0],
  );
  return sheet(typesetter, words, legend + 6 + rowsOfPanels.length * rowHeight, (sketch, top) => {
    putLegend(sketch, top, methods, 'lines');
    rowsOfPanels.forEach((ofRow, rowIndex) => {
      ofRow.forEach((panel, column) => {
        const panelTop = top + legend + 6 + rowIndex * rowHeight + titles;
        const panelLeft = left + column * (width + gap);
        const area = { left: panelLeft, right: panelLeft + width, top: panelTop, bottom: panelTop + height };
        putPanelTitle(sketch, area, panelTitle(panel));
        const ticks = y.ticks(5).map((value) => ({ at: panelTop + y(value), label: shown(value) }));
        putVerticalAxis(sketch, area, ticks, column === 0);
        if (column === 0) putAxisName(sketch, area, metricTitle(metric), 'left');
        const x = scaleLog([steps[0] ?? 1, steps.at(-1) ?? 2], [panelLeft + 6, panelLeft + width - 6]).base(
          2,
        );
        putHorizontalAxis(
          sketch,
          area,
          steps.map((value) => ({ at: x(value), label: String(value) })),
        );
        putAxisName(sketch, area, 'steps (log\u2082)', 'below');
        putLines(sketch, panel.rows, methods, area, x, (value) => panelTop + y(value));
      });
    });
  });
}

function putLines(
  sketch: Sketch,
  rows: readonly Stepped[],
  methods: readonly MethodId[],
  panel: Area,
  x: (steps: number) => number,
  y: (value: number) => number,
): void {
  if (rows.length === 0) {
    const at = { x: (panel.left + panel.right) / 2, y: (panel.top + panel.bottom) / 2 };
    sketch.text('no value', { ...at, align: 'center', vertical: 'middle' });
    return;
  }
  const ofMethod = (method: MethodId): Stepped[] =>
    rows.filter((row) => row.method === method).toSorted((a, b) => a.steps - b.steps);
  for (const name of ['random', 'edges'] as const) {
    const points = nullPoints(rows, name);
    // A null that was found at one number of steps only holds for the whole panel.
    const whole = points.length === 1 ? [panel.left, panel.right] : points.map(([at]) => x(at));
    const d = line<number>(
      (at) => at,
      (_, i) => y(points[Math.min(i, points.length - 1)]?.[1] ?? 0),
    )(whole);
    sketch.path(d, { stroke: nullLines[name] });
  }
  for (const method of methods) {
    const band = ofMethod(method).filter(hasInterval);
    const d = area<Stepped>(
      (row) => x(row.steps),
      (row) => y(row.low),
      (row) => y(row.high),
    )(band);
    if (band.length > 1) sketch.path(d, { fill: colorOf(method), opacity: 0.1 });
  }
  for (const method of methods) {
    const points = ofMethod(method);
    const d = line<Stepped>(
      (row) => x(row.steps),
      (row) => y(row.mean),
    )(points);
    if (points.length > 1) sketch.path(d, { stroke: lineOf(method) });
    for (const row of points) putShape(sketch, method, x(row.steps), y(row.mean), 12);
  }
}

/** A null over the steps: the mean of what stands beside each method there. */
function nullPoints(rows: readonly Stepped[], name: 'random' | 'edges'): [steps: number, value: number][] {
  return distinct(rows.map(({ steps }) => steps))
    .sort((a, b) => a - b)
    .flatMap((steps): [number, number][] => {
      const values = rows.flatMap((row) => (row.steps === steps && row[name] !== null ? [row[name]] : []));
      return values.length === 0
        ? []
        : [[steps, values.reduce((sum, value) => sum + value, 0) / values.length]];
    });
}

function panelTitle({ model, group, rows, offAxis }: Panel): string {
  return `${model} \u00b7 ${groupName(group)}, ${imagesOf(rows)}${offAxis}`;
}

/** The rows of the most steps: what is said of the end is said of these. */
function atTheEnd(rows: readonly Stepped[]): Stepped[] {
  const last = Math.max(...rows.map(({ steps }) => steps));
  return rows.filter(({ steps }) => steps === last);
}

/** What moves most, and who does best at the end; of all images where there are such rows. */
function findingOf(rows: readonly Stepped[], model: string, named: boolean): string {
  const own = rows.filter((row) => row.model === model);
  const group = own.some((row) => row.group === null) ? null : own[0]?.group;
  const all = own.filter((row) => row.group === group);
  const end = atTheEnd(all);
  // Whose gap is 0 by construction has not won.
  const isExact = ({ metric, method }: Stepped): boolean =>
    metric === 'completeness-gap' && sumsByConstruction(method);
  const best = bestWords(end.filter((row) => !isExact(row)));
  const parts = [
    movesWords(all.filter((row) => !isExact(row))),
    best === '' ? '' : `at ${end[0]?.steps ?? ''} steps ${best}${nullWords(end)}`,
    all.some(isExact) ? 'of IDGI it is 0 by construction' : '',
  ].filter((part) => part !== '');
  if (parts.length === 0) return '';
  const sentence = `${parts.join('; ')}.`;
  return named ? `${model}: ${sentence}` : sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

function movesWords(rows: readonly Stepped[]): string {
  const moves = distinct(rows.map(({ method }) => method)).flatMap((method) => {
    const points = rows.filter((row) => row.method === method).toSorted((a, b) => a.steps - b.steps);
    const [first, last] = [points[0], points.at(-1)];
    return first === undefined || last === undefined || first === last
      ? []
      : [{ method, first, last, size: Math.abs(last.mean - first.mean) }];
  });
  const most = moves.toSorted((a, b) => b.size - a.size)[0];
  if (most === undefined) return '';
  const { method, first, last } = most;
  const over = `from ${first.steps} to ${last.steps} steps`;
  if (moves.every((move) => alike(move.first, move.last))) return `${over} no mean changes`;
  const change = `${short(first.mean)} to ${short(last.mean)}`;
  return moves.length === 1
    ? `${over} the mean goes from ${change}`
    : `${over} the mean moves most for ${methodName(method)}, ${change}`;
}
