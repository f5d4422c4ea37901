/** Drops on a browser's window, whose files travel to the host. On Electron, a drop gives paths. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Page } from '@playwright/test';
import { DROP_BUDGET_BYTES } from '../../main/host/drops.ts';
import { root } from '../../scripts/prepare.mjs';
import { expect, test, type RunningApp } from './fixtures.ts';

test.skip(({ target }) => target !== 'browser-host', 'the browser host alone takes files');

const examples = path.join(root, 'examples');
const [first = '', second = ''] = readdirSync(examples).filter((name) => name.endsWith('.dcm'));
const studies = (page: Page) => page.getByRole('navigation', { name: 'Studies' });

/** The folder that keeps what was dropped in this session. */
function session(app: RunningApp): string | undefined {
  const pids = new Set(app.processes().map(({ pid }) => pid));
  const name = readdirSync(os.tmpdir()).find((each) =>
    pids.has(Number(/^pathlight-drops-[^-]+-(\d+)-/.exec(each)?.[1])),
  );
  return name === undefined ? undefined : path.join(os.tmpdir(), name);
}

/** Drops files that exist in the page alone. */
async function dropFiles(page: Page, files: Record<string, Buffer>): Promise<void> {
  const contents = Object.entries(files).map(([name, bytes]) => ({ name, base64: bytes.toString('base64') }));
  await page.evaluate((given) => {
    const dataTransfer = new DataTransfer();
    for (const { name, base64 } of given) {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      dataTransfer.items.add(new File([bytes], name));
    }
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
  }, contents);
}

/** Drops from the desktop, as the browser itself sees it. */
async function dropPaths(page: Page, paths: string[]): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    const data = { items: [], files: paths, dragOperationsMask: 1 };
    await devtools.send('Input.dispatchDragEvent', { type, x: 600, y: 400, data });
  }
}

test('dropped files are listed, a text file is refused, and nothing is left in the end', async ({ app }) => {
  const { page } = app;
  await expect(studies(page).getByText('7 images')).toBeVisible();
  await dropFiles(page, {
    [first]: readFileSync(path.join(examples, first)),
    [second]: readFileSync(path.join(examples, second)),
    'notes.txt': Buffer.from('Not an image.'),
  });
  await expect(studies(page).getByText('2 images')).toBeVisible();
  await studies(page).getByText('1 refused file').click();
  await expect(page.getByRole('list', { name: 'Refused files' })).toContainText('notes.txt');
  await expect(page.getByRole('region', { name: 'Model', exact: true })).toContainText(/NORMAL/);

  const folder = session(app) ?? '';
  const [drop = ''] = readdirSync(folder);
  expect(readdirSync(path.join(folder, drop)).sort()).toEqual([first, second, 'notes.txt'].sort());
  await dropFiles(page, { [first]: readFileSync(path.join(examples, first)) });
  await expect(studies(page).getByText('1 image', { exact: true })).toBeVisible();
  expect(readdirSync(folder)).toHaveLength(1);
  expect(existsSync(path.join(folder, drop))).toBe(false);
  await app.close();
  expect(existsSync(folder)).toBe(false);
});

test('a dropped folder is read with its subfolders', async ({ app }) => {
  const { page } = app;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pathlight-e2e-drop-'));
  try {
    const study = path.join(folder, 'study');
    mkdirSync(path.join(study, 'series 1'), { recursive: true });
    cpSync(path.join(examples, first), path.join(study, 'series 1', first));
    writeFileSync(path.join(study, '.hidden'), 'passed over');
    // More than a browser lists at once.
    for (let i = 0; i < 130; i++) writeFileSync(path.join(study, `${i}.txt`), 'Not an image.');
    await expect(studies(page).getByText('7 images')).toBeVisible();
    await dropPaths(page, [study, path.join(examples, second)]);
    await expect(studies(page).getByText('2 images')).toBeVisible({ timeout: 30_000 });
    await studies(page).getByText('130 refused files').click();
    await expect(page.getByRole('list', { name: 'Refused files' })).toContainText('study/129.txt');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('Esc gives a drop up: what was open stays, and nothing of the drop is kept', async ({ app }) => {
  const { page } = app;
  await expect(studies(page).getByText('7 images')).toBeVisible();
  let reached = false;
  await page.route(/\/drops\/.*second/, () => {
    reached = true;
  });
  await dropFiles(page, { first: Buffer.from('1'), second: Buffer.from('2'), third: Buffer.from('3') });
  await expect(page.getByText('Reading 1 of 3 files')).toBeVisible();
  await expect.poll(() => reached).toBe(true);
  const folder = session(app) ?? '';
  expect(readdirSync(folder)).toHaveLength(1);
  await page.keyboard.press('Escape');
  await expect(page.getByText('Reading 1 of 3 files')).toBeHidden();
  await expect.poll(() => readdirSync(folder)).toEqual([]);
  await expect(studies(page).getByText('7 images')).toBeVisible();
});

test('a drop beyond the budget says what to do instead', async ({ app }) => {
  const { page } = app;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pathlight-e2e-drop-'));
  try {
    const vast = path.join(folder, 'vast.dcm');
    // A file of holes: it takes no room on the disk.
    writeFileSync(vast, '');
    truncateSync(vast, DROP_BUDGET_BYTES + 1);
    await expect(studies(page).getByText('7 images')).toBeVisible();
    await dropPaths(page, [vast]);
    await expect(page.getByRole('alert')).toContainText('Open the folder by its path instead');
    await expect(studies(page).getByText('7 images')).toBeVisible();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
