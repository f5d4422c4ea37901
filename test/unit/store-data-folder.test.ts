import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { dataFolder } from '../../main/store/data-folder.ts';

test('is what the platform says', () => {
  const home = os.homedir();
  expect(dataFolder('linux', {})).toBe(path.join(home, '.local', 'share', 'pathlight'));
  expect(dataFolder('linux', { XDG_DATA_HOME: '/data' })).toBe(path.join('/data', 'pathlight'));
  expect(dataFolder('linux', { XDG_DATA_HOME: 'relative' })).toBe(
    path.join(home, '.local', 'share', 'pathlight'),
  );
  expect(dataFolder('darwin', {})).toBe(path.join(home, 'Library', 'Application Support', 'pathlight'));
  expect(dataFolder('win32', { LOCALAPPDATA: '/users/a/local' })).toBe(
    path.join('/users/a/local', 'pathlight'),
  );
});
