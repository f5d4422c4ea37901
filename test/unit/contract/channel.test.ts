import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Client, Frame, StreamHandlers } from '../../../core/contract/calls.ts';
import { connectClient, serveChannel, WINDOW } from '../../../core/contract/channel.ts';
import { PathlightError } from '../../../core/contract/errors.ts';
import type { LibraryEvent } from '../../../core/contract/library.ts';
import { decodePacket, encodePacket } from '../../../core/contract/packet.ts';
import { handlers, info } from './app-info.ts';
import { channelPair } from './memory-channel.ts';
import { asked, from } from '../../support/integrated-gradients.ts';

type Served = Parameters<typeof handlers>[0];

function connected(served: Served = {}): { client: Client } & ReturnType<typeof ends> {
  const pair = ends(served);
  return { ...pair, client: connectClient(pair.pair.client) };
}

function ends(served: Served) {
  const pair = channelPair();
  const { calls, streams } = handlers(served);
  serveChannel(pair.server, calls, streams);
  return { pair };
}

const progress = (scanned: number): Frame<LibraryEvent> => ({
  header: { type: 'progress', scanned, found: 0, total: null },
});

/** A library scan without an end that records how far it was asked, and whether it was told to stop. */
function endlessScan() {
  const seen = { asked: 0, aborted: false, ended: false };
  const open: StreamHandlers['library.open'] = async function* (_request, signal) {
    signal.addEventListener('abort', () => (seen.aborted = true));
    try {
      for (;;) {
        await turn();
        yield progress(seen.asked++);
      }
    } finally {
      seen.ended = true;
    }
  };
  return { seen, open };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

const nothing = { paths: null };

describe('calls', () => {
  it('answers with what the handler returns', async () => {
    const { client } = connected();
    expect(await client.call('app.info', undefined)).toEqual(info);
  });

  it('gives each of many calls under way its own answer, in whichever order they finish', async () => {
    const { client } = connected({
      calls: {
        'files.list': async ({ path }) => {
          if (path?.startsWith('slow') === true) for (let i = 0; i < 20; i++) await turn();
          return { path: path ?? '', parent: null, folders: [], files: 0 };
        },
      },
    });
    const paths = Array.from({ length: 50 }, (_, i) => `${i % 3 === 0 ? 'slow' : 'quick'}-${i}`);
    const answers = await Promise.all(paths.map((path) => client.call('files.list', { path })));
    expect(answers.map((answer) => answer.path)).toEqual(paths);
  });

  it('rejects with the error of the handler: kind, message and advice', async () => {
    const { client } = connected({
      calls: {
        'models.list': () => Promise.reject(new PathlightError('model-refused', 'No card', 'Add card.json')),
      },
    });
    await expect(client.call('models.list', undefined)).rejects.toMatchObject({
      name: 'PathlightError',
      kind: 'model-refused',
      message: 'No card',
      advice: 'Add card.json',
    });
  });

  it('refuses a request that does not fit its schema before the handler sees it, and does not repeat its value', async () => {
    let reached = false;
    const { client } = connected({
      calls: {
        'report.save': () => {
          reached = true;
          return Promise.resolve({ saved: true });
        },
      },
    });
    const wrong = { report: 'Jansen^Piet'.repeat(100) };
    const error = await client.call('report.save', wrong).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: 'bad-request' });
    expect(String(error)).toContain("'report'");
    expect(String(error)).not.toContain('Jansen');
    expect(reached).toBe(false);
  });

  it.each(['no.such.call', 'toString', '__proto__', 'library.open'])(
    'refuses the unknown call %s',
    async (name) => {
      const { pair } = ends({});
      const answers: unknown[] = [];
      pair.client.onMessage((packet) => answers.push(decodePacket(packet).json));
      pair.client.send(encodePacket({ json: { type: 'call', id: 1, name } }));
      await until(() => answers.length > 0);
      expect(answers).toMatchObject([{ type: 'error', id: 1, error: { kind: 'bad-request' } }]);
    },
  );

  it('rejects what is under way, and everything after, when the channel closes', async () => {
    const { client, pair } = connected({ calls: { 'models.list': () => new Promise(() => undefined) } });
    const pending = client.call('models.list', undefined);
    pair.server.close();
    await expect(pending).rejects.toThrow('connection to Pathlight was closed');
    await expect(client.call('app.info', undefined)).rejects.toThrow('connection to Pathlight was closed');
    await expect(client.stream('library.open', nothing).next()).rejects.toThrow('closed');
  });
});

describe('streams', () => {
  it('delivers every frame in order, with its array where it has one, and ends', async () => {
    const sent = Array.from({ length: 40 }, (_, i) =>
      i % 2 === 0 ? { ...progress(i), data: Float32Array.of(i, -i, i / 3, -0) } : progress(i),
    );
    const { client } = connected({
      streams: {
        'library.open': async function* () {
          await turn();
          yield* sent;
        },
      },
    });
    const received = await Array.fromAsync(client.stream('library.open', nothing));
    expect(received).toEqual(sent);
  });

  it('keeps an array as it was when it was sent, though the source uses it again', async () => {
    const { client } = connected({
      streams: {
        'library.open': async function* () {
          const map = new Float32Array(2);
          for (let i = 0; i < 3; i++) {
            map.fill(i);
            await turn();
            yield { ...progress(i), data: map.subarray(1) };
          }
        },
      },
    });
    const received = await Array.fromAsync(client.stream('library.open', nothing));
    expect(received.map((frame) => frame.data)).toEqual([0, 1, 2].map((i) => Float32Array.of(i)));
  });

  it('asks the source for no more than the window ahead of a reader that has stopped reading', async () => {
    const { seen, open } = endlessScan();
    const { client, pair } = connected({ streams: { 'library.open': open } });
    const stream = client.stream('library.open', nothing);
    for (let i = 0; i < 100; i++) await turn();
    expect(pair.sentByServer).toHaveLength(WINDOW);
    expect(seen.asked).toBe(WINDOW);
    await stream.next();
    await stream.next();
    for (let i = 0; i < 100; i++) await turn();
    expect(seen.asked).toBe(WINDOW + 2);
    await stream.return?.();
  });

  it('stops the source when the reader breaks out of its loop', async () => {
    const { seen, open } = endlessScan();
    const { client } = connected({ streams: { 'library.open': open } });
    for await (const { header } of client.stream('library.open', nothing)) {
      if (header.type === 'progress' && header.scanned === 20) break;
    }
    await until(() => seen.ended);
    expect(seen.aborted).toBe(true);
  });

  it('throws `cancelled` and stops the source when the AbortSignal fires, even while a read is waiting', async () => {
    let stopped = false;
    const { client } = connected({
      streams: {
        // eslint-disable-next-line require-yield
        'library.open': async function* (_request, signal) {
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          stopped = true;
        },
      },
    });
    const abort = new AbortController();
    const read = client.stream('library.open', nothing, abort.signal).next();
    await turn();
    abort.abort();
    await expect(read).rejects.toMatchObject({ kind: 'cancelled' });
    await until(() => stopped);
  });

  it('never starts where the AbortSignal has fired before', async () => {
    const { client, pair } = connected();
    const stream = client.stream('library.open', nothing, AbortSignal.abort());
    await expect(stream.next()).rejects.toMatchObject({ kind: 'cancelled' });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(pair.sentByClient).toEqual([]);
  });

  it('stops every source when the channel closes, and tells the reader', async () => {
    const { seen, open } = endlessScan();
    const { client, pair } = connected({ streams: { 'library.open': open } });
    const stream = client.stream('library.open', nothing);
    await stream.next();
    pair.server.close();
    await until(() => seen.ended);
    expect(seen.aborted).toBe(true);
    await expect(Array.fromAsync(stream)).rejects.toThrow('connection to Pathlight was closed');
  });

  it('delivers the frames before an error, then the error', async () => {
    const { client } = connected({
      streams: {
        'library.open': async function* () {
          yield progress(1);
          await turn();
          throw new PathlightError('engine', 'The engine process ended');
        },
      },
    });
    const stream = client.stream('library.open', nothing);
    expect((await stream.next()).value).toEqual(progress(1));
    await expect(stream.next()).rejects.toMatchObject({
      kind: 'engine',
      message: 'The engine process ended',
    });
    expect((await stream.next()).done).toBe(true);
  });

  it('refuses a request that does not fit its schema', async () => {
    const { client } = connected();
    const stream = client.stream('review.explain', {
      image: 'a',
      frame: -1,
      model: 'pneumonia',
      target: null,
      scalar: 'logit',
      ...asked,
      baseline: from('black'),
    });
    await expect(stream.next()).rejects.toMatchObject({ kind: 'bad-request' });
  });

  it('runs several at once without mixing them', async () => {
    const { client } = connected({
      streams: {
        'library.open': async function* ({ paths }) {
          for (let i = 0; i < 30; i++) {
            await turn();
            yield progress(Number(paths?.[0]) + i);
          }
        },
      },
    });
    const starts = [0, 100, 200];
    const all = await Promise.all(
      starts.map((start) => Array.fromAsync(client.stream('library.open', { paths: [String(start)] }))),
    );
    expect(all).toEqual(starts.map((start) => Array.from({ length: 30 }, (_, i) => progress(start + i))));
  });
});

describe('a peer that does not keep to the protocol', () => {
  it.each([
    ['text that is not JSON', 'hello'],
    ['a message of no known type', encodePacket({ json: { type: 'eval', id: 1 } })],
    ['a message without an id', encodePacket({ json: { type: 'call', name: 'app.info' } })],
    ['an empty binary packet', new ArrayBuffer(0)],
    ['a binary packet whose length lies', Uint8Array.of(255, 255, 255, 255, 1).buffer],
  ])('is cut off: %s', async (_name, packet) => {
    const { pair } = ends({});
    let closed = false;
    pair.client.onClose(() => (closed = true));
    pair.client.send(packet);
    await until(() => closed);
  });

  it('is cut off when it opens a stream under an id in use', async () => {
    const { seen, open } = endlessScan();
    const { pair } = ends({ streams: { 'library.open': open } });
    const packet = encodePacket({ json: { type: 'open', id: 3, name: 'library.open', request: nothing } });
    pair.client.send(packet);
    pair.client.send(packet);
    await until(() => seen.ended);
    expect(seen.aborted).toBe(true);
  });
});
