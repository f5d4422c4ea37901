/** The same image explained from several baselines, and how far the maps agree. */
import type { BaselineId } from '../../core/attribution/baseline-kinds.ts';
import { baselineKindOf, baselineName } from '../../core/attribution/stated.ts';
import type { OverlayStyle } from '../../core/imaging/blend.ts';
import type { Agreement } from '../../core/metrics/agreement.ts';
import {
  columns,
  facts,
  heading,
  note,
  paragraph,
  space,
  stack,
  table,
  type Block,
  type Cell,
} from './block.ts';
import { colorBar, figure } from './figure.ts';
import { fixed, percent, significant, signed } from './numbers.ts';
import type { Paper } from './paper.ts';
import { greyPng, overlayPng, printedStyle } from './pictures.ts';
import type { ReportBaseline, ReportData } from './report-data.ts';
import { section } from './section.ts';
import { color } from './theme.ts';
import { mapMeaning, scaleOf } from './words.ts';

/** Baselines beside one another. */
const CELLS = 4;

export function writeBaselines(paper: Paper, data: ReportData): void {
  if (data.baselines.length === 0) {
    if (data.result.baseline === null) return;
    section(paper, 'Other baselines', [
      paragraph(paper, 'Not compared. One map without those of other baselines is half an answer.', {
        color: color.amber,
      }),
    ]);
    return;
  }
  const { result, card } = data;
  const style = printedStyle(
    data.baselines.map(({ map }) => map),
    scaleOf(result),
  );
  const cells = data.baselines.map((baseline) => ({ share: 1, block: cell(paper, data, baseline, style) }));
  const rows = Array.from({ length: Math.ceil(cells.length / CELLS) }, (_, row) =>
    cells.slice(row * CELLS, (row + 1) * CELLS),
  );
  // A short last row keeps the size of the others.
  const filled = rows.map((row) => [
    ...row,
    ...Array.from({ length: (rows.length > 1 ? CELLS : row.length) - row.length }, () => ({
      share: 1,
      block: space(0),
    })),
  ]);
  section(paper, 'Other baselines, on one shared scale', [
    ...filled.map((row) => columns(row, 12)),
    colorBar(paper, style, `${mapMeaning(result, card)} The same scale for every baseline.`),
    ...(data.agreement === null
      ? [paragraph(paper, 'Agreement: not computed.')]
      : [agreement(paper, data.agreement)]),
  ]);
}

function cell(
  paper: Paper,
  data: ReportData,
  { baseline, map, image, convergence }: ReportBaseline,
  style: OverlayStyle,
): Block {
  const { height: rows, width } = data.card.input;
  const { fb, gap, gapRelative, evaluations, converged, sum, expectedSum, spread } = convergence;
  const name = baselineKindOf(baseline).name;
  const overlay = overlayPng(
    { values: data.modelImage, rows, columns: width },
    { values: map, rows, columns: width },
    style,
  );
  return stack([
    columns(
      [
        { share: 4, block: heading(paper, name, 'H3') },
        {
          share: 1,
          block: figure(paper, {
            png: greyPng({ values: image, rows, columns: width }),
            aspect: 1,
            maxHeight: 16,
            alt: `The baseline: ${baselineName(baseline)}`,
          }),
        },
      ],
      4,
    ),
    space(2),
    figure(paper, {
      png: overlay,
      aspect: 1,
      alt: `Attribution map with the baseline: ${baselineName(baseline)}`,
    }),
    space(3),
    facts(paper, [
      ...(converged === null
        ? [
            { label: 'Sum', value: signed(sum, 3) },
            { label: 'Should be', value: signed(expectedSum, 3) },
            { label: 'Off by', value: signed(gap, 2) },
          ]
        : [
            { label: 'f(b)', value: significant(fb, 3) },
            { label: 'f(x) \u2212 f(b)', value: signed(expectedSum, 3) },
            {
              label: 'Gap',
              value: gapRelative === null ? signed(gap, 2) : `${signed(gap, 2)} (${percent(gapRelative, 2)})`,
            },
          ]),
      ...(spread === null ? [] : [{ label: 'Spread', value: `${percent(spread.share)} of ${spread.runs}` }]),
      { label: 'Evaluations', value: String(evaluations) },
      converged === null
        ? { label: 'Converged', value: 'no criterion' }
        : converged
          ? { label: 'Converged', value: 'yes' }
          : { label: 'Converged', value: 'NOT CONVERGED', strong: true, color: color.red },
    ]),
  ]);
}

function agreement(
  paper: Paper,
  { baselines, rankCorrelation, topOverlap, null: chance, stable }: Agreement,
): Block {
  const nameOf = (baseline: BaselineId): string => baselineKindOf(baseline).name;
  /** Too many for names at the heads of columns. */
  const many = baselines.length > CELLS || baselines.some((baseline) => nameOf(baseline).length > 9);
  const verdict = stable
    ? 'Stable: the smallest rank correlation is at least 0.5 and the smallest overlap at least 0.3.'
    : 'NOT STABLE: the map depends on the baseline (rank correlation under 0.5, or overlap under 0.3, for at least one pair).';
  const matrix = (
    title: string,
    values: number[][],
    decimals: number,
    random: { mean: number; p95: number },
  ): Block =>
    stack([
      heading(paper, title, 'H3'),
      table(
        paper,
        [
          { title: '', share: many ? 4 : 1.2 },
          ...baselines.map((baseline, i) => ({
            title: many ? String(i + 1) : nameOf(baseline),
            share: 1,
            align: 'right' as const,
          })),
        ],
        baselines.map((baseline, i) => [
          { text: many ? `${i + 1} ${nameOf(baseline)}` : nameOf(baseline), strong: true } satisfies Cell,
          ...baselines.map((_, j): Cell =>
            i === j
              ? { text: '\u2013', color: color.soft }
              : { text: fixed(values[i]?.[j] ?? null, decimals) },
          ),
        ]),
        { size: 7.6, padding: 2.6, rowHeader: true },
      ),
      space(3),
      note(paper, `Random maps: mean ${fixed(random.mean, 3)}, 95th percentile ${fixed(random.p95, 3)}.`),
    ]);
  const matrices = [
    matrix('Rank correlation of |contribution| (Spearman)', rankCorrelation, 2, chance.rankCorrelation),
    matrix('Overlap of the strongest 5 % of pixels (IoU)', topOverlap, 2, chance.topOverlap),
  ];
  return stack(
    [
      paragraph(paper, verdict, { weight: 'semibold', color: stable ? color.ink : color.amber }),
      // As many as share a page's width side by side.
      ...(baselines.length > 6
        ? matrices
        : [
            columns(
              matrices.map((block) => ({ share: 1, block })),
              24,
            ),
          ]),
    ],
    6,
  );
}
