/** Opens the browser host's page: in a Chromium window of its own where there is one, else in the system's browser. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { chromiumArguments, findChromium } from '../../scripts/chromium.mjs';
import { hasDisplay } from '../../scripts/display.mjs';

export interface OpenedWindow {
  /** Resolves when the reader has closed the window: true; or when it could not be shown after all: false. */
  closed: Promise<boolean>;
  close(): void;
}

/**
 * @returns the window; `untracked` where the system's browser took the address, which does not tell when it is closed;
 *   null where there is no display, or nothing to show it with
 */
export function openWindow(url: string): OpenedWindow | 'untracked' | null {
  if (!hasDisplay()) return null;
  const chromium = findChromium();
  if (chromium !== undefined) return chromiumWindow(chromium, url);
  return openWithSystem(url) ? 'untracked' : null;
}

function chromiumWindow(chromium: string, url: string): OpenedWindow {
  // A profile of its own, gone afterwards: no cookies, cache or extensions of the reader's browser.
  const profile = mkdtempSync(path.join(os.tmpdir(), 'pathlight-window-'));
  const child = spawn(
    chromium,
    [
      `--app=${url}`,
      `--user-data-dir=${profile}`,
      '--window-size=1500,950',
      ...chromiumArguments,
      // Without a GPU, Chromium offers WebGL2 only on request.
      '--enable-unsafe-swiftshader',
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ],
    { stdio: 'ignore' },
  );
  return {
    closed: ended(child).then((code) => {
      rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
      return code === 0;
    }),
    close: () => child.kill(),
  };
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    child.once('error', () => resolve(null));
    child.once('exit', (code) => resolve(code));
  });
}

const SYSTEM_OPENERS: Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>> = {
  darwin: ['open'],
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
  linux: ['xdg-open'],
};

function openWithSystem(url: string): boolean {
  const opener = SYSTEM_OPENERS[process.platform];
  if (opener === undefined) return false;
  const [command, ...given] = opener;
  // Where the command is missing, the address has been printed.
  const child = spawn(command, [...given, url], { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
  return child.pid !== undefined;
}
