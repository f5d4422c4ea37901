import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { writeFilesAtomically } from '../../main/app/write-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();

describe('files written together', () => {
  test('stand under their names, and nothing else does', async () => {
    const target = path.join(folder, 'new', 'deep');
    await writeFilesAtomically(target, [
      { name: 'a.txt', bytes: 'text' },
      { name: 'b.bin', bytes: Uint8Array.of(1, 2) },
    ]);
    expect(readdirSync(target).sort()).toEqual(['a.txt', 'b.bin']);
    expect(readFileSync(path.join(target, 'a.txt'), 'utf8')).toBe('text');
  });

  test('replace older ones', async () => {
    await writeFilesAtomically(folder, [{ name: 'a.txt', bytes: 'old' }]);
    await writeFilesAtomically(folder, [{ name: 'a.txt', bytes: 'new' }]);
    expect(readFileSync(path.join(folder, 'a.txt'), 'utf8')).toBe('new');
  });

  test('cannot stand where a file is in the way', async () => {
    writeFileSync(path.join(folder, 'file'), '');
    await expect(
      writeFilesAtomically(path.join(folder, 'file', 'sub'), [{ name: 'a', bytes: '' }]),
    ).rejects.toMatchObject({ kind: 'write-failed', advice: 'Name another folder with --out.' });
  });

  test.runIf(existsSync('/proc/self'))('cannot stand in a file system that makes no folders', async () => {
    await expect(writeFilesAtomically('/proc/pathlight', [{ name: 'a', bytes: '' }])).rejects.toMatchObject({
      kind: 'write-failed',
      message: expect.stringContaining('no folder can be made there') as string,
    });
  });
});

/** A file system of 64 KiB, where this process may make one. */
const small = path.join(folder, 'small');
mkdirSync(small);
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small]).status === 0;
if (!mounted)
  console.warn('SKIPPED: a full disk cannot be tried here, because a small file system cannot be mounted');
afterAll(() => {
  if (mounted) execFileSync('umount', [small]);
});

describe.runIf(mounted)('on a full disk', () => {
  test('nothing half-written is left, not under a final name nor a temporary one', async () => {
    const target = path.join(small, 'result');
    await expect(
      writeFilesAtomically(target, [
        { name: 'first', bytes: 'fits' },
        { name: 'second', bytes: new Uint8Array(100_000) },
      ]),
    ).rejects.toMatchObject({
      kind: 'write-failed',
      message: expect.stringContaining('the disk is full') as string,
    });
    expect(existsSync(target)).toBe(false);
  });

  test('older files stay as they were', async () => {
    await writeFilesAtomically(small, [{ name: 'kept', bytes: 'old' }]);
    await expect(
      writeFilesAtomically(small, [{ name: 'kept', bytes: new Uint8Array(100_000) }]),
    ).rejects.toMatchObject({ kind: 'write-failed' });
    expect(readdirSync(small)).toEqual(['kept']);
    expect(readFileSync(path.join(small, 'kept'), 'utf8')).toBe('old');
  });
});
