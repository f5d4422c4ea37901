/** The summary of a study on paper: what was asked, what was run, the main table, the figures, and what none of it proves. */
import { methods } from '../../../core/attribution/methods.ts';
import { lowerFirst } from '../../../core/attribution/stated.ts';
import type { MetricId } from '../../../core/metrics/metrics.ts';
import { MOST_OF_COHORT } from '../../app/cohort.ts';
import { modelSha256 } from '../../app/model-sha256.ts';
import {
  columns,
  facts,
  flowTable,
  note,
  panel,
  paragraph,
  stack,
  text,
  type Cell,
  type Fact,
} from '../../report/block.ts';
import { drawn } from '../../report/drawing-block.ts';
import { flowFailures } from '../../report/failures.ts';
import { list, writeModel } from '../../report/model-section.ts';
import { duration, fixed, integer, notStated, timestamp } from '../../report/numbers.ts';
import { Paper } from '../../report/paper.ts';
import type { WrittenDocument } from '../../report/report-data.ts';
import { section } from '../../report/section.ts';
import { color, size } from '../../report/theme.ts';
import { lungMaskLimits, missingCharacters, notADevice } from '../../report/words.ts';
import { grouped } from '../grouped.ts';
import type { StatisticsRow } from '../row.ts';
import { hasInterval } from './finding.ts';
import type { Gathered } from './gather.ts';
import { baselineTitle, distinct, groupName, methodName, metricOf } from './names.ts';
import { atMostSteps } from './over-baselines.ts';
import type { StudyReport } from './report.ts';
import { sheetHeight, type StudyFigure } from './sheet.ts';

/** Height of a table's head and its first rows, which a heading above it must not be parted from. */
const headOfTable = 60;

const tableStyle = { size: size.small, padding: 2.2, rowHeader: true } as const;

export class StudySummary {
  readonly #paper: Paper;
  readonly #report: StudyReport;
  readonly #gathered: Gathered;
  #begun = false;
  /** Figures that stand in their files alone. */
  #inFilesAlone = 0;

  constructor(report: StudyReport, gathered: Gathered) {
    this.#report = report;
    this.#gathered = gathered;
    this.#paper = new Paper({
      title: 'Pathlight study summary',
      subject: 'A study of attribution methods over a folder of images',
      createdAt: report.createdAt,
      app: report.app,
      running: { left: `Study of ${report.folder}`, right: report.models.map(({ id }) => id).join(', ') },
      notice: `Not for clinical use. ${notADevice}`,
    });
  }

  /** Sets a figure below those before. */
  async add({ drawing, inSummary }: StudyFigure): Promise<void> {
    await this.#begin(inSummary ? drawing.height : 0);
    if (!inSummary) {
      this.#inFilesAlone++;
      return;
    }
    this.#paper.space(18);
    this.#paper.flow(drawn(this.#paper, drawing, sheetHeight));
  }

  /** @returns the PDF; the same study gives the same bytes */
  async finish(): Promise<WrittenDocument> {
    await this.#begin(0);
    const [paper, report] = [this.#paper, this.#report];
    if (this.#inFilesAlone > 0) {
      paper.space(8);
      paper.flow(
        note(
          paper,
          `${integer(this.#inFilesAlone)} further figures, of single groups, of other baselines and further pages of maps, stand in figures/ beside this file.`,
        ),
      );
    }
    writeLimits(paper, report, this.#gathered);
    await writeFailures(paper, report);
    for (const card of report.models) writeModel(paper, `The model ${card.id}`, card);
    if (report.lungsCard !== null) writeModel(paper, 'The lungs model', report.lungsCard);
    writeProvenance(paper, report);
    const { missing } = paper.typesetter;
    const bytes = await paper.finish();
    return { bytes, pages: paper.pages, warnings: missing.length === 0 ? [] : [missingCharacters(missing)] };
  }

  /** @param below height of the first figure, which the heading must not be parted from */
  async #begin(below: number): Promise<void> {
    if (this.#begun) return;
    this.#begun = true;
    writeOverview(this.#paper, this.#report, this.#gathered);
    await writeMainTable(this.#paper, this.#report, this.#gathered);
    section(
      this.#paper,
      'Figures',
      [
        note(
          this.#paper,
          'Each stands as SVG and PNG in figures/, too. The sentence under a title says what was found on these images, no more.',
        ),
      ],
      9,
      below,
    );
  }
}

function writeOverview(paper: Paper, report: StudyReport, gathered: Gathered): void {
  paper.flow(
    columns([
      {
        share: 3,
        block: text(paper, 'H1', 'A study of attribution methods', { size: size.title, weight: 'semibold' }),
      },
      {
        share: 2,
        block: stack([
          note(paper, `Pathlight ${report.app.version} \u00b7 study summary`, { align: 'right' }),
          note(paper, timestamp(report.createdAt), { align: 'right' }),
        ]),
      },
    ]),
  );
  paper.space(6);
  paper.flow(
    panel(
      paper,
      paragraph(
        paper,
        `Not for clinical use. ${notADevice} A study compares how maps are computed; no number in it says that a map, or a model, is right about a patient.`,
        { weight: 'semibold', color: color.amber },
      ),
      { fill: color.amberPanel, edge: color.amber, padding: 5 },
    ),
  );
  section(paper, 'What was asked', [list(paper, questionsOf(report, gathered))]);
  section(paper, 'What was run', [facts(paper, whatWasRun(report, gathered))]);
}

function questionsOf({ statistics, agreement, models }: StudyReport, { steps, images }: Gathered): string[] {
  const ids = distinct(statistics.map(({ method }) => method));
  const groups = distinct(images.map(({ group }) => group)).filter((group) => group !== '');
  return [
    `How do ${ids.length === 1 ? 'the maps of one method' : `the maps of ${ids.length} methods`} do on ${distinct(statistics.map(({ metric }) => metric)).length} metrics, each beside what a random map and the image\u2019s edges get?`,
    ...(steps.length > 1
      ? [
          `Does that change with the number of steps, from ${steps[0] ?? ''} to ${steps.at(-1) ?? ''}, and how many are enough?`,
        ]
      : []),
    ...(agreement.length > 0
      ? ['Does the choice of the baseline change the maps, and what is measured of them?']
      : []),
    ...(models.length > 1 ? ['Do the models differ in it?'] : []),
    ...(groups.length > 1 ? [`Do the groups differ in it (${groups.join(', ')})?`] : []),
  ];
}

const maskSources = {
  file: 'the folder of masks',
  lungs: 'the lungs model',
  none: 'none: what needs a mask was not measured',
} as const;

function whatWasRun(report: StudyReport, { images, masks, targets, scalars, steps }: Gathered): Fact[] {
  const groups = grouped(images, ({ group }) => group);
  const perGroup = Array.from(groups, ([group, members]) => `${groupName(group)} ${integer(members.length)}`);
  const metrics = distinct(report.statistics.map(({ metric }) => metric));
  const refused = `${integer(report.failures.length)} failed, ${integer(report.passedOver.length)} passed over`;
  return [
    { label: 'Folder', value: report.folder, strong: true },
    {
      label: 'Images',
      value: `${integer(images.length)} studied${groups.size > 1 || !groups.has('') ? `: ${perGroup.join(', ')}` : ''}; ${refused}`,
      strong: true,
    },
    ...report.models.map((card) => ({
      label: 'Model',
      value: `${card.name}, version ${card.version} (${card.id}); SHA-256 ${modelSha256(card)}`,
    })),
    ...(report.cohort === null ? [] : [{ label: 'Cohort', value: studyCohort(report.cohort) }]),
    {
      label: 'Masks',
      value:
        masks.map((from) => maskSources[from ?? 'none']).join('; ') +
        (report.lungsCard === null
          ? ''
          : ` (${report.lungsCard.id}; SHA-256 ${modelSha256(report.lungsCard)})`),
    },
    { label: 'Explained', value: `${targets.join(', ')}; ${scalars.join(', ')}` },
    ...report.methods.map(({ name, parameters }) => ({
      label: 'Method',
      value: settingText(name, parameters),
    })),
    ...report.baselines.map(({ name, parameters }) => ({
      label: 'Baseline',
      value: settingText(name, parameters),
    })),
    {
      label: 'Steps',
      value: steps.length === 0 ? 'none: no method here takes a number of them' : steps.join(', '),
    },
    { label: 'Metrics', value: metrics.map((metric) => metricOf(metric).name).join(', ') },
    {
      label: 'Intervals',
      value: '95\u00a0%, over images: 1000 bootstrap resamples of means; Wilson\u2019s of hits',
    },
    {
      label: 'Blank',
      value: `${report.blank}: what pixels become where a metric takes them away`,
    },
    { label: 'Seed', value: `${report.seed}, of random maps and resamples` },
    ...report.notes.map((noted) => ({ label: 'Note', value: noted, color: color.amber })),
    { label: 'Device', value: report.device },
    { label: 'Time', value: `${duration(report.seconds)} for this run` },
  ];
}

/** "12 images to compare with, 1 left out; SHA-256 of their sorted SHA-256 4f0c…": study.json has them all. */
function studyCohort({ images, unreadable, sha256 }: NonNullable<StudyReport['cohort']>): string {
  const most = images.length > MOST_OF_COHORT ? `, each image with at most ${MOST_OF_COHORT} of them` : '';
  const left = unreadable === 0 ? '' : `, ${integer(unreadable)} left out`;
  return `${integer(images.length)} image${images.length === 1 ? '' : 's'} to compare with${most}${left}; SHA-256 of their sorted SHA-256 ${sha256.slice(0, 16)}\u2026 (all in study.json)`;
}

const settingText = (name: string, parameters: string): string =>
  parameters === '' ? name : `${name}: ${parameters}`;

/** What the table's columns show; those that were not measured are left out. */
const tableMetrics: readonly MetricId[] = ['insertion', 'deletion', 'relevance-mass'];

async function writeMainTable(paper: Paper, report: StudyReport, gathered: Gathered): Promise<void> {
  const rows = atMostSteps(report.statistics.filter(({ group }) => group === null));
  for (const model of distinct(rows.map((row) => row.model))) {
    const ofModel = rows.filter((row) => row.model === model);
    const shown = tableMetrics.filter((metric) => ofModel.some((row) => row.metric === metric));
    const mass =
      gathered.masks.length === 1 && gathered.masks[0] === 'lungs' ? 'Mass in lungs' : 'Mass in mask';
    section(
      paper,
      `The methods, ${model}`,
      [
        note(
          paper,
          `All images, each method at its most steps. Means with 95\u00a0% confidence intervals over images; n in brackets where images have no value; of fewer than three there is no interval. Gradients: evaluations of the model\u2019s gradient an image.` +
            (shown.length < tableMetrics.length
              ? ` Not measured: ${tableMetrics
                  .filter((metric) => !shown.includes(metric))
                  .map((metric) =>
                    metric === 'relevance-mass' ? lowerFirst(mass) : lowerFirst(metricOf(metric).name),
                  )
                  .join(', ')}.`
              : ''),
        ),
      ],
      9,
      headOfTable,
    );
    paper.space(4);
    await flowTable(
      paper,
      [
        { title: 'Method', share: 3.3 },
        { title: 'Baseline', share: 2.5 },
        { title: 'Steps', share: 1, align: 'right' },
        { title: 'Gradients', share: 1.55, align: 'right' },
        ...shown.map((metric) => ({
          title:
            (metric === 'relevance-mass' ? mass : metricOf(metric).name) +
            (metricOf(metric).better === 'higher' ? ' (\u2191)' : ' (\u2193)'),
          share: 2.7,
          align: 'right' as const,
        })),
      ],
      tableRowsOf(ofModel, shown),
      tableStyle,
    );
  }
}

function* tableRowsOf(rows: readonly StatisticsRow[], shown: readonly MetricId[]): Generator<Cell[]> {
  for (const alike of grouped(rows, ({ method, baseline }) => JSON.stringify([method, baseline])).values()) {
    const [first] = alike;
    if (first === undefined) continue;
    yield [
      { text: methodName(first.method) },
      { text: first.baseline === null ? '\u2013' : baselineTitle(first.baseline) },
      { text: first.steps === null ? '\u2013' : String(first.steps) },
      { text: fixed(first.evaluations, Number.isInteger(first.evaluations) ? 0 : 1) },
      ...shown.map((metric) => ({ text: intervalText(alike.find((row) => row.metric === metric)) })),
    ];
  }
  for (const name of ['random', 'edges'] as const) {
    yield [
      { text: name === 'random' ? 'A random map' : 'The image\u2019s edges', color: color.soft },
      ...Array.from({ length: 3 }, () => ({ text: '\u2013', color: color.soft })),
      ...shown.map((metric) => ({
        text: meanText(rows.filter((row) => row.metric === metric).map((row) => row[name])),
        color: color.soft,
      })),
    ];
  }
}

function intervalText(row: StatisticsRow | undefined): string {
  if (row === undefined) return 'no value';
  const { mean, low, high, count, missing } = row;
  const interval = hasInterval({ count }) ? ` (${fixed(low, 3)} to ${fixed(high, 3)})` : ' (no interval)';
  return `${fixed(mean, 3)}${interval}${missing > 0 ? ` [${count}]` : ''}`;
}

function meanText(values: readonly (number | null)[]): string {
  const known = values.filter((value) => value !== null);
  return known.length === 0
    ? '\u2013'
    : fixed(known.reduce((sum, value) => sum + value, 0) / known.length, 3);
}

function writeLimits(paper: Paper, report: StudyReport, { masks }: Gathered): void {
  const metrics = distinct(report.statistics.map(({ metric }) => metric));
  const ids = distinct(report.statistics.map(({ method }) => method));
  section(paper, 'What this study does not show', [
    list(paper, [
      'No metric here knows where the evidence truly lies. Each says how a map does on one test; that methods rank differently on different tests is to be expected.',
      'Intervals say what other images like these would give; they say nothing of other hospitals, devices, models or kinds of image. Small samples make them too narrow.',
      'The same images stand behind all methods: intervals that overlap do not show that two methods are equal.',
      'Many comparisons stand side by side; some differences will look large by chance alone.',
      ...(masks.includes('lungs') ? [lungMaskLimits] : []),
    ]),
    stack([
      note(paper, 'Of the metrics', { weight: 'semibold', color: color.ink }),
      list(
        paper,
        metrics.map((metric) => `${metricOf(metric).name}: ${metricOf(metric).says}`),
        { size: size.small },
      ),
    ]),
    stack([
      note(paper, 'Of the methods', { weight: 'semibold', color: color.ink }),
      list(
        paper,
        ids.map((method) => `${methodName(method)}: ${methods[method].limits}`),
        { size: size.small },
      ),
    ]),
  ]);
}

async function writeFailures(paper: Paper, { failures, passedOver }: StudyReport): Promise<void> {
  if (failures.length === 0 && passedOver.length === 0) {
    section(paper, 'Failures and files passed over', [paragraph(paper, 'None: every file was studied.')]);
    return;
  }
  const over =
    passedOver.length === 0 ? '' : ` Passed over, as of another kind or hidden: ${passedOver.join(', ')}.`;
  section(
    paper,
    'Failures and files passed over',
    [note(paper, `Refused or failed: ${integer(failures.length)}.${over}`)],
    9,
    failures.length > 0 ? headOfTable : 0,
  );
  if (failures.length === 0) return;
  paper.space(4);
  await flowFailures(paper, failures);
}

function writeProvenance(paper: Paper, report: StudyReport): void {
  const { missing } = paper.typesetter;
  section(paper, 'Provenance', [
    facts(paper, [
      { label: 'Written', value: timestamp(report.createdAt) },
      {
        label: 'Pathlight',
        value: `version ${report.app.version}, commit ${report.app.commit === '' ? notStated : report.app.commit}`,
      },
      {
        label: 'Images',
        value:
          'the SHA-256 of every image, with every number that stands behind a mean here, is in results.csv beside this file',
      },
      ...(missing.length === 0
        ? []
        : [{ label: 'Characters', value: missingCharacters(missing), color: color.amber }]),
    ]),
  ]);
}
