/** The summary of one run over a folder. */
import { mapName } from '../../core/attribution/stated.ts';
import type { ExplanationResult } from '../../core/contract/result.ts';
import {
  columns,
  facts,
  flowTable,
  heading,
  note,
  panel,
  panels,
  paragraph,
  stack,
  text,
  type Block,
  type Cell,
  type Fact,
} from './block.ts';
import { modelSha256 } from '../app/model-sha256.ts';
import { histogram, scatter, type Dot } from './chart.ts';
import { flowFailures } from './failures.ts';
import { figure } from './figure.ts';
import { list, writeModel } from './model-section.ts';
import { duration, fixed, integer, notStated, percent, signed, stated, timestamp } from './numbers.ts';
import { gravestFirst, isFlagged, severityColor } from './flags.ts';
import { Paper } from './paper.ts';
import { rgbPng } from './pictures.ts';
import type { AuditSummaryData, WrittenDocument } from './report-data.ts';
import { section } from './section.ts';
import { color, size } from './theme.ts';
import {
  deviceText,
  lungCheckLimits,
  lungMaskLimits,
  methodLimits,
  missingCharacters,
  noticeOf,
  scalarName,
  parametersText,
} from './words.ts';

/** Height of a table's head and its first rows, which a heading above it must not be parted from. */
const headOfTable = 60;

/** Flagged images shown as pictures; all of them stand in the table. */
const pictured = 24;
const picturesPerRow = 2;

/** @returns the PDF; the same data give the same bytes */
export async function writeAuditSummary(data: AuditSummaryData): Promise<WrittenDocument> {
  const paper = new Paper({
    title: 'Pathlight audit summary',
    subject: `Audit of a folder with the model ${data.card.id}`,
    createdAt: data.createdAt,
    app: data.app,
    running: { left: `Audit of ${data.folder}`, right: `${data.card.name}, version ${data.card.version}` },
    notice: noticeOf(data.card),
  });
  writeOverview(paper, data);
  writeDistributions(paper, data);
  await writeFlagged(paper, data);
  await writeFailures(paper, data);
  writePassedOver(paper, data);
  await writeImages(paper, data);
  writeLimits(paper, data);
  writeModel(paper, 'The model', data.card);
  if (data.lungsCard !== null) writeModel(paper, 'The lungs model', data.lungsCard);
  writeProvenance(paper, data);
  const missing = paper.typesetter.missing;
  const bytes = await paper.finish();
  return { bytes, pages: paper.pages, warnings: missing.length === 0 ? [] : [missingCharacters(missing)] };
}

function writeOverview(paper: Paper, data: AuditSummaryData): void {
  const { results, card } = data;
  paper.flow(
    columns([
      { share: 3, block: text(paper, 'H1', 'Audit of a folder', { size: size.title, weight: 'semibold' }) },
      {
        share: 2,
        block: stack([
          note(paper, `Pathlight ${data.app.version} \u00b7 audit summary`, { align: 'right' }),
          note(paper, timestamp(data.createdAt), { align: 'right' }),
        ]),
      },
    ]),
  );
  paper.space(6);
  paper.flow(
    panel(paper, paragraph(paper, noticeOf(card), { weight: 'semibold', color: color.amber }), {
      fill: color.amberPanel,
      edge: color.amber,
      padding: 5,
    }),
  );
  paper.space(8);
  const count = (holds: (result: ExplanationResult) => boolean): number => results.filter(holds).length;
  const notConverged = count((result) => result.converged === false);
  const flagged = count(isFlagged);
  const tiles: { label: string; value: number; color?: string }[] = [
    { label: 'images', value: results.length + data.failures.length },
    ...card.output.labels.map((label) => ({
      label: `called ${label}`,
      value: count((result) => result.prediction.label === label),
    })),
    { label: 'converged', value: count((result) => result.converged === true) },
    { label: 'NOT converged', value: notConverged, ...(notConverged > 0 ? { color: color.red } : {}) },
    { label: 'flagged', value: flagged, ...(flagged > 0 ? { color: color.amber } : {}) },
    {
      label: 'failed',
      value: data.failures.length,
      ...(data.failures.length > 0 ? { color: color.red } : {}),
    },
  ];
  for (let start = 0; start < tiles.length; start += 7) {
    paper.flow(
      panels(
        paper,
        tiles.slice(start, start + 7).map((tile) => ({
          content: stack([
            paragraph(paper, integer(tile.value), {
              size: 15,
              weight: 'semibold',
              color: tile.color ?? color.ink,
            }),
            note(paper, tile.label, { color: tile.color ?? color.soft }),
          ]),
          style: { fill: color.panel, padding: 7 },
        })),
        8,
      ),
    );
    paper.space(8);
  }
  section(paper, 'What was run', [columns([{ share: 1, block: facts(paper, whatWasRun(data)) }])]);
}

function whatWasRun(data: AuditSummaryData): Fact[] {
  const { card, results, lungsCard } = data;
  const first = results[0];
  const parameters = first?.parameters;
  const resumed =
    data.resumed === 0 ? '' : `; ${integer(data.resumed)} of them taken over from an earlier run`;
  const copied =
    data.copied === 0 ? '' : `; ${integer(data.copied)} of them of the same content as another file`;
  return [
    { label: 'Folder', value: data.folder, strong: true },
    {
      label: 'Images',
      value: `${integer(results.length)} explained${resumed}${copied}; ${integer(data.failures.length)} failed`,
    },
    {
      label: 'Passed over',
      value: `${integer(data.passedOver.length)} ${data.passedOver.length === 1 ? 'file that is' : 'files that are'} not DICOM, or hidden`,
    },
    { label: 'Model', value: `${card.name}, version ${card.version} (${card.id})`, strong: true },
    { label: 'Model SHA-256', value: modelSha256(card) },
    {
      label: 'Lungs model',
      value:
        lungsCard === null
          ? 'none: no lung check was made'
          : `${lungsCard.name}, version ${lungsCard.version}; SHA-256 ${modelSha256(lungsCard)}`,
    },
    {
      label: 'Threshold',
      value:
        card.decision === undefined
          ? notStated
          : `${card.decision.threshold} on ${card.decision.positive}. ${card.decision.source}`,
    },
    ...(first === undefined || parameters === undefined
      ? []
      : [
          {
            label: 'Explained',
            value: `${distinct(results, (result) => result.target)}; ${distinct(results, (result) => scalarName(result.scalar, card))}`,
          },
          {
            label: 'Method',
            value: distinct(results, ({ method, baseline }) => mapName(method, baseline)),
          },
          {
            label: 'Parameters',
            value: distinct(results, parametersText),
          },
          {
            label: 'Device',
            value: distinct(results, ({ device }) => `${deviceText(device)}, ${device.runtime}`),
          },
        ]),
    { label: 'Time', value: `${duration(data.seconds)} for this run` },
  ];
}

/** Every different value once: a folder should hold one, and where it holds more it must show. */
function distinct(
  results: readonly ExplanationResult[],
  value: (result: ExplanationResult) => string,
): string {
  return [...new Set(results.map(value))].join(' / ');
}

function positiveScore(data: AuditSummaryData, { prediction, target }: ExplanationResult): number {
  return prediction.scores[data.card.decision?.positive ?? target] ?? 0;
}

function writeDistributions(paper: Paper, data: AuditSummaryData): void {
  const { results, card } = data;
  if (results.length === 0) {
    section(paper, 'Distributions', [paragraph(paper, 'None: no image was explained.')]);
    return;
  }
  const positive = card.decision?.positive ?? 'the target';
  const scores = results.map((result) => positiveScore(data, result));
  const height = 150;
  const scoreChart = stack([
    heading(paper, `Scores for ${positive}`, 'H3'),
    histogram(
      paper,
      height,
      `Histogram of ${scores.length} probabilities of ${positive} in 20 bins.`,
      `probability of ${positive}`,
      scores,
      card.decision?.threshold ?? null,
    ),
  ]);
  section(paper, 'Distributions', [
    columns(
      [
        { share: 1, block: scoreChart },
        { share: 1, block: lungChart(paper, data, height) },
      ],
      20,
    ),
  ]);
}

function lungChart(paper: Paper, { results }: AuditSummaryData, height: number): Block {
  const checked = results.flatMap((result) =>
    result.lungs === null ? [] : [{ lungs: result.lungs, flagged: isFlagged(result) }],
  );
  const title = heading(paper, 'Attribution in the lungs', 'H3');
  if (checked.length === 0) return stack([title, paragraph(paper, 'No lung check was made.')]);
  const dots: Dot[] = checked.map(({ lungs, flagged }) => ({
    x: lungs.share,
    y: lungs.enrichment,
    marked: flagged,
  }));
  const edges = checked.reduce((sum, { lungs }) => sum + lungs.null.edges, 0) / checked.length;
  const highest = dots.reduce((most, dot) => Math.max(most, dot.y), 1.2);
  return stack([
    title,
    scatter(
      paper,
      height,
      `Lung share against enrichment of ${dots.length} images; ${dots.filter((dot) => dot.y < 1).length} lie below an enrichment of 1.`,
      {
        x: {
          label: 'share of |attribution| in the lungs; amber: flagged',
          domain: [0, 1],
          format: (value) => percent(value, 0),
        },
        y: { label: 'enrichment over the area share', domain: [0, highest * 1.08], format: String },
      },
      dots,
      { y: { at: 1, label: 'random map' }, x: { at: edges, label: 'edge map, mean' } },
    ),
  ]);
}

async function writeFlagged(paper: Paper, data: AuditSummaryData): Promise<void> {
  const flagged = data.results.filter(isFlagged);
  if (flagged.length === 0) {
    section(paper, 'Flagged images', [paragraph(paper, 'None.')]);
    return;
  }
  const shown = flagged.slice(0, pictured);
  const rest = flagged.length - shown.length;
  const rows: Block[] = [];
  for (let start = 0; start < shown.length; start += picturesPerRow) {
    const cells: Block[] = [];
    for (const result of shown.slice(start, start + picturesPerRow)) {
      cells.push(await flaggedCell(paper, data, result));
    }
    while (cells.length < picturesPerRow) cells.push(stack([]));
    rows.push(
      columns(
        cells.map((block) => ({ share: 1, block })),
        12,
      ),
    );
  }
  const [first = stack([]), ...others] = rows;
  const said = `${integer(flagged.length)} flagged.${rest > 0 ? ` The first ${pictured} are shown here; all stand in the table of images.` : ''}`;
  section(paper, 'Flagged images', [stack([note(paper, said), first], 6), ...others]);
}

async function flaggedCell(paper: Paper, data: AuditSummaryData, result: ExplanationResult): Promise<Block> {
  const image = (await data.thumbnail?.(result)) ?? null;
  const words = stack(
    [
      note(paper, result.image.file, { weight: 'semibold', color: color.ink }),
      note(paper, `${result.prediction.label}, score ${fixed(positiveScore(data, result), 3)}`, {
        color: color.ink,
      }),
      ...gravestFirst(result.flags).map((flag) =>
        note(paper, flag.text, { color: severityColor[flag.severity] }),
      ),
    ],
    2,
  );
  if (image === null) return words;
  const picture = figure(paper, {
    png: rgbPng(image),
    aspect: image.columns / image.rows,
    maxHeight: 120,
    alt: `Attribution map over the image ${result.image.file}`,
  });
  return columns(
    [
      { share: 4, block: picture },
      { share: 5, block: words },
    ],
    8,
  );
}

async function writeFailures(paper: Paper, data: AuditSummaryData): Promise<void> {
  if (data.failures.length === 0) {
    section(paper, 'Failures', [paragraph(paper, 'None: every image of the folder was explained.')]);
    return;
  }
  section(
    paper,
    'Failures',
    [note(paper, `Refused or failed: ${integer(data.failures.length)}.`)],
    9,
    headOfTable,
  );
  paper.space(4);
  await flowFailures(paper, data.failures);
}

/** Names beyond these are counted: a folder may hold any number of files of other kinds. */
const passedOverNamed = 60;

function writePassedOver(paper: Paper, { passedOver }: AuditSummaryData): void {
  if (passedOver.length === 0) return;
  const more = passedOver.length - passedOverNamed;
  section(paper, 'Files that were passed over', [
    note(
      paper,
      `Not DICOM, or hidden (names that begin with a dot): they were not looked at. ${passedOver.slice(0, passedOverNamed).join(', ')}${more > 0 ? `, and ${integer(more)} more` : ''}.`,
    ),
  ]);
}

async function writeImages(paper: Paper, data: AuditSummaryData): Promise<void> {
  const positive = data.card.decision?.positive ?? 'the target';
  section(
    paper,
    'Images',
    [
      note(
        paper,
        `Score: probability of ${positive}. Gap: of |f(x) \u2212 f(b)|, or absolute (abs.) where that is near zero. Lungs: share of |attribution| in the lungs, beside the same share for a random map and for an edge map of the image.`,
      ),
    ],
    9,
    headOfTable,
  );
  paper.space(4);
  if (data.results.length === 0) {
    paper.flow(paragraph(paper, 'None.'));
    return;
  }
  await flowTable(
    paper,
    [
      { title: 'File', share: 3.7 },
      { title: 'Score', share: 1.1, align: 'right' },
      { title: 'Called', share: 1.9 },
      { title: 'Gap', share: 2, align: 'right' },
      { title: 'Converged', share: 2.1 },
      { title: 'Lungs', share: 1.2, align: 'right' },
      { title: 'Random', share: 1.4, align: 'right' },
      { title: 'Edges', share: 1.2, align: 'right' },
      { title: 'Flags', share: 3.2 },
    ],
    imageRows(data),
    { size: 6.8, padding: 2, rowHeader: true },
  );
}

function* imageRows(data: AuditSummaryData): Generator<Cell[]> {
  for (const result of data.results) {
    const { lungs } = result;
    yield [
      {
        text:
          result.image.frame === 0
            ? result.image.file
            : `${result.image.file}, frame ${result.image.frame + 1}`,
      },
      { text: fixed(positiveScore(data, result), 3) },
      { text: result.prediction.label },
      {
        text: result.gapRelative === null ? `${signed(result.gap, 2)} abs.` : percent(result.gapRelative, 2),
      },
      result.converged === null
        ? { text: '\u2013' }
        : result.converged
          ? { text: 'yes' }
          : { text: 'NOT CONVERGED', strong: true, color: color.red },
      {
        text: lungs === null ? '\u2013' : percent(lungs.share),
        ...(lungs !== null && lungs.enrichment < 1 ? { color: color.amber } : {}),
      },
      { text: lungs === null ? '\u2013' : percent(lungs.null.random) },
      { text: lungs === null ? '\u2013' : percent(lungs.null.edges) },
      result.flags.length === 0
        ? { text: 'none', color: color.soft }
        : {
            text: gravestFirst(result.flags)
              .map((flag) => flag.id)
              .join(', '),
            ...(isFlagged(result) ? { strong: true, color: color.amber } : { color: color.soft }),
          },
    ];
  }
}

function writeLimits(paper: Paper, data: AuditSummaryData): void {
  const limits = [...new Set(data.results.map(methodLimits))];
  section(paper, 'What this audit does not show', [
    list(paper, [
      ...limits,
      lungCheckLimits,
      lungMaskLimits,
      'The scores are the model\u2019s, not findings: without reference labels an audit says nothing of accuracy.',
      'An image without a flag is not an image on which the model is right.',
    ]),
  ]);
}

function writeProvenance(paper: Paper, data: AuditSummaryData): void {
  const missing = paper.typesetter.missing;
  section(paper, 'Provenance', [
    facts(paper, [
      { label: 'Written', value: timestamp(data.createdAt) },
      { label: 'Pathlight', value: `version ${data.app.version}, commit ${stated(data.app.commit)}` },
      {
        label: 'Image hashes',
        value: 'the SHA-256 of every image and its SOP Instance UID stand in results.jsonl beside this file',
      },
      ...(missing.length === 0
        ? []
        : [{ label: 'Characters', value: missingCharacters(missing), color: color.amber }]),
    ]),
  ]);
}
