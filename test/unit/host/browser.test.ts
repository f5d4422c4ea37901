import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { connectClient, type Channel } from '../../../core/contract/channel.ts';
import type { App } from '../../../main/app/app-interface.ts';
import { startBrowserHost, type BrowserHost } from '../../../main/host/browser.ts';
import { handlers, info } from '../contract/app-info.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'pathlight-host-'));
mkdirSync(path.join(folder, 'renderer'));
writeFileSync(path.join(folder, 'secret.txt'), 'outside the renderer');
writeFileSync(path.join(folder, 'renderer', 'index.html'), '<!doctype html><title>Pathlight</title>');

const app: App = {
  ...handlers({}),
  fetch: (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === '/images/broken/frames/0')
      return Promise.reject(new Error('/data/Jansen.dcm is broken'));
    return Promise.resolve(
      pathname === '/images/1/frames/0' ? new Response(new Uint8Array(3_000_000)) : null,
    );
  },
  close: () => Promise.resolve(),
};

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

let host: BrowserHost;
let cookie: string;

/** A request as a stranger could craft it: path and headers go out as given. */
function get(pathname: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  const { port, host: name } = new URL(host.origin);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port, path: pathname, method, headers: { host: name, ...headers }, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    request.on('error', reject);
    request.end();
  });
}

function socketTo(headers: Record<string, string>, pathname = '/channel'): Promise<WebSocket> {
  const socket = new WebSocket(host.origin.replace('http', 'ws') + pathname, { headers });
  return new Promise((resolve, reject) => {
    socket.on('open', () => resolve(socket));
    socket.on('error', reject);
  });
}

beforeAll(async () => {
  host = await startBrowserHost({ app, rendererFolder: path.join(folder, 'renderer'), port: 0 });
  const { pathname, search } = new URL(host.url);
  const entered = await get(pathname + search);
  expect(entered.status).toBe(303);
  expect(entered.headers['location']).toBe('/');
  const given = entered.headers['set-cookie']?.[0] ?? '';
  expect(given).toMatch(/^pathlight-\d+=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/$/);
  cookie = given.split(';')[0] ?? '';
});
afterAll(async () => {
  await host.close();
  rmSync(folder, { recursive: true });
});

describe('who may come in', () => {
  it('the one-time token works once', async () => {
    const { pathname, search } = new URL(host.url);
    expect((await get(pathname + search)).status).toBe(403);
    expect((await get('/?token=guess')).status).toBe(403);
  });

  it.each(['/', '/index.html', '/images/1/frames/0', '/anything'])(
    '%s wants the cookie',
    async (pathname) => {
      expect((await get(pathname)).status).toBe(403);
      expect((await get(pathname, { cookie: cookie.slice(0, -1) })).status).toBe(403);
      expect((await get(pathname, { cookie: `${cookie}A` })).status).toBe(403);
    },
  );

  it('the cookie lets in, among other cookies too', async () => {
    const { status, body } = await get('/', { cookie: `theirs=1; ${cookie}` });
    expect(status).toBe(200);
    expect(body.toString()).toContain('<title>Pathlight</title>');
  });

  it.each(['localhost', 'pathlight.example', '127.0.0.1', '127.0.0.1:1', '[::1]'])(
    'answers 421 under the Host %s, token or cookie notwithstanding',
    async (name) => {
      expect((await get('/', { cookie, host: name })).status).toBe(421);
      expect((await get(`/${new URL(host.url).search}`, { host: name })).status).toBe(421);
    },
  );

  it.each([
    ['a foreign Origin', { origin: 'https://pathlight.example' }],
    ['a null Origin', { origin: 'null' }],
    ["another port's Origin", { origin: 'http://127.0.0.1:1' }],
    ['a cross-site fetch', { 'sec-fetch-site': 'cross-site' }],
    ['a same-site fetch of another port', { 'sec-fetch-site': 'same-site' }],
  ])('refuses %s', async (_name, headers) => {
    expect((await get('/', { cookie, ...headers })).status).toBe(403);
  });

  it('refuses every method but GET', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      expect((await get('/', { cookie }, method)).status).toBe(405);
    }
  });

  it('listens on 127.0.0.1 alone', async () => {
    const others = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ address, scopeid }) => address !== '127.0.0.1' && !scopeid);
    for (const { address } of others) {
      const reached = await new Promise((resolve) => {
        const socket = connect({ host: address, port: Number(new URL(host.origin).port), timeout: 2000 });
        socket.on('connect', () => resolve(true));
        socket.on('error', () => resolve(false));
        socket.on('timeout', () => resolve(false));
      });
      expect(reached, address).toBe(false);
    }
  });
});

describe('what it serves', () => {
  it.each([
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/%2e%2e%2fsecret.txt',
    '/..%5csecret.txt',
    '/assets/../../secret.txt',
    '//etc/passwd',
    '/%00',
    '/%',
    '/renderer',
    '/',
  ])('never leaves the renderer folder: %s', async (pathname) => {
    const { status, body } = await get(pathname, { cookie });
    expect(status).toBe(pathname === '/' ? 200 : 404);
    expect(body.toString()).not.toContain('outside');
  });

  it('sends its policy with everything: page, data, errors and refusals', async () => {
    const answers = [
      await get('/', { cookie }),
      await get('/images/1/frames/0', { cookie }),
      await get('/nothing', { cookie }),
      await get('/'),
    ];
    for (const { headers } of answers) {
      const policy = String(headers['content-security-policy']);
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self';");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain('unsafe-eval');
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
      });
    }
  });

  it('streams bulk data of the app', async () => {
    const { status, body } = await get('/images/1/frames/0', { cookie });
    expect(status).toBe(200);
    expect(body).toHaveLength(3_000_000);
  });

  it('keeps what went wrong to itself', async () => {
    const { status, body } = await get('/images/broken/frames/0', { cookie });
    expect(status).toBe(500);
    expect(body.toString()).not.toContain('Jansen');
  });
});

describe('the channel', () => {
  it('answers calls', async () => {
    const socket = await socketTo({ cookie, origin: host.origin });
    const client = connectClient(channelOf(socket));
    expect(await client.call('app.info', undefined)).toEqual(info);
    socket.close();
  });

  it.each([
    ['no cookie', () => ({ origin: host.origin })],
    ['no Origin', () => ({ cookie })],
    ['a foreign Origin', () => ({ cookie, origin: 'https://pathlight.example' })],
    ['a foreign Host', () => ({ cookie, origin: host.origin, host: 'pathlight.example' })],
  ])('is refused with %s', async (_name, headers) => {
    await expect(socketTo(headers())).rejects.toThrow(/403|421/);
  });

  it('is at its own path alone', async () => {
    await expect(socketTo({ cookie, origin: host.origin }, '/')).rejects.toThrow('404');
  });

  it('closes on a message larger than any request', async () => {
    const socket = await socketTo({ cookie, origin: host.origin });
    const code = new Promise((resolve) => socket.on('close', resolve));
    socket.send('x'.repeat(2 << 20));
    expect(await code).toBe(1009);
  });
});

function channelOf(socket: WebSocket): Channel {
  return {
    send: (packet) => socket.send(packet),
    onMessage: (listener) => {
      socket.on('message', (data: Buffer) => listener(data.toString()));
    },
    onClose: (listener) => {
      socket.on('close', listener);
    },
    close: () => socket.close(),
  };
}
