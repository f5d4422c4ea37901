import { describe, expect, test } from 'vitest';
import {
  type Baseline,
  BASELINE_IDS,
  type BaselineEvent,
  type BaselineId,
  type BaselineKind,
  baselineKinds,
  type BaselineRequest,
} from '../../core/attribution/baseline-kinds.ts';
import { makeBaseline } from '../../core/attribution/baselines.ts';
import type { EntropyModel } from '../../core/attribution/maximum-entropy.ts';
import { AnalyticModel } from '../support/analytic-models.ts';
import { PixelRepresentation } from '../support/attribution-tasks.ts';

const input = { channels: 3, height: 6, width: 5, mean: [0.5, 0.4, 0.3], std: [0.25, 0.2, 0.5] };
const plane = 30;
const run = { batchSize: 4 };
/** What display values become. */
const toInput = (display: ArrayLike<number>): Float32Array =>
  Float32Array.from(display, (value, i) => {
    const channel = Math.floor(i / plane);
    return (value - (input.mean[channel] ?? NaN)) / (input.std[channel] ?? NaN);
  });
const toDisplay = (values: Float32Array): Float64Array =>
  Float64Array.from(values, (value, i) => {
    const channel = Math.floor(i / plane);
    return value * (input.std[channel] ?? NaN) + (input.mean[channel] ?? NaN);
  });
const picture = (seed: number): number[] =>
  Array.from({ length: 3 * plane }, (_, i) => 0.5 + 0.45 * Math.sin(seed * (i + 1)));

/** Two labels, of which the first wins by a weighted sum of the image: the entropy of its softmax. */
function entropyModel(): EntropyModel & AnalyticModel {
  const weight = (i: number): number => 0.3 * Math.cos(i);
  const probability = (z: Float32Array): number =>
    1 / (1 + Math.exp(-z.reduce((sum, value, i) => sum + weight(i) * value, 1)));
  const model = new AnalyticModel(
    3 * plane,
    (z) => {
      const p = probability(z);
      return p * Math.log(p) + (1 - p) * Math.log(1 - p);
    },
    (z) => {
      const p = probability(z);
      return z.map((_, i) => Math.log(p / (1 - p)) * p * (1 - p) * weight(i));
    },
  );
  return Object.assign(model, { greatestEntropy: Math.LN2 });
}

const request = {
  x: toInput(picture(1)),
  input,
  references: [2, 3, 4, 5].map((seed) => toInput(picture(seed))),
  image: toInput(picture(9)),
  entropy: entropyModel(),
  representation: new PixelRepresentation(3 * plane),
} satisfies BaselineRequest;

async function made(id: BaselineId, parameters: unknown = {}, changed: Partial<BaselineRequest> = {}) {
  const kind: BaselineKind = baselineKinds[id];
  const events: BaselineEvent[] = await Array.fromAsync(
    kind.make({ ...request, ...changed }, parameters, run),
  );
  const baselines: Baseline[] = events.flatMap((event) =>
    event.type === 'baseline' ? [event.baseline] : [],
  );
  return { events, baselines, images: baselines.map(({ image }) => image) };
}

describe('the table', () => {
  test('holds every baseline, each saying what it stands for', () => {
    expect(Object.keys(baselineKinds)).toEqual([...BASELINE_IDS]);
    for (const { meaning } of Object.values<BaselineKind>(baselineKinds)) expect(meaning).toMatch(/\.$/);
  });

  test.each(BASELINE_IDS)(
    '%s: a picture of the right size by default, the same whenever it is made',
    async (id) => {
      const { images } = await made(id);
      const kind: BaselineKind = baselineKinds[id];
      expect(images.length > 1).toBe(kind.several);
      for (const image of images) {
        expect(image).toHaveLength(3 * plane);
        expect(image.every(Number.isFinite)).toBe(true);
        for (const value of toDisplay(image)) {
          expect(value).toBeGreaterThan(-1e-5);
          expect(value).toBeLessThan(1 + 1e-5);
        }
      }
      expect((await made(id)).images).toEqual(images);
    },
  );

  test('says what is missing and what does not fit', async () => {
    const { x } = request;
    const kinds: Readonly<Record<BaselineId, BaselineKind>> = baselineKinds;
    expect(() => kinds['cohort-mean'].make({ x, input, references: [] }, {}, run)).toThrow(
      /at least one reference/,
    );
    expect(() => kinds['maximum-entropy'].make({ x, input }, {}, run)).toThrow(
      /the entropy of what the model says/,
    );
    const small = { references: [x, new Float32Array(4)] };
    await expect(async () => made('cohort-mean', {}, small)).rejects.toThrow(/reference 2 has 4 values/);
    await expect(async () => made('uniform', { count: 0 })).rejects.toThrow(
      /^Uniform noise: count is a whole number from 1 to 64, not 0$/,
    );
  });
});

test.each(['black', 'white', 'grey'] as const)('%s is that of the display', async (id) => {
  expect((await made(id)).images).toEqual([makeBaseline(id, request.x, input)]);
});

test('the mean of the training data is zero to the model: what its card normalises by', async () => {
  const [image = new Float32Array()] = (await made('dataset-mean')).images;
  [...toDisplay(image)].forEach((value, i) =>
    expect(value).toBeCloseTo(input.mean[Math.floor(i / plane)] ?? NaN, 6),
  );
});

test('blurred takes its own standard deviation, and by default that of the size', async () => {
  expect((await made('blurred')).images).toEqual([makeBaseline('blurred', request.x, input)]);
  expect((await made('blurred', { sigma: 1e-9 })).images).toEqual([request.x]);
});

describe('noise', () => {
  test('fills the range, another picture for every draw and seed', async () => {
    const { images } = await made('uniform', { count: 3, seed: 1 });
    const values = images.flatMap((image) => [...toDisplay(image)]);
    expect(Math.min(...values)).toBeLessThan(0.05);
    expect(Math.max(...values)).toBeGreaterThan(0.95);
    expect(values.reduce((sum, value) => sum + value, 0) / values.length).toBeCloseTo(0.5, 1);
    expect(new Set(images.map((image) => image.join())).size).toBe(3);
    expect((await made('uniform', { count: 3, seed: 2 })).images).not.toEqual(images);
    // More draws of a seed begin with the same ones.
    expect((await made('uniform', { count: 5, seed: 1 })).images.slice(0, 3)).toEqual(images);
  });

  test('Gaussian noise is about the image, of the stated deviation, and clipped', async () => {
    const grey = toInput(new Array<number>(3 * plane).fill(0.5));
    const { images } = await made('gaussian', { deviation: 0.1, count: 20 }, { x: grey });
    const values = images.flatMap((image) => [...toDisplay(image)]);
    const variance = values.reduce((sum, value) => sum + (value - 0.5) ** 2, 0) / values.length;
    expect(Math.sqrt(variance)).toBeCloseTo(0.1, 2);
    const wide = (await made('gaussian', { deviation: 3 })).images.flatMap((image) => [...toDisplay(image)]);
    expect(wide.filter((value) => value < 1e-6).length).toBeGreaterThan(50);
  });
});

test('maximum distance takes of every element the farther end', async () => {
  const [image = new Float32Array()] = (await made('maximum-distance')).images;
  const display = picture(1);
  toDisplay(image).forEach((value, i) => expect(value).toBeCloseTo((display[i] ?? NaN) < 0.5 ? 1 : 0, 5));
});

describe('maximum entropy', () => {
  test('is reached, stated, and paid with one gradient a step', async () => {
    const entropy = entropyModel();
    const { baselines, events } = await made('maximum-entropy', {}, { entropy });
    const { entropy: reached = NaN, greatestEntropy } = baselines[0]?.findings ?? {};
    expect(greatestEntropy).toBe(Math.LN2);
    expect(reached).toBeGreaterThan(0.9999 * Math.LN2);
    expect(entropy.points.length).toBe(events.length - 1);
    expect(entropy.points.length).toBeLessThan(100);
    const { f } = await entropy.evaluate(baselines[0]?.image ?? new Float32Array(), 1);
    expect(-(f[0] ?? NaN)).toBeCloseTo(reached, 12);
  });

  test('says how far it came where the steps do not suffice', async () => {
    const entropy = entropyModel();
    const before = -((await entropy.evaluate(request.x, 1)).f[0] ?? NaN);
    const { baselines } = await made('maximum-entropy', { steps: 2, rate: 0.0001 }, { entropy });
    expect(baselines[0]?.findings['entropy']).toBeGreaterThan(before);
    expect(baselines[0]?.findings['entropy']).toBeLessThan(0.99 * Math.LN2);
  });

  test('is cancelled between steps', async () => {
    const cancellation = new AbortController();
    const kind: BaselineKind = baselineKinds['maximum-entropy'];
    const stream = kind.make(request, {}, { ...run, signal: cancellation.signal });
    await stream.next();
    cancellation.abort();
    await expect(stream.next()).rejects.toMatchObject({ kind: 'cancelled' });
  });
});

test('the counterfactual comes as near to each reference as its steps reach', async () => {
  const { images } = await made('counterfactual', { steps: 400, step: 0.03 });
  expect(images).toHaveLength(4);
  images.forEach((image, k) => {
    const apart = image.map((value, i) => Math.abs(value - (request.references[k]?.[i] ?? NaN)));
    expect(Math.max(...apart)).toBeLessThan(0.15);
  });
});

describe('a cohort', () => {
  test('has a mean', async () => {
    const [image = new Float32Array()] = (await made('cohort-mean')).images;
    const { references } = request;
    image.forEach((value, i) =>
      expect(value).toBeCloseTo(references.reduce((sum, each) => sum + (each[i] ?? NaN), 0) / 4, 5),
    );
  });

  test('is sampled without repeating, by a seed', async () => {
    const names = (images: Float32Array[]): number[] =>
      images.map((image) => request.references.findIndex((each) => each.join() === image.join()));
    const all = names((await made('cohort-sample')).images);
    expect(all.toSorted()).toEqual([0, 1, 2, 3]);
    const seeds = await Promise.all(
      [0, 1, 2, 3, 4, 5].map(async (seed) => names((await made('cohort-sample', { seed, count: 2 })).images)),
    );
    expect(new Set(seeds.map(String)).size).toBeGreaterThan(2);
    expect(seeds[0]).toEqual(all.slice(0, 2));
  });
});

test("the user's image is taken as it is", async () => {
  expect((await made('image')).images).toEqual([request.image]);
});
