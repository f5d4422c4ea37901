/** One suite, three targets: the app in the browser host, on the Electron double, and in Electron. The build is taken as made. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import {
  _electron,
  chromium,
  expect,
  test as base,
  type ElectronApplication,
  type Page,
} from '@playwright/test';
import { chromiumArguments, findChromium } from '../../scripts/chromium.mjs';
import { nodeBinary, root } from '../../scripts/prepare.mjs';
import { NetworkWatch } from './network-watch.ts';
import { descendants, isRunning, type RunningProcess } from './processes.ts';

export type Target = 'browser-host' | 'electron-double' | 'electron';

export interface TargetOptions {
  target: Target;
  /** What the app is started with; none: the samples. */
  paths: string[];
}

export interface RunningApp {
  page: Page;
  target: Target;
  /** The address with the one-time token, used by now. Browser host only. */
  url: string | null;
  /** Main's side, for stubbing dialogs. Electron and its double only. */
  electron: ElectronApplication | null;
  /** Uncaught errors of the page and violations of its policy. None may be left at the end of a test. */
  problems: string[];
  /** Process of main. */
  mainPid: number;
  processes(): RunningProcess[];
  engines(): RunningProcess[];
  /** Ends the app as its user would, and waits until its processes have ended. */
  close(): Promise<void>;
}

interface Fixtures extends TargetOptions {
  app: RunningApp;
}

const VIEWPORT = { width: 1500, height: 950 };

export const test = base.extend<Fixtures, { network: NetworkWatch }>({
  target: ['browser-host', { option: true }],
  paths: [[], { option: true }],

  network: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const watch = new NetworkWatch();
      await use(watch);
      watch.close();
    },
    { scope: 'worker', auto: true },
  ],

  app: async ({ target, paths, network }, use) => {
    const data = mkdtempSync(path.join(os.tmpdir(), 'pathlight-e2e-'));
    const env = { ...environment(), XDG_DATA_HOME: data };
    const app =
      target === 'browser-host'
        ? await openInBrowser(paths, env, network)
        : await openInElectron(target, paths, env, network, data);
    await use(app);
    await app.close();
    rmSync(data, { recursive: true, force: true });
    expect(app.problems, 'errors in the page').toEqual([]);
    expect(network.violations(), 'connections beyond loopback').toEqual([]);
  },
});

export { expect };

/** A user's environment: some libraries report their use only where they see no continuous integration. */
const NOT_A_USERS =
  /^(CI|TF_BUILD|CONTINUOUS_INTEGRATION|(GITHUB|GITLAB|BUILDKITE|CIRCLE|TRAVIS|JENKINS)\w*)$/;

function environment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && !NOT_A_USERS.test(entry[0]) && entry[0] !== 'ORT_DISABLE_TELEMETRY',
    ),
  );
}

async function openInBrowser(
  paths: string[],
  env: Record<string, string>,
  network: NetworkWatch,
): Promise<RunningApp> {
  const server = spawn(
    network.watched(nodeBinary()),
    [path.join(root, 'out/main/serve.js'), '--no-open', '--json', ...paths],
    { env, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const line = await Promise.race([
    once(createInterface({ input: server.stdout }), 'line').then(([first]) => String(first)),
    once(server, 'exit').then(([code]) => Promise.reject(new Error(`The server ended with ${String(code)}`))),
  ]);
  const { url } = JSON.parse(line) as { url: string };
  const executablePath = findChromium();
  const browser = await chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath: network.watched(executablePath) }),
    chromiumSandbox: false,
    args: chromiumArguments,
  });
  const context = await browser.newContext({ viewport: VIEWPORT });
  const page = await context.newPage();
  const problems = watchPage(page);
  await page.goto(url);
  return running(
    { page, target: 'browser-host', url, electron: null, problems, mainPid: server.pid ?? 0 },
    async () => {
      await browser.close();
      server.kill('SIGTERM');
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
    },
  );
}

async function openInElectron(
  target: 'electron' | 'electron-double',
  paths: string[],
  env: Record<string, string>,
  network: NetworkWatch,
  data: string,
): Promise<RunningApp> {
  const double = path.join(root, 'test/electron-double/electron');
  const electron = await _electron.launch({
    // Playwright finds the real one, and must start it itself.
    ...(target === 'electron' ? {} : { executablePath: network.watched(double) }),
    args: [root, `--user-data-dir=${path.join(data, 'profile')}`, ...paths],
    env: { ...env, PATH: `${path.dirname(nodeBinary())}${path.delimiter}${env['PATH'] ?? ''}` },
  });
  const page = await electron.firstWindow();
  const problems = watchPage(page);
  await page.waitForURL('**/index.html');
  const mainPid = electron.process().pid ?? 0;
  return running({ page, target, url: null, electron, problems, mainPid }, () => electron.close());
}

function running(
  app: Omit<RunningApp, 'processes' | 'engines' | 'close'>,
  end: () => Promise<void>,
): RunningApp {
  const processes = (): RunningProcess[] => descendants(process.pid);
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const before = processes();
    await end();
    await expect
      .poll(() => before.filter(({ pid }) => isRunning(pid)), {
        message: 'processes left behind',
        timeout: 10_000,
      })
      .toEqual([]);
  };
  return {
    ...app,
    processes,
    engines: () =>
      processes().filter(({ command }) => /[\\/]engine\.js\b|utility-sub-type=node/.test(command)),
    close: () => (closed ??= close()),
  };
}

function watchPage(page: Page): string[] {
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.stack ?? error.message));
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) problems.push(message.text());
  });
  return problems;
}
