/** `pathlight study`: methods, baselines and steps over a folder, measured, as tables. */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { completeBaseline, completeMethod } from '../../core/attribution/choices.ts';
import type { Scalar } from '../../core/attribution/model.ts';
import { PathlightError, toErrorReport } from '../../core/contract/errors.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import type { RefusedFile } from '../../core/contract/library.ts';
import { randomSource } from '../../core/metrics/random.ts';
import type { Analysis } from '../app/analysis.ts';
import { type Candidate, candidatesOf, MOST_OF_COHORT } from '../app/cohort.ts';
import { lockFolder } from '../app/folder-lock.ts';
import { Journal } from '../app/journal.ts';
import type { LibraryImage } from '../app/library.ts';
import { modelSha256 } from '../app/model-sha256.ts';
import type { UsableModel } from '../app/models.ts';
import { checkWritable, writeFilesAtomically } from '../app/write-files.ts';
import { grouped } from '../study/grouped.ts';
import { type Labels, readLabels } from '../study/labels.ts';
import type { Likeness } from '../study/likeness.ts';
import { type Cell, planOf } from '../study/plan.ts';
import { parseLine } from '../study/record.ts';
import {
  AGREEMENT_COLUMNS,
  type AgreementRow,
  ROW_COLUMNS,
  STATISTICS_COLUMNS,
  type StatisticsRow,
  STEPS_COLUMNS,
  type StepsRow,
  type StudyRow,
  table,
} from '../study/row.ts';
import { agreementRows, statisticsOf } from '../study/statistics.ts';
import { readMap, study as studyImages } from '../study/study.ts';
import { maskOf } from '../study/subject.ts';
import type { StudyPicture, StudyReport } from '../study/figures/report.ts';
import { baselineSettings, methodSettings } from '../study/figures/settings.ts';
import { writeStudyFigures } from '../study/figures/write.ts';
import { displayOfModelInput } from '../../core/imaging/model-input.ts';
import { deviceText } from '../report/words.ts';
import type { Command } from './arguments.ts';
import { bar, createProgress, duration } from './progress.ts';
import {
  checkedCard,
  type ExitCode,
  failureLine,
  foreignLine,
  scan,
  sentence,
  type Session,
  type Terminal,
  withSession,
} from './session.ts';

type StudyCommand = Extract<Command, { command: 'study' }>;

const MOST_LABEL_BYTES = 64 * 2 ** 20;

export async function study(command: StudyCommand, terminal: Terminal): Promise<ExitCode> {
  const { err, signal } = terminal;
  const progress = createProgress(err);
  return withSession(command, async (session) => {
    const models: UsableModel[] = [];
    for (const model of new Set(command.modelIds)) {
      await checkedCard(session, { model, target: command.target });
      models.push(await session.models.find(model));
    }
    if (command.masks !== null) await checkFolder(command.masks);
    const found = await scan(session.library, [command.folder], command.out, progress, signal);
    err.write(foreignLine(found.foreign));
    for (const failure of found.refused) err.write(failureLine(failure));
    if (found.images.length === 0) {
      err.write('No DICOM image was found.\n');
      return 1;
    }
    const cohort =
      command.cohort === null ? null : await cohortOf(session, command.cohort, command, terminal);
    const cells = planOf(command.grids, {
      cohort: Math.min(MOST_OF_COHORT, cohort?.images.length ?? 0),
      seed: command.seed,
      metrics: command.metrics,
    });
    const labels = await labelsOf(command.labels, found.images);
    for (const note of labels.notes) err.write(sentenceLine(note));
    const images = chosenImages(found.images, labels, command.limit, command.seed);
    await checkWritable(command.out);
    const release = await lockFolder(command.out);
    try {
      return await studyFolder(command, terminal, session, {
        ...{ models, cells, images, labels, cohort },
        refused: [...found.refused, ...(cohort?.refused ?? [])],
        passedOver: found.foreign.map(({ file }) => file),
      });
    } finally {
      release();
    }
  });
}

interface Plan {
  models: UsableModel[];
  cells: Cell[];
  images: LibraryImage[];
  cohort: Cohort | null;
  labels: Labels;
  refused: RefusedFile[];
  passedOver: string[];
}

interface Outcome {
  rows: StudyRow[];
  likenesses: Likeness[];
  steps: StepsRow[];
  failures: RefusedFile[];
  notes: string[];
  made: number;
  resumed: number;
}

/** With what the rows say together. */
interface Findings extends Outcome {
  statistics: StatisticsRow[];
  agreement: AgreementRow[];
}

async function studyFolder(
  command: StudyCommand,
  terminal: Terminal,
  session: Session,
  plan: Plan,
): Promise<ExitCode> {
  const { err } = terminal;
  const journal = await Journal.open(path.join(command.out, 'study.jsonl'), parseLine);
  const began = performance.now();
  try {
    const outcome = await runStudy(command, terminal, session, plan, journal);
    const { rows, likenesses, made, resumed } = outcome;
    const failures = [...plan.refused, ...outcome.failures];
    const findings: Findings = {
      ...{ ...outcome, failures },
      statistics: statisticsOf(rows, command.seed),
      agreement: agreementRows(likenesses, command.seed),
    };
    await writeTables(command, session, plan, findings);
    const seconds = (performance.now() - began) / 1000;
    await writeFigures(command, terminal, session, plan, findings, seconds);
    err.write(
      `${counted(made + resumed, 'map')} of ${counted(plan.images.length, 'image')} measured` +
        `${resumed > 0 ? ` (${resumed} taken over from an earlier run)` : ''} in ${duration((performance.now() - began) / 1000)}; ` +
        `${failures.length} failed. Written to ${command.out}\n`,
    );
    return failures.length > 0 ? 1 : 0;
  } finally {
    await journal.close();
  }
}

async function runStudy(
  { out: folder, masks, metrics, target, scalar, blank, seed, device, json }: StudyCommand,
  { out, err, signal }: Terminal,
  { engine, analysis }: Session,
  { models, cells, images, cohort, labels }: Plan,
  journal: Parameters<typeof studyImages>[2]['journal'],
): Promise<Outcome> {
  const progress = createProgress(err);
  const each = cells.reduce((sum, { gradients }) => sum + gradients, 0);
  const total = each * images.length * models.length;
  err.write(
    `${counted(images.length, 'image')}, ${counted(models.length, 'model')}, ${counted(cells.length, 'map')} each: ` +
      `about ${total.toLocaleString('en')} gradients\n`,
  );
  const outcome: Outcome = {
    ...{ rows: [], likenesses: [], steps: [], failures: [], notes: [] },
    ...{ made: 0, resumed: 0 },
  };
  const began = performance.now();
  let [done, computed] = [0, 0];
  const request = {
    ...{ images, models, cells, metrics, masks, target, scalar, blank, seed, journal },
    cohort: cohort?.images ?? [],
    groupOf: labels.of,
    provider: device,
    mapsFolder: path.join(folder, 'maps'),
  };
  for await (const event of studyImages(engine, analysis, request, signal)) {
    switch (event.type) {
      case 'map':
        outcome.rows.push(...event.rows);
        outcome[event.resumed ? 'resumed' : 'made']++;
        done += event.gradients;
        if (!event.resumed) computed += event.gradients;
        if (json) for (const row of event.rows) out.write(`${JSON.stringify(row)}\n`);
        break;
      case 'failed':
        outcome.failures.push(event.failure);
        done += event.gradients;
        progress.clear();
        err.write(failureLine(event.failure));
        break;
      case 'note':
        outcome.notes.push(event.text);
        progress.clear();
        err.write(sentenceLine(event.text));
        break;
      case 'image':
        outcome.likenesses.push(...event.likenesses);
        outcome.steps.push(...event.steps);
    }
    progress.show(progressText(done, computed, total, performance.now() - began));
  }
  progress.clear();
  return outcome;
}

/** "[####----] 1,200 of 7,000 gradients, 45 a second, 2 min 9 s left" */
function progressText(done: number, computed: number, total: number, milliseconds: number): string {
  const rate = computed / (milliseconds / 1000);
  const pace =
    computed === 0
      ? ''
      : `, ${rate.toFixed(rate < 10 ? 1 : 0)} a second, ${duration((total - done) / rate)} left`;
  return `${bar(done / total)} ${done.toLocaleString('en')} of ${total.toLocaleString('en')} gradients${pace}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function sentenceLine(text: string): string {
  return `${sentence(text)}\n`;
}

async function checkFolder(folder: string): Promise<void> {
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) throw new PathlightError('not-found', `'${folder}' is not a folder`, 'Check the path.');
}

async function labelsOf(file: string | null, images: readonly LibraryImage[]): Promise<Labels> {
  if (file === null) return { of: () => '', notes: [] };
  const names = images.map(({ entry }) => entry.file);
  try {
    if ((await stat(file)).size > MOST_LABEL_BYTES) {
      throw new PathlightError('too-large', `'${file}' is larger than 64 MB`, 'Name a table of labels.');
    }
    return readLabels(await readFile(file, 'utf8'), names);
  } catch (error) {
    if (error instanceof PathlightError) throw error;
    throw new PathlightError('not-found', `The labels '${file}' cannot be read`, 'Check the path.', {
      cause: error,
    });
  }
}

interface Cohort {
  folder: string;
  /** Those that can be read, each content once, by their SHA-256. */
  images: Candidate[];
  /** Files that cannot be read: the cohort goes on without them. */
  refused: RefusedFile[];
}

async function cohortOf(
  { library, analysis: { images } }: Session,
  folder: string,
  { out }: StudyCommand,
  { err, signal }: Terminal,
): Promise<Cohort> {
  const progress = createProgress(err);
  const found = await scan(library, [folder], out, progress, signal);
  const cohort: Cohort = { folder, images: [], refused: [...found.refused] };
  const candidates = await candidatesOf(images, found.images, signal);
  for (const [k, candidate] of candidates.entries()) {
    signal.throwIfAborted();
    const { image } = candidate;
    const { file, frames } = image.entry;
    progress.show(`Reading the images to compare with: ${k + 1} of ${candidates.length}`);
    try {
      if (frames !== 1) {
        throw new PathlightError(
          'unsupported',
          'An image of several frames is not compared with',
          'Keep images of one frame in the folder of --cohort.',
        );
      }
      await images.decoded({ image, frame: 0 });
      cohort.images.push(candidate);
    } catch (error) {
      const { message, advice } = toErrorReport(error);
      cohort.refused.push({ file, reason: message, advice });
    }
  }
  progress.clear();
  for (const failure of cohort.refused) err.write(failureLine(failure));
  if (cohort.images.length === 0) {
    throw new PathlightError('not-found', `No DICOM image was found in '${folder}'`, 'Check --cohort.');
  }
  return cohort;
}

/** The cohort as it can be traced: the files by their content, and one hash for all of them. */
function cohortUse({ folder, images, refused }: Cohort): NonNullable<StudyReport['cohort']> & {
  folder: string;
} {
  const digests = images.map(({ sha256 }) => sha256);
  const sha256 = createHash('sha256').update(digests.join('\n')).digest('hex');
  return { folder, sha256, images: digests, unreadable: refused.length };
}

/** A map of the plan with every parameter stated, as `model` has it computed. */
function completeCell(
  { method, baseline, parameters, ...cell }: Cell,
  { id: model, input }: ModelCard,
  scalar: Scalar,
): Cell & { model: string } {
  return {
    ...{ model, method, baseline, ...cell },
    parameters: {
      method: completeMethod({ id: method, parameters: parameters.method }, scalar).parameters,
      baseline:
        baseline === null
          ? {}
          : completeBaseline({ id: baseline, parameters: parameters.baseline }, input).parameters,
    },
  };
}

/** From each label in turn, drawn by the seed; in the folder's order. */
function chosenImages(
  images: readonly LibraryImage[],
  labels: Labels,
  limit: number | null,
  seed: number,
): LibraryImage[] {
  if (limit === null || limit >= images.length) return [...images];
  const random = randomSource(seed);
  const groups = [...grouped(images, ({ entry }) => labels.of(entry.file)).values()].map((group) =>
    drawn(group, random),
  );
  const longest = Math.max(...groups.map((group) => group.length));
  const inTurn = Array.from({ length: longest }, (_, k) => groups.flatMap((group) => group.slice(k, k + 1)));
  const taken = new Set(inTurn.flat().slice(0, limit));
  return images.filter((image) => taken.has(image));
}

/** A seeded shuffle. */
function drawn<T>(items: readonly T[], random: () => number): T[] {
  const keyed = items.map((item) => ({ item, key: random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}

/** What a model saw of an image. */
async function pictureOf(
  analysis: Analysis,
  image: LibraryImage,
  shown: ModelCard['input'],
  masks: string | null,
): Promise<StudyPicture> {
  const { height, width } = shown;
  const mask = await maskOf(analysis, image, masks, height, width);
  const x = await analysis.images.input({ image, frame: 0 }, shown);
  return { height, width, display: displayOfModelInput(x, shown), mask: mask?.mask ?? null };
}

/** A study takes hours: a file that has gone meanwhile is missing in a figure, and does not cost all of them. */
const orNull = <T>(read: Promise<T>): Promise<T | null> => read.catch(() => null);

/** Figures and summary, of a study that has any value to show. */
async function writeFigures(
  { folder, out, masks, device, seed, blank }: StudyCommand,
  { err, signal }: Terminal,
  { engine, analysis, models: known }: Session,
  { models, cells, images, labels, cohort, passedOver }: Plan,
  { rows, statistics, agreement, steps, failures, notes }: Findings,
  seconds: number,
): Promise<void> {
  const [model] = models;
  if (rows.length === 0 || model === undefined) return;
  const lungs = masks === null ? await known.lungs() : undefined;
  const byFile = new Map(images.map((image) => [image.entry.file, image]));
  const progress = createProgress(err);
  const report: StudyReport = {
    ...{ folder, seconds, rows: () => rows, statistics, agreement, steps, failures, passedOver, seed, blank },
    notes: [...labels.notes, ...notes],
    models: models.map(({ card }) => card),
    lungsCard: lungs?.card ?? null,
    cohort: cohort === null ? null : cohortUse(cohort),
    methods: methodSettings(cells),
    baselines: baselineSettings(cells),
    device: deviceText(await engine.device(device, model.engine)),
    picture: async ({ image: file }, id) => {
      const image = byFile.get(file);
      const shown = models.find(({ card }) => card.id === id)?.card.input;
      return image === undefined || shown === undefined
        ? null
        : orNull(pictureOf(analysis, image, shown, masks));
    },
    map: (name) => orNull(readMap(path.join(out, 'maps', name))),
    app: analysis.app,
    createdAt: new Date(),
  };
  await writeStudyFigures(report, out, {
    signal,
    wrote: (name) => progress.show(`Writing the figures: ${name}`),
  });
  progress.clear();
}

async function writeTables(
  command: StudyCommand,
  session: Session,
  { models, cells, images, cohort, labels }: Plan,
  { rows, statistics, agreement, steps, failures, notes }: Findings,
): Promise<void> {
  const { folder, metrics, target, scalar, blank, seed, masks } = command;
  const lungs = await session.models.lungs();
  const asked = {
    app: session.analysis.app,
    ...{ folder, images: images.length, cohort: cohort === null ? null : cohortUse(cohort) },
    models: models.map(({ card }) => ({ id: card.id, sha256: modelSha256(card) })),
    masks:
      masks === null
        ? lungs === undefined
          ? null
          : { model: lungs.card.id, sha256: modelSha256(lungs.card) }
        : { folder: masks },
    ...{ target, scalar, blank, seed, metrics },
    maps: models.flatMap(({ card }) => cells.map((cell) => completeCell(cell, card, scalar))),
    notes: [...labels.notes, ...notes],
  };
  await writeFilesAtomically(command.out, [
    { name: 'study.json', bytes: `${JSON.stringify(asked, null, 2)}\n` },
    { name: 'results.csv', bytes: table(ROW_COLUMNS, rows) },
    { name: 'statistics.csv', bytes: table(STATISTICS_COLUMNS, statistics) },
    { name: 'agreement.csv', bytes: table(AGREEMENT_COLUMNS, agreement) },
    { name: 'steps.csv', bytes: table(STEPS_COLUMNS, steps) },
    { name: 'failures.jsonl', bytes: failures.map((failure) => `${JSON.stringify(failure)}\n`).join('') },
  ]);
}
