/** `pathlight audit`: one explanation for every image of a folder, as a table, as lines, and as a summary to read. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { decode } from 'fast-png';
import type { RefusedFile } from '../../core/contract/library.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import type { ExplanationResult } from '../../core/contract/result.ts';
import type { Explanation } from '../app/analysis.ts';
import { audit as auditImages } from '../app/audit.ts';
import { lockFolder } from '../app/folder-lock.ts';
import { Journal } from '../app/journal.ts';
import { parseResult } from '../app/result-schema.ts';
import type { LibraryImage } from '../app/library.ts';
import { overlayPicture, pngOf } from '../app/pictures.ts';
import { checkWritable, writeFilesAtomically } from '../app/write-files.ts';
import { writeAuditSummary } from '../report/audit-summary.ts';
import type { RgbImage } from '../report/report-data.ts';
import { scaleOf } from '../report/words.ts';
import type { Command } from './arguments.ts';
import { bar, createProgress, duration } from './progress.ts';
import { resultLines } from './result-line.ts';
import { resultsCsv } from './results-csv.ts';
import {
  checkedCard,
  type ExitCode,
  failureLine,
  foreignLine,
  type Scan,
  scan,
  type Session,
  type Terminal,
  withSession,
} from './session.ts';

type AuditCommand = Extract<Command, { command: 'audit' }>;

/** Pictures of flagged images, for whoever goes through them and for the summary. */
const FLAGGED_FOLDER = 'flagged';
const FLAGGED_SIDE = 256;

export async function audit(command: AuditCommand, terminal: Terminal): Promise<ExitCode> {
  const { err, signal } = terminal;
  const progress = createProgress(err);
  return withSession(command, async (session) => {
    const card = await checkedCard(session, command.choices);
    const { images, refused, foreign } = await scan(
      session.library,
      [command.folder],
      command.out,
      progress,
      signal,
    );
    err.write(foreignLine(foreign));
    for (const failure of refused) err.write(failureLine(failure));
    if (images.length === 0) {
      err.write('No DICOM image was found.\n');
      return 1;
    }
    await checkWritable(command.out);
    const release = await lockFolder(command.out);
    try {
      return await auditFolder(command, terminal, session, card, { images, refused, foreign });
    } finally {
      release();
    }
  });
}

async function auditFolder(
  command: AuditCommand,
  terminal: Terminal,
  session: Session,
  card: ModelCard,
  { images, refused, foreign }: Scan,
): Promise<ExitCode> {
  const journal = await Journal.open(path.join(command.out, 'results.jsonl'), parseResult);
  try {
    const run = await runAudit(command, terminal, session, card, images, journal);
    await writeOutcome(command, session, card, {
      ...run,
      failures: [...refused, ...run.failures],
      passedOver: foreign.map(({ file }) => file),
    });
    const failed = refused.length + run.failures.length;
    terminal.err.write(
      `${run.results.length} ${run.results.length === 1 ? 'image' : 'images'} audited${takenOver(run)} in ${duration(run.seconds)}; ` +
        `${run.results.filter(isFlagged).length} flagged, ${failed} failed. Written to ${command.out}\n`,
    );
    return failed > 0 ? 1 : 0;
  } finally {
    await journal.close();
  }
}

interface AuditRun {
  results: ExplanationResult[];
  failures: RefusedFile[];
  /** Taken over from an earlier run. */
  resumed: number;
  /** Taken over from another file with the same content. */
  copied: number;
  seconds: number;
}

function takenOver({ resumed, copied }: AuditRun): string {
  const parts = [
    ...(resumed > 0 ? [`${resumed} taken over from an earlier run`] : []),
    ...(copied > 0 ? [`${copied} of the same content as another file`] : []),
  ];
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

async function runAudit(
  { choices: chosen, device: provider, json, out: folder }: AuditCommand,
  { out, err, signal }: Terminal,
  { analysis, models }: Session,
  card: ModelCard,
  images: readonly LibraryImage[],
  journal: Journal<ExplanationResult>,
): Promise<AuditRun> {
  const progress = createProgress(err);
  const began = performance.now();
  const run: AuditRun = { results: [], failures: [], resumed: 0, copied: 0, seconds: 0 };
  const lungsCard = (await models.lungs())?.card ?? null;
  const show = (): void => {
    const done = run.results.length + run.failures.length;
    progress.show(
      progressText(done, done - run.resumed - run.copied, images.length, performance.now() - began),
    );
  };
  show();
  const choices = { ...chosen, cohort: null, baselineImage: null };
  const request = { images, choices, card, lungsCard, journal, provider };
  for await (const outcome of auditImages(analysis, request, signal)) {
    if (outcome.type === 'failed') {
      run.failures.push(outcome.failure);
      progress.clear();
      err.write(failureLine(outcome.failure));
    } else {
      if (outcome.type !== 'result') run[outcome.type]++;
      else if (isFlagged(outcome.result))
        await writeFlagged(folder, analysis, outcome.image, outcome.explanation);
      run.results.push(outcome.result);
      if (json) out.write(`${JSON.stringify(outcome.result)}\n`);
      else if (isFlagged(outcome.result)) {
        progress.clear();
        out.write(resultLines(outcome.result));
      }
    }
    show();
  }
  progress.clear();
  return { ...run, seconds: (performance.now() - began) / 1000 };
}

/** "[####----] 12 of 70 images, 0.8 a second, 1 min 10 s left" */
function progressText(done: number, computed: number, total: number, milliseconds: number): string {
  const rate = computed / (milliseconds / 1000);
  const pace =
    computed === 0
      ? ''
      : `, ${rate.toFixed(rate < 10 ? 1 : 0)} a second, ${duration((total - done) / rate)} left`;
  return `${bar(done / total)} ${done} of ${total} images${pace}`;
}

function isFlagged({ flags }: ExplanationResult): boolean {
  return flags.some(({ severity }) => severity !== 'info');
}

async function writeFlagged(
  folder: string,
  { images }: Session['analysis'],
  image: LibraryImage,
  { result, map, height, width }: Explanation,
): Promise<void> {
  const decoded = await images.decoded({ image, frame: result.image.frame });
  const picture = overlayPicture(
    decoded,
    { map, height, width, signed: scaleOf(result).signed },
    FLAGGED_SIDE,
  );
  await writeFilesAtomically(path.join(folder, FLAGGED_FOLDER), [
    { name: flaggedName(result), bytes: pngOf(picture) },
  ]);
}

/** By content: the same however the files are named or moved. */
function flaggedName({ image }: ExplanationResult): string {
  return `${image.sha256.slice(0, 16)}-${image.frame}.png`;
}

async function flaggedPicture(folder: string, result: ExplanationResult): Promise<RgbImage | null> {
  try {
    const { width, height, data } = decode(
      await readFile(path.join(folder, FLAGGED_FOLDER, flaggedName(result))),
    );
    return { rows: height, columns: width, rgb: Uint8Array.from(data) };
  } catch {
    return null;
  }
}

async function writeOutcome(
  command: AuditCommand,
  { analysis, models }: Session,
  card: ModelCard,
  { results, failures, passedOver, resumed, copied, seconds }: AuditRun & { passedOver: string[] },
): Promise<void> {
  const summary = await writeAuditSummary({
    folder: command.folder,
    card,
    lungsCard: (await models.lungs())?.card ?? null,
    results,
    failures,
    passedOver,
    resumed,
    copied,
    seconds,
    thumbnail: (result) => flaggedPicture(command.out, result),
    app: analysis.app,
    createdAt: new Date(),
  });
  await writeFilesAtomically(command.out, [
    { name: 'results.csv', bytes: resultsCsv(results) },
    { name: 'failures.jsonl', bytes: failures.map((failure) => `${JSON.stringify(failure)}\n`).join('') },
    { name: 'summary.pdf', bytes: summary.bytes },
  ]);
}
