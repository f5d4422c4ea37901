/**
 * A file of lines, one JSON value each, appended as soon as it is there, so that a run that was cut off loses nothing but what it was
 * at. Of several lines for one thing the last one counts.
 */
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import { writeFailure } from './write-files.ts';

export class Journal<Entry> {
  /** What the file held when it was opened, and what has been appended since, in that order. */
  readonly entries: Entry[];
  readonly #handle: FileHandle;
  readonly #file: string;
  #size: number;
  #last: Promise<void> = Promise.resolve();

  private constructor(file: string, handle: FileHandle, size: number, entries: Entry[]) {
    this.#file = file;
    this.#handle = handle;
    this.#size = size;
    this.entries = entries;
  }

  /**
   * Opens or begins the file; a last line without its end, left by a run that was cut off, is taken away.
   * @param parse a line's entry, or undefined where it is none: such a line is passed over
   */
  static async open<Entry>(
    file: string,
    parse: (line: string) => Entry | undefined,
  ): Promise<Journal<Entry>> {
    let handle: FileHandle | undefined;
    try {
      await mkdir(path.dirname(file), { recursive: true });
      handle = await open(file, 'a+');
      const text = await handle.readFile();
      const whole = text.lastIndexOf(0x0a) + 1;
      if (whole < text.length) await handle.truncate(whole);
      const lines = text.subarray(0, whole).toString('utf8').split('\n');
      const entries = lines.map(parse).filter((entry) => entry !== undefined);
      return new Journal(file, handle, whole, entries);
    } catch (error) {
      await handle?.close();
      throw writeFailure(error, file);
    }
  }

  /** Rejects with `write-failed`, leaving the file as it was, where the line cannot be written whole. Lines stand in the order of the calls. */
  append(entry: Entry): Promise<void> {
    const turn = this.#last.then(() => this.#write(entry));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #write(entry: Entry): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(entry)}\n`);
    try {
      await this.#handle.appendFile(line);
    } catch (error) {
      // The next run would take a torn line away, too; a reader before that should not meet one.
      await this.#handle.truncate(this.#size).catch(() => undefined);
      throw writeFailure(error, this.#file);
    }
    this.#size += line.length;
    this.entries.push(entry);
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#handle.close();
  }
}
