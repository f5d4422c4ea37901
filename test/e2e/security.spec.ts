import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { WebSocket } from 'ws';
import { nodeBinary } from '../../scripts/prepare.mjs';
import { expect, test } from './fixtures.ts';
import { NetworkWatch } from './network-watch.ts';
import { allSockets, heldBy, isLoopback, isRunning, procIsHere } from './processes.ts';

test.describe('the page', () => {
  test('has nothing of Node or Electron but the bridge', async ({ app }) => {
    const seen = await app.page.evaluate(() => ({
      globals: ['require', 'process', 'module', 'Buffer', 'global', 'ipcRenderer', 'electron'].filter(
        (name) => name in window,
      ),
      bridge: window.pathlight === undefined ? null : Object.keys(window.pathlight).sort(),
      frozen: Object.isFrozen(window.pathlight),
    }));
    expect(seen.globals).toEqual([]);
    expect(seen.bridge).toEqual(app.target === 'browser-host' ? null : ['connect', 'pathForFile']);
    expect(seen.frozen).toBe(true);
  });

  test('runs no inline script, no eval, and loads nothing from elsewhere', async ({ app }) => {
    const outcome = await app.page.evaluate(async () => {
      const script = document.createElement('script');
      script.textContent = 'window.inlineRan = true';
      document.head.append(script);
      const image = new Image();
      const loaded = new Promise((resolve) => {
        image.onload = () => resolve('loaded');
        image.onerror = () => resolve('refused');
      });
      image.src = 'http://192.0.2.1/pixel.png';
      const frame = document.createElement('iframe');
      frame.src = 'http://192.0.2.1/';
      document.body.append(frame);
      const socket = new Promise((resolve) => {
        try {
          const opened = new WebSocket('ws://192.0.2.1/');
          opened.onopen = () => resolve('opened');
          opened.onerror = () => resolve('refused');
        } catch {
          resolve('refused');
        }
      });
      return {
        inline: 'inlineRan' in window,
        evaluated: (() => {
          try {
            // eslint-disable-next-line @typescript-eslint/no-implied-eval -- what must not work
            return (new Function('return 1') as () => number)();
          } catch {
            return 'refused';
          }
        })(),
        fetched: await fetch('http://192.0.2.1/').then(
          () => 'fetched',
          () => 'refused',
        ),
        image: await loaded,
        socket: await socket,
      };
    });
    expect(outcome).toEqual({
      inline: false,
      evaluated: 'refused',
      fetched: 'refused',
      image: 'refused',
      socket: 'refused',
    });
    expect(app.problems.length).toBeGreaterThan(0);
    app.problems.length = 0;
  });

  test('is sent with its policy, and no file beyond the renderer is', async ({ app }) => {
    const answers = await app.page.evaluate(async () => {
      const get = async (path: string) => {
        const response = await fetch(path);
        return {
          status: response.status,
          policy: response.headers.get('content-security-policy'),
          sniffing: response.headers.get('x-content-type-options'),
          cache: response.headers.get('cache-control'),
          text: await response.text(),
        };
      };
      return {
        page: await get('/index.html'),
        outside: await Promise.all(
          [
            '/..%2fmain%2findex.js',
            '/..%2f..%2fpackage.json',
            '/%2e%2e/%2e%2e/package.json',
            '/..%5c..%5cpackage.json',
            '//etc/passwd',
          ].map(get),
        ),
      };
    });
    expect(answers.page).toMatchObject({ status: 200, sniffing: 'nosniff', cache: 'no-store' });
    expect(answers.page.policy).toContain("script-src 'self';");
    for (const { status, text } of answers.outside) {
      expect(status).toBe(404);
      expect(text).not.toContain('pathlight');
    }
    app.problems.length = 0;
  });

  test('cannot leave, nor open another window', async ({ app }) => {
    test.skip(app.target === 'browser-host', 'in a browser, windows and addresses are the browser’s');
    const before = app.page.url();
    await app.page.evaluate(() => {
      window.open('http://192.0.2.1/');
      window.location.href = 'http://192.0.2.1/';
    });
    await expect.poll(() => app.electron?.windows().length).toBe(1);
    await expect(app.page.locator('body')).toBeAttached();
    expect(app.page.url()).toBe(before);
  });

  test('names no patient in its title', async ({ app }) => {
    expect(await app.page.title()).toBe('Pathlight');
    const titles = await app.electron?.evaluate(({ BrowserWindow }) =>
      BrowserWindow.getAllWindows().map((window) => window.getTitle()),
    );
    expect(titles ?? ['Pathlight']).toEqual(['Pathlight']);
  });
});

test.describe('Electron', () => {
  test('denies every permission', async ({ app }) => {
    test.skip(app.target === 'browser-host', 'Electron alone asks main');
    const page = app.page;
    const answer = await page.evaluate(() => Notification.requestPermission());
    expect(answer).toBe('denied');
  });
});

test.describe('the browser host', () => {
  test.beforeEach(({ target }) => {
    test.skip(target !== 'browser-host', 'for the browser host');
  });

  const status = (
    url: URL,
    path: string,
    headers: Record<string, string> = {},
  ): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      httpRequest({ host: url.hostname, port: url.port, path, headers, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });

  test('takes its token once, and nobody without its cookie', async ({ app }) => {
    const url = new URL(app.url ?? '');
    expect(await status(url, url.pathname + url.search)).toBe(403);
    expect(await status(url, '/')).toBe(403);
    expect(await status(url, '/images/1/frames/0')).toBe(403);
    expect(await status(url, '/', { host: `localhost:${url.port}` })).toBe(421);
    const cookies = await app.page.context().cookies();
    expect(cookies).toMatchObject([{ httpOnly: true, sameSite: 'Strict' }]);
    expect(await app.page.evaluate(() => document.cookie)).toBe('');
    expect(app.page.url()).not.toContain('token');
  });

  test('takes no connection of a foreign page, cookie or not', async ({ app }) => {
    const url = new URL(app.url ?? '');
    const [cookie] = await app.page.context().cookies();
    const headers = { cookie: `${cookie?.name}=${cookie?.value}` };
    const opened = (origin: string): Promise<unknown> =>
      new Promise((resolve) => {
        const socket = new WebSocket(`ws://${url.host}/channel`, { origin, headers });
        socket.on('open', () => {
          socket.close();
          resolve('opened');
        });
        socket.on('error', (error) => resolve(error.message));
      });
    expect(await opened('http://pathlight.example')).toContain('403');
    expect(await opened('null')).toContain('403');
    expect(await opened(url.origin)).toBe('opened');
  });

  test('leaves no engine behind when it is killed', async ({ app }) => {
    await expect.poll(() => app.engines().length).toBeGreaterThan(0);
    const engines = app.engines();
    process.kill(app.mainPid, 'SIGKILL');
    await expect.poll(() => engines.filter(({ pid }) => isRunning(pid))).toEqual([]);
  });
});

test('listens on loopback alone', ({ app }) => {
  test.skip(!procIsHere, 'reads /proc');
  const listening = heldBy(
    app.processes(),
    allSockets().filter((socket) => socket.listening),
  );
  expect(listening.filter(({ local }) => !isLoopback(local))).toEqual([]);
});

test('the watch on the network sees an attempt to reach beyond this machine', async ({ target }) => {
  test.skip(target !== 'browser-host', 'once is enough');
  const watch = new NetworkWatch();
  test.skip(!watch.tracing, 'strace is not usable here');
  const attempt =
    "require('node:dgram').createSocket('udp4').send('x', 9, '192.0.2.1', () => process.exit())";
  const program = spawn(watch.watched(nodeBinary()), ['-e', attempt]);
  await once(program, 'exit');
  await expect.poll(() => watch.violations().join()).toContain('192.0.2.1');
  watch.close();
});
