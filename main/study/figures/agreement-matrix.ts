/** How alike are the maps? A matrix of rank correlation and one of the overlap of the strongest 5 %, beside what random maps get. */
import { baselineName } from '../../../core/attribution/stated.ts';
import { Sketch } from '../../report/drawing.ts';
import { fixed, significant } from '../../report/numbers.ts';
import { color, hexOf, size } from '../../report/theme.ts';
import type { Typesetter } from '../../report/typesetter.ts';
import { grouped } from '../grouped.ts';
import type { AgreementRow } from '../row.ts';
import { hasInterval } from './finding.ts';
import type { MethodAgreementRow } from './method-agreement.ts';
import { baselineTitle, distinct, methodName, slug, spanOf } from './names.ts';
import { sheet, sheetWidth, type StudyFigure } from './sheet.ts';

type Measure = AgreementRow['measure'];

/** A pair's mean and interval. */
type Pair = Pick<AgreementRow, 'measure' | 'mean' | 'low' | 'high' | 'count' | 'random' | 'randomP95'> & {
  one: string;
  other: string;
};

const measures: Record<Measure, string> = {
  'rank-correlation': 'Rank correlation of |map| (Spearman)',
  'top-overlap': 'Overlap of the strongest 5\u00a0% (intersection over union)',
};

const key = (...parts: unknown[]): string => JSON.stringify(parts);

/** Between baselines, over all images: one figure a model and method. */
export function* baselineAgreement(
  rows: readonly AgreementRow[],
  typesetter: Typesetter,
): Generator<StudyFigure> {
  const ofAll = rows.filter(({ group }) => group === null);
  for (const same of distinct(ofAll.map((row) => key(row.model, row.method, row.steps)))) {
    const alike = ofAll.filter((row) => key(row.model, row.method, row.steps) === same);
    const [first] = alike;
    if (first === undefined) continue;
    const { model, method, steps } = first;
    yield figureOf(
      slug('agreement', 'baselines', model, method),
      `How alike are the maps from different baselines? ${methodName(method)}${steps === null ? '' : ` at ${steps} steps`}, ${model}, all images`,
      'baselines',
      true,
      alike.map(({ baselines: [one, other], ...row }) => ({
        ...row,
        one: baselineTitle(one),
        other: baselineTitle(other),
      })),
      typesetter,
    );
  }
}

/** Between methods, over all images: one figure a model and baseline. */
export function* methodAgreement(
  rows: readonly MethodAgreementRow[],
  typesetter: Typesetter,
): Generator<StudyFigure> {
  const usual = [...grouped(rows, ({ baseline }) => baseline)].toSorted(
    ([, a], [, b]) => b.length - a.length,
  )[0]?.[0];
  for (const same of distinct(rows.map((row) => key(row.model, row.baseline)))) {
    const alike = rows.filter((row) => key(row.model, row.baseline) === same);
    const [first] = alike;
    if (first === undefined) continue;
    const { model, baseline } = first;
    yield figureOf(
      slug('agreement', 'methods', model, baseline),
      `How alike are the maps of different methods? ${baseline === null ? '' : `Baseline: ${baselineName(baseline)}; `}${model}, all images`,
      'methods',
      baseline === usual,
      alike.map(({ methods: [one, other], ...row }) => ({
        ...row,
        one: methodName(one),
        other: methodName(other),
      })),
      typesetter,
    );
  }
}

function figureOf(
  name: string,
  title: string,
  of: 'baselines' | 'methods',
  inSummary: boolean,
  pairs: readonly Pair[],
  typesetter: Typesetter,
): StudyFigure {
  const labels = distinct(pairs.flatMap(({ one, other }) => [one, other]));
  const shownMeasures = distinct(pairs.map(({ measure }) => measure));
  const scratch = new Sketch(typesetter);
  const labelStyle = { size: size.tiny } as const;
  const labelWidth = Math.min(
    88,
    Math.max(...labels.map((label) => scratch.measure(label, labelStyle).width)) + 5,
  );
  const gap = 20;
  const width = (sheetWidth - gap) / 2;
  const cell = Math.min(34, (width - labelWidth) / labels.length);
  const turned = Math.max(...labels.map((label) => scratch.measure(label, labelStyle).width)) + 6;
  const side = cell * labels.length;
  const [first] = pairs;
  const words = {
    name,
    inSummary,
    title,
    says: shownMeasures.map((measure) => findingOf(pairs, measure)).join(' '),
    caption:
      `Means over the images, n = ${spanOf(pairs.map(({ count }) => count))}; the figure\u2019s colour runs from \u22121 (orange) over 0 (white) to 1 (blue). ` +
      (first === undefined
        ? ''
        : `Pairs of random maps get ${shownMeasures.map((measure) => nullsOf(pairs, measure)).join(' and ')}. `) +
      `That ${of} agree does not show that their maps are right: maps that follow the image\u2019s edges agree as well.`,
  };
  return sheet(typesetter, words, 16 + turned + side + 4, (sketch, top) => {
    shownMeasures.forEach((measure, i) => {
      const left = i * (width + gap) + labelWidth;
      sketch.text(
        measures[measure],
        { x: i * (width + gap), y: top, width },
        { size: size.small, weight: 'semibold' },
      );
      const matrixTop = top + 16 + turned;
      labels.forEach((label, row) => {
        const middle = (row + 0.5) * cell;
        sketch.text(
          label,
          { x: left - 4, y: matrixTop + middle, align: 'right', vertical: 'middle', width: labelWidth - 4 },
          labelStyle,
        );
        const set = sketch.measure(label, labelStyle);
        sketch.text(
          label,
          {
            x: left + middle,
            y: matrixTop - 4 - set.width / 2,
            align: 'center',
            vertical: 'middle',
            turned: true,
          },
          labelStyle,
        );
        labels.forEach((other, column) => {
          const pair = pairs.find(
            (candidate) =>
              candidate.measure === measure &&
              ((candidate.one === label && candidate.other === other) ||
                (candidate.one === other && candidate.other === label)),
          );
          const value = row === column ? 1 : (pair?.mean ?? null);
          putCell(sketch, left + column * cell, matrixTop + row * cell, cell, value, row === column);
        });
      });
    });
  });
}

function putCell(
  sketch: Sketch,
  x: number,
  y: number,
  cell: number,
  value: number | null,
  diagonal: boolean,
): void {
  const shade = value === null || diagonal ? '#eef1f3' : shadeOf(value);
  sketch.rectangle(x, y, cell, cell, { fill: shade, stroke: { color: '#ffffff', width: 0.8 } });
  const dark = !diagonal && value !== null && Math.abs(value) > 0.72;
  sketch.text(
    value === null ? '\u2013' : diagonal ? '1' : fixed(value, 2),
    { x: x + cell / 2, y: y + cell / 2, align: 'center', vertical: 'middle' },
    { size: Math.min(7.6, cell / 2.7), color: diagonal ? color.soft : dark ? '#ffffff' : color.ink },
  );
}

/** White at 0, blue at 1, orange at -1, straight in sRGB. */
export function shadeOf(value: number): string {
  const end = value < 0 ? [213, 94, 0] : [0, 90, 150];
  const share = Math.min(1, Math.abs(value));
  return hexOf(end.map((to) => 255 + share * (to - 255)));
}

function nullsOf(pairs: readonly Pair[], measure: Measure): string {
  const pair = pairs.find((candidate) => candidate.measure === measure);
  if (pair === undefined) return '';
  const called = measure === 'rank-correlation' ? 'a rank correlation' : 'an overlap';
  return `${called} of ${fixed(pair.random, 3)} (95th percentile ${fixed(pair.randomP95, 3)})`;
}

function findingOf(pairs: readonly Pair[], measure: Measure): string {
  const sorted = pairs.filter((pair) => pair.measure === measure).toSorted((a, b) => a.mean - b.mean);
  const [least, most] = [sorted[0], sorted.at(-1)];
  if (least === undefined || most === undefined) return '';
  const called = measure === 'rank-correlation' ? 'Rank correlation' : 'Overlap';
  const words = ({ one, other, mean, low, high, count }: Pair): string =>
    `${significant(mean, 2)}${hasInterval({ count }) ? ` (${significant(low, 2)} to ${significant(high, 2)})` : ''} between ${one} and ${other}`;
  return least === most
    ? `${called}: ${words(most)}.`
    : `${called}: least ${words(least)}, most ${words(most)}.`;
}
