/** One run at a time in an output folder: two would compute the same twice and mix their lines. */
import { readFileSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PathlightError } from '../../core/contract/errors.ts';

const LOCK = '.pathlight-lock';

/**
 * Takes the folder, which must exist, for this process. A lock whose process has ended is taken over.
 * Rejects with `write-failed` while another run holds it.
 * @returns gives the folder back
 */
export async function lockFolder(folder: string): Promise<() => void> {
  const file = path.join(folder, LOCK);
  const take = (): Promise<void> => writeFile(file, String(process.pid), { flag: 'wx' });
  try {
    await take();
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'EEXIST') throw error;
    const holder = Number(readFileSync(file, 'utf8'));
    if (isRunning(holder)) {
      throw new PathlightError(
        'write-failed',
        `Another run (process ${holder}) is writing to '${folder}'`,
        `Wait for it, or name another folder with --out. If no such run exists, remove '${LOCK}' there.`,
      );
    }
    rmSync(file, { force: true });
    await take();
  }
  return () => rmSync(file, { force: true });
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process answers EPERM.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
