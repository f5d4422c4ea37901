/** What a command works with, opened and closed as one. */
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import type { Provider } from '../../core/contract/device.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import type { RefusedFile } from '../../core/contract/library.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import { Analysis } from '../app/analysis.ts';
import { createLibrary, type Library, type LibraryImage } from '../app/library.ts';
import { createModelCatalogue, modelFolders, type ModelCatalogue } from '../app/models.ts';
import { applicationVersion } from '../app/root.ts';
import { EngineClient } from '../engine/client.ts';
import { Devices } from '../engine/devices.ts';
import { dataFolder, preparedFolder } from '../store/data-folder.ts';
import type { ExplanationChoices } from './arguments.ts';
import type { Progress, ProgressOutput } from './progress.ts';

/** Where a command's output goes, and what asks it to stop. */
export interface Terminal {
  /** Results, for readers and machines. */
  out: { write(text: string): unknown };
  /** Progress and what went wrong. */
  err: ProgressOutput;
  signal: AbortSignal;
}

/** 0: done. 1: something failed. 130: interrupted. (2, a mistake in what was typed, is thrown.) */
export type ExitCode = 0 | 1 | 130;

export interface Session {
  engine: EngineClient;
  models: ModelCatalogue;
  analysis: Analysis;
  library: Library;
  /** What `--device` names. */
  device: Provider;
}

/**
 * Runs `work` and ends the engine, however it ended; rejects with `device-refused` where the device cannot be used. The command line
 * keeps nothing of the user's images but what it was asked to write: it has no store. What it keeps of models is their gradient graphs.
 */
export async function withSession<T>(
  { models, device }: { models: string | null; device: Provider },
  work: (session: Session) => Promise<T>,
): Promise<T> {
  await new Devices().require(device);
  const engine = new EngineClient(undefined, preparedFolder(dataFolder()));
  const catalogue = createModelCatalogue(modelFolders(models));
  const analysis = new Analysis({
    engine,
    models: catalogue,
    provider: () => Promise.resolve(device),
    store: null,
    app: applicationVersion(),
  });
  try {
    return await work({ engine, models: catalogue, analysis, library: createLibrary(), device });
  } finally {
    await engine.close();
  }
}

/**
 * The card of the chosen model, before anything runs. Rejects where the model is unknown, refused or draws regions, lacks the
 * target label, or cannot be explained: then with every reason.
 */
export async function checkedCard(
  { models, engine, device }: Pick<Session, 'models' | 'engine' | 'device'>,
  { model, target }: Pick<ExplanationChoices, 'model' | 'target'>,
): Promise<ModelCard> {
  const { card, engine: described } = await models.find(model);
  if (card.task !== 'classification') {
    throw new PathlightError(
      'bad-request',
      `The model '${model}' draws regions: it has no score to explain`,
      'Choose a classification model.',
    );
  }
  if (device !== 'cpu' && (card.format ?? 'onnx') !== 'onnx') {
    throw new PathlightError(
      'bad-request',
      `--device ${device} does not apply to the model '${model}': TensorFlow.js computes it, on the fastest of its backends that passes its self-test`,
      'Leave --device out.',
    );
  }
  if (target !== null && !card.output.labels.includes(target)) {
    throw new PathlightError(
      'bad-request',
      `The model '${model}' has no label '${target}'`,
      `Its labels: ${card.output.labels.join(', ')}.`,
    );
  }
  const { explainable, reasons } = await engine.check(described);
  if (!explainable) {
    throw new PathlightError(
      'unsupported',
      `The model '${model}' cannot be explained: ${reasons.join('; ')}`,
      'See `pathlight model check`, or choose another model.',
    );
  }
  return card;
}

export interface Scan {
  images: LibraryImage[];
  /** Damaged or unsupported, or named by the user and not DICOM. */
  refused: RefusedFile[];
  /** Files of other kinds, found among the images. */
  foreign: RefusedFile[];
}

/**
 * Opens the paths, telling how far it has come.
 * @param except where results go: what stands there from an earlier run is passed over
 * @throws PathlightError `bad-request`: a folder that is read is the one that is written to; as `Library.open` says
 */
export async function scan(
  library: Library,
  paths: readonly string[],
  except: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<Scan> {
  const found: Scan = { images: [], refused: [], foreign: [] };
  const written = await realpath(except).catch(() => path.resolve(except));
  for (const read of paths) {
    if ((await realpath(read).catch(() => null)) !== written) continue;
    throw new PathlightError(
      'bad-request',
      `'${read}' is both read and written to`,
      'Let --out be another folder than the one that is read.',
    );
  }
  for await (const event of library.open(paths, { signal, except })) {
    if (event.type === 'image') found.images.push(library.find(event.image.id));
    else if (event.type === 'refused') (event.foreign ? found.foreign : found.refused).push(event.refused);
    else if (event.type === 'progress') {
      const of = event.total === null ? '' : ` of ${event.total}`;
      const images = event.found === 1 ? 'image' : 'images';
      progress.show(`Reading headers: ${event.scanned}${of} files, ${event.found} ${images}`);
    }
  }
  progress.clear();
  return found;
}

/** "broken.dcm: not DICOM. Choose another file." */
export function failureLine({ file, reason, advice }: RefusedFile): string {
  return `${file}: ${sentence(reason)}${advice === '' ? '' : ` ${sentence(advice)}`}\n`;
}

export function foreignLine(foreign: readonly RefusedFile[]): string {
  if (foreign.length === 0) return '';
  const count = foreign.length === 1 ? '1 file is' : `${foreign.length} files are`;
  return `${count} not DICOM, or hidden, and passed over: ${firstOf(foreign.map(({ file }) => file))}\n`;
}

/** Of a folder to compare with. */
export function leftOutLine(files: readonly string[]): string {
  if (files.length === 0) return '';
  const count = files.length === 1 ? '1 file' : `${files.length} files`;
  return `${count} of the cohort cannot be read as a single image, and left out: ${firstOf(files)}\n`;
}

function firstOf(files: readonly string[]): string {
  const named = files.slice(0, 3);
  return `${named.join(', ')}${files.length > named.length ? ', …' : ''}`;
}

export function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
