import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { makeBaseline } from '../../core/attribution/baselines.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { gaussianBlur } from '../../core/imaging/resample.ts';
import { type Writable, writeModel } from '../../core/onnx/file.ts';
import type { Declaration, Node } from '../../core/onnx/graph.ts';
import { tensor } from '../../core/onnx/tensor.ts';
import { EngineClient } from '../../main/engine/client.ts';
import { type AttributionJob, type EngineAttribution, mapsOf } from '../../main/engine/engine.ts';
import { shippedModel } from '../support/engine-models.ts';
import { integralJob } from '../support/integral-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const engine = new EngineClient();
afterAll(() => engine.close());

const folder = temporaryFolder();
const model = shippedModel('pneumonia');
/** Smooth noise: any image will do, and this one is in no file. */
const x = gaussianBlur(normalNumbers(224 * 224, randomSource(1)), 224, 224, 3).map((value) => 5 * value);
const job = integralJob({
  model,
  x,
  baseline: makeBaseline('grey', x, { channels: 1, height: 224, width: 224, mean: 0.5, std: 0.25 }),
  target: 1,
  scalar: 'logit',
  maxEvaluations: 9,
});
const integral = (parameters: Record<string, number>): Pick<AttributionJob, 'method'> => ({
  method: { id: 'integrated-gradients', parameters },
});
/** Goes on until it is stopped. */
const endless: AttributionJob = { ...job, ...integral({ gapTolerance: 0 }) };

describe('the engine', () => {
  test('names the device, with its threads', async () => {
    const device = await engine.device();
    expect(device).toMatchObject({
      provider: 'cpu',
      runtime: expect.stringContaining('onnxruntime-node 1.') as string,
    });
    expect(device.threads).toBeGreaterThan(0);
  });

  test('runs a model: its raw output, the same bits every time', async () => {
    const scores = await engine.run(model, x);
    expect(scores).toHaveLength(2);
    expect(await engine.run(model, x)).toEqual(scores);
  });

  test('explains: at least three partial maps, then a final one, the same bits every time', async () => {
    const frames = await Array.fromAsync(mapsOf(engine.attribute(job)));
    expect(frames.filter(({ final }) => !final).length).toBeGreaterThanOrEqual(3);
    expect(frames.map(({ evaluations }) => evaluations).slice(0, 4)).toEqual([1, 3, 5, 9]);
    const last = frames.at(-1);
    expect(last?.final).toBe(true);
    expect(last?.map).toHaveLength(224 * 224);
    const [, logit = NaN] = await engine.run(model, x);
    expect(last?.fx).toBeCloseTo(logit, 4);
    const sum = last?.map.reduce((total, value) => total + value, 0) ?? NaN;
    expect(sum - ((last?.fx ?? NaN) - (last?.fb ?? NaN))).toBeCloseTo(last?.gap ?? NaN, 4);
    expect((await Array.fromAsync(mapsOf(engine.attribute(job)))).at(-1)?.map).toEqual(last?.map);
  });

  test.each(['probability', 'log-probability'] as const)('explains the %s', async (scalar) => {
    const frames = await Array.fromAsync(
      mapsOf(engine.attribute({ ...job, ...integral({ maxEvaluations: 5 }), scalar })),
    );
    const [other = NaN, logit = NaN] = await engine.run(model, x);
    const probability = 1 / (1 + Math.exp(other - logit));
    expect(frames.at(-1)?.fx).toBeCloseTo(scalar === 'probability' ? probability : Math.log(probability), 4);
  });

  test('answers a score while an explanation runs', async () => {
    const finished: string[] = [];
    const explained = (async () => {
      for await (const { evaluations } of mapsOf(
        engine.attribute({ ...job, ...integral({ gapTolerance: 0, maxEvaluations: 17 }) }),
      )) {
        if (evaluations !== 5) continue;
        void engine.run(model, x).then(() => finished.push('score'));
      }
      finished.push('explanation');
    })();
    await explained;
    expect(finished).toEqual(['score', 'explanation']);
  });

  test('says what a model is made of, and that it can be explained', async () => {
    const support = await engine.check(model.file);
    expect(support).toMatchObject({ explainable: true, reasons: [] });
    expect(support.inputs).toEqual([
      { name: 'image', type: expect.any(String) as string, shape: ['N', 1, 224, 224] },
    ]);
    expect(support.operators).toContainEqual({ operator: 'Conv', count: 52, support: 'differentiable' });
  });
});

describe('an explanation is cancelled between two batches', () => {
  test('by its signal', async () => {
    const cancellation = new AbortController();
    const seen: number[] = [];
    const read = async (): Promise<void> => {
      for await (const { evaluations } of mapsOf(engine.attribute(endless, cancellation.signal))) {
        seen.push(evaluations);
        if (evaluations === 5) cancellation.abort();
      }
    };
    await expect(read()).rejects.toMatchObject({ kind: 'cancelled' });
    expect(seen).toEqual([1, 3, 5]);
    const before = engine.attribute(job, AbortSignal.abort());
    await expect(before.next()).rejects.toMatchObject({ kind: 'cancelled' });
  });

  test('by breaking out of its loop, and while it waits for another', async () => {
    const waiting = new AbortController();
    for await (const { evaluations } of mapsOf(engine.attribute(endless))) {
      if (evaluations === 1) {
        const next = engine.attribute(endless, waiting.signal).next();
        waiting.abort();
        await expect(next).rejects.toMatchObject({ kind: 'cancelled' });
      }
      if (evaluations >= 5) break;
    }
    // Both gone: the next one gets its turn at once.
    expect((await Array.fromAsync(mapsOf(engine.attribute(job)))).at(-1)?.final).toBe(true);
  });
});

describe('an engine that dies', () => {
  test('ends every pending call with its reason, keeps the steps done, and is started again by the next call', async () => {
    const frames: EngineAttribution[] = [];
    const killed = engine.pid ?? NaN;
    let queued: Promise<unknown> | undefined;
    const read = async (): Promise<void> => {
      for await (const frame of mapsOf(engine.attribute(endless))) {
        frames.push(frame);
        if (frame.evaluations !== 5) continue;
        queued = engine.attribute(job).next();
        process.kill(killed, 'SIGKILL');
      }
    };
    await expect(read()).rejects.toMatchObject({
      kind: 'engine',
      message: expect.stringContaining('stopped unexpectedly') as string,
      advice: expect.stringContaining('steps done so far are kept') as string,
    });
    await expect(queued).rejects.toMatchObject({ kind: 'engine' });
    expect(frames.length).toBeGreaterThanOrEqual(3);
    expect(engine.pid).toBeNull();
    expect(await engine.run(model, x)).toHaveLength(2);
    expect(engine.pid).not.toBe(killed);
  });

  test('dies with the process that started it', async () => {
    const parent = spawn(process.execPath, ['--input-type=module', '--eval', parentScript], {
      cwd: path.resolve(import.meta.dirname, '../..'),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const orphan = Number(line.toString());
    expect(isAlive(orphan)).toBe(true);
    parent.kill('SIGKILL');
    while (isAlive(orphan)) await pause(20);
  });

  const parentScript = `
    import { EngineClient } from './main/engine/client.ts';
    const engine = new EngineClient();
    await engine.device();
    console.log(engine.pid);`;
});

describe('the engine refuses, and goes on', () => {
  test.each([
    [
      'a file that has changed since it was checked',
      { ...model, sha256: '0'.repeat(64) },
      'model-refused',
      /SHA-256/,
    ],
    [
      'a file that is not there',
      { ...model, file: '/nowhere/model.onnx', sha256: '0'.repeat(64) },
      'not-found',
      /model\.onnx/,
    ],
    [
      'an output that the model does not have',
      { ...model, output: { ...model.output, name: 'nix' } },
      'bad-request',
      /nix/,
    ],
    [
      'an input of another size',
      { ...model, input: { name: 'image', shape: [1, 8, 8] } },
      'bad-request',
      /1 x 8 x 8/,
    ],
  ] as const)('%s', async (_, wrong, kind, message) => {
    await expect(engine.run(wrong, x)).rejects.toMatchObject({
      kind,
      message: expect.stringMatching(message) as string,
    });
    await expect(engine.attribute({ ...job, model: wrong }).next()).rejects.toBeInstanceOf(PathlightError);
    expect(await engine.run(model, x)).toHaveLength(2);
  });

  test('a file that is no model', async () => {
    const file = path.join(folder, 'model.onnx');
    const bytes = Buffer.from(normalNumbers(5000, randomSource(2)).buffer);
    writeFileSync(file, bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    await expect(engine.run({ ...model, file, sha256 }, x)).rejects.toMatchObject({ kind: 'not-recognised' });
    await expect(engine.check(file)).rejects.toBeInstanceOf(PathlightError);
  });

  test('a model that asks for terabytes, in bounded memory', async () => {
    const file = path.join(folder, 'hostile.onnx');
    const bytes = writeModel(terabytes);
    writeFileSync(file, bytes);
    const hostile = {
      id: 'hostile',
      file,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      input: { name: 'image', shape: [4] },
      output: { name: 'sum', activation: 'none' as const },
    };
    const [image, black] = [new Float32Array(4).fill(1), new Float32Array(4)];
    await expect(engine.run(hostile, image)).rejects.toMatchObject({ kind: 'too-large' });
    await expect(
      engine
        .attribute({ ...integralJob({ ...job, model: hostile, x: image, baseline: black }), target: 0 })
        .next(),
    ).rejects.toMatchObject({ kind: 'too-large' });
    expect(await engine.run(model, x)).toHaveLength(2);
  });

  test('a label that the model does not have', async () => {
    await expect(engine.attribute({ ...job, target: 2 }).next()).rejects.toMatchObject({
      kind: 'bad-request',
    });
  });

  test('an image that equals its baseline', async () => {
    await expect(engine.attribute({ ...job, image: x }).next()).rejects.toMatchObject({
      kind: 'bad-request',
    });
  });
});

test('a closed engine ends what is pending and takes no more', async () => {
  const other = new EngineClient();
  await other.device();
  const pid = other.pid ?? NaN;
  const pending = other.run(model, x);
  const ended = expect(pending).rejects.toMatchObject({ kind: 'cancelled' });
  await other.close();
  await ended;
  expect(isAlive(pid)).toBe(false);
  await expect(other.device()).rejects.toMatchObject({ kind: 'engine' });
});

test('a check that takes too long is given up, and the engine goes on', async () => {
  // No process starts within a millisecond.
  const impatient = new EngineClient(undefined, null, 1);
  const checks = [impatient.check(model.file), impatient.check(model)];
  for (const check of checks) await expect(check).rejects.toMatchObject({ kind: 'too-large' });
  expect(impatient.pid).toBeNull();
  expect(await impatient.run(model, x)).toHaveLength(2);
  await impatient.close();
  await expect(impatient.check(model.file)).rejects.toMatchObject({ kind: 'engine' });
});

const node = (operator: string, inputs: string[], output: string): Node => ({
  name: operator,
  operator,
  domain: '',
  inputs,
  outputs: [output],
  attributes: new Map(),
});
const floats = (name: string, shape: (number | string)[]): Declaration => ({
  name,
  type: 'float32',
  typeName: 'float32',
  shape,
});
/** sum = image + the sum of 60,000 x 60,000 x 100 zeros. */
const terabytes: Writable = {
  irVersion: 8,
  opset: 17,
  graph: {
    name: 'hostile',
    nodes: [
      node('ConstantOfShape', ['size'], 'zeros'),
      node('ReduceSum', ['zeros'], 'zero'),
      node('Reshape', ['zero', 'one'], 'nothing'),
      node('Add', ['image', 'nothing'], 'sum'),
    ],
    inputs: [floats('image', ['N', 4])],
    outputs: [floats('sum', ['N', 4])],
    constants: new Map([
      ['size', tensor('int64', [3], [60_000, 60_000, 100])],
      ['one', tensor('int64', [1], [1])],
    ]),
  },
};

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
