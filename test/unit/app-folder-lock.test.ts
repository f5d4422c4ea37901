import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { lockFolder } from '../../main/app/folder-lock.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const file = path.join(folder, '.pathlight-lock');

describe('an output folder', () => {
  test('takes one run at a time, and the next when that one is over', async () => {
    const release = await lockFolder(folder);
    await expect(lockFolder(folder)).rejects.toMatchObject({
      kind: 'write-failed',
      message: expect.stringContaining(String(process.pid)) as string,
    });
    release();
    expect(readdirSync(folder)).toEqual([]);
    (await lockFolder(folder))();
  });

  test('is taken over from a run that was killed', async () => {
    const { pid } = spawnSync(process.execPath, ['--version']);
    writeFileSync(file, String(pid));
    const release = await lockFolder(folder);
    release();
    expect(existsSync(file)).toBe(false);
  });
});
