/** `pathlight explain`: four files for every image. */
import { rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { BaselineId } from '../../core/attribution/baseline-kinds.ts';
import type { Choice } from '../../core/attribution/choices.ts';
import type {
  AgreementHeader,
  AssessmentHeader,
  MapHeader,
  PreparationHeader,
} from '../../core/contract/calls.ts';
import { PathlightError, toErrorReport } from '../../core/contract/errors.ts';
import type { RefusedFile } from '../../core/contract/library.ts';
import { BASELINES, type BaselineName } from '../../core/contract/result.ts';
import { writeNpy } from '../../core/imaging/npy.ts';
import type { Explanation, ExplanationRequest } from '../app/analysis.ts';
import { FATAL } from '../app/audit.ts';
import type { FrameOf } from '../app/images.ts';
import type { LibraryImage } from '../app/library.ts';
import { overlayPicture, pngOf } from '../app/pictures.ts';
import { reportData } from '../app/report.ts';
import { checkWritable, type FileToWrite, writeFilesAtomically } from '../app/write-files.ts';
import { writeReport } from '../report/image-report.ts';
import { scaleOf } from '../report/words.ts';
import type { Command } from './arguments.ts';
import { createProgress, duration, type Progress } from './progress.ts';
import { resultLines } from './result-line.ts';
import {
  checkedCard,
  type ExitCode,
  failureLine,
  foreignLine,
  leftOutLine,
  scan,
  type Session,
  type Terminal,
  withSession,
} from './session.ts';

type Choices = Omit<ExplanationRequest, 'image' | 'frame'>;
type ExplainCommand = Extract<Command, { command: 'explain' }>;

/** Neither side of overlay.png is longer. */
const OVERLAY_MOST = 1536;

export async function explain(command: ExplainCommand, terminal: Terminal): Promise<ExitCode> {
  const { err, signal } = terminal;
  const progress = createProgress(err);
  return withSession(command, async (session) => {
    await checkedCard(session, command.choices);
    const choices: Choices = {
      ...command.choices,
      cohort: await cohortOf(command.cohort),
      baselineImage: command.baselineImage === null ? null : await opened(session, command.baselineImage),
    };
    const { images, refused, foreign } = await scan(
      session.library,
      command.paths,
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
    const wasThere = await stat(command.out).then(
      () => true,
      () => false,
    );
    await checkWritable(command.out);
    const failed = refused.length + (await explainAll(command, choices, terminal, session, images, progress));
    if (!command.json && failed < images.length + refused.length) err.write(`Written to ${command.out}\n`);
    // Fails, rightly, where anything was written.
    if (!wasThere) await rmdir(command.out).catch(() => undefined);
    if (failed > 0) err.write(`${failed} of ${images.length + refused.length} files failed.\n`);
    return failed > 0 ? 1 : 0;
  });
}

/** Rejects where there is no such folder: every image would fail the same way. */
async function cohortOf(folder: string | null): Promise<Choices['cohort']> {
  if (folder === null) return null;
  const found = await stat(folder).catch(() => null);
  if (found?.isDirectory() === true) return { folder };
  throw new PathlightError(
    'not-found',
    `'${folder}' is no folder that can be read`,
    'Name a folder of DICOM files.',
  );
}

/** The first frame of the one image of a path. */
async function opened({ library }: Session, file: string): Promise<FrameOf> {
  const images: LibraryImage[] = [];
  let refusal: RefusedFile | null = null;
  for await (const event of library.open([file])) {
    if (event.type === 'image') images.push(library.find(event.image.id));
    if (event.type === 'refused' && !event.foreign) refusal ??= event.refused;
  }
  const [image, ...more] = images;
  if (image !== undefined && more.length === 0) return { image, frame: 0 };
  if (image === undefined && refusal !== null) {
    throw new PathlightError('not-recognised', `The baseline image: ${refusal.reason}`, refusal.advice);
  }
  throw new PathlightError(
    'bad-request',
    `The baseline image: '${file}' holds ${images.length} images`,
    'Name one DICOM file.',
  );
}

/** An image is written while the engine computes the next one. @returns how many failed; each is named as it does */
async function explainAll(
  command: ExplainCommand,
  choices: Choices,
  { out, err, signal }: Terminal,
  session: Session,
  images: readonly LibraryImage[],
  progress: Progress,
): Promise<number> {
  let failed = 0;
  // The same folder is compared with every image: each of its files is named once.
  const leftOut = new Set<string>();
  let named = 0;
  const nameLeftOut = (): void => {
    if (leftOut.size === named) return;
    progress.clear();
    err.write(leftOutLine([...leftOut].slice(named)));
    named = leftOut.size;
  };
  const folders = folderNames(images.map(({ entry }) => entry.file));
  const settle = (image: LibraryImage, error: unknown): void => {
    const { kind, message, advice } = toErrorReport(error);
    if (FATAL.has(kind)) throw error;
    progress.clear();
    err.write(failureLine({ file: image.entry.file, reason: message, advice }));
    failed++;
  };
  let writing: Promise<void> = Promise.resolve();
  try {
    for (const [index, image] of images.entries()) {
      const request: ExplanationRequest = { ...choices, image, frame: command.frame };
      const place = `${index + 1} of ${images.length}`;
      const folder = path.join(
        command.out,
        folders[index] ?? image.entry.id,
        frameFolder(image, command.frame),
      );
      let explanation: Explanation;
      try {
        explanation = await computed(session, request, command.compare, place, progress, leftOut, signal);
      } catch (error) {
        settle(image, error);
        continue;
      } finally {
        nameLeftOut();
      }
      await writing;
      writing = filesOf(session, request, explanation)
        .then((files) => writeFilesAtomically(folder, files))
        .then(() => {
          progress.clear();
          out.write(
            command.json ? `${JSON.stringify(explanation.result)}\n` : resultLines(explanation.result),
          );
        })
        .catch((error: unknown) => settle(image, error));
      // Awaited with the next image; until then a rejection is nobody's oversight.
      writing.catch(() => undefined);
    }
  } finally {
    await writing;
  }
  return failed;
}

/** @param leftOut takes the files of the cohort that cannot be read */
async function computed(
  { analysis }: Session,
  request: ExplanationRequest,
  compare: boolean,
  place: string,
  progress: Progress,
  leftOut: Set<string>,
  signal: AbortSignal,
): Promise<Explanation> {
  const { file } = request.image.entry;
  progress.show(`${place}  ${file}`);
  const show = (header: PreparationHeader | MapHeader | AssessmentHeader | AgreementHeader): void => {
    if (header.type === 'preparation') for (const file of header.unreadable) leftOut.add(file);
    if (header.type === 'map' || header.type === 'preparation') {
      progress.show(`${place}  ${file}: ${stateOf(header)}`);
    }
  };
  // A method that needs no baseline has nothing to compare.
  if (compare && request.baseline !== null) {
    for await (const { header } of analysis.compare(request, BASELINES.map(plain), signal)) show(header);
  }
  const frames = analysis.explain(request, signal);
  let next = await frames.next();
  while (next.done !== true) {
    show(next.value.header);
    next = await frames.next();
  }
  return next.value;
}

const plain = (id: BaselineName): Choice<BaselineId> => ({ id, parameters: {} });

export function stateOf(header: PreparationHeader | MapHeader): string {
  if (header.type === 'preparation') {
    const { step, done, total } = header;
    const what = step === 'cohort' ? 'images to compare with read' : 'gradients for the baseline';
    return `${done}${total === null ? '' : ` of ${total}`} ${what}`;
  }
  const { baseline, evaluations, gapRelative, mapChange, secondsLeft } = header;
  const gap = gapRelative === null ? '' : `, gap ${(100 * gapRelative).toFixed(1)} %`;
  const change = mapChange === null ? '' : `, map change ${(100 * mapChange).toFixed(1)} %`;
  const left = secondsLeft === null ? '' : `, ${duration(secondsLeft)} left`;
  const from = baseline === null ? '' : `${baseline.id} baseline, `;
  return `${from}${evaluations} ${evaluations === 1 ? 'gradient' : 'gradients'}${gap}${change}${left}`;
}

/** result.json comes last: where it stands, the other three do. */
async function filesOf(
  { analysis, models }: Session,
  request: ExplanationRequest,
  { result, map, height, width }: Explanation,
): Promise<FileToWrite[]> {
  const decoded = await analysis.images.decoded(request);
  const report = await writeReport(await reportData(analysis, models, request, false));
  return [
    { name: 'map.npy', bytes: writeNpy({ type: 'float32', shape: [height, width], data: map }) },
    {
      name: 'overlay.png',
      bytes: pngOf(
        overlayPicture(decoded, { map, height, width, signed: scaleOf(result).signed }, OVERLAY_MOST),
      ),
    },
    { name: 'report.pdf', bytes: report.bytes },
    { name: 'result.json', bytes: `${JSON.stringify(result, null, 2)}\n` },
  ];
}

/** One folder a file: its name without .dcm, or with it where two would meet. */
export function folderNames(files: readonly string[]): string[] {
  const taken = new Set<string>();
  return files.map((file) => {
    const short = file.replace(/\.(dcm|dicom)$/i, '');
    let name = [short, file].find((each) => !taken.has(each.toLowerCase())) ?? file;
    // Two folders named on the command line may hold files of the same name.
    for (let n = 2; taken.has(name.toLowerCase()); n++) name = `${file}-${n}`;
    taken.add(name.toLowerCase());
    return name;
  });
}

function frameFolder({ entry }: LibraryImage, frame: number): string {
  return entry.frames === 1 ? '' : `frame-${frame + 1}`;
}
