import { expect, test } from 'vitest';
import { oneAhead } from '../../main/study/one-ahead.ts';

test('the next item is under way while the reader is at one, and no more than one', async () => {
  const log: string[] = [];
  async function* items(): AsyncGenerator<number, void, undefined> {
    for (const item of [1, 2, 3]) {
      log.push(`makes ${item}`);
      await Promise.resolve();
      yield item;
    }
  }
  for await (const item of oneAhead(items(), () => undefined)) {
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    log.push(`reads ${item}`);
  }
  expect(log).toEqual(['makes 1', 'makes 2', 'reads 1', 'makes 3', 'reads 2', 'reads 3']);
});

test('a failure is met in its turn, and what is left unread is ended', async () => {
  let ended = false;
  async function* failing(): AsyncGenerator<number, void, undefined> {
    yield 1;
    await Promise.reject(new Error('broken'));
  }
  const read: number[] = [];
  await expect(
    (async () => {
      for await (const item of oneAhead(failing(), () => undefined)) read.push(item);
    })(),
  ).rejects.toThrow('broken');
  expect(read).toEqual([1]);

  async function* endless(): AsyncGenerator<number, void, undefined> {
    try {
      for (let item = 0; ; item++) {
        await Promise.resolve();
        yield item;
      }
    } finally {
      ended = true;
    }
  }
  for await (const item of oneAhead(endless(), () => undefined)) if (item === 3) break;
  expect(ended).toBe(true);
});

test('the item under way is cancelled, not waited for, where the reader leaves', async () => {
  const cancellation = new AbortController();
  async function* items(): AsyncGenerator<number, void, undefined> {
    yield 1;
    await new Promise((_, reject) => {
      cancellation.signal.addEventListener('abort', () => reject(new Error('cancelled')));
    });
  }
  const reading = (async () => {
    for await (const item of oneAhead(items(), () => cancellation.abort())) throw new Error(`at ${item}`);
  })();
  await expect(reading).rejects.toThrow('at 1');
});
