/** The same image explained from several baselines, and how far the maps agree. */
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
import { greyPng, overlayPng, printedLevels } from './pictures.ts';
import type { ReportBaseline, ReportData } from './report-data.ts';
import { section } from './section.ts';
import { color } from './theme.ts';

export function writeBaselines(paper: Paper, data: ReportData): void {
  if (data.baselines.length === 0) {
    section(paper, 'Other baselines', [
      paragraph(paper, 'Not compared. One map without those of other baselines is half an answer.', {
        color: color.amber,
      }),
    ]);
    return;
  }
  const levels = printedLevels(data.baselines.map(({ map }) => map));
  const { result, card } = data;
  section(paper, 'Other baselines, on one shared scale', [
    columns(
      data.baselines.map((baseline) => ({ share: 1, block: cell(paper, data, baseline, levels) })),
      12,
    ),
    colorBar(
      paper,
      levels.range,
      `Contribution to the ${result.scalar} of ${result.target}, per pixel of the model\u2019s ${card.input.width} \u00d7 ${card.input.height} input; the same scale for every baseline`,
    ),
    ...(data.agreement === null
      ? [paragraph(paper, 'Agreement: not computed.')]
      : [agreement(paper, data.agreement)]),
  ]);
}

function cell(
  paper: Paper,
  data: ReportData,
  { baseline, map, image, convergence }: ReportBaseline,
  levels: ReturnType<typeof printedLevels>,
): Block {
  const { height: rows, width } = data.card.input;
  const { fx, fb, gap, gapRelative, evaluations, converged } = convergence;
  const difference = fx === null || fb === null ? null : fx - fb;
  const overlay = overlayPng(
    { values: data.modelImage, rows, columns: width },
    { values: map, rows, columns: width },
    levels,
  );
  return stack([
    columns(
      [
        { share: 4, block: heading(paper, baseline, 'H3') },
        {
          share: 1,
          block: figure(paper, {
            png: greyPng({ values: image, rows, columns: width }),
            aspect: 1,
            maxHeight: 16,
            alt: `The ${baseline} baseline`,
          }),
        },
      ],
      4,
    ),
    space(2),
    figure(paper, { png: overlay, aspect: 1, alt: `Attribution map with the ${baseline} baseline` }),
    space(3),
    facts(paper, [
      { label: 'f(b)', value: significant(fb, 3) },
      { label: 'f(x) \u2212 f(b)', value: signed(difference, 3) },
      {
        label: 'Gap',
        value: gapRelative === null ? signed(gap, 2) : `${signed(gap, 2)} (${percent(gapRelative, 2)})`,
      },
      { label: 'Evaluations', value: String(evaluations) },
      converged === null
        ? { label: 'Converged', value: '\u2013' }
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
          { title: '', share: 1.2 },
          ...baselines.map((baseline) => ({ title: baseline, share: 1, align: 'right' as const })),
        ],
        baselines.map((baseline, i) => [
          { text: baseline, strong: true } satisfies Cell,
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
  return stack(
    [
      paragraph(paper, verdict, { weight: 'semibold', color: stable ? color.ink : color.amber }),
      columns(
        [
          {
            share: 1,
            block: matrix(
              'Rank correlation of |contribution| (Spearman)',
              rankCorrelation,
              2,
              chance.rankCorrelation,
            ),
          },
          {
            share: 1,
            block: matrix('Overlap of the strongest 5 % of pixels (IoU)', topOverlap, 2, chance.topOverlap),
          },
        ],
        24,
      ),
    ],
    6,
  );
}
