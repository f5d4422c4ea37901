import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readSettings, writeSettings } from '../../main/store/settings.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const warnings: string[] = [];
const warn = (message: string): void => void warnings.push(message);

test('settings are the defaults at first, and afterwards what was set', () => {
  const own = path.join(folder, 'new', 'data');
  expect(readSettings(own, warn)).toEqual({ device: 'cpu' });
  writeSettings(own, { device: 'cuda' }, warn);
  expect(readSettings(own, warn)).toEqual({ device: 'cuda' });
  expect(readdirSync(own)).toEqual(['settings.json']);
  expect(warnings).toEqual([]);
});

test.each([
  ['torn', '{"device": "cu'],
  ['of an unknown device', '{"device": "abacus"}'],
  ['of another kind', '"webgpu"'],
])('settings that are %s are passed over, and that is said', (what, text) => {
  const own = path.join(folder, what);
  mkdirSync(own);
  writeFileSync(path.join(own, 'settings.json'), text);
  warnings.length = 0;
  expect(readSettings(own, warn)).toEqual({ device: 'cpu' });
  expect(warnings).toEqual(['The settings in settings.json cannot be read; the defaults hold.']);
});

test('settings that cannot be written are a warning', () => {
  const blocked = path.join(folder, 'blocked');
  writeFileSync(blocked, '');
  chmodSync(blocked, 0o400);
  warnings.length = 0;
  writeSettings(path.join(blocked, 'data'), { device: 'webgpu' }, warn);
  expect(warnings).toEqual([expect.stringMatching(/^The settings were not kept: /)]);
});
