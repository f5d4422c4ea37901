import { defineConfig } from '@playwright/test';
import { hasDisplay } from './scripts/display.mjs';
import { findElectron } from './scripts/electron.mjs';
import type { TargetOptions } from './test/e2e/fixtures.ts';

const electron = findElectron() !== undefined && hasDisplay();
// The workers load this file, too.
if (!electron && process.env['TEST_WORKER_INDEX'] === undefined) {
  console.warn(
    `REAL ELECTRON IS NOT TESTED: ${findElectron() === undefined ? 'its binary is not installed' : 'there is no display'}. ` +
      'Its entry, host and preload run on the Electron double instead.',
  );
}

const testIgnore = '**/browser-host.spec.ts';

export default defineConfig<TargetOptions>({
  testDir: 'test/e2e',
  outputDir: '.cache/playwright',
  workers: 1,
  timeout: 120_000,
  reporter: 'list',
  projects: [
    { name: 'browser-host', use: { target: 'browser-host' } },
    { name: 'electron-double', use: { target: 'electron-double' }, testIgnore },
    ...(electron ? [{ name: 'electron', use: { target: 'electron' as const }, testIgnore }] : []),
  ],
});
