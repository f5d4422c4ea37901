/**
 * `results.jsonl`: one result a line, appended as soon as it is there, so that a run that was cut off loses nothing but the
 * image it was at. Of several lines for one file the last one counts.
 */
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import type { ExplanationResult } from '../../core/contract/result.ts';
import { parseResult } from './result-schema.ts';
import { writeFailure } from './write-files.ts';

export class Journal {
  /** What the file held when it was opened, and what has been appended since, in that order. */
  readonly results: ExplanationResult[];
  readonly #handle: FileHandle;
  readonly #file: string;
  #size: number;

  private constructor(file: string, handle: FileHandle, size: number, results: ExplanationResult[]) {
    this.#file = file;
    this.#handle = handle;
    this.#size = size;
    this.results = results;
  }

  /** Opens or begins the file; a last line without its end, left by a run that was cut off, is taken away. */
  static async open(file: string): Promise<Journal> {
    let handle: FileHandle | undefined;
    try {
      await mkdir(path.dirname(file), { recursive: true });
      handle = await open(file, 'a+');
      const text = await handle.readFile();
      const whole = text.lastIndexOf(0x0a) + 1;
      if (whole < text.length) await handle.truncate(whole);
      const lines = text.subarray(0, whole).toString('utf8').split('\n');
      const results = lines.map(parseResult).filter((result) => result !== undefined);
      return new Journal(file, handle, whole, results);
    } catch (error) {
      await handle?.close();
      throw writeFailure(error, file);
    }
  }

  /** Rejects with `write-failed`, leaving the file as it was, where the line cannot be written whole. */
  async append(result: ExplanationResult): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(result)}\n`);
    try {
      await this.#handle.appendFile(line);
    } catch (error) {
      // The next run would take a torn line away, too; a reader before that should not meet one.
      await this.#handle.truncate(this.#size).catch(() => undefined);
      throw writeFailure(error, this.#file);
    }
    this.#size += line.length;
    this.results.push(result);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
