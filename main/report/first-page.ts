/** The first page: whose image, what the model says of it, and where its score came from. */
import { mapName, methodOf } from '../../core/attribution/stated.ts';
import { isInverted } from '../../core/imaging/grayscale.ts';
import { DEFAULT_TOP_SHARE } from '../../core/imaging/blend.ts';
import { columns, heading, note, panel, panels, paragraph, space, stack, text, type Block } from './block.ts';
import { colorBar, figure, scaleBar } from './figure.ts';
import { fixed, percent, significant, signed, stated, timestamp } from './numbers.ts';
import type { Paper } from './paper.ts';
import { nameHan, type Identity } from './patient.ts';
import { atMost, greyPng, overlayPng, printedStyle } from './pictures.ts';
import type { ReportData } from './report-data.ts';
import { color, size } from './theme.ts';
import { criterion, mapMeaning, methodLimits, noticeOf, scaleOf } from './words.ts';

/** More pixels than this on the longer side cannot be told apart at the printed size (8.5 cm at 350 dpi). */
const printedPixels = 1200;

export function writeFirstPage(paper: Paper, data: ReportData, who: Identity): void {
  paper.flow(
    columns([
      {
        share: 3,
        block: text(paper, 'H1', 'What moved the score', { size: size.title, weight: 'semibold' }),
      },
      {
        share: 2,
        block: stack([
          note(
            paper,
            `Pathlight ${data.result.app.version} \u00b7 ${methodOf(data.result.method).name}: report`,
            {
              align: 'right',
            },
          ),
          note(paper, timestamp(data.createdAt), { align: 'right' }),
        ]),
      },
    ]),
  );
  paper.space(6);
  paper.flow(
    panel(paper, paragraph(paper, noticeOf(data.card), { weight: 'semibold', color: color.amber }), {
      fill: color.amberPanel,
      edge: color.amber,
      padding: 5,
    }),
  );
  paper.space(8);
  paper.flow(banner(paper, data, who));
  paper.space(10);
  paper.flow(
    panels(paper, [
      { content: score(paper, data), style: { fill: color.panel } },
      {
        content: convergence(paper, data),
        style:
          data.result.converged === false ? { fill: color.redPanel, edge: color.red } : { fill: color.panel },
      },
    ]),
  );
  paper.space(12);
  paper.flow(images(paper, data));
}

/** A label over its value. */
function labelled(paper: Paper, label: string, value: string): Block {
  return stack([note(paper, label, { size: size.tiny }), paragraph(paper, value)]);
}

function banner(paper: Paper, data: ReportData, who: Identity): Block {
  const { entry } = data;
  const han = nameHan(entry.patient);
  const [first = '', ...others] = who.names;
  const name = stack([
    paragraph(paper, first, { size: 13, weight: 'semibold', han }),
    ...(others.length === 0 ? [] : [paragraph(paper, others.join('   '), { size: 11, han })]),
  ]);
  const rows: [string, string][][] = [
    [
      ['Patient ID', who.id],
      ['Sex', who.sex],
      ['Age', who.age],
      ['Birth date', who.birthDate],
    ],
    [
      ['Study date', who.studyDate],
      ['Accession number', who.accession],
      ['Modality', stated(entry.modality)],
      ['View, laterality', `${stated(entry.viewPosition)}, ${stated(entry.laterality)}`],
    ],
    [['Study description', who.description]],
  ];
  const masking = data.maskPatient
    ? [
        note(
          paper,
          'Names, identifiers, dates, UIDs and the file name are withheld. Text burned into the image is not.',
          { color: color.amber },
        ),
      ]
    : [];
  return panel(
    paper,
    stack(
      [
        name,
        ...rows.map((row) =>
          columns(
            row.map(([label, value]) => ({ share: 1, block: labelled(paper, label, value) })),
            10,
          ),
        ),
        ...masking,
      ],
      5,
    ),
    { fill: color.panel, edge: color.accent },
  );
}

function score(paper: Paper, data: ReportData): Block {
  const { prediction, target } = data.result;
  const { decision } = data.card;
  const scores = Object.entries(prediction.scores);
  const positive = decision?.positive ?? target;
  const value = prediction.scores[positive] ?? 0;
  const others = scores
    .filter(([label]) => label !== positive)
    .map(([label, other]) => `${label} ${fixed(other, 3)}`);
  const called =
    decision === undefined ? `Highest probability: ${prediction.label}` : `Called ${prediction.label}`;
  const threshold =
    decision === undefined || prediction.threshold === null
      ? 'Threshold: not stated by the model\u2019s author.'
      : `Threshold ${fixed(prediction.threshold, 2)} on the probability of ${positive}. ${decision.source}`;
  return stack(
    [
      note(paper, 'Model score', { size: size.tiny }),
      columns([
        {
          share: 3,
          block: paragraph(paper, `${positive} ${fixed(value, 3)}`, { size: 14, weight: 'semibold' }),
        },
        { share: 2, block: paragraph(paper, called, { align: 'right', leading: 2.2 }) },
      ]),
      gauge(paper, value, decision === undefined ? null : prediction.threshold),
      ...(others.length === 0 ? [] : [note(paper, others.join(' \u00b7 '))]),
      note(paper, threshold),
    ],
    3,
  );
}

/** A probability on its scale from 0 to 1, with the threshold. */
function gauge(paper: Paper, value: number, threshold: number | null): Block {
  const height = 9;
  return {
    measure: () => height,
    draw: (x, y, width) => {
      const alt = `Probability ${fixed(value, 3)} on a scale from 0 to 1${threshold === null ? '' : `, threshold ${fixed(threshold, 2)}`}`;
      const { pdf } = paper;
      paper.mark(
        'Figure',
        () => {
          pdf.rect(x, y + 2, width, 5).fill(color.line);
          pdf.rect(x, y + 2, width * value, 5).fill(color.accent);
          if (threshold !== null) {
            pdf
              .moveTo(x + width * threshold, y)
              .lineTo(x + width * threshold, y + height)
              .lineWidth(1.2)
              .stroke(color.ink);
          }
        },
        { alt, bbox: [x, y, x + width, y + height] },
      );
    },
  };
}

function convergence(paper: Paper, data: ReportData): Block {
  const { result } = data;
  const { gapTolerance, mapTolerance } = criterion(result);
  const gap =
    result.gapRelative === null
      ? `gap ${signed(result.gap, 2)} (bound ${significant(result.gapBound, 2)})`
      : `gap ${percent(result.gapRelative, 2)} of |f(x) \u2212 f(b)| (tolerance ${percent(gapTolerance)})`;
  const change = `map change ${percent(result.mapChange)} (tolerance ${percent(mapTolerance)})`;
  const sum =
    result.expectedSum === null
      ? 'no sum is promised'
      : `sum ${signed(result.sum, 3)}, which should be ${signed(result.expectedSum, 3)}`;
  const quality = result.converged === null ? `${sum}; no stopping criterion` : `${gap}; ${change}`;
  const figures = `${quality}; ${result.evaluations} gradient evaluations.`;
  const title = { size: 14, weight: 'semibold' } as const;
  const state =
    result.converged === null
      ? paragraph(paper, methodOf(result.method).name, title)
      : result.converged
        ? paragraph(paper, 'Map converged', title)
        : paragraph(paper, 'NOT CONVERGED', { ...title, color: color.red });
  return stack(
    [
      note(paper, `Attribution of ${result.target}: ${mapName(result.method, result.baseline)}`, {
        size: size.tiny,
      }),
      state,
      ...(result.converged !== false
        ? []
        : [
            paragraph(paper, 'The integral did not reach its tolerances: this map is not reliable.', {
              weight: 'semibold',
              color: color.red,
            }),
          ]),
      note(paper, `${figures.charAt(0).toUpperCase()}${figures.slice(1)}`),
      paragraph(paper, methodLimits(result), { weight: 'semibold' }),
    ],
    3,
  );
}

const spacingBasis = {
  calibrated: 'calibrated',
  patient: 'in the patient',
  detector: 'at the detector',
  'detector-magnification-corrected': 'at the detector, corrected for magnification',
} as const;

function images(paper: Paper, data: ReportData): Block {
  const { entry, card, result } = data;
  const image = atMost({ values: data.display, rows: entry.rows, columns: entry.columns }, printedPixels);
  const map = { values: data.map, rows: card.input.height, columns: card.input.width };
  const scale = scaleOf(result);
  const style = printedStyle([data.map], scale);
  const { signed: hasSigns } = scale;
  const { spacing, orientation } = entry;
  const aspect = (entry.columns * (spacing?.column ?? 1)) / (entry.rows * (spacing?.row ?? 1));
  const frame = entry.frames > 1 ? `, frame ${result.image.frame + 1} of ${entry.frames}` : '';
  const letters =
    orientation === null
      ? 'Orientation unknown: the file states none.'
      : 'Letters: Patient Orientation as stated in the file.';
  const shown = { aspect, orientation, maxHeight: 290 };
  return columns(
    [
      {
        share: 1,
        block: stack(
          [
            heading(paper, `Image${frame}`, 'H3'),
            figure(paper, {
              ...shown,
              png: greyPng(image),
              alt: `The radiograph, ${entry.rows} by ${entry.columns} pixels. ${windowOf(data)}`,
            }),
            space(1),
            ...(spacing === null
              ? [note(paper, 'No pixel spacing stated: lengths in pixels only.', { size: size.tiny })]
              : [scaleBar(paper, entry.columns * spacing.column, spacingBasis[spacing.basis])]),
            note(paper, `${windowOf(data)} ${letters}`),
          ],
          2,
        ),
      },
      {
        share: 1,
        block: stack(
          [
            heading(paper, `Attribution of ${result.target} over the image`, 'H3'),
            figure(paper, {
              ...shown,
              png: overlayPng(image, map, style),
              alt: `The attribution map over the radiograph. ${mapMeaning(result, card)}`,
            }),
            space(1),
            colorBar(paper, style, mapMeaning(result, card)),
            note(
              paper,
              `Colour saturates at the 99.5th percentile of ${hasSigns ? '|contribution|' : 'the values'}. The strongest ${percent(DEFAULT_TOP_SHARE, 0)} of pixels are shown fully, weaker ones fade out.`,
            ),
          ],
          2,
        ),
      },
    ],
    16,
  );
}

/** How stored values became grey, in the units of the file. */
export function windowOf({ grayscale, voi }: Pick<ReportData, 'grayscale' | 'voi'>): string {
  const named = (explanation: string): string => (explanation === '' ? '' : ` \u201c${explanation}\u201d`);
  const units =
    grayscale.modalityLut.kind === 'linear' &&
    grayscale.modalityLut.units !== '' &&
    grayscale.modalityLut.units !== 'US'
      ? ` ${grayscale.modalityLut.units}`
      : '';
  const voiText =
    voi === null
      ? 'Full range, no window'
      : voi.kind === 'table'
        ? `VOI LUT${named(voi.table.explanation)}`
        : `W ${significantWindow(voi.width)} L ${significantWindow(voi.center)}${units} (${voi.function})${named(voi.explanation)}`;
  const inverted = isInverted(grayscale) ? ', shown inverted as the file asks' : '';
  return `${voiText}, ${grayscale.photometricInterpretation}${inverted}.`;
}

function significantWindow(value: number): string {
  return Number(value.toPrecision(6)).toString().replace('-', '\u2212');
}
