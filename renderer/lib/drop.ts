/** What was dropped on the window: paths where Electron tells them, else the files themselves, which travel to the host. */
import type { Drop } from '../../core/contract/drop.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import { failure } from './frames.ts';

/** @returns null where the host cannot know paths */
export function droppedPaths(transfer: DataTransfer | null): string[] | null {
  const { pathlight } = window;
  if (pathlight === undefined) return null;
  return Array.from(transfer?.files ?? [], (file) => pathlight.pathForFile(file)).filter(Boolean);
}

export type DroppedItem = FileSystemEntry | File;

/** Must be asked during the event: afterwards the items are gone. */
export function droppedItems(transfer: DataTransfer | null): DroppedItem[] {
  return Array.from(transfer?.items ?? [], (item) =>
    item.kind === 'file' ? (item.webkitGetAsEntry() ?? item.getAsFile()) : null,
  ).filter((item) => item !== null);
}

export interface UploadProgress {
  sent: number;
  /** null: folders are still being looked through. */
  total: number | null;
}

/**
 * Copies what was dropped to the host, folders with all that lies in them; names that begin with a dot are passed over, as
 * everywhere. Where it fails or is cancelled, the host keeps nothing.
 * @returns the path to open, and how many files the browser could not read
 * @throws PathlightError
 */
export async function uploadDrop(
  items: readonly DroppedItem[],
  { signal, onProgress }: { signal: AbortSignal; onProgress: (progress: UploadProgress) => void },
): Promise<{ path: string; unreadable: number }> {
  onProgress({ sent: 0, total: null });
  const found: FoundFile[] = [];
  let unreadable = 0;
  for (const item of items) {
    for await (const file of filesIn(item, '')) {
      signal.throwIfAborted();
      if (file === null) unreadable++;
      else found.push(file);
    }
  }
  if (found.length === 0) {
    throw new PathlightError(
      'not-found',
      'Nothing that can be read was dropped',
      'Drop a folder or DICOM files.',
    );
  }
  const bytes = found.reduce((sum, { file }) => sum + file.size, 0);
  const drop = (await (await ask('POST', `/drops?bytes=${bytes}`, signal)).json()) as Drop;
  try {
    for (const [sent, { path, file }] of found.entries()) {
      onProgress({ sent, total: found.length });
      // A file that fails amid its upload ends the drop; one that cannot even be opened does not.
      if (!(await isReadable(file))) {
        unreadable++;
        continue;
      }
      const query = new URLSearchParams({ path });
      await ask('PUT', `/drops/${drop.id}/files?${query.toString()}`, signal, file);
    }
    signal.throwIfAborted();
  } catch (thrown) {
    // The host may have removed it by itself.
    await fetch(`/drops/${drop.id}`, { method: 'DELETE', keepalive: true }).catch(() => undefined);
    throw thrown;
  }
  return { path: drop.path, unreadable };
}

async function ask(method: string, address: string, signal: AbortSignal, body?: File): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address, { method, signal, ...(body === undefined ? {} : { body }) });
  } catch (cause) {
    signal.throwIfAborted();
    throw new PathlightError(
      'not-found',
      'What was dropped could not be copied to its end',
      'Check that its files are still there, then drop them again.',
      { cause },
    );
  }
  if (!response.ok) throw await failure(response);
  return response;
}

interface FoundFile {
  /** Folders and file name, as dropped. */
  path: string;
  file: File;
}

/** Every file below; null for a file or folder that cannot be read. */
async function* filesIn(
  item: DroppedItem,
  folder: string,
): AsyncGenerator<FoundFile | null, void, undefined> {
  if (item.name.startsWith('.')) return;
  const path = folder + item.name;
  try {
    if (item instanceof File) {
      yield { path, file: item };
    } else if (isFileEntry(item)) {
      yield { path, file: await new Promise<File>((resolve, reject) => item.file(resolve, reject)) };
    } else if (isFolderEntry(item)) {
      for await (const entry of entriesIn(item)) yield* filesIn(entry, `${path}/`);
    }
  } catch (thrown) {
    if (!(thrown instanceof DOMException)) throw thrown;
    yield null;
  }
}

// Their classes have other names in Chromium than in the standard, so instanceof does not tell them.
const isFileEntry = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile;
const isFolderEntry = (entry: FileSystemEntry): entry is FileSystemDirectoryEntry => entry.isDirectory;

/** A reader gives a hundred entries at most at a time, and none at the end. */
async function* entriesIn(
  folder: FileSystemDirectoryEntry,
): AsyncGenerator<FileSystemEntry, void, undefined> {
  const reader = folder.createReader();
  for (;;) {
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (entries.length === 0) return;
    yield* entries;
  }
}

async function isReadable(file: File): Promise<boolean> {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
