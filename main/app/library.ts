/** The images that were opened: finds DICOM files, reads their headers, and knows which file an identifier stands for. */
import { createHmac, randomBytes } from 'node:crypto';
import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { PathlightError, toErrorReport } from '../../core/contract/errors.ts';
import type { ImageEntry, LibraryEvent, RefusedFile } from '../../core/contract/library.ts';
import { readHeader } from '../dicom/read.ts';

export interface LibraryImage {
  entry: ImageEntry;
  /** Absolute path of the file. */
  path: string;
}

export interface Library {
  /**
   * Scans files and folders (with their subfolders), headers only. Of every file there is one event: an image, or a refusal with its
   * reason; hidden files and folders, whose names begin with a dot, are not opened and refused as foreign. Images come in the order of their names.
   * Rejects with `not-found`, before anything is read, when a path does not exist.
   */
  open(paths: readonly string[], options?: OpenOptions): AsyncGenerator<ScanEvent, void, undefined>;
  /** Throws `bad-request` for an identifier that this library did not give out. */
  find(id: string): LibraryImage;
}

export interface OpenOptions {
  signal?: AbortSignal;
  /** A folder to pass over: where results are written. */
  except?: string;
}

/**
 * The contract's events; a refused file is called foreign where it was found in a folder rather than named and is of another kind
 * than DICOM, whose name does not claim to be DICOM, or hidden.
 */
export type ScanEvent =
  | Exclude<LibraryEvent, { type: 'refused' }>
  | { type: 'refused'; refused: RefusedFile; foreign: boolean; hidden?: true };

/** Headers read at once: enough to keep a disk busy. */
const READERS = 8;
const PROGRESS_INTERVAL_MS = 100;

interface FoundFile {
  path: string;
  /** Relative to what was opened. */
  name: string;
  /** Rather than found in a folder. */
  named: boolean;
  /** Set where it is known already that the file cannot be read. */
  refusal?: { reason: string; advice: string };
  hidden?: true;
}

/** @param headerOf reads the header of a file, or knows it */
export function createLibrary(headerOf = readHeader): Library {
  const images = new Map<string, LibraryImage>();
  // Identifiers are the same whenever a file is opened again, and tell nobody its path.
  const key = randomBytes(32);
  const idOf = (file: string): string => createHmac('sha256', key).update(file).digest('hex').slice(0, 24);

  async function examine(file: FoundFile): Promise<ScanEvent> {
    if (file.refusal !== undefined)
      return file.hidden === true
        ? { ...refused({ file: file.name, ...file.refusal }, true), hidden: true }
        : refused({ file: file.name, ...file.refusal }, false);
    try {
      const header = await headerOf(file.path);
      const entry: ImageEntry = { ...header, id: idOf(file.path), file: file.name };
      images.set(entry.id, { entry, path: file.path });
      return { type: 'image', image: entry };
    } catch (error) {
      const { kind, message, advice } = toErrorReport(error);
      const foreign = kind === 'not-recognised' && !file.named && !/\.(dcm|dicom)$/i.test(file.name);
      return refused({ file: file.name, reason: message, advice }, foreign);
    }
  }

  async function* open(
    paths: readonly string[],
    { signal, except }: OpenOptions = {},
  ): AsyncGenerator<ScanEvent, void, undefined> {
    const roots = await Promise.all(paths.map(existing));
    const progress = throttled(PROGRESS_INTERVAL_MS);
    const counts = { image: 0, refused: 0 };
    let scanned = 0;
    yield { type: 'progress', scanned: 0, found: 0, total: null };

    const files: FoundFile[] = [];
    for await (const file of findFiles(roots, except)) {
      signal?.throwIfAborted();
      files.push(file);
      if (progress()) yield { type: 'progress', scanned: 0, found: 0, total: null };
    }

    for await (const event of inOrder(files, READERS, examine)) {
      signal?.throwIfAborted();
      yield event;
      if (event.type === 'image' || (event.type === 'refused' && event.hidden !== true)) counts[event.type]++;
      scanned++;
      if (progress()) yield { type: 'progress', scanned, found: counts.image, total: files.length };
    }
    yield { type: 'progress', scanned: files.length, found: counts.image, total: files.length };
    yield { type: 'done', images: counts.image, refused: counts.refused };
  }

  function find(id: string): LibraryImage {
    const image = images.get(id);
    if (image === undefined) {
      throw new PathlightError('bad-request', 'That image is not open', 'Open its folder again.');
    }
    return image;
  }

  return { open, find };
}

function refused(file: RefusedFile, foreign: boolean): Extract<ScanEvent, { type: 'refused' }> {
  return { type: 'refused', refused: file, foreign };
}

interface Root {
  path: string;
  folder: boolean;
}

async function existing(given: string): Promise<Root> {
  const absolute = path.resolve(given);
  try {
    return { path: absolute, folder: (await stat(absolute)).isDirectory() };
  } catch (cause) {
    throw new PathlightError('not-found', `'${given}' does not exist or cannot be read`, 'Check the path.', {
      cause,
    });
  }
}

async function* findFiles(
  roots: readonly Root[],
  except: string | undefined,
): AsyncGenerator<FoundFile, void, undefined> {
  const seen = new Set<string>();
  const folders = new Set<string>();
  if (except !== undefined) folders.add(await realpath(except).catch(() => except));
  for (const root of roots) {
    const found = root.folder
      ? filesBelow(root.path, root.path, folders)
      : [await describeFile(root.path, path.basename(root.path), true)];
    for await (const file of found) {
      if (seen.has(file.path)) continue;
      seen.add(file.path);
      yield file;
    }
  }
}

/** Depth first, by name. `visited` holds the real paths of folders, so that a loop of links ends. */
async function* filesBelow(
  folder: string,
  root: string,
  visited: Set<string>,
): AsyncGenerator<FoundFile, void, undefined> {
  let names;
  try {
    const real = await realpath(folder);
    if (visited.has(real)) return;
    visited.add(real);
    names = await readdir(folder);
  } catch {
    const name = path.relative(root, folder) || path.basename(folder);
    const refusal = { reason: 'The folder cannot be read', advice: 'Check its permissions.' };
    yield { path: folder, name, named: false, refusal };
    return;
  }
  for (const name of names.sort(byName.compare)) {
    const file = path.join(folder, name);
    if (name.startsWith('.')) {
      const refusal = {
        reason: 'Hidden: its name begins with a dot',
        advice: 'Rename it to have it opened.',
      };
      yield { path: file, name: shown(path.relative(root, file)), named: false, refusal, hidden: true };
      continue;
    }
    if (await isFolder(file)) yield* filesBelow(file, root, visited);
    else yield await describeFile(file, path.relative(root, file), false);
  }
}

const byName = new Intl.Collator('en', { numeric: true });

async function isFolder(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isDirectory();
  } catch {
    return false;
  }
}

/** Sees to it that only plain files are ever opened: reading a pipe would wait forever. */
async function describeFile(file: string, fileName: string, named: boolean): Promise<FoundFile> {
  const name = shown(fileName);
  try {
    if ((await stat(file)).isFile()) return { path: file, name, named };
    return { path: file, name, named, refusal: { reason: 'Not a plain file', advice: '' } };
  } catch (error) {
    return { path: file, name, named, refusal: unreachable(name, error) };
  }
}

/** A name may hold line feeds or a terminal's commands; what is shown may not. */
function shown(name: string): string {
  return name.replace(/\p{Cc}/gu, '\u{FFFD}');
}

/** Why a name that stands in a folder leads to no file. */
function unreachable(name: string, error: unknown): { reason: string; advice: string } {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  if (code === 'ELOOP') return { reason: 'A link that leads to itself', advice: 'Remove or mend it.' };
  if (code !== 'ENOENT') return { reason: 'The file cannot be read', advice: 'Check its permissions.' };
  // Node reads names as UTF-8: one that is not cannot be asked for again.
  return name.includes('\u{FFFD}')
    ? { reason: 'Its name is not written in UTF-8', advice: 'Rename the file.' }
    : { reason: 'A link to a file that is not there', advice: 'Remove or mend it.' };
}

/** Maps with up to `width` calls under way, and yields in the items' order. */
async function* inOrder<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const underWay: Promise<R>[] = [];
  for (const item of items) {
    underWay.push(work(item));
    if (underWay.length < width) continue;
    const first = underWay.shift();
    if (first !== undefined) yield await first;
  }
  for (const rest of underWay) yield await rest;
}

/** @returns a function that answers true at most once every `interval` milliseconds */
function throttled(interval: number): () => boolean {
  let last = performance.now();
  return () => {
    const now = performance.now();
    if (now - last < interval) return false;
    last = now;
    return true;
  };
}
