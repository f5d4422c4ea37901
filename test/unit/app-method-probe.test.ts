/** A method questioned: on a small net and on the shipped model, in the engine's own process. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { ModelCard } from '../../core/contract/model-card.ts';
import { displayOfModelInput, modelInput } from '../../core/imaging/model-input.ts';
import { measureMap } from '../../core/metrics/measure.ts';
import { metrics, type MetricId } from '../../core/metrics/metrics.ts';
import { cascade } from '../../core/metrics/randomisation.ts';
import type { MethodProbe, Subject } from '../../core/metrics/subject.ts';
import { createImages } from '../../main/app/images.ts';
import { createLibrary, type LibraryImage } from '../../main/app/library.ts';
import { methodProbe } from '../../main/app/method-probe.ts';
import { EngineClient } from '../../main/engine/client.ts';
import { type AttributionJob, type EngineModel, mapsOf } from '../../main/engine/engine.ts';
import { distance } from '../support/distance.ts';
import { shippedCard, shippedModel } from '../support/engine-models.ts';
import { declaration, drawnWeights, modelBytes, node } from '../support/onnx-models.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const engine = new EngineClient();
afterAll(() => engine.close());

async function mapOf(job: AttributionJob): Promise<Float32Array> {
  for await (const frame of mapsOf(engine.attribute(job))) if (frame.final) return frame.map;
  throw new Error('no map came');
}

const side = 16;
const weights = drawnWeights(3);
/** Three layers with weights. */
const bytes = modelBytes({
  nodes: [
    node('Conv', ['image', 'first'], ['c'], { pads: [1, 1, 1, 1] }),
    node('Relu', ['c'], ['r']),
    node('Conv', ['r', 'second'], ['d'], { pads: [1, 1, 1, 1], strides: [2, 2] }),
    node('Relu', ['d'], ['s']),
    node('Flatten', ['s'], ['features']),
    node('Gemm', ['features', 'layer'], ['logits']),
  ],
  inputs: [declaration('image', ['N', 1, side, side])],
  outputs: [declaration('logits', ['N', 2])],
  constants: new Map([
    ['first', weights([4, 1, 3, 3], 0.5)],
    ['second', weights([4, 4, 3, 3], 0.3)],
    ['layer', weights([4 * (side / 2) ** 2, 2], 0.1)],
  ]),
});
const file = path.join(temporaryFolder(), 'model.onnx');
writeFileSync(file, bytes);
const tiny: EngineModel = {
  id: 'tiny',
  file,
  sha256: createHash('sha256').update(bytes).digest('hex'),
  input: { name: 'image', shape: [1, side, side] },
  output: { name: 'logits', activation: 'softmax' },
};
const input: ModelCard['input'] = {
  name: 'image',
  layout: 'NCHW',
  channels: 1,
  height: side,
  width: side,
  mean: 0.5,
  std: 0.25,
  fit: 'squeeze',
  filter: 'triangle',
};
/** Larger than the model's input, as radiographs are. */
const displayed = {
  rows: 40,
  columns: 48,
  display: Float32Array.from(
    { length: 40 * 48 },
    (_, i) => 0.5 + 0.4 * Math.sin(i / 91) * Math.cos((i % 48) / 5),
  ),
};
const job: AttributionJob = {
  model: tiny,
  x: modelInput(displayed.display, displayed.rows, displayed.columns, input),
  input,
  target: 1,
  scalar: 'logit',
  method: { id: 'integrated-gradients-fixed', parameters: { rule: 'trapezoid', nodes: 5 } },
  baseline: { id: 'black', parameters: {} },
};
const options = { input, displayed, seed: 7 };

describe('a probe', () => {
  test('explains by the very job that made the map, whatever the image', async () => {
    const probe = await methodProbe(engine, job, options);
    expect(await probe.explain(job.x)).toEqual(await mapOf(job));
    const other = job.x.map((value) => value / 2);
    expect(await probe.explain(other)).toEqual(await mapOf({ ...job, x: other }));
    expect(probe.range).toEqual([-2, 2]);
  });

  test('explains an image once', async () => {
    const probe = await methodProbe(engine, job, options);
    const x = job.x.map((value) => value / 2);
    expect(await probe.explain(x)).toBe(await probe.explain(x));
  });

  test('does not make a map again that is known', async () => {
    const map = new Float32Array(side * side).fill(1);
    const probe = await methodProbe(engine, job, { ...options, map });
    expect(await probe.explain(job.x)).toBe(map);
    expect(await probe.explain(job.x.slice())).not.toEqual(map);
  });

  test('has no map where the image is its own baseline, and no metric has a value of it', async () => {
    const probe = await methodProbe(engine, job, options);
    const black = job.x.map(() => -2);
    expect(await probe.explain(black)).toBeNull();
    const subject: Subject = {
      ...{ height: side, width: side, mask: null, model: null, seed: 7 },
      display: displayOfModelInput(job.x, input),
    };
    const map = await mapOf(job);
    const toBlack = { ...probe, explain: (x: Float32Array) => probe.explain(x === job.x ? x : black) };
    expect((await measureMap('sensitivity-max', map, subject, toBlack))?.value).toBeNull();
    const encodedBlack = { ...probe, reencoded: black };
    expect((await measureMap('change-jpeg', map, subject, encodedBlack))?.value).toBeNull();
    const forgetful = { ...probe, randomised: () => eachOf([{ layer: 'all', map: null }]) };
    expect((await measureMap('randomised-ssim', map, subject, forgetful))?.value).toBeNull();
  });

  test('is cancelled', async () => {
    const ending = new AbortController();
    const probe = await methodProbe(engine, job, { ...options, signal: ending.signal });
    ending.abort();
    await expect(probe.explain(job.x)).rejects.toMatchObject({ kind: 'cancelled' });
    const cascading = probe.randomised?.()[Symbol.asyncIterator]();
    await expect(cascading?.next()).rejects.toMatchObject({ kind: 'cancelled' });
  });
});

describe('twice the steps', () => {
  const finer = async (method: AttributionJob['method']): Promise<Float32Array | null | undefined> =>
    (await methodProbe(engine, { ...job, method }, options)).finer?.(job.x);

  test('of a fixed rule are half its intervals', async () => {
    const nine = { ...job, method: { id: job.method.id, parameters: { rule: 'trapezoid', nodes: 9 } } };
    expect(await finer(job.method)).toEqual(await mapOf(nine));
  });

  test('of the nested trapezoid are its next level', async () => {
    const nested = { id: 'integrated-gradients', parameters: {} } as const;
    const [frame] = (await Array.fromAsync(mapsOf(engine.attribute({ ...job, method: nested })))).filter(
      ({ final }) => final,
    );
    const nodes = 2 * (frame?.nodes ?? 0) - 1;
    expect(nodes).toBeGreaterThan(8);
    const next = { ...job, method: { id: job.method.id, parameters: { rule: 'trapezoid', nodes } } };
    expect(await finer(nested)).toEqual(await mapOf(next));
  });

  test('of a method that draws are twice the draws', async () => {
    const drawing = (samples: number): AttributionJob['method'] => ({
      id: 'smoothgrad',
      parameters: { samples, seed: 3 },
    });
    expect(await finer(drawing(3))).toEqual(await mapOf({ ...job, method: drawing(6) }));
  });

  test('are none of a single gradient', async () => {
    expect(await finer({ id: 'gradient', parameters: {} })).toBeUndefined();
  });
});

describe('the picture through JPEG', () => {
  const through = async (quality: number): Promise<Float32Array> =>
    (await methodProbe(engine, job, { ...options, quality })).reencoded ?? new Float32Array();

  test('is nearly the picture, the nearer the higher the quality', async () => {
    const [coarse, usual, fine] = [await through(5), await through(75), await through(100)];
    const off = [coarse, usual, fine].map((tensor) => distance(tensor, job.x));
    expect(off[0]).toBeGreaterThan(off[1] ?? NaN);
    expect(off[1]).toBeGreaterThan(off[2] ?? NaN);
    expect(off[1]).toBeLessThan(0.1);
    // Eight bits alone cost this much.
    expect(off[2]).toBeLessThan(0.01);
    expect(await through(75)).toEqual(usual);
  });

  test('is none where no picture is given', async () => {
    expect((await methodProbe(engine, job, { ...options, displayed: null })).reencoded).toBeNull();
  });
});

describe('models that forget', () => {
  test('layer by layer, from the last, the same for the same seed', async () => {
    const cascade = async (seed: number, stages: number) =>
      Array.fromAsync((await methodProbe(engine, job, { ...options, seed, stages })).randomised?.() ?? []);
    const steps = await cascade(7, 5);
    expect(steps).toHaveLength(3);
    expect(new Set(steps.map(({ layer }) => layer)).size).toBe(3);
    expect(steps.at(-1)?.map).toEqual(await mapOf({ ...job, randomised: { layers: 3, seed: 7 } }));
    expect(await cascade(7, 1)).toEqual([steps.at(-1)]);
    expect((await cascade(8, 1))[0]?.map).not.toEqual(steps.at(-1)?.map);
  });

  test('are none of a model in TensorFlow.js form', async () => {
    const tfjs: AttributionJob = { ...job, model: { ...tiny, format: 'tfjs-graph' } };
    expect((await methodProbe(engine, tfjs, options)).randomised).toBeNull();
  });
});

test('every metric that questions a method has an answer, and an edge detector is steadier than the method', async () => {
  const probe = await methodProbe(engine, job, { ...options, stages: 1 });
  const display = displayOfModelInput(job.x, input);
  const subject: Subject = { height: side, width: side, display, mask: null, model: null, seed: 7 };
  const map = await mapOf(job);
  const ids = (Object.keys(metrics) as MetricId[]).filter((id) => metrics[id].needs === 'method');
  expect(ids).toHaveLength(7);
  for (const id of ids) {
    const measured = await measureMap(id, map, subject, probe);
    expect(measured?.value, id).not.toBeNull();
    expect(Number.isFinite(measured?.value), id).toBe(true);
    if (id.startsWith('randomised')) {
      expect(measured?.null.edges, id).toBeCloseTo(1, 6);
      expect(measured?.value, id).toBeLessThan(0.9);
    }
  }
});

async function* eachOf<T>(items: readonly T[]): AsyncGenerator<T, void, undefined> {
  for (const item of items) yield await Promise.resolve(item);
}

describe('the shipped model, on a sample', () => {
  const card = shippedCard('pneumonia');
  const { height, width } = card.input;

  async function probed(stages: number): Promise<{ probe: MethodProbe; display: Float32Array }> {
    const found: LibraryImage[] = [];
    const library = createLibrary();
    const sample = path.resolve(import.meta.dirname, '../../examples/04-pneumonia-dx-jpeg.dcm');
    for await (const event of library.open([sample])) {
      if (event.type === 'image') found.push(library.find(event.image.id));
    }
    const [image] = found;
    if (image === undefined) throw new Error('no sample');
    const images = createImages();
    const of = { image, frame: 0 };
    const x = await images.input(of, card.input);
    const method = { id: 'integrated-gradients-fixed', parameters: { rule: 'trapezoid', nodes: 9 } } as const;
    const real: AttributionJob = { ...job, model: shippedModel('pneumonia'), x, input: card.input, method };
    const whole = { input: card.input, displayed: await images.displayed(of), seed: 7, stages };
    return { probe: await methodProbe(engine, real, whole), display: displayOfModelInput(x, card.input) };
  }

  test('loses its map as it forgets; an edge detector keeps its own', async () => {
    const { probe, display } = await probed(3);
    const map = (await probe.explain(probe.x)) ?? new Float32Array();
    const models = await Array.fromAsync(probe.randomised?.() ?? []);
    const steps = await Array.fromAsync(cascade(map, eachOf(models), height, width));
    const alike = steps.map(({ similarity }) => similarity?.ssim ?? NaN);
    expect(steps.map(({ layer }) => layer)).toEqual([
      '/head/Gemm',
      '/features/features.19/c2/Conv',
      '/stem/stem.0/Conv',
    ]);
    // The trained model's own would be 1.
    expect(alike[0]).toBeLessThan(0.9);
    expect(alike[1]).toBeLessThan(alike[0] ?? NaN);
    expect(alike[2]).toBeLessThan(alike[1] ?? NaN);
    expect(alike[2]).toBeLessThan(0.3);

    const subject: Subject = { height, width, display, mask: null, model: null, seed: 7 };
    const again = { ...probe, randomised: () => eachOf(models) };
    const measured = await measureMap('randomised-ssim', map, subject, again);
    expect(measured?.value).toBe(alike[2]);
    expect(measured?.null.edges).toBeCloseTo(1, 9);
  });
});
