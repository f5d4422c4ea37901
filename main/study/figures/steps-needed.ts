/** How many steps are enough? Of each method and baseline the share of the images by the steps they took, and of those that never got there. */
import { scaleBand } from 'd3-scale';
import { symbol, symbolCircle } from 'd3-shape';
import { baselineName } from '../../../core/attribution/stated.ts';
import { Sketch } from '../../report/drawing.ts';
import { percent } from '../../report/numbers.ts';
import { color, size } from '../../report/theme.ts';
import type { Typesetter } from '../../report/typesetter.ts';
import type { StepsRow } from '../row.ts';
import { colorOf } from './looks.ts';
import { distinct, listed, methodName, slug, sumsByConstruction } from './names.ts';
import { type Area, putPanelTitle } from './panel.ts';
import { sheet, sheetWidth, type StudyFigure } from './sheet.ts';

type Goal = 'toGap' | 'toMap';

const goals: Record<Goal, string> = {
  toGap: 'Steps to a completeness gap of 1\u00a0%',
  toMap: 'Steps to a map within 5\u00a0% of the last',
};

/** The images of one method and baseline. */
interface Line {
  label: string;
  rows: readonly StepsRow[];
}

const lineHeight = 17;

/** Whether its gap is 0 whatever the steps, and says nothing of them. */
const isExact = ({ rows: [first] }: Line): boolean => first !== undefined && sumsByConstruction(first.method);

/**
 * One figure a model.
 * @param studied the numbers of steps, ascending
 * @param promised whether a method promises what its map sums to, so that it has a gap
 */
export function* stepsNeeded(
  rows: readonly StepsRow[],
  studied: readonly number[],
  promised: (row: StepsRow) => boolean,
  typesetter: Typesetter,
): Generator<StudyFigure> {
  for (const model of distinct(rows.map((row) => row.model))) {
    const ofModel = rows.filter((row) => row.model === model);
    const key = (row: StepsRow): string => JSON.stringify([row.method, row.baseline]);
    const several =
      distinct(ofModel.flatMap(({ baseline }) => (baseline === null ? [] : [baseline]))).length > 1;
    const lines = distinct(ofModel.map(key)).map((same): Line => {
      const alike = ofModel.filter((row) => key(row) === same);
      const [first] = alike;
      const ofBaseline =
        !several || first === undefined || first.baseline === null ? '' : `, ${baselineName(first.baseline)}`;
      return { label: first === undefined ? '' : methodName(first.method) + ofBaseline, rows: alike };
    });
    yield figureOf(model, lines, studied, promised, typesetter);
  }
}

function figureOf(
  model: string,
  lines: readonly Line[],
  studied: readonly number[],
  promised: (row: StepsRow) => boolean,
  typesetter: Typesetter,
): StudyFigure {
  const images = Math.max(...lines.map(({ rows }) => rows.length));
  const words = {
    name: slug('steps-needed', model),
    inSummary: true,
    title: `How many steps are enough? ${model}, ${images === 1 ? 'one image' : `${images} images`}`,
    says: (['toGap', 'toMap'] as const).map((goal) => findingOf(lines, goal, studied, promised)).join(' '),
    caption:
      `Each dot\u2019s area is the share of the images that needed that many of the studied steps (${studied.join(', ')}) and stayed there with more; the bar marks the median; ` +
      `\u201cnever\u201d: not within the ${studied.at(-1) ?? 0} studied. The map is held against the same method\u2019s map of the most steps, which is no truth, and to which the most steps alone do not count as near. ` +
      (lines.some(isExact)
        ? 'IDGI shares out every change of the score along its path: its gap is 0 by construction, at any number of steps. '
        : '') +
      'A small gap does not make a good map: it says that the sum is right, not where it lies.',
  };
  const scratch = new Sketch(typesetter);
  const labelStyle = { size: size.tiny } as const;
  const labelWidth = Math.min(
    130,
    Math.max(...lines.map(({ label }) => scratch.measure(label, labelStyle).width)) + 8,
  );
  const gap = 14;
  const width = (sheetWidth - labelWidth - gap) / 2;
  const height = lines.length * lineHeight;
  return sheet(typesetter, words, 16 + height + 26, (sketch, top) => {
    const panelTop = top + 16;
    lines.forEach(({ label }, i) => {
      const at = {
        x: labelWidth - 6,
        y: panelTop + (i + 0.5) * lineHeight,
        align: 'right',
        vertical: 'middle',
      } as const;
      sketch.text(label, { ...at, width: labelWidth - 6 }, labelStyle);
    });
    (['toGap', 'toMap'] as const).forEach((goal, i) => {
      const left = labelWidth + i * (width + gap);
      putGoal(
        sketch,
        { left, right: left + width, top: panelTop, bottom: panelTop + height },
        goal,
        lines,
        studied,
        promised,
      );
    });
  });
}

function putGoal(
  sketch: Sketch,
  area: Area,
  goal: Goal,
  lines: readonly Line[],
  studied: readonly number[],
  promised: (row: StepsRow) => boolean,
): void {
  putPanelTitle(sketch, area, goals[goal]);
  const columns = [...studied.map(String), 'never'];
  const x = scaleBand(columns, [area.left, area.right - 26]);
  const middleOf = (column: string): number => (x(column) ?? 0) + x.bandwidth() / 2;
  const neverLeft = x('never') ?? area.right;
  sketch.rectangle(neverLeft, area.top, area.right - neverLeft, area.bottom - area.top, { fill: '#f5f7f8' });
  for (const column of columns) {
    const at = { x: middleOf(column), y: area.bottom + 3, align: 'center' } as const;
    sketch.text(column, at, { color: color.soft });
    if (column === 'never') continue;
    sketch.line(middleOf(column), area.top, middleOf(column), area.bottom, { color: '#e6eaed', width: 0.5 });
  }
  sketch.text(
    'steps',
    { x: (area.left + neverLeft) / 2, y: area.bottom + 13, align: 'center' },
    { color: color.soft },
  );
  lines.forEach(({ rows }, i) => {
    const middle = area.top + (i + 0.5) * lineHeight;
    const [first] = rows;
    if (first === undefined) return;
    if (i > 0) {
      const y = area.top + i * lineHeight;
      sketch.line(area.left, y, area.right, y, { color: '#eef1f3', width: 0.5 });
    }
    if (goal === 'toGap' && (!promised(first) || sumsByConstruction(first.method))) {
      sketch.text(
        promised(first) ? '0 by construction' : 'no sum is promised',
        { x: (area.left + neverLeft) / 2, y: middle, align: 'center', vertical: 'middle' },
        { color: color.soft },
      );
      return;
    }
    const fill = colorOf(first.method);
    const shareAt = (steps: number | null): number =>
      rows.filter((row) => row[goal] === steps).length / rows.length;
    for (const steps of studied) {
      putDot(sketch, middleOf(String(steps)), middle, shareAt(steps), { fill });
    }
    const never = shareAt(null);
    putDot(sketch, middleOf('never'), middle, never, { fill: '#ffffff', stroke: { color: fill, width: 1 } });
    sketch.text(
      percent(never, 0),
      { x: area.right - 1, y: middle, align: 'right', vertical: 'middle' },
      { color: never > 0 ? color.ink : color.soft },
    );
    const median = medianOf(rows.map((row) => row[goal]));
    if (median === null) return;
    const at = middleOf(String(median));
    sketch.line(at, middle - 7.5, at, middle + 7.5, { color: color.ink, width: 1.2 });
  });
}

/** A dot that fills the line for all images. */
function putDot(
  sketch: Sketch,
  x: number,
  y: number,
  share: number,
  ink: { fill: string; stroke?: { color: string; width: number } },
): void {
  if (share > 0) sketch.path(symbol(symbolCircle, 150 * share)(), ink, [x, y]);
}

/** The upper median, those that never got there beyond all others. @returns null: half of them or more never did */
export function medianOf(steps: readonly (number | null)[]): number | null {
  const sorted = steps.map((value) => value ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? Number.POSITIVE_INFINITY;
  return Number.isFinite(middle) ? middle : null;
}

function findingOf(
  lines: readonly Line[],
  goal: Goal,
  studied: readonly number[],
  promised: (row: StepsRow) => boolean,
): string {
  const called = goal === 'toGap' ? 'Gap of 1\u00a0%' : 'Map within 5\u00a0%';
  const exact = goal === 'toGap' && lines.some(isExact) ? 'IDGI\u2019s gap is 0 by construction' : '';
  const measured = lines.filter((line) => goal === 'toMap' || (line.rows.some(promised) && !isExact(line)));
  if (measured.length === 0) return `${called}: ${exact || 'no method here promises a sum'}.`;
  const parts = [soonestWords(measured, goal, studied), neverWords(measured, goal), exact];
  return `${called}: ${parts.filter((part) => part !== '').join('; ')}.`;
}

function soonestWords(lines: readonly Line[], goal: Goal, studied: readonly number[]): string {
  const medians = lines.map(
    (line) => medianOf(line.rows.map((row) => row[goal])) ?? Number.POSITIVE_INFINITY,
  );
  const least = Math.min(...medians);
  if (!Number.isFinite(least)) return 'none reaches it on most images';
  const first = lines.filter((_, i) => medians[i] === least);
  const median = `median ${least}${least === studied[0] ? ', the fewest studied' : ''}`;
  if (first.length === lines.length)
    return `${namesOf(first, lines)} ${verb(first, 'takes', 'take the same')} (${median})`;
  return `${namesOf(first, lines)} ${verb(first, 'needs', 'need')} the fewest steps (${median})`;
}

function neverWords(lines: readonly Line[], goal: Goal): string {
  const never = ({ rows }: Line): number => rows.filter((row) => row[goal] === null).length;
  const share = (line: Line): number => never(line) / line.rows.length;
  const most = Math.max(...lines.map(share));
  if (most === 0) return 'all reach it on every image';
  const worst = lines.filter((line) => share(line) === most);
  const [first] = worst;
  const images = first === undefined ? '' : `${never(first)} of ${first.rows.length}`;
  return `${namesOf(worst, lines)} ${verb(worst, 'does', 'do')} not reach it on ${images}`;
}

function namesOf(some: readonly Line[], all: readonly Line[]): string {
  return listed(
    some.map(({ label }) => label),
    all.length,
  );
}

function verb(lines: readonly Line[], one: string, several: string): string {
  return lines.length === 1 ? one : several;
}
