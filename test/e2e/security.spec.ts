import type { Page } from '@playwright/test';
import { expect, test } from './fixtures.ts';
import { ELSEWHERE } from './network-watch.ts';
import { allSockets, heldBy, isLoopback, procIsHere } from './processes.ts';

test('the page is confined', async ({ app }) => {
  await test.step('it has nothing of Node or Electron but the bridge', async () => {
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

  await test.step('no patient is named in the title of a window', async () => {
    const titles = await app.electron?.evaluate(({ BrowserWindow }) =>
      BrowserWindow.getAllWindows().map((window) => window.getTitle()),
    );
    expect(titles ?? ['Pathlight']).toEqual(['Pathlight']);
  });

  await test.step('no file beyond the renderer is sent, and all is sent with its policy', async () => {
    const page = await get(app.page, '/index.html');
    expect(page).toMatchObject({ status: 200, sniffing: 'nosniff', cache: 'no-store' });
    expect(page.policy).toContain("script-src 'self';");
    for (const path of ['/..%2fmain%2findex.js', '/..%2f..%2fpackage.json', '/..%5c..%5cpackage.json']) {
      const { status, text, policy } = await get(app.page, path);
      expect(status).toBe(404);
      expect(text).not.toContain('pathlight');
      expect(policy).toContain("default-src 'none'");
    }
  });

  await test.step('no permission is granted', async () => {
    expect(await app.page.evaluate(() => Notification.requestPermission())).not.toBe('granted');
  });

  await test.step('every process listens on loopback alone', () => {
    const listening = heldBy(
      app.processes(),
      allSockets().filter((socket) => socket.listening),
    );
    if (procIsHere && app.target !== 'electron') expect(listening.length).toBeGreaterThan(0);
    expect(listening.filter(({ local }) => !isLoopback(local))).toEqual([]);
  });

  await test.step('it cannot leave, nor open another window', async () => {
    if (app.target === 'browser-host') return;
    const before = app.page.url();
    await app.page.evaluate((address) => {
      window.open(`http://${address}/`);
    }, ELSEWHERE);
    await expect.poll(() => app.electron?.windows().length).toBe(1);
    // The attempt is made after the answer, which it would otherwise cut off.
    await app.page.evaluate((address) => {
      setTimeout(() => (window.location.href = `http://${address}/`));
    }, ELSEWHERE);
    await app.page.waitForTimeout(500);
    expect(app.page.url()).toBe(before);
    expect(await app.page.locator('body').innerText()).not.toBe('');
  });

  expect(app.problems).toEqual([]);
  await test.step('it runs no inline script and no eval, and loads nothing from elsewhere', async () => {
    expect(await attempts(app.page, ELSEWHERE)).toEqual({
      inline: 'refused',
      evaluated: 'refused',
      fetched: 'refused',
      image: 'refused',
      socket: 'refused',
    });
    const blocked = [
      'Executing inline script',
      'Loading the image',
      'Framing',
      "Connecting to 'ws:",
      'Fetch API',
    ];
    for (const one of blocked) await expect.poll(() => app.problems.join('\n')).toContain(one);
    app.problems.length = 0;
  });
});

function get(page: Page, path: string) {
  return page.evaluate(async (asked) => {
    const response = await fetch(asked);
    return {
      status: response.status,
      policy: response.headers.get('content-security-policy'),
      sniffing: response.headers.get('x-content-type-options'),
      cache: response.headers.get('cache-control'),
      text: await response.text(),
    };
  }, path);
}

/** What a script smuggled into the page might try. */
function attempts(page: Page, address: string) {
  return page.evaluate(async (elsewhere) => {
    const outcome = (happens: (done: () => void, fail: () => void) => void): Promise<string> =>
      new Promise((resolve) => {
        happens(
          () => resolve('done'),
          () => resolve('refused'),
        );
      });
    const script = document.createElement('script');
    script.textContent = 'window.inlineRan = true';
    document.head.append(script);
    const frame = document.createElement('iframe');
    frame.src = `http://${elsewhere}/`;
    document.body.append(frame);
    return {
      inline: 'inlineRan' in window ? 'done' : 'refused',
      // In a turn of its own: the debugger that runs this function is exempt from the policy.
      evaluated: await outcome((done, fail) => {
        setTimeout(() => {
          try {
            // eslint-disable-next-line @typescript-eslint/no-implied-eval -- what must not work
            new Function('return 1');
            done();
          } catch {
            fail();
          }
        });
      }),
      fetched: await outcome((done, fail) => void fetch(`http://${elsewhere}/`).then(done, fail)),
      image: await outcome((done, fail) => {
        const image = new Image();
        image.onload = done;
        image.onerror = fail;
        image.src = `http://${elsewhere}/pixel.png`;
      }),
      socket: await outcome((done, fail) => {
        const socket = new WebSocket(`ws://${elsewhere}/`);
        socket.onopen = done;
        socket.onerror = fail;
      }),
    };
  }, address);
}
