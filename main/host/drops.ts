/**
 * What was dropped on windows in a browser: copies in a folder that only this user may enter, kept as long as a window shows
 * them and never longer than the session.
 */
import { createHash, randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type FileHandle, mkdir, mkdtemp, open, readdir, rm, statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import type { Drop } from '../../core/contract/drop.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import { numbered, safeSegments } from './drop-names.ts';

/** The most that one drop may take on the disk: thousands of radiographs. */
export const DROP_BUDGET_BYTES = 4 * 2 ** 30;
/** A file takes a block of the disk, however small it is. */
const BLOCK_BYTES = 4096;
/** Files of one name, from different folders, dropped at once. */
const MOST_NAMESAKES = 100;

const OPEN_BY_PATH = 'Open the folder by its path instead: that reads it where it lies.';

interface KeptDrop extends Drop {
  bytes: number;
  /** Once a window has shown it, it takes no more files. */
  opened: boolean;
  readonly writes: Set<Promise<void>>;
  readonly removal: AbortController;
}

export class Drops {
  readonly #drops = new Map<string, KeptDrop>();
  /** What each connected window shows of them. */
  readonly #windows = new Map<object, readonly KeptDrop[]>();
  #session: Promise<string> | null = null;
  #closed = false;
  readonly #budget: number;

  /** @param budget bytes; the most that one drop may take on the disk */
  constructor(budget = DROP_BUDGET_BYTES) {
    this.#budget = budget;
  }

  /**
   * @param bytes the sum of the files' sizes
   * @throws PathlightError `too-large` beyond the budget; `write-failed` where the disk has no room for it
   */
  async begin(bytes: number): Promise<Drop> {
    this.#check(bytes);
    try {
      const session = await this.#sessionFolder();
      const { bavail, bsize } = await statfs(session);
      if (bavail * bsize < bytes) throw diskFull();
      const id = randomUUID();
      const drop = { id, path: path.join(session, id) };
      await mkdir(drop.path, { mode: 0o700 });
      this.#drops.set(id, {
        ...drop,
        bytes: 0,
        opened: false,
        writes: new Set(),
        removal: new AbortController(),
      });
      return drop;
    } catch (error) {
      throw storageFailure(error);
    }
  }

  /**
   * Writes one file, no faster than the disk takes it. A failure removes the drop and leaves the content open, so that the
   * answer can still go over its connection.
   * @param relative folders and file name, as dropped
   * @param length of the content in bytes, where it is known before
   * @throws PathlightError `bad-request`, `not-found`, `too-large` or `write-failed`
   */
  async add(id: string, relative: string, content: Readable, length = 0): Promise<void> {
    const drop = this.#filling(id);
    const writing = this.#write(drop, safeSegments(relative), content, length);
    drop.writes.add(writing);
    try {
      await writing;
    } catch (error) {
      drop.writes.delete(writing);
      await this.#remove(drop);
      throw storageFailure(error);
    }
    drop.writes.delete(writing);
  }

  async discard(id: string): Promise<void> {
    await this.#remove(this.#filling(id));
  }

  /** A connected window shows these paths from now on, and nothing else; what no window shows any more is removed. */
  async show(window: object, paths: readonly string[]): Promise<void> {
    const before = this.#windows.get(window) ?? [];
    const shown = [...this.#drops.values()].filter((drop) =>
      paths.some((given) => overlap(drop.path, given)),
    );
    for (const drop of shown) drop.opened = true;
    this.#windows.set(window, shown);
    await this.#release(before);
  }

  /** The window is gone. With the last one goes everything: nobody is left to open it. */
  async leave(window: object): Promise<void> {
    const before = this.#windows.get(window) ?? [];
    this.#windows.delete(window);
    await this.#release(this.#windows.size === 0 ? [...this.#drops.values()] : before);
  }

  /** Removes everything. @throws PathlightError `write-failed` where something stays */
  async close(): Promise<void> {
    this.#closed = true;
    this.#windows.clear();
    await this.#release([...this.#drops.values()]);
    const folder = await this.#session?.catch(() => null);
    if (folder == null) return;
    try {
      await removeFolder(folder);
    } catch (cause) {
      throw new PathlightError(
        'write-failed',
        `Copies of what was dropped could not be removed from '${folder}'`,
        'Remove that folder yourself.',
        { cause },
      );
    }
  }

  async #write(
    drop: KeptDrop,
    segments: [string, ...string[]],
    content: Readable,
    length: number,
  ): Promise<void> {
    const stop = (): unknown => content.destroy(new PathlightError('cancelled', 'The drop was given up'));
    drop.removal.signal.addEventListener('abort', stop, { once: true });
    try {
      drop.bytes += BLOCK_BYTES;
      this.#check(drop.bytes + length);
      const file = await create(drop.path, segments);
      try {
        await file.writeFile(this.#metered(drop, content));
      } finally {
        await file.close();
      }
    } finally {
      drop.removal.signal.removeEventListener('abort', stop);
    }
  }

  async *#metered(drop: KeptDrop, content: Readable): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of content.iterator({ destroyOnReturn: false })) {
      const bytes = chunk as Uint8Array;
      drop.bytes += bytes.byteLength;
      this.#check(drop.bytes);
      yield bytes;
    }
  }

  #check(bytes: number): void {
    if (bytes <= this.#budget) return;
    const gibibytes = this.#budget / 2 ** 30;
    throw new PathlightError(
      'too-large',
      `More than ${gibibytes} GiB cannot be dropped at once`,
      OPEN_BY_PATH,
    );
  }

  #filling(id: string): KeptDrop {
    const drop = this.#drops.get(id);
    if (drop === undefined) {
      throw new PathlightError('not-found', 'What was dropped is no longer at hand', 'Drop it again.');
    }
    if (drop.opened)
      throw new PathlightError('bad-request', 'What was dropped is open already', 'Drop it again.');
    return drop;
  }

  async #release(drops: readonly KeptDrop[]): Promise<void> {
    const shown = new Set([...this.#windows.values()].flat());
    await Promise.all(drops.filter((drop) => !shown.has(drop)).map((drop) => this.#remove(drop)));
  }

  async #remove(drop: KeptDrop): Promise<void> {
    this.#drops.delete(drop.id);
    drop.removal.abort();
    await Promise.allSettled(drop.writes);
    // A file that is being read cannot be removed on Windows; the session's end tries again, and says so if it cannot.
    await removeFolder(drop.path).catch(() => undefined);
  }

  #sessionFolder(): Promise<string> {
    if (this.#closed) throw new PathlightError('cancelled', 'Pathlight is closing');
    this.#session ??= makeSessionFolder();
    this.#session.catch(() => (this.#session = null));
    return this.#session;
  }
}

/** Sessions' folders say which process of which machine they belong to, so that one that was left behind is known. */
function sessionPrefix(): string {
  return `pathlight-drops-${createHash('sha256').update(os.hostname()).digest('hex').slice(0, 8)}-`;
}

async function makeSessionFolder(): Promise<string> {
  // Of mode 0700, as mkdtemp makes them.
  const folder = await mkdtemp(path.join(os.tmpdir(), `${sessionPrefix()}${process.pid}-`));
  // Where an uncaught error ends the process, nothing else would remove it.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Removes what sessions left behind that were killed. */
export async function removeAbandonedDrops(): Promise<void> {
  const prefix = sessionPrefix();
  const names = await readdir(os.tmpdir()).catch((): string[] => []);
  for (const name of names.filter((each) => each.startsWith(prefix))) {
    const pid = Number(/^(\d+)-/.exec(name.slice(prefix.length))?.[1]);
    // Another user's stays; they may not even be listed.
    if (pid > 0 && !isRunning(pid)) await removeFolder(path.join(os.tmpdir(), name)).catch(() => undefined);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

function removeFolder(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

/** One lies in the other, or they are the same. */
function overlap(a: string, b: string): boolean {
  const [one, other] = [path.resolve(a) + path.sep, path.resolve(b) + path.sep];
  return one.startsWith(other) || other.startsWith(one);
}

/** A new file; where the name is taken, in any of the ways that file systems compare names, beside it. */
async function create(folder: string, [first, ...rest]: [string, ...string[]]): Promise<FileHandle> {
  for (let namesake = 1; namesake <= MOST_NAMESAKES; namesake++) {
    const file = path.join(folder, namesake === 1 ? first : numbered(first, namesake), ...rest);
    try {
      await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
      return await open(file, 'wx', 0o600);
    } catch (error) {
      if (!['EEXIST', 'ENOTDIR', 'EISDIR'].includes(codeOf(error))) throw error;
    }
  }
  throw new PathlightError('bad-request', 'Too many of the dropped files have the same name', OPEN_BY_PATH);
}

function diskFull(): PathlightError {
  return new PathlightError(
    'write-failed',
    'The disk has no room for a copy of what was dropped',
    `Free some space. ${OPEN_BY_PATH}`,
  );
}

/** A system error's message holds the path, and a path may hold a name: its code alone is told. */
function storageFailure(error: unknown): PathlightError {
  if (error instanceof PathlightError) return error;
  const code = codeOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull();
  return new PathlightError(
    'write-failed',
    `What was dropped could not be copied${code === '' ? '' : ` (${code})`}`,
    OPEN_BY_PATH,
    { cause: error },
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
