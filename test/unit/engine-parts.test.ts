import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { FrameQueue } from '../../main/engine/frame-queue.ts';
import { linearModel } from '../support/analytic-models.ts';
import { measureBatch, usualBatch } from '../../main/engine/batch.ts';
import { Sessions } from '../../main/engine/sessions.ts';
import { engineEntry } from '../../main/engine/spawn.ts';

describe('frames for a slow reader', () => {
  test('are the newest ones, and the last one always', async () => {
    const frames = new FrameQueue<number>(2);
    for (const frame of [1, 2, 3, 4]) frames.push(frame);
    frames.end();
    expect(await Array.fromAsync(frames)).toEqual([3, 4]);
  });

  test('come before the error that ended them; nothing comes after', async () => {
    const frames = new FrameQueue<number>(2);
    frames.push(1);
    frames.end(new Error('died'));
    frames.end();
    frames.push(2);
    expect(await frames.next()).toEqual({ done: false, value: 1 });
    await expect(frames.next()).rejects.toThrow('died');
  });

  test('are waited for', async () => {
    const frames = new FrameQueue<number>(2);
    const waiting = frames.next();
    frames.push(7);
    expect(await waiting).toEqual({ done: false, value: 7 });
  });
});

describe('what is kept open', () => {
  /** Opens by name, and notes what is opened and closed. */
  function tracked(limit: number) {
    const opened: string[] = [];
    const closed: string[] = [];
    const sessions = new Sessions<string>(limit, (name) => {
      closed.push(name);
      return Promise.resolve();
    });
    const use = (name: string, work: () => Promise<unknown> = () => Promise.resolve()) =>
      sessions.use(
        name,
        () => {
          opened.push(name);
          return Promise.resolve(name);
        },
        work,
      );
    return { use, opened, closed };
  }

  test('is opened once, and closed when others have been used since', async () => {
    const { use, opened, closed } = tracked(2);
    await Promise.all([use('a'), use('a')]);
    for (const name of ['b', 'a', 'c']) await use(name);
    expect(opened).toEqual(['a', 'b', 'c']);
    expect(closed).toEqual(['b']);
  });

  test('is not closed while it is used', async () => {
    const { use, closed } = tracked(1);
    await use('a', async () => {
      await use('b');
      expect(closed).toEqual(['b']);
    });
    expect(closed).toEqual(['b']);
  });

  test('is tried again after it could not be opened', async () => {
    const sessions = new Sessions<number>(1, () => Promise.resolve());
    const work = (value: number): Promise<number> => Promise.resolve(value);
    await expect(sessions.use('a', () => Promise.reject(new Error('damaged')), work)).rejects.toThrow(
      'damaged',
    );
    expect(await sessions.use('a', () => Promise.resolve(1), work)).toBe(1);
  });
});

describe('the batch', () => {
  const graph = (perImage: number, batch: 'dynamic' | number = 'dynamic') => ({
    batch,
    cost: { weights: 0, perImage, multiplyAdds: 0 },
  });
  const x = Float32Array.of(1, 2);

  test('has four points, fewer of large models, never none, and what a graph fixes', () => {
    expect([1e6, 40e6, 63e6, 1e9].map((bytes) => usualBatch(graph(bytes)))).toEqual([4, 3, 2, 1]);
    expect(usualBatch(graph(1e9, 2))).toBe(2);
  });

  test('is measured within the memory budget alone', async () => {
    const model = linearModel([1, 2]);
    expect([1, 2, 4]).toContain(await measureBatch(model, graph(30e6), x));
    expect(Math.max(...model.batches)).toBe(4);
    const large = linearModel([1, 2]);
    expect(await measureBatch(large, graph(1e9), x)).toBe(1);
    expect(large.batches).toEqual([]);
    const cancelled = linearModel([1, 2]);
    const measured = measureBatch(cancelled, graph(30e6), x, AbortSignal.abort());
    await expect(measured).rejects.toMatchObject({ kind: 'cancelled' });
    expect(cancelled.batches).toEqual([]);
  });
});

test('the entry lies beside the sources, and beside the bundle wherever the chunk is', () => {
  expect(engineEntry()).toBe(path.resolve(import.meta.dirname, '../../main/engine/process.ts'));
  expect(engineEntry('file:///app/out/main/index.js')).toBe('/app/out/main/engine.js');
  expect(engineEntry('file:///app/out/main/chunks/client-Bx1.js')).toBe('/app/out/main/engine.js');
});
