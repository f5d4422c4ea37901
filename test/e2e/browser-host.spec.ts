/** What is the browser host's alone, or needs to be shown on one target only. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { WebSocket } from 'ws';
import { nodeBinary } from '../../scripts/prepare.mjs';
import { expect, test } from './fixtures.ts';
import { ELSEWHERE, NetworkWatch } from './network-watch.ts';
import { isRunning, procIsHere } from './processes.ts';

test('the browser host takes its token once, nobody without its cookie, and no foreign page', async ({
  app,
}) => {
  const url = new URL(app.url ?? '');
  const status = (path: string, headers: Record<string, string> = {}): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      httpRequest({ host: url.hostname, port: url.port, path, headers, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
  expect(await status(url.pathname + url.search)).toBe(403);
  expect(await status('/')).toBe(403);
  expect(await status('/images/1/frames/0')).toBe(403);
  expect(await status('/', { host: `localhost:${url.port}` })).toBe(421);
  const cookies = await app.page.context().cookies();
  expect(cookies).toMatchObject([{ httpOnly: true, sameSite: 'Strict' }]);
  expect(await app.page.evaluate(() => document.cookie)).toBe('');
  expect(app.page.url()).not.toContain('token');

  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
  const opened = (origin: string): Promise<string> =>
    new Promise((resolve) => {
      const socket = new WebSocket(`ws://${url.host}/channel`, { origin, headers: { cookie } });
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

test('a host that is killed leaves no engine behind', async ({ app }) => {
  test.skip(!procIsHere, 'reads /proc');
  await expect.poll(() => app.engines().length).toBeGreaterThan(0);
  const engines = app.engines();
  process.kill(app.mainPid, 'SIGKILL');
  await expect.poll(() => engines.filter(({ pid }) => isRunning(pid))).toEqual([]);
});

test('an attempt to reach beyond this machine would be seen', async () => {
  const watch = new NetworkWatch();
  test.skip(!watch.tracing, 'strace is not usable here');
  const attempt = `require('node:net').connect(9, '${ELSEWHERE}').on('error', () => process.exit()).unref()`;
  const program = spawn(watch.watched(nodeBinary()), ['-e', attempt]);
  await once(program, 'exit');
  await expect.poll(() => watch.violations().join()).toContain(ELSEWHERE);
  watch.close();
});
