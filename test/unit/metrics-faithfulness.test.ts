import { describe, expect, test } from 'vitest';
import { completenessGap } from '../../core/metrics/completeness.ts';
import { floatNoise } from '../../core/metrics/float-noise.ts';
import { infidelity, infidelityOf } from '../../core/metrics/infidelity.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { sensitivityMax } from '../../core/metrics/sensitivity.ts';
import { scoreBy, sum } from '../support/probes.ts';

const side = 16;
const pixels = side * side;
const random = randomSource(12);
const weights = normalNumbers(2 * pixels, random);
const x = normalNumbers(2 * pixels, random);
const baseline = normalNumbers(2 * pixels, random);
const linear = scoreBy((point) => sum(point.map((value, i) => value * (weights[i] ?? 0))));
/** What Integrated Gradients give a linear model. */
const contributions = Float32Array.from({ length: pixels }, (_, pixel) =>
  sum([pixel, pixel + pixels].map((i) => (weights[i] ?? 0) * ((x[i] ?? 0) - (baseline[i] ?? 0)))),
);

describe('infidelity', () => {
  test('of exact contributions of a linear model is nothing', async () => {
    const result = await infidelity(linear, contributions, x, baseline, side, side, { perturbations: 40 });
    expect(result.raw).toBeLessThan(1e-8);
    expect(result.scale).toBeCloseTo(1, 5);
  });

  test.each([1, 5, 7, 16, 99])(
    'patches of %i pixels need not divide the image, as those of Quantus must',
    async (patch) => {
      const result = await infidelity(linear, contributions, x, baseline, side, side, { patch });
      expect(result.raw).toBeLessThan(1e-7);
    },
  );

  test('forgives a wrong scale when scaled, and nothing else', async () => {
    const tripled = contributions.map((value) => 3 * value);
    const result = await infidelity(linear, tripled, x, baseline, side, side);
    expect(result.raw).toBeGreaterThan(1);
    expect(result.scaled).toBeLessThan(1e-8);
    expect(result.scale).toBeCloseTo(1 / 3, 5);
    const noise = normalNumbers(pixels, randomSource(1));
    const unrelated = await infidelity(linear, noise, x, baseline, side, side);
    expect(unrelated.scaled).toBeGreaterThan(1);
    expect(unrelated.scaled).toBeLessThanOrEqual(unrelated.raw);
  });

  test("is captum's formula", () => {
    // mean((foretold - observed)^2); beta = sum(foretold observed) / sum(foretold^2).
    const result = infidelityOf(Float64Array.of(1, 2), Float64Array.of(2, 2));
    expect(result.raw).toBe(0.5);
    expect(result.scale).toBe(1.2);
    expect(result.scaled).toBeCloseTo(0.4, 12);
    expect(infidelityOf(Float64Array.of(0, 0), Float64Array.of(1, 3))).toEqual({
      raw: 5,
      scaled: 5,
      scale: 1,
    });
  });

  test('draws the same patches from the same seed, and refuses sizes that do not fit', async () => {
    const noise = normalNumbers(pixels, randomSource(2));
    const of = (seed: number) => infidelity(linear, noise, x, baseline, side, side, { seed });
    expect(await of(1)).toEqual(await of(1));
    expect(await of(1)).not.toEqual(await of(2));
    await expect(infidelity(linear, noise, x, baseline.slice(1), side, side)).rejects.toThrow('are not of');
    await expect(infidelity(linear, noise, x, baseline, side, 8)).rejects.toThrow('pixels were expected');
    await expect(
      infidelity(
        scoreBy(() => Infinity),
        noise,
        x,
        baseline,
        side,
        side,
      ),
    ).rejects.toThrow('finite');
  });
});

describe('sensitivity-max', () => {
  const identity = (image: Float32Array): Promise<Float32Array> => Promise.resolve(image);

  test('of a map that does not ask the image is 0: the least sensitive is no explanation', async () => {
    const ignoring = (): Promise<Float32Array> => Promise.resolve(contributions);
    expect(await sensitivityMax(ignoring, contributions, x, [-1, 1])).toBe(0);
  });

  test('of the image as its own map is within the radius, and grows with it and with the range', async () => {
    const ones = new Float32Array(pixels).fill(1);
    const most = await sensitivityMax(identity, ones, ones, [0, 1]);
    // Uniform noise of +-0.02 has a root mean square of 0.02 / sqrt(3).
    expect(most).toBeGreaterThan(0.02 / Math.sqrt(3));
    expect(most).toBeLessThan(0.02);
    const wider = await sensitivityMax(identity, ones, ones, [-1024, 1024]);
    expect(wider).toBeCloseTo(2048 * (most ?? NaN), 1);
    const longer = await sensitivityMax(identity, ones, ones, [0, 1], { samples: 30 });
    expect(longer).toBeGreaterThanOrEqual(most ?? NaN);
  });

  test('has no value for a map of zeros, and stops where a map is not of numbers, or when cancelled', async () => {
    const zeros = (image: Float32Array): Promise<Float32Array> => Promise.resolve(image.map(() => 0));
    const broken = (image: Float32Array): Promise<Float32Array> => Promise.resolve(image.map(() => NaN));
    expect(await sensitivityMax(zeros, await zeros(x), x, [0, 1])).toBeNull();
    await expect(sensitivityMax(broken, x, x, [0, 1])).rejects.toThrow('not finite');
    await expect(sensitivityMax(identity, await broken(x), x, [0, 1])).rejects.toThrow('not finite');
    await expect(
      sensitivityMax(identity, x, x, [0, 1], { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ kind: 'cancelled' });
  });
});

test('completeness is a distance, not an equality that no sum of floats passes', () => {
  const map = new Float32Array(10).fill(0.1);
  const { gap, relative } = completenessGap(map, 1, 0, 0.1);
  expect(gap).not.toBe(0);
  expect(Math.abs(gap)).toBeLessThan(1e-7);
  expect(relative).toBeLessThan(1e-7);
  expect(completenessGap(map, 0.05, 0, 0.1).relative).toBeNull();
  expect(completenessGap(map, -2, 2, 1)).toMatchObject({ relative: expect.closeTo(1.25, 6) as number });
});

test('float noise moves each value by at most two units in its last place', () => {
  const noisy = floatNoise(x);
  noisy.forEach((value, i) => {
    const exponent = Math.floor(Math.log2(Math.abs(x[i] ?? 0)));
    expect(Math.abs(value - (x[i] ?? 0))).toBeLessThanOrEqual(4 * 2 ** (exponent - 23));
  });
  expect(noisy.some((value, i) => value !== x[i])).toBe(true);
  expect(floatNoise(x)).toEqual(noisy);
});
