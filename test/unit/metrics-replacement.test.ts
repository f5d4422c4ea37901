import { describe, expect, test } from 'vitest';
import { ablation } from '../../core/metrics/ablation.ts';
import { deletion, insertion } from '../../core/metrics/insertion-deletion.ts';
import { evenCounts, replacementCurve } from '../../core/metrics/pixel-replacement.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { scoreBy, sum } from '../support/probes.ts';

const pixels = 64;
/** Two channels of ones; the score is the mean of what is left. */
const x = new Float32Array(2 * pixels).fill(1);
const blank = new Float32Array(2 * pixels);
const mean = scoreBy((point) => sum(point) / point.length);
const noise = normalNumbers(pixels, randomSource(3));

describe('insertion and deletion', () => {
  test('of pixels that all count alike is one half, whatever the map', async () => {
    for (const map of [noise, new Float32Array(pixels)]) {
      expect((await insertion(mean, map, x, blank)).area).toBeCloseTo(0.5, 12);
      const { area, ratio, shares, scores } = await deletion(mean, map, x, blank, { points: 9 });
      expect([area, ratio]).toEqual([0.5, 0.5]);
      expect([...scores]).toEqual(Array.from(shares, (share) => 1 - share));
    }
  });

  test('finds the one pixel that counts at once where the map says so, and last where it says the reverse', async () => {
    const one = scoreBy((point) => ((point[10] ?? 0) + (point[pixels + 10] ?? 0)) / 2);
    const right = Float32Array.from({ length: pixels }, (_, i) => (i === 10 ? 2 : 1));
    const wrong = right.map((value) => -value);
    // The first of 64 steps of a trapezoid is half lost.
    expect((await insertion(one, right, x, blank)).area).toBeCloseTo(1 - 0.5 / 64, 12);
    expect((await insertion(one, wrong, x, blank)).area).toBeCloseTo(0.5 / 64, 12);
    expect((await deletion(one, right, x, blank)).area).toBeCloseTo(0.5 / 64, 12);
    expect((await deletion(one, wrong, x, blank)).area).toBeCloseTo(1 - 0.5 / 64, 12);
  });

  test('the ratio is to the whole image, and there is none where the model gives it nothing', async () => {
    const half = scoreBy((point) => (0.5 * sum(point)) / point.length);
    expect(await insertion(half, noise, x, blank)).toMatchObject({ area: 0.25, ratio: 0.5 });
    expect(
      (
        await deletion(
          scoreBy(() => 0),
          noise,
          x,
          blank,
        )
      ).ratio,
    ).toBeNull();
  });

  test('the image to begin with is a parameter: a grey blank keeps what the model sees in grey', async () => {
    const grey = new Float32Array(2 * pixels).fill(0.5);
    expect((await deletion(mean, noise, x, grey)).area).toBeCloseTo(0.75, 12);
  });

  test('ties are replaced in one order every time, the later pixel first', async () => {
    const first = scoreBy((point) => point[0] ?? 0);
    const { scores } = await deletion(first, new Float32Array(pixels), x, blank);
    expect([...scores]).toEqual([...new Array<number>(pixels).fill(1), 0]);
  });

  test('asks in batches of the size given', async () => {
    const batches: number[] = [];
    await deletion(
      scoreBy(() => 1, batches),
      noise,
      x,
      blank,
      { points: 33, batchSize: 10 },
    );
    expect(batches).toEqual([10, 10, 10, 3]);
  });

  test('stops between batches when cancelled', async () => {
    const abort = new AbortController();
    const batches: number[] = [];
    const score = scoreBy(() => {
      abort.abort();
      return 1;
    }, batches);
    await expect(
      deletion(score, noise, x, blank, { batchSize: 4, signal: abort.signal }),
    ).rejects.toMatchObject({ kind: 'cancelled' });
    expect(batches).toHaveLength(1);
  });

  test('refuses sizes that do not fit, maps and scores that are not numbers, and counts that do not ascend', async () => {
    await expect(deletion(mean, noise, x.slice(1), blank.slice(1))).rejects.toThrow('does not order');
    await expect(
      deletion(
        mean,
        noise.map(() => NaN),
        x,
        blank,
      ),
    ).rejects.toThrow('not finite');
    await expect(
      deletion(
        scoreBy(() => NaN),
        noise,
        x,
        blank,
      ),
    ).rejects.toThrow('not a finite number');
    await expect(replacementCurve(mean, noise, x, blank, [0, 9, 9, pixels])).rejects.toThrow('ascend');
    await expect(replacementCurve(mean, noise, x, blank, [0, 9])).rejects.toThrow('from 0 to 64');
    await expect(deletion(mean, noise, x, blank, { points: 100 })).rejects.toMatchObject({
      advice: 'Ask for fewer points.',
    });
  });

  test("the reproducibility study's 21 counts", () => {
    expect(evenCounts(1000, 21)).toEqual(Array.from({ length: 21 }, (_, k) => 50 * k));
    expect(evenCounts(10, 4)).toEqual([0, 3, 6, 10]);
  });
});

describe('the improved ablation', () => {
  test('is one half where every pixel counts alike, and the map cannot know better', async () => {
    const undecided = new Float32Array(2 * pixels).fill(0.5);
    expect(await ablation(mean, noise, x, undecided, 0.5)).toMatchObject({
      drop: 0.5,
      fromChance: 0,
      uninformative: true,
    });
  });

  test('nears 1 where the first pixel takes all, and 0 where the last does', async () => {
    const one = scoreBy((point) => 0.5 + (point[10] ?? 0) / 2);
    const right = Float32Array.from({ length: pixels }, (_, i) => (i === 10 ? 2 : 1));
    expect((await ablation(one, right, x, blank, 0.5)).drop).toBeCloseTo(1 - 0.5 / 64, 12);
    expect(
      (
        await ablation(
          one,
          right.map((value) => -value),
          x,
          blank,
          0.5,
        )
      ).drop,
    ).toBeCloseTo(0.5 / 64, 12);
  });

  test('is no value of a fall too short for a share, which would run to any size', async () => {
    const fallBy = async (fall: number) =>
      (
        await ablation(
          scoreBy((point) => 0.5 + fall * (point[10] ?? 0)),
          noise,
          x,
          blank,
          0.5,
        )
      ).drop;
    expect(await fallBy(0.008)).toBeNull();
    expect(await fallBy(0.0999)).toBeNull();
    expect(await fallBy(0.101)).toBeGreaterThan(0);
  });

  test('says when the baseline is not undecided, and when there is nothing to lose', async () => {
    expect(await ablation(mean, noise, x, blank, 0.5)).toMatchObject({
      fromChance: 0.5,
      uninformative: false,
    });
    expect(
      (
        await ablation(
          scoreBy(() => 0.5),
          noise,
          x,
          blank,
          0.5,
        )
      ).drop,
    ).toBeNull();
  });
});
