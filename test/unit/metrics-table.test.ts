/** The table of metrics, as a study uses it: every metric of one map, beside its nulls. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { edgeMap } from '../../core/metrics/edges.ts';
import { measureMap, overFolder } from '../../core/metrics/measure.ts';
import { type Metric, type MetricId, metrics } from '../../core/metrics/metrics.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { cascade, type RandomisedMap, similarityOfPairs } from '../../core/metrics/randomisation.ts';
import type { MethodProbe, ModelProbe, Subject } from '../../core/metrics/subject.ts';
import { scoreBy, sum } from '../support/probes.ts';

const side = 24;
const pixels = side * side;
const random = randomSource(31);
/** A bright square on noise; the model looks at the square alone. */
const inSquare = (i: number): boolean => {
  const [row, column] = [Math.floor(i / side), i % side];
  return row >= 8 && row < 16 && column >= 6 && column < 12;
};
const area = 48;
const mask = Uint8Array.from({ length: pixels }, (_, i) => Number(inSquare(i)));
const picture = Uint8Array.from(mask, (inside) => Math.floor(inside * 150 + 60 * random()));
const toInput = (image: Uint8Array): Float32Array => Float32Array.from(image, (value) => value / 255);
const x = toInput(picture);
const black = new Float32Array(pixels);
const inside = (point: Float32Array): number => sum(point.filter((_, i) => inSquare(i))) / area;
const logit = (point: Float32Array): number => 20 * (inside(point) - 0.6);
const probability = (point: Float32Array): number => 1 / (1 + Math.exp(-logit(point)));
/** Contributions to the logit from black, which Integrated Gradients give exactly. */
const explain = (image: Float32Array): Promise<Float32Array> =>
  Promise.resolve(image.map((value, i) => (inSquare(i) ? (20 * value) / area : 0)));
const map = x.map((value, i) => (inSquare(i) ? (20 * value) / area : 0));

const batches: number[] = [];
const model: ModelProbe = {
  x,
  baseline: black,
  blank: black,
  undecided: { baseline: x.map(() => 0.6), chance: 0.5 },
  probability: scoreBy(probability, batches),
  decided: scoreBy((point) => Number(probability(point) >= 0.5)),
  scalar: scoreBy(logit),
  floor: 1,
  picture,
  toInput,
  seed: 1,
};
// eslint-disable-next-line @typescript-eslint/require-await -- as a model that is run would be awaited
async function* randomised(): AsyncGenerator<RandomisedMap, void> {
  yield { layer: 'head', map: map.toReversed() };
  yield { layer: 'stem', map: normalNumbers(pixels, randomSource(1)) };
}
const method: MethodProbe = {
  x,
  range: [0, 1],
  explain,
  finer: explain,
  reencoded: x.map((value) => value + 0.01),
  randomised,
  seed: 1,
};
const subject: Subject = { height: side, width: side, display: x, mask, model, seed: 1 };
const table = Object.entries(metrics) as [MetricId, Metric][];

describe.each(table)('%s', (id, metric) => {
  test('has a value in its range, and its nulls, for a map that finds what the model looks at', async () => {
    const measured = await measureMap(id, map, subject, method);
    const values = [measured?.value, measured?.null.random, measured?.null.edges];
    const [least, largest] = metric.range;
    for (const value of values) {
      if (value === null) continue;
      expect(value).toBeGreaterThanOrEqual(least ?? -Infinity);
      expect(value).toBeLessThanOrEqual(largest ?? Infinity);
    }
    expect(measured?.value).not.toBeNull();
  });

  test('is described in one sentence', () => {
    expect(metric.says).toMatch(/^[A-Z].*[^.]\.$/);
    expect(metric.name).not.toBe('');
  });

  test.runIf(metric.needs !== 'map')('is not measured where what it needs is missing', async () => {
    expect(await measureMap(id, map, { ...subject, mask: null, model: null })).toBeNull();
  });
});

test('the documentation has this very table', () => {
  const text = readFileSync(path.join(import.meta.dirname, '../../docs/metrics.md'), 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith('| `'));
  const cells = rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  expect(cells).toEqual(
    table.map(([id, { name, needs, better, says }]) => [`\`${id}\``, name, needs, better, says]),
  );
});

/** Where ignoring the model is best, which is why no such metric may be read alone. */
const wonByIgnorance: readonly MetricId[] = [
  'sensitivity-max',
  'change-jpeg',
  'change-jpeg-shares',
  'change-float-noise',
  'change-steps',
];

test.each(table.filter(([id, { better }]) => better !== 'neither' && !wonByIgnorance.includes(id)))(
  '%s: the right map is better than a random one',
  async (id, { better }) => {
    const { value, null: nulls } = (await measureMap(id, map, subject, method)) ?? {
      value: null,
      null: { random: null },
    };
    const [right, noise] = [value ?? NaN, nulls.random ?? NaN];
    if (id === 'randomised-ssim' || id === 'randomised-rank') {
      // A map that ignores the model does not change with it.
      expect(noise).toBeCloseTo(1, 9);
      expect(right).toBeLessThan(0.5);
    } else if (better === 'higher') expect(right).toBeGreaterThan(noise);
    else expect(right).toBeLessThan(noise);
  },
);

test.each(wonByIgnorance)('%s: a map that ignores the image is unchanged', async (id) => {
  expect((await measureMap(id, map, subject, method))?.null.random).toBe(0);
});

test('metrics that read one curve ask the model once', async () => {
  const fresh = { ...subject, model: { ...model } };
  batches.length = 0;
  await measureMap('insertion', map, fresh);
  const asked = sum(batches);
  expect(asked).toBe(3 * 65);
  await measureMap('insertion-ratio', map, fresh);
  expect(sum(batches)).toBe(asked);
  // Another map of the same image: its own curve only, the nulls are known.
  await measureMap('insertion', map.toReversed(), fresh);
  expect(sum(batches)).toBe(asked + 65);
});

test('metrics of one method explain the image once, and run one cascade', async () => {
  let [explanations, cascades] = [0, 0];
  const counting: MethodProbe = {
    ...method,
    explain: (image) => {
      if (image === x) explanations++;
      return explain(image);
    },
    randomised: () => {
      cascades++;
      return randomised();
    },
  };
  for (const id of ['sensitivity-max', 'change-jpeg', 'randomised-ssim', 'randomised-rank'] as const) {
    await measureMap(id, map, subject, counting);
  }
  expect([explanations, cascades]).toEqual([1, 1]);
});

test('a failure is not remembered', async () => {
  let calls = 0;
  const failing = scoreBy(() => (calls++ === 0 ? NaN : 0.5));
  const fresh = { ...subject, model: { ...model, probability: failing } };
  await expect(measureMap('deletion', map, fresh)).rejects.toThrow('not a finite number');
  expect((await measureMap('deletion', map, fresh))?.value).toBe(0.5);
});

test('what a probe cannot give is no value', async () => {
  const bare: Subject = { ...subject, model: { ...model, undecided: null } };
  const alone: MethodProbe = { ...method, finer: null, reencoded: null, randomised: null };
  for (const id of ['ablation-drop', 'change-steps', 'change-jpeg', 'randomised-ssim'] as const) {
    expect(await measureMap(id, map, bare, alone)).toEqual({
      value: null,
      null: { random: null, edges: null },
    });
  }
});

test('an ablation to a baseline that decides is no value', async () => {
  const decided = { ...model, undecided: { baseline: black, chance: 0.5 } };
  expect((await measureMap('ablation-drop', map, { ...subject, model: decided }))?.value).toBeNull();
});

test("the edge detector's own sensitivity is that of edges, of the image as the model sees it", async () => {
  const measured = await measureMap('change-jpeg', map, subject, method);
  const [before, after] = [edgeMap(x, side, side), edgeMap(method.reencoded ?? x, side, side)];
  const difference = sum(after.map((value, i) => (value - (before[i] ?? 0)) ** 2));
  expect(measured?.null.edges).toBeCloseTo(Math.sqrt(difference / sum(before.map((value) => value ** 2))), 9);
});

test('over a folder, hits are a proportion and numbers a mean', () => {
  expect(overFolder('hit-rate', [1, 1, null, 0])).toMatchObject({ estimate: 2 / 3, count: 3, missing: 1 });
  expect(overFolder('hit-rate', [1, 1])?.low).toBeGreaterThan(0.3);
  expect(overFolder('insertion', [0.2, 0.4])).toMatchObject({
    estimate: 0.30000000000000004,
    low: 0.2,
    high: 0.4,
  });
});

test('a cascade has a step for each randomised layer, and none for the trained model, whose 1 would flatter its mean', async () => {
  const steps = [];
  for await (const step of cascade(map, randomised(), side, side)) steps.push(step);
  expect(steps.map(({ layer }) => layer)).toEqual(['head', 'stem']);
  for (const { similarity } of steps) expect(similarity?.ssim).toBeLessThan(0.9);
});

test('a cascade is held against pairs of maps of different images', () => {
  const maps = Array.from({ length: 4 }, () => normalNumbers(pixels, random));
  const pairs = similarityOfPairs(maps, side, side);
  expect(Math.abs(pairs ?? NaN)).toBeLessThan(0.2);
  expect(similarityOfPairs(maps, side, side)).toBe(pairs);
  expect(similarityOfPairs([map, map], side, side)).toBeCloseTo(1, 12);
  expect(similarityOfPairs([map], side, side)).toBeNull();
  expect(similarityOfPairs([map, new Float32Array(pixels)], side, side)).toBeNull();
});
