import { expect, test } from 'vitest';
import { ByteCache, MemoCache } from '../../main/app/byte-cache.ts';

test('the longest-unused goes when the budget is passed', () => {
  const cache = new ByteCache<string>(10);
  cache.set('a', 'A', 4);
  cache.set('b', 'B', 4);
  cache.get('a');
  cache.set('c', 'C', 4);
  expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual(['A', undefined, 'C']);
});

test('a value larger than the budget is kept alone', () => {
  const cache = new ByteCache<string>(10);
  cache.set('a', 'A', 4);
  cache.set('huge', 'H', 100);
  expect([cache.get('a'), cache.get('huge')]).toEqual([undefined, 'H']);
  cache.set('b', 'B', 4);
  expect([cache.get('huge'), cache.get('b')]).toEqual([undefined, 'B']);
});

test('setting again replaces, and counts once', () => {
  const cache = new ByteCache<string>(10);
  for (let i = 0; i < 5; i++) cache.set('a', String(i), 4);
  cache.set('b', 'B', 4);
  expect([cache.get('a'), cache.get('b')]).toEqual(['4', 'B']);
});

test('what several ask for at once is made once', async () => {
  const cache = new MemoCache<number>(10, () => 1);
  let made = 0;
  const make = (): Promise<number> => Promise.resolve(++made);
  expect(await Promise.all([cache.get('a', make), cache.get('a', make)])).toEqual([1, 1]);
  expect(await cache.get('a', make)).toBe(1);
});

test('a failure is not kept', async () => {
  const cache = new MemoCache<number>(10, () => 1);
  await expect(cache.get('a', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(await cache.get('a', () => Promise.resolve(2))).toBe(2);
});
