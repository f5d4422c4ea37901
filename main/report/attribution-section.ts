/** How the map was computed, and how good the integral is. */
import { methods } from '../../core/attribution/methods.ts';
import { columns, facts, note, panel, paragraph, stack, type Block, type Fact } from './block.ts';
import { figure } from './figure.ts';
import { integer, percent, significant, signed } from './numbers.ts';
import type { Paper } from './paper.ts';
import { greyPng } from './pictures.ts';
import type { ReportData } from './report-data.ts';
import { section } from './section.ts';
import { color, size } from './theme.ts';
import { baselineDefinition, baselineName, criterion, methodLimits, scalarName } from './words.ts';

export function writeAttribution(paper: Paper, data: ReportData): void {
  section(paper, 'How the map was computed', [
    columns(
      [
        { share: 11, block: facts(paper, attributionFacts(data)) },
        { share: 7, block: seen(paper, data) },
      ],
      20,
    ),
  ]);
}

function attributionFacts({ result, card, map }: ReportData): Fact[] {
  const { fx, fb, expectedSum } = result;
  const { gapTolerance, mapTolerance } = criterion(result);
  const sum = map.reduce((total, value) => total + value, 0);
  const unit = result.scalar === 'logit' ? ' (logit)' : '';
  const relative =
    result.gapRelative === null
      ? 'not given: f(x) \u2212 f(b) is near zero'
      : `${percent(result.gapRelative, 2)} of |f(x) \u2212 f(b)|; tolerance ${percent(gapTolerance)}`;
  return [
    { label: 'Target', value: result.target, strong: true },
    { label: 'Score explained, f', value: scalarName(result.scalar, card) },
    {
      label: 'Method',
      value:
        result.quadrature === null
          ? methods[result.method].name
          : 'Integrated Gradients, straight path from b to x',
    },
    {
      label: 'Baseline b',
      value: baselineDefinition(result),
    },
    ...(result.quadrature === null ? [] : [{ label: 'Quadrature', value: 'nested (dyadic) trapezoid' }]),
    {
      label: 'Gradient evaluations',
      value: `${integer(result.evaluations)} of at most ${integer(result.maxEvaluations)}`,
    },
    { label: 'f(x), of the image', value: significant(fx) + unit },
    { label: 'f(b), of the baseline', value: significant(fb) + unit },
    { label: 'The sum should be', value: signed(expectedSum) + unit },
    { label: 'Sum of the map', value: signed(sum) + unit },
    {
      label: 'Completeness gap',
      value: `${signed(result.gap, 3)}; bound \u00b1${significant(result.gapBound, 3)}`,
      strong: true,
    },
    { label: 'Gap, relative', value: relative },
    {
      label: 'Map change (L2)',
      value: `${percent(result.mapChange)} (last two levels); tolerance ${percent(mapTolerance)}`,
      strong: true,
    },
    result.converged === null
      ? { label: 'Converged', value: 'not asked: the method has no criterion' }
      : result.converged
        ? { label: 'Converged', value: 'yes: both criteria hold', strong: true }
        : {
            label: 'Converged',
            value: 'NOT CONVERGED: a criterion does not hold',
            strong: true,
            color: color.red,
          },
    {
      label: 'Sign, normalisation',
      value: 'signed, channels summed, not normalised',
    },
  ];
}

/** The limits, and the two ends of the path as pictures. */
function seen(paper: Paper, { result, card, modelImage, baselineImage }: ReportData): Block {
  const { height: rows, width } = card.input;
  const picture = (values: Float32Array, caption: string): Block =>
    stack(
      [
        figure(paper, { png: greyPng({ values, rows, columns: width }), aspect: 1, alt: caption }),
        note(paper, caption, { size: size.tiny }),
      ],
      2,
    );
  return stack(
    [
      panel(
        paper,
        stack(
          [
            paragraph(paper, methodLimits(result), { weight: 'semibold' }),
            note(
              paper,
              'A small gap says that the integral is accurate, not that the model is right. Another baseline asks another question and gives another map.',
            ),
          ],
          3,
        ),
        { fill: color.panel, edge: color.accent },
      ),
      columns(
        [
          {
            share: 1,
            block: picture(
              modelImage,
              `x: what the model saw, ${width} \u00d7 ${rows} pixels, squeezed to a square`,
            ),
          },
          ...(baselineImage === null
            ? []
            : [{ share: 1, block: picture(baselineImage, `b: the ${baselineName(result)}`) }]),
        ],
        8,
      ),
    ],
    9,
  );
}
