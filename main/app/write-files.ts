/** Writing so that a file stands under its final name only when it is whole. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm, rmdir, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { PathlightError } from '../../core/contract/errors.ts';

export interface FileToWrite {
  name: string;
  bytes: Uint8Array | string;
}

/**
 * Writes files into one folder, which is made where it is missing: each under a temporary name beside its final one,
 * flushed to the disk; only when all of them are whole are they renamed, in the order given.
 * Rejects with kind `write-failed`; what was written so far is removed then.
 */
export async function writeFilesAtomically(folder: string, files: readonly FileToWrite[]): Promise<void> {
  const written: { temporary: string; final: string }[] = [];
  let made = false;
  try {
    made = await makeFolder(folder);
    for (const { name, bytes } of files) {
      const temporary = path.join(folder, `.${name}.${randomBytes(6).toString('hex')}.tmp`);
      written.push({ temporary, final: path.join(folder, name) });
      await writeWhole(temporary, bytes);
    }
    for (const { temporary, final } of written) await rename(temporary, final);
  } catch (error) {
    for (const { temporary } of written) await rm(temporary, { force: true });
    // Fails, rightly, where the folder holds anything.
    if (made) await rmdir(folder).catch(() => undefined);
    throw writeFailure(error, folder);
  }
}

/**
 * Makes a folder and those above it; not by mkdir's `recursive`, which never comes back where a file system answers ENOENT
 * below a folder that exists, as /proc does.
 * @returns false where the folder was there
 */
async function makeFolder(folder: string): Promise<boolean> {
  if (await isFolder(folder)) return false;
  const above = path.dirname(path.resolve(folder));
  if (above !== path.resolve(folder)) await makeFolder(above);
  try {
    await mkdir(folder);
    return true;
  } catch (error) {
    // Somebody else made it meanwhile.
    if (await isFolder(folder)) return false;
    throw error;
  }
}

async function isFolder(name: string): Promise<boolean> {
  return stat(name).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

/** What a run needs at the least. */
const LEAST_FREE_BYTES = 2 ** 20;

/**
 * Tries a folder, which is made where it is missing, before a long computation whose results it is to take.
 * Rejects with kind `write-failed` where nothing can be written, or the disk is full.
 */
export async function checkWritable(folder: string): Promise<void> {
  await writeFilesAtomically(folder, [{ name: 'pathlight-probe', bytes: '' }]);
  await rm(path.join(folder, 'pathlight-probe'), { force: true });
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < LEAST_FREE_BYTES) {
    throw writeFailure(Object.assign(new Error('no space left'), { code: 'ENOSPC' }), folder);
  }
}

async function writeWhole(file: string, bytes: Uint8Array | string): Promise<void> {
  const handle: FileHandle = await open(file, 'wx');
  try {
    await handle.writeFile(bytes);
    // Without it, a power cut after the rename could leave an empty file under the final name.
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

const REASONS: Readonly<Record<string, { reason: string; advice: string }>> = {
  ENOSPC: { reason: 'the disk is full', advice: 'Free some space, or name another folder with --out.' },
  EDQUOT: {
    reason: 'the disk quota is used up',
    advice: 'Free some space, or name another folder with --out.',
  },
  EFBIG: { reason: 'the file would be larger than is allowed', advice: 'Raise the limit on file sizes.' },
  EACCES: { reason: 'permission is denied', advice: 'Name a folder with --out that you may write to.' },
  EPERM: { reason: 'permission is denied', advice: 'Name a folder with --out that you may write to.' },
  EROFS: { reason: 'the file system is read-only', advice: 'Name another folder with --out.' },
  ENOENT: { reason: 'no folder can be made there', advice: 'Name another folder with --out.' },
  ENOTDIR: { reason: 'part of the path is a file, not a folder', advice: 'Name another folder with --out.' },
  EEXIST: { reason: 'part of the path is a file, not a folder', advice: 'Name another folder with --out.' },
  EISDIR: { reason: 'a folder stands where a file should be', advice: 'Name another folder with --out.' },
};

/** A failed write into `target`, as the reader is told of it. */
export function writeFailure(error: unknown, target: string): PathlightError {
  if (error instanceof PathlightError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const { reason, advice } = REASONS[code] ?? {
    reason: error instanceof Error ? error.message : String(error),
    advice: '',
  };
  return new PathlightError('write-failed', `Nothing could be written to '${target}': ${reason}`, advice, {
    cause: error,
  });
}
