/** Runs the command line as a user's shell does: a process of its own, from the sources. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { temporaryFolder } from './temporary-folder.ts';

const root = path.resolve(import.meta.dirname, '../..');
/** Gradient graphs are kept for one test file, and not among the user's. */
const data = temporaryFolder();

export interface Ended {
  code: number | null;
  out: string;
  err: string;
}

/** @param started called with the process as soon as it runs */
export function pathlight(words: readonly string[], started?: (child: ChildProcess) => void): Promise<Ended> {
  const child = spawn(process.execPath, [path.join(root, 'main/cli.ts'), ...words], {
    cwd: root,
    env: { ...process.env, XDG_DATA_HOME: data },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  started?.(child);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

/** Every line of JSON Lines. The type is the caller's knowledge of what writes them. */
export function jsonLines<T>(text: string): T[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}
