import { describe, expect, test } from 'vitest';
import { likenessesOf, stepsOf } from '../../main/study/likeness.ts';
import { agreementRows, statisticsOf } from '../../main/study/statistics.ts';
import { studyMap, studyRow } from '../support/study-rows.ts';

describe('statistics', () => {
  const rows = [
    studyRow({ value: 0.2, random: 0.1, seconds: 1, evaluations: 8 }),
    studyRow({ value: 0.4, random: 0.3, group: 'NORMAL', seconds: 3, evaluations: 8 }),
    studyRow({ value: null, random: 0.9, group: '' }),
    studyRow({ value: 0.7, steps: 16 }),
  ];

  test('are of all images and of each label, by the way the maps were made', () => {
    const of = statisticsOf(rows, 1).map(({ group, steps, mean, count, missing }) => [
      group,
      steps,
      mean,
      count,
      missing,
    ]);
    expect(of).toEqual([
      [null, 8, (0.2 + 0.4) / 2, 2, 1],
      [null, 16, 0.7, 1, 0],
      ['PNEUMONIA', 8, 0.2, 1, 0],
      ['PNEUMONIA', 16, 0.7, 1, 0],
      ['NORMAL', 8, 0.4, 1, 0],
    ]);
  });

  test('hold the mean against the nulls of the images that it is of', () => {
    const [all] = statisticsOf(rows, 1);
    expect(all?.random).toBeCloseTo(0.2, 12);
    expect(all?.edges).toBeNull();
    expect(all?.low).toBe(0.2);
    expect(all?.high).toBe(0.4);
  });

  test('of hits keep an interval where all hit', () => {
    const hits = [1, 1, 1].map((value) => studyRow({ metric: 'pointing-game', value }));
    const [all] = statisticsOf(hits, 1);
    expect(all).toMatchObject({ mean: 1, high: 1 });
    expect(all?.low).toBeLessThan(0.6);
  });

  test('leave out what no image has a value of', () => {
    expect(statisticsOf([studyRow({ value: null })], 1)).toEqual([]);
  });
});

/** Maps by name: v and a little more noise the further on. */
const pixels = Float32Array.from({ length: 400 }, (_, i) => Math.sin(i * i));
const mapsBy = (noise: Record<string, number>) => ({
  read: ({ map }: { map: string }) =>
    Promise.resolve(pixels.map((value, i) => value + (noise[map] ?? 0) * Math.cos(7 * i))),
});

describe('baselines agree', () => {
  const { read } = mapsBy({ same: 0, alike: 0.1, other: 100 });
  const maps = [
    studyMap({ baseline: 'black', map: 'same', steps: 16 }),
    studyMap({ baseline: 'white', map: 'alike', steps: 16 }),
    studyMap({ baseline: 'grey', map: 'other', steps: 16 }),
    studyMap({ baseline: 'grey', map: 'same', steps: 8 }),
    studyMap({ method: 'blur-ig', baseline: null, map: 'same', steps: 16 }),
  ];

  test('as much as their maps of the most steps are alike', async () => {
    const likenesses = await likenessesOf(maps, read);
    const ranks = likenesses.filter(({ measure }) => measure === 'rank-correlation');
    expect(ranks.map(({ baselines }) => baselines.join(' '))).toEqual([
      'black white',
      'black grey',
      'white grey',
    ]);
    expect(ranks[0]?.value).toBeGreaterThan(0.9);
    expect(Math.abs(ranks[1]?.value ?? 1)).toBeLessThan(0.2);
    expect(likenesses.every(({ steps, random, randomP95 }) => steps === 16 && random < randomP95)).toBe(true);
  });

  test('over images with an interval, for each label', async () => {
    const one = await likenessesOf(maps, read);
    const two = one.map((likeness) => ({ ...likeness, group: 'NORMAL', value: likeness.value / 2 }));
    const rows = agreementRows([...one, ...two], 1);
    expect(rows.map(({ group }) => group)).toEqual(
      [null, 'PNEUMONIA', 'NORMAL'].flatMap((group) => Array<string | null>(6).fill(group)),
    );
    expect(rows[0]?.mean).toBeCloseTo(0.75 * (one[0]?.value ?? 0), 12);
    expect(rows[0]?.count).toBe(2);
  });
});

describe('steps are enough', () => {
  const { read } = mapsBy({ 8: 0.5, 16: 0.01, 32: 0.02, 64: 0 });
  const at = (steps: number, gapRelative: number | null) =>
    studyMap({ steps, gapRelative, map: String(steps) });

  test('from where on gap and map stay settled', async () => {
    expect(await stepsOf([at(64, 0.001), at(8, 0.001), at(16, 0.05), at(32, 0.009)], read)).toEqual([
      expect.objectContaining({ method: 'guided-ig', baseline: 'black', toGap: 32, toMap: 16, most: 64 }),
    ]);
  });

  test('never, where the most alone are like themselves, or nothing is promised', async () => {
    expect(await stepsOf([at(8, null), at(64, null)], read)).toEqual([
      expect.objectContaining({ toGap: null, toMap: null, most: 64 }),
    ]);
    expect(await stepsOf([at(8, 0.1)], read)).toEqual([]);
  });
});
