import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import path from 'node:path';
import { Readable } from 'node:stream';
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { connectClient } from '../../../core/contract/channel.ts';
import type { Drop } from '../../../core/contract/drop.ts';
import { toErrorReport, type ErrorReport } from '../../../core/contract/errors.ts';
import { startBrowserHost, type BrowserHost } from '../../../main/host/browser.ts';
import { safeSegments } from '../../../main/host/drop-names.ts';
import { DROP_BUDGET_BYTES, Drops, removeAbandonedDrops } from '../../../main/host/drops.ts';
import { handlers } from '../contract/app-info.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const temporary = temporaryFolder();
for (const name of ['TMPDIR', 'TEMP', 'TMP']) vi.stubEnv(name, temporary);
afterAll(() => vi.unstubAllEnvs());

const sessions = (): string[] => readdirSync(temporary).filter((name) => name.startsWith('pathlight-drops-'));
const filesOf = (drop: Drop): string[] =>
  readdirSync(drop.path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(drop.path, path.join(entry.parentPath, entry.name)))
    .sort();
async function drain(frames: AsyncIterableIterator<unknown>): Promise<void> {
  while ((await frames.next()).done !== true);
}
const content = (text: string): Readable => Readable.from([Buffer.from(text)]);

describe('names', () => {
  it.each([
    ['scan.dcm', ['scan.dcm']],
    ['study/série 1/見本.dcm', ['study', 'série 1', '見本.dcm']],
    ['study\\series\\scan.dcm', ['study', 'series', 'scan.dcm']],
    ['a:b?.dcm', ['a_b_.dcm']],
    ['nul.dcm', ['_nul.dcm']],
    ['ends with dots. . ', ['ends with dots']],
    ['.. /scan', ['_', 'scan']],
    [`${'長'.repeat(200)}.dcm`, [`${'長'.repeat(38)}.dcm`]],
  ])('%s', (given, expected) => {
    expect(safeSegments(given)).toEqual(expected);
  });

  it.each([
    '',
    '/etc/passwd',
    '..',
    '../x',
    'a/../x',
    'a/..',
    '.',
    'a//b',
    'a/',
    '\\x',
    'C:\\x',
    'a\\..\\x',
    'a\0b',
  ])('refuses %j', (given) => {
    expect(() => safeSegments(given)).toThrow(expect.objectContaining({ kind: 'bad-request' }));
  });

  it('never leave the folder and are never long, whatever is given', () => {
    const piece = fc.oneof(
      fc.constantFrom('..', '.', '/', '\\', '\0', ':', ' ', 'con', 'x', '...', '.. '),
      fc.string({ unit: 'binary', maxLength: 300 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        let segments;
        try {
          segments = safeSegments(pieces.join(''));
        } catch {
          return;
        }
        const folder = path.resolve('/drop');
        expect(path.resolve(folder, ...segments).startsWith(folder + path.sep)).toBe(true);
        expect(path.win32.resolve('C:\\drop', ...segments).startsWith('C:\\drop\\')).toBe(true);
        expect(Buffer.byteLength(segments.join('/'))).toBeLessThanOrEqual(700);
        for (const segment of segments) {
          expect(segment).not.toMatch(/^$|^\.\.?$|[/\\\0]/);
          expect(Buffer.byteLength(segment)).toBeLessThanOrEqual(120);
        }
      }),
    );
  });
});

describe('drops', () => {
  let drops: Drops;
  beforeEach(() => {
    drops = new Drops();
  });
  afterEach(() => drops.close());

  it('keeps the files for this user alone, and nothing after the session', async () => {
    const drop = await drops.begin(11);
    await drops.add(drop.id, 'study/a.dcm', content('first'));
    await drops.add(drop.id, 'b.dcm', content('second'));
    expect(filesOf(drop)).toEqual(['b.dcm', path.join('study', 'a.dcm')]);
    expect(readFileSync(path.join(drop.path, 'study/a.dcm'), 'utf8')).toBe('first');
    if (process.platform !== 'win32') {
      for (const folder of [path.dirname(drop.path), drop.path, path.join(drop.path, 'study')]) {
        expect(statSync(folder).mode & 0o777).toBe(0o700);
      }
      expect(statSync(path.join(drop.path, 'b.dcm')).mode & 0o777).toBe(0o600);
    }
    await drops.close();
    expect(sessions()).toEqual([]);
    await expect(drops.begin(1)).rejects.toMatchObject({ kind: 'cancelled' });
  });

  it('keeps namesakes apart, and a file from a folder of its name', async () => {
    const drop = await drops.begin(0);
    for (const name of ['a.dcm', 'a.dcm', 'study', 'study/a.dcm', 'study/b.dcm', 'study/b.dcm']) {
      await drops.add(drop.id, name, content(name));
    }
    expect(filesOf(drop)).toEqual(
      ['a (2).dcm', 'a.dcm', 'study', 'study (2)/a.dcm', 'study (2)/b.dcm', 'study (3)/b.dcm']
        .map((name) => path.normalize(name))
        .sort(),
    );
  });

  it('removes a drop that grows beyond the budget, or is announced to', async () => {
    const small = new Drops(3 * 4096);
    await expect(small.begin(3 * 4096 + 1)).rejects.toMatchObject({ kind: 'too-large' });
    const drop = await small.begin(10);
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(1024);
      })(),
    );
    await expect(small.add(drop.id, 'endless', endless)).rejects.toMatchObject({ kind: 'too-large' });
    expect(endless.destroyed, 'the connection is still to carry the answer').toBe(false);
    expect(existsSync(drop.path)).toBe(false);
    const many = await small.begin(0);
    for (const name of ['1', '2', '3']) await small.add(many.id, name, content(''));
    await expect(small.add(many.id, '4', content(''))).rejects.toMatchObject({ kind: 'too-large' });
    await small.close();
  });

  it('says before that the disk has no room', async () => {
    const vast = new Drops(Number.MAX_SAFE_INTEGER);
    await expect(vast.begin(2 ** 52)).rejects.toMatchObject({ kind: 'write-failed' });
    await vast.close();
  });

  it('removes a drop whose upload breaks off, others under way included', async () => {
    const drop = await drops.begin(0);
    const stalled = new Readable({ read: () => undefined });
    // A request's error, too, is silent where nobody reads yet.
    const broken = new Readable({ read: () => undefined }).on('error', () => undefined);
    const waiting = [drops.add(drop.id, 'a', stalled), drops.add(drop.id, 'b', broken)];
    broken.destroy(new Error('aborted: /home/Jansen'));
    for (const each of await Promise.allSettled(waiting)) {
      expect(each.status).toBe('rejected');
      expect(JSON.stringify(toErrorReport(each.status === 'rejected' && each.reason))).not.toContain(
        'Jansen',
      );
    }
    expect(existsSync(drop.path)).toBe(false);
  });

  it('keeps a drop while any window shows it', async () => {
    const [one, other] = [{}, {}];
    const [first, second] = [await drops.begin(0), await drops.begin(0)];
    await drops.show(one, [first.path]);
    await drops.show(other, [path.join(first.path, 'study')]);
    await expect(drops.discard(first.id)).rejects.toMatchObject({ kind: 'bad-request' });
    await expect(drops.add(first.id, 'late', content(''))).rejects.toMatchObject({ kind: 'bad-request' });
    await drops.show(one, [second.path]);
    expect(existsSync(first.path)).toBe(true);
    await drops.show(other, ['/somewhere/else']);
    expect(existsSync(first.path)).toBe(false);
    expect(existsSync(second.path)).toBe(true);
    const unopened = await drops.begin(0);
    await drops.leave(one);
    expect([second, unopened].map((drop) => existsSync(drop.path))).toEqual([false, true]);
    await drops.leave(other);
    expect(existsSync(unopened.path)).toBe(false);
  });

  it('removes what a killed session left, not what a running one uses', async () => {
    const drop = await drops.begin(0);
    const [session = ''] = sessions();
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    const left = session.replace(`-${process.pid}-`, `-${dead}-`);
    mkdirSync(path.join(temporary, left));
    writeFileSync(path.join(temporary, left, 'scan.dcm'), '');
    const foreign = path.join(temporary, 'foreign');
    mkdirSync(foreign);
    writeFileSync(path.join(foreign, 'kept'), '');
    if (process.platform !== 'win32') symlinkSync(foreign, path.join(temporary, left.replace(/.$/, '-')));
    await removeAbandonedDrops();
    expect(sessions()).toEqual([session]);
    expect(existsSync(drop.path)).toBe(true);
    expect(existsSync(path.join(foreign, 'kept'))).toBe(true);
  });
});

describe('over HTTP', () => {
  let host: BrowserHost;
  let cookie = '';
  const opened: string[][] = [];

  interface Answer {
    status: number;
    text: string;
  }

  function start(
    method: string,
    pathname: string,
    headers: Record<string, string>,
  ): [ClientRequest, Promise<Answer>] {
    const { port, host: name } = new URL(host.origin);
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      path: pathname,
      method,
      headers: { host: name, ...headers },
      agent: false,
    });
    const answer = new Promise<IncomingMessage>((resolve, reject) =>
      request.on('response', resolve).on('error', reject),
    ).then(async (response) => {
      const text = Buffer.concat((await response.toArray()) as Buffer[]).toString();
      if (pathname !== '/')
        expect(response.headers['content-security-policy']).toContain("default-src 'none'");
      return { status: response.statusCode ?? 0, text };
    });
    return [request, answer];
  }
  const ours = (): Record<string, string> => ({ cookie, origin: host.origin });
  function ask(method: string, pathname: string, body = '', headers = ours()): Promise<Answer> {
    const [request, answer] = start(method, pathname, headers);
    request.end(body);
    return answer;
  }
  async function begin(): Promise<Drop> {
    const { status, text } = await ask('POST', '/drops?bytes=10');
    expect(status).toBe(201);
    return JSON.parse(text) as Drop;
  }

  beforeAll(async () => {
    const app = {
      ...handlers({
        streams: {
          // eslint-disable-next-line @typescript-eslint/require-await
          'library.open': async function* ({ paths }) {
            opened.push(paths ?? []);
            yield { header: { type: 'done', images: 0, refused: 0 } };
          },
        },
      }),
      fetch: () => Promise.resolve(null),
      close: () => Promise.resolve(),
    };
    host = await startBrowserHost({ app, rendererFolder: temporary, port: 0 });
    const response = await fetch(host.url, { redirect: 'manual' });
    cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  });
  afterAll(() => host.close());

  it('takes files and gives a path to open, until a window opens something else', async () => {
    const drop = await begin();
    const put = await ask(
      'PUT',
      `/drops/${drop.id}/files?path=${encodeURIComponent('study/a 1.dcm')}`,
      'pixels',
    );
    expect(put).toEqual({ status: 204, text: '' });
    expect(readFileSync(path.join(drop.path, 'study', 'a 1.dcm'), 'utf8')).toBe('pixels');

    const socket = new WebSocket(`${host.origin.replace('http', 'ws')}/channel`, { headers: ours() });
    await new Promise((resolve) => socket.once('open', resolve));
    const client = connectClient({
      send: (packet) => socket.send(packet),
      onMessage: (listener) => socket.on('message', (data: Buffer) => listener(data.toString())),
      onClose: (listener) => socket.on('close', listener),
      close: () => socket.close(),
    });
    await drain(client.stream('library.open', { paths: [drop.path] }));
    expect(opened.at(-1)).toEqual([drop.path]);
    expect((await ask('DELETE', `/drops/${drop.id}`)).status).toBe(400);
    expect(existsSync(drop.path)).toBe(true);
    await drain(client.stream('library.open', { paths: null }));
    expect(existsSync(drop.path)).toBe(false);
    const unopened = await begin();
    socket.close();
    await vi.waitFor(() => expect(existsSync(unopened.path)).toBe(false));
  });

  it.each([
    ['no cookie', () => ({ origin: host.origin }), 403],
    ['no Origin', () => ({ cookie }), 403],
    ['a foreign Origin', () => ({ cookie, origin: 'https://pathlight.example' }), 403],
    ['a cross-site fetch', () => ({ ...ours(), 'sec-fetch-site': 'cross-site' }), 403],
    ['a foreign Host', () => ({ ...ours(), host: 'pathlight.example' }), 421],
  ] as const)('refuses everything with %s', async (_name, headers, status) => {
    const drop = await begin();
    const file = `/drops/${drop.id}/files?path=a`;
    for (const [method, pathname] of [
      ['POST', '/drops?bytes=1'],
      ['PUT', file],
      ['DELETE', `/drops/${drop.id}`],
    ] as const) {
      expect((await ask(method, pathname, '', { ...headers() })).status).toBe(status);
    }
    expect(filesOf(drop)).toEqual([]);
    expect((await ask('DELETE', `/drops/${drop.id}`)).status).toBe(204);
    expect(existsSync(drop.path)).toBe(false);
  });

  it.each([
    ['POST', '/drops', 400],
    ['POST', '/drops?bytes=-1', 400],
    ['POST', '/drops?bytes=many', 400],
    ['GET', '/drops', 400],
    ['PUT', '/drops/unknown/files?path=a', 404],
    ['PUT', '/drops/..%2f..%2fx/files?path=a', 400],
    ['DELETE', '/drops/unknown', 404],
    ['POST', `/drops?bytes=${DROP_BUDGET_BYTES + 1}`, 413],
  ])('%s %s: %i', async (method, pathname, status) => {
    const { status: given, text } = await ask(method, pathname);
    expect(given).toBe(status);
    expect(Object.keys(JSON.parse(text) as ErrorReport)).toEqual(['kind', 'message', 'advice']);
  });

  it.each(['..%2fx', '%2fetc%2fx', 'a%2f..%2f..%2fx', '..%5cx', 'a%00b', 'C:%5cx', ''])(
    'writes nothing under the name %s',
    async (name) => {
      const drop = await begin();
      expect((await ask('PUT', `/drops/${drop.id}/files?path=${name}`, 'x')).status).toBe(400);
      expect(filesOf(drop)).toEqual([]);
      await ask('DELETE', `/drops/${drop.id}`);
    },
  );

  it('answers 413 before a file that cannot fit is sent', async () => {
    const drop = await begin();
    const [request, answer] = start('PUT', `/drops/${drop.id}/files?path=a`, {
      ...ours(),
      'content-length': String(DROP_BUDGET_BYTES),
    });
    request.write('the beginning');
    const { status, text } = await answer;
    expect(status).toBe(413);
    const { kind, advice } = JSON.parse(text) as ErrorReport;
    expect(kind).toBe('too-large');
    expect(advice).toContain('by its path');
    request.destroy();
    expect(existsSync(drop.path)).toBe(false);
  });

  it('removes a drop whose window goes away amid a file', async () => {
    const drop = await begin();
    const [request, answer] = start('PUT', `/drops/${drop.id}/files?path=a`, {
      ...ours(),
      'content-length': '1000',
    });
    answer.catch(() => undefined);
    request.write('half');
    await vi.waitFor(() => expect(filesOf(drop)).toEqual(['a']));
    request.destroy();
    await vi.waitFor(() => expect(existsSync(drop.path)).toBe(false));
  });

  it('leaves nothing when the host closes, files under way included', async () => {
    const drop = await begin();
    const [request, answer] = start('PUT', `/drops/${drop.id}/files?path=a`, {
      ...ours(),
      'content-length': '1000',
    });
    answer.catch(() => undefined);
    request.write('half');
    await vi.waitFor(() => expect(filesOf(drop)).toEqual(['a']));
    await host.close();
    expect(sessions()).toEqual([]);
  });
});
