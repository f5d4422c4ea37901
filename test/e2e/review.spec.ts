/** The main job, on every host: from a folder of DICOM to a verdict and a report. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { root } from '../../scripts/prepare.mjs';
import { expect, test, type RunningApp } from './fixtures.ts';

/** Written only when asked for, so that a test run changes no file: PATHLIGHT_SCREENSHOTS=1 npm test -- e2e */
const screenshots = process.env['PATHLIGHT_SCREENSHOTS'] === '1';

async function picture(app: RunningApp, name: string): Promise<void> {
  if (!screenshots || app.target !== 'browser-host') return;
  const folder = path.join(root, 'docs/screenshots');
  mkdirSync(folder, { recursive: true });
  await app.page.screenshot({ path: path.join(folder, `${name}.png`) });
}

const studies = (page: Page) => page.getByRole('navigation', { name: 'Studies' });
const explanation = (page: Page) => page.getByRole('region', { name: 'Explanation' });
const lungCheck = (page: Page) => page.getByRole('region', { name: 'Lung check' });
const baselines = (page: Page) => page.getByRole('region', { name: 'Baselines' });
const image = (page: Page) => page.getByRole('region', { name: 'Image' });

/** Opens one of the samples by the name in its banner, and waits for its picture and the model's answer. */
async function show(page: Page, name: string): Promise<void> {
  await studies(page).getByText(name).click();
  await expect(page.getByRole('banner', { name: 'Patient' })).toContainText(name);
  await expect(image(page)).toContainText('Zoom');
  await expect(page.getByRole('region', { name: 'Model', exact: true })).toContainText(/NORMAL/);
  await expect(page.getByRole('button', { name: 'Explain', exact: true })).toBeEnabled();
}

/** The main canvas as drawn, without the letters and texts above it. */
function drawn(page: Page): Promise<string> {
  return image(page)
    .locator('canvas')
    .first()
    .evaluate((canvas) => (canvas instanceof HTMLCanvasElement ? canvas.toDataURL() : ''));
}

test('opens the samples: list, banner, letters, window, scale, scores', async ({ app }) => {
  const { page } = app;
  await expect(studies(page).getByText('7 images')).toBeVisible();
  await expect(page.getByRole('banner', { name: 'Patient' })).toContainText('Sample, Normal One');
  await expect(image(page)).toContainText('W 3800');
  await expect(image(page).getByText('R', { exact: true })).toBeVisible();
  await expect(image(page).getByText('L', { exact: true })).toBeVisible();
  await expect(page).toHaveTitle('Pathlight');
  for (const [name, label] of [
    ['Sample, Normal Two', 'NORMAL'],
    ['Sample, Pneumonia Three', 'PNEUMONIA'],
  ] as const) {
    await show(page, name);
    await expect(
      page.getByRole('region', { name: 'Model', exact: true }).getByText(label, { exact: true }).first(),
    ).toBeVisible();
  }
  await expect(studies(page)).toContainText('見本');
  await picture(app, 'opened');
});

test('explains by keyboard: the map sharpens, O hides it, B steps the baselines, the report is written', async ({
  app,
}) => {
  const { page } = app;
  await show(page, 'Sample, Pneumonia Three');
  const bare = await drawn(page);

  // Every distinct picture together with the number of evaluations it stands for. Looked at once a change, a frame after it:
  // reading the canvas back is slow, and would hold up what it watches.
  await page.evaluate(() => {
    const seen = new Map<string, string>();
    const region = document.querySelector('section[aria-label="Explanation"]');
    const canvas = document.querySelector('section[aria-label="Image"] canvas');
    let before = '';
    const look = (): void => {
      const text = region?.textContent ?? '';
      if (canvas instanceof HTMLCanvasElement && text.includes('Computing') && text !== before) {
        before = text;
        requestAnimationFrame(() => seen.set(canvas.toDataURL(), text));
      }
      requestAnimationFrame(look);
    };
    look();
    Object.assign(window, { partialPictures: () => seen.size });
  });
  await page.keyboard.press('e');
  await expect(explanation(page)).toContainText('Converged', { timeout: 60_000 });
  await expect(lungCheck(page)).toContainText('Random map');
  await expect(lungCheck(page)).toContainText('Edges of the image');
  await expect(lungCheck(page)).toContainText('never proof');
  const partial = await page.evaluate(() =>
    (window as Window & { partialPictures?: () => number }).partialPictures?.(),
  );
  expect(partial, 'distinct partial maps on the screen before the final one').toBeGreaterThanOrEqual(3);

  // O hides the overlay: the very picture from before, but for the outline of the lungs.
  await page.keyboard.press('m');
  const explained = await drawn(page);
  expect(explained).not.toBe(bare);
  await page.keyboard.press('o');
  await expect.poll(() => drawn(page)).toBe(bare);
  await page.keyboard.press('o');
  await expect.poll(() => drawn(page)).toBe(explained);
  await page.keyboard.press('m');

  // The comparison runs by itself; the matrix stands beside its value for random maps.
  await expect(baselines(page).getByRole('table')).toBeVisible({ timeout: 90_000 });
  await expect(baselines(page)).toContainText(/random/i);
  await picture(app, 'workbench');
  for (const name of ['black', 'white', 'grey', 'blurred']) {
    await page.keyboard.press('b');
    await expect(page.getByRole('radio', { name })).toBeChecked();
  }

  const pdf = await report(app);
  expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
  const text = textOf(pdf);
  if (text !== null) {
    expect(text).toContain('Sample, Pneumonia Three');
    expect(text).toContain('PNEUMONIA');
    expect(text).toMatch(/not a medical device/i);
  }
  if (screenshots && app.target === 'browser-host') {
    const pages = path.join(root, 'docs/screenshots/report');
    spawnSync('pdftoppm', ['-r', '70', '-png', '-', pages], { input: pdf });
  }
});

test('by another method, from random baselines: named on the picture, and in the report with parameters and seed', async ({
  app,
}) => {
  const { page } = app;
  await show(page, 'Sample, Pneumonia Three');
  const sheet = (name: string) => page.getByRole('dialog', { name });
  await page.keyboard.press('f');
  await sheet('Methods')
    .getByRole('radio', { name: /^Blur IG/ })
    .check();
  await page.getByLabel('Steps', { exact: true }).fill('12');
  await picture(app, 'methods');
  const sheetProblems = await new AxeBuilder({ page }).analyze();
  expect(sheetProblems.violations).toEqual([]);
  await page.keyboard.press('Enter');
  await page.keyboard.press('e');
  await expect(explanation(page)).toContainText('Done: no stopping criterion', { timeout: 60_000 });
  await expect(explanation(page)).toContainText('13 of 13');
  await expect(image(page)).toContainText('PNEUMONIA, Blur IG');
  await expect(lungCheck(page)).toContainText('Random map');
  const blurred = textOf(await report(app));
  if (blurred !== null) {
    expect(blurred).toContain('Blur IG');
    expect(blurred).toContain('Steps 12');
    expect(blurred).toContain('Largest blur 50 px');
  }

  await page.keyboard.press('f');
  await sheet('Methods')
    .getByRole('radio', { name: /^IDGI on Integrated/ })
    .check();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Shift+F');
  for (const name of ['Black', 'White', 'Grey']) {
    await sheet('Baselines').getByRole('checkbox', { name, exact: true }).uncheck();
  }
  await sheet('Baselines').getByRole('checkbox', { name: 'Uniform noise' }).check();
  await page.getByLabel('Seed', { exact: true }).fill('7');
  await page.getByLabel('Count', { exact: true }).fill('3');
  const baselineProblems = await new AxeBuilder({ page }).analyze();
  expect(baselineProblems.violations).toEqual([]);
  await page.getByRole('button', { name: 'Compare these 2' }).click();
  await page.keyboard.press('b');
  await expect(explanation(page)).toContainText('Seed 7 · Count 3');
  await page.keyboard.press('e');
  await expect(explanation(page)).toContainText('3 maps averaged', { timeout: 60_000 });
  await expect(baselines(page).getByRole('table')).toBeVisible({ timeout: 60_000 });
  await expect(image(page)).toContainText('IDGI on Integrated Gradients, baseline: uniform noise');
  await picture(app, 'other-method');
  const random = textOf(await report(app));
  if (random !== null) {
    expect(random).toContain('IDGI on Integrated Gradients');
    expect(random).toContain('Seed 7 · Count 3');
    expect(random).toContain('3 maps averaged');
  }
});

/** The text of a PDF; null where nothing here can read it. */
function textOf(pdf: Buffer): string | null {
  const { error, stdout } = spawnSync('pdftotext', ['-layout', '-', '-'], { input: pdf, encoding: 'utf8' });
  if (error === undefined) return stdout;
  console.warn('pdftotext is not installed: the text of the report is not checked');
  return null;
}

/** Presses the key and brings the PDF: by download in the browser host, through the save dialog in Electron. */
async function report(app: RunningApp): Promise<Buffer> {
  const { page, electron } = app;
  if (electron === null) {
    await page.keyboard.press('Control+p');
    const link = page.getByRole('contentinfo', { name: 'Status' }).getByRole('link');
    await expect(link).toBeVisible({ timeout: 60_000 });
    const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
    expect(download.suggestedFilename()).toMatch(/^pathlight-[\w-]+\.pdf$/);
    return readFileSync(await download.path());
  }
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pathlight-save-'));
  const file = path.join(folder, 'saved.pdf');
  await electron.evaluate(({ dialog }, filePath) => {
    dialog.showSaveDialog = () => Promise.resolve({ canceled: false, filePath });
  }, file);
  await page.keyboard.press('Control+p');
  await expect
    .poll(
      () => {
        try {
          return readFileSync(file).length;
        } catch {
          return 0;
        }
      },
      { timeout: 60_000 },
    )
    .toBeGreaterThan(1000);
  const bytes = readFileSync(file);
  rmSync(folder, { recursive: true });
  return bytes;
}

test('cancels between two batches, and keeps what it has', async ({ app }) => {
  const { page } = app;
  await show(page, 'Sample, Normal One');
  // Escape goes out with the first partial map, long before the last.
  await page.evaluate(() => {
    const observer = new MutationObserver(() => {
      if (!document.querySelector('section[aria-label="Explanation"]')?.textContent.includes('Computing'))
        return;
      observer.disconnect();
      document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
    });
    observer.observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await page.keyboard.press('e');
  await expect(explanation(page)).toContainText('Cancelled: partial map', { timeout: 60_000 });
  await page.keyboard.press('e');
  await expect(explanation(page)).toContainText('Converged', { timeout: 60_000 });
});

test('an engine that dies ends the job with its reason, and the next one works', async ({ app }) => {
  const { page } = app;
  await show(page, 'Sample, Normal One');
  await page.keyboard.press('e');
  await expect(page.getByRole('button', { name: 'Cancel', exact: true })).toBeVisible();
  // One that dies before the job has reached it is replaced without a word, so: until one had the job.
  const killed = async (): Promise<string | null> => {
    for (const { pid } of app.engines()) process.kill(pid, 'SIGKILL');
    return explanation(page).textContent();
  };
  await expect.poll(killed, { intervals: [20] }).toMatch(/engine/i);
  await page.keyboard.press('e');
  await expect(explanation(page)).toContainText('Converged', { timeout: 60_000 });
});

test('the shortcut model is caught on the sample with the marker', async ({ app }) => {
  const { page } = app;
  await show(page, 'Sample, Marker');
  await page
    .getByRole('combobox', { name: 'Model', exact: true })
    .selectOption({ label: 'Pneumonia with a shortcut (for audits to catch)' });
  await expect(
    page.getByRole('region', { name: 'Model', exact: true }).getByText('PNEUMONIA', { exact: true }).first(),
  ).toBeVisible();
  await page.keyboard.press('e');
  await expect(lungCheck(page)).toContainText('outside the lungs', { timeout: 60_000 });
  await expect(page.getByRole('region', { name: 'Flags' })).toContainText(/outside the lungs/);
  await expect(baselines(page).getByRole('table')).toBeVisible({ timeout: 90_000 });
  await picture(app, 'shortcut');
});

test('every control has a name and enough contrast', async ({ app }) => {
  const { page } = app;
  await show(page, 'Sample, Pneumonia One');
  const open = await new AxeBuilder({ page }).analyze();
  expect(open.violations).toEqual([]);
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keys' })).toBeVisible();
  await picture(app, 'keys');
  const keys = await new AxeBuilder({ page }).analyze();
  expect(keys.violations).toEqual([]);
  await page.keyboard.press('Escape');
  await page.keyboard.press('c');
  const devices = page.getByRole('dialog', { name: 'Computing device' });
  await expect(devices.getByRole('radio', { name: /^CPU/ })).toBeChecked({ timeout: 30_000 });
  await picture(app, 'devices');
  const chosen = await new AxeBuilder({ page }).analyze();
  expect(chosen.violations).toEqual([]);
});

test.describe('a folder with broken files', () => {
  // Made when the test runs: this file is loaded more often than that.
  const folder = path.join(os.tmpdir(), `pathlight-broken-${process.pid}`);
  test.use({ paths: [folder] });

  test.beforeAll(async () => {
    mkdirSync(folder);
    const sample = (name: string): string => path.join(root, 'examples', name);
    await copyFile(sample('01-normal-dx.dcm'), path.join(folder, 'good.dcm'));
    writeFileSync(
      path.join(folder, 'truncated.dcm'),
      readFileSync(sample('01-normal-dx.dcm')).subarray(0, 700_000),
    );
    writeFileSync(
      path.join(folder, 'header-only.dcm'),
      readFileSync(sample('03-normal-dx-rle.dcm')).subarray(0, 200),
    );
    writeFileSync(path.join(folder, 'letter.txt'), 'Dear colleague');
  });
  test.afterAll(() => rmSync(folder, { recursive: true }));

  test('opens: each is listed with its reason, the rest works', async ({ app }) => {
    const { page } = app;
    await expect(studies(page)).toContainText(/refused/);
    await studies(page)
      .getByText(/refused file/)
      .click();
    const refused = page.getByRole('list', { name: 'Refused files' });
    await expect(refused).toContainText('letter.txt');
    await expect(refused).toContainText('header-only.dcm');
    await expect(image(page)).toContainText('W 3800');
    await picture(app, 'broken-folder');
  });
});
