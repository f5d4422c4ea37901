/** `pathlight compare`: two images, or one and a changed version of it; what moved? */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { writeNpy } from '../../core/imaging/npy.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import { type Contrast, contrastImages, type FinishedContrast, prepareContrast } from '../app/contrast.ts';
import { transformInWords } from '../app/contrast-words.ts';
import type { LibraryImage } from '../app/library.ts';
import { checkWritable, type FileToWrite, writeFailure, writeFilesAtomically } from '../app/write-files.ts';
import { writeContrast } from '../report/contrast-report.ts';
import type { Command } from './arguments.ts';
import { stateOf } from './explain.ts';
import { createProgress, type Progress } from './progress.ts';
import {
  checkedCard,
  type ExitCode,
  failureLine,
  scan,
  type Session,
  type Terminal,
  withSession,
} from './session.ts';

type CompareCommand = Extract<Command, { command: 'compare' }>;

export async function compare(command: CompareCommand, terminal: Terminal): Promise<ExitCode> {
  const { out, err, signal } = terminal;
  const progress = createProgress(err);
  return withSession(command, async (session) => {
    const card = await checkedCard(session, command.choices);
    const { other } = command;
    const image = await only(command.file, command, terminal, session, progress);
    const second =
      typeof other === 'string' ? await only(other, command, terminal, session, progress) : other;
    if (image === null || second === null) return 1;
    const request = {
      ...command.choices,
      cohort: null,
      baselineImage: null,
      image,
      frame: command.frame,
      other: second,
    };
    const prepared = await prepareContrast(session.analysis, card, request);
    await checkWritable(command.out);
    const frames = contrastImages(session.analysis, prepared, signal);
    let next = await frames.next();
    while (next.done !== true) {
      const { of, header } = next.value;
      if (header.type !== 'assessment') progress.show(`${of.toUpperCase()} of A and B: ${stateOf(header)}`);
      next = await frames.next();
    }
    progress.clear();
    await writeFilesAtomically(command.out, await filesOf(next.value));
    if (next.value.registered === null) await removeMapsInOneFrame(command.out);
    const { contrast } = next.value;
    out.write(command.json ? `${JSON.stringify(contrast)}\n` : contrastText(contrast));
    if (!command.json) err.write(`Written to ${command.out}\n`);
    return 0;
  });
}

/** The one image of a path; null where its file was refused, which is said. */
async function only(
  file: string,
  { out }: CompareCommand,
  { err, signal }: Terminal,
  { library }: Session,
  progress: Progress,
): Promise<LibraryImage | null> {
  const { images, refused } = await scan(library, [file], out, progress, signal);
  for (const failure of refused) err.write(failureLine(failure));
  const [image, ...more] = images;
  if (image !== undefined && more.length === 0) return image;
  if (image === undefined && refused.length > 0) return null;
  throw new PathlightError(
    'bad-request',
    `'${file}' holds ${images.length} images`,
    'Name one DICOM file, or two.',
  );
}

const inOneFrame = { mapBInA: 'map-b-in-a.npy', difference: 'difference.npy' } as const;

/** An earlier comparison's, which would be taken for this one's. */
async function removeMapsInOneFrame(folder: string): Promise<void> {
  for (const name of Object.values(inOneFrame)) {
    const file = path.join(folder, name);
    await rm(file, { force: true }).catch((error: unknown) => {
      throw writeFailure(error, file);
    });
  }
}

/** compare.json comes last: where it stands, the others do. */
async function filesOf(finished: FinishedContrast): Promise<FileToWrite[]> {
  const { a, b, registered, height, width, contrast } = finished;
  const { pdf, png } = await writeContrast(finished, new Date());
  const npy = (name: string, data: Float32Array): FileToWrite => ({
    name,
    bytes: writeNpy({ type: 'float32', shape: [height, width], data }),
  });
  const compared = (data: Float32Array): Float32Array =>
    data.map((value, i) => (registered?.compared[i] === 1 ? value : NaN));
  return [
    npy('map-a.npy', a.map),
    npy('map-b.npy', b.map),
    ...(registered === null
      ? []
      : [
          npy(inOneFrame.mapBInA, compared(registered.broughtBack)),
          npy(inOneFrame.difference, compared(registered.difference)),
        ]),
    { name: 'compare.png', bytes: png },
    { name: 'compare.pdf', bytes: pdf },
    { name: 'compare.json', bytes: `${JSON.stringify(contrast, null, 2)}\n` },
  ];
}

/** For a reader at a terminal. */
function contrastText({ a, b, transform, scores, summary, warnings }: Contrast): string {
  const named = transform === null ? b.result.image.file : `A ${transformInWords(transform)}`;
  const rows = scores.map(
    ({ label, a, b, difference }) =>
      `  ${label.padEnd(16)}${cell(a)}${cell(b)}${signed(difference.probability, 3)} (${signed(difference.logit, 2)})`,
  );
  const flags = [a, b].flatMap(({ result }, i) =>
    result.flags
      .filter(({ severity }) => severity !== 'info')
      .map(({ severity, text }) => `  ${severity}, ${i === 0 ? 'A' : 'B'}: ${text}`),
  );
  return [
    `A  ${a.result.image.file}`,
    `B  ${named}`,
    ...warnings.map((warning) => `! ${warning}`),
    `  ${'probability'.padEnd(16)}${'A (logit)'.padEnd(18)}${'B'.padEnd(18)}B - A`,
    ...rows,
    ...summary,
    ...flags,
    '',
  ].join('\n');
}

function cell({ probability, logit }: { probability: number; logit: number }): string {
  return `${probability.toFixed(3)} (${logit.toFixed(2)})`.padEnd(18);
}

function signed(value: number, digits: number): string {
  return `${value > 0 ? '+' : ''}${value.toFixed(digits)}`;
}
