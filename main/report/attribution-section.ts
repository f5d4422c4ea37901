/** How the map was computed, and how good the integral is. */
import {
  baselineName,
  cohortText,
  drawnOf,
  endsText,
  findingTexts,
  methodOf,
  sumPromise,
} from '../../core/attribution/stated.ts';
import { columns, facts, note, panel, paragraph, stack, type Block, type Fact } from './block.ts';
import { figure } from './figure.ts';
import { integer, percent, significant, signed } from './numbers.ts';
import type { Paper } from './paper.ts';
import { greyPng } from './pictures.ts';
import type { ReportData } from './report-data.ts';
import { section } from './section.ts';
import { color, size } from './theme.ts';
import {
  baselineDefinition,
  baselineSettings,
  criterion,
  methodLimits,
  methodParameters,
  scalarName,
  scaleOf,
} from './words.ts';

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

function attributionFacts(data: ReportData): Fact[] {
  const { result, card } = data;
  const { method, baseline, cohort, baselineImage, spread } = result;
  const own = baselineSettings(result);
  const found = [...new Set(result.baselineFindings.flatMap(findingTexts))].join('; ');
  return [
    { label: 'Target', value: result.target, strong: true },
    { label: 'Score explained, f', value: scalarName(result.scalar, card) },
    {
      label: 'Method',
      value:
        result.quadrature === null || method !== 'integrated-gradients'
          ? methodOf(method).name
          : 'Integrated Gradients, straight path from b to x',
      strong: true,
    },
    ...(result.quadrature === null ? [] : [{ label: 'Quadrature', value: 'nested (dyadic) trapezoid' }]),
    { label: 'Parameters', value: methodParameters(result) },
    { label: 'Baseline b', value: baselineDefinition(result) },
    ...(own === '' ? [] : [{ label: 'Baseline parameters', value: own }]),
    ...(found === '' ? [] : [{ label: 'Baseline reached', value: found }]),
    ...(baseline === null || result.baselineEvaluations === 0
      ? []
      : [{ label: 'Baseline gradients', value: integer(result.baselineEvaluations) }]),
    ...(cohort === null
      ? []
      : [
          {
            label: 'Compared with',
            value: `${cohortText(cohort, drawnOf(result))}; result.json names them by their SHA-256`,
          },
        ]),
    ...(baselineImage === null
      ? []
      : [
          {
            label: 'Baseline image',
            value: `SHA-256 ${baselineImage.sha256}, frame ${baselineImage.frame + 1}`,
          },
        ]),
    {
      label: 'Gradient evaluations',
      value: `${integer(result.evaluations)} ${result.converged === null ? 'of' : 'of at most'} ${integer(result.maxEvaluations)}`,
    },
    ...sumFacts(data),
    ...(spread === null
      ? []
      : [
          {
            label: 'Spread',
            value:
              spread.share === null
                ? `${spread.runs} maps averaged`
                : `${spread.runs} maps averaged; a single one is ${percent(spread.share)} away from their mean`,
          },
        ]),
    ...(Object.keys(result.findings).length === 0
      ? []
      : [{ label: 'Found', value: findingTexts(result.findings).join('; ') }]),
    {
      label: 'Sign, normalisation',
      value: `${scaleOf(result).signed ? 'signed' : 'without sign'}, channels summed, not normalised`,
    },
  ];
}

/** What the map comes to, and what it should; of an integral that stops by itself, whether it got there. */
function sumFacts({ result, map }: ReportData): Fact[] {
  const { fx, fb, converged, expectedSum, gap, method, parameters, baselineFindings } = result;
  const { gapTolerance, mapTolerance } = criterion(result);
  const sum = map.reduce((total, value) => total + value, 0);
  const scale = scaleOf(result);
  const unit = result.scalar === 'logit' && scale.signed && !scale.slope ? ' (logit)' : '';
  if (converged === null) {
    return [
      { label: 'Sum of the map', value: signed(sum) + unit, strong: true },
      {
        label: 'Should equal',
        value:
          expectedSum === null
            ? `no sum is promised (${sumPromise(method)})`
            : `${signed(expectedSum)}${unit}: ${sumPromise(method)}`,
        strong: true,
      },
      ...(gap === null ? [] : [{ label: 'Off by', value: signed(gap, 3) }]),
      { label: 'Converged', value: 'no stopping criterion: it did the work that its parameters set' },
    ];
  }
  const relative =
    gap === null
      ? `not given: no sum is promised (${sumPromise(method)})`
      : result.gapRelative === null
        ? 'not given: f(x) \u2212 f(b) is near zero'
        : `${percent(result.gapRelative, 2)} of |f(x) \u2212 f(b)|; tolerance ${percent(gapTolerance)}`;
  const ends = endsText({ id: method, parameters }, baselineFindings.length);
  return [
    { label: `f(x), ${ends.x}`, value: significant(fx) + unit },
    { label: `f(b), ${ends.b}`, value: significant(fb) + unit },
    { label: 'f(x) \u2212 f(b)', value: signed(expectedSum) + unit },
    { label: 'Sum of the map', value: signed(sum) + unit },
    {
      label: 'Completeness gap',
      value: `${signed(gap, 3)}; bound \u00b1${significant(result.gapBound, 3)}`,
      strong: true,
    },
    { label: 'Gap, relative', value: relative },
    {
      label: 'Map change (L2)',
      value: `${percent(result.mapChange)} (last two levels); tolerance ${percent(mapTolerance)}`,
      strong: true,
    },
    converged
      ? { label: 'Converged', value: 'yes: both criteria hold', strong: true }
      : {
          label: 'Converged',
          value:
            result.spread?.converged == null
              ? 'NOT CONVERGED: a criterion does not hold'
              : `NOT CONVERGED: ${result.spread.converged} of ${result.spread.runs} maps did`,
          strong: true,
          color: color.red,
        },
  ];
}

/** The limits, and the two ends of the path as pictures. */
function seen(paper: Paper, { result, card, modelImage, baselineImage }: ReportData): Block {
  const { height: rows, width } = card.input;
  const several = result.baselineFindings.length;
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
              result.baseline === null
                ? 'That a map is computed well does not say that the model is right.'
                : 'A small gap says that the integral is accurate, not that the model is right. Another baseline asks another question and gives another map.',
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
          ...(baselineImage === null || result.baseline === null
            ? []
            : [
                {
                  share: 1,
                  block: picture(
                    baselineImage,
                    `b: ${baselineName(result.baseline)}${several > 1 ? `, the first of ${several}` : ''}`,
                  ),
                },
              ]),
        ],
        8,
      ),
    ],
    9,
  );
}
