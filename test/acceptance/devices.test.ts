/** Devices other than the CPU: a real WebGPU in software, and one with a wrong kernel. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { EngineClient } from '../../main/engine/client.ts';
import { Devices } from '../../main/engine/devices.ts';
import {
  type AttributionJob,
  type EngineAttribution,
  type EngineModel,
  mapsOf,
} from '../../main/engine/engine.ts';
import { engineEntry, forkEngine } from '../../main/engine/spawn.ts';
import { distance } from '../support/distance.ts';
import { integralJob } from '../support/integral-job.ts';
import { declaration, modelBytes, node } from '../support/onnx-models.ts';
import { elementCount, tensor, type Tensor } from '../../core/onnx/tensor.ts';
import { softwareGpu } from '../support/software-gpu.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();

function modelOf(
  id: string,
  bytes: Uint8Array,
  shape: readonly number[],
  ends: { input: string; output: string },
): EngineModel {
  const file = path.join(folder, `${id}.onnx`);
  writeFileSync(file, bytes);
  return {
    id,
    file,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    input: { name: ends.input, shape },
    output: { name: ends.output, activation: 'softmax' },
  };
}

const random = randomSource(3);
const weights = (shape: readonly number[], spread: number): Tensor =>
  tensor(
    'float32',
    shape,
    normalNumbers(elementCount(shape), random).map((value) => spread * value),
  );
/** A convolution, a pool of the greatest, a layer: as small as a net can be, because every kernel takes time to compile. */
const tiny = modelOf(
  'tiny',
  modelBytes({
    nodes: [
      node('Conv', ['image', 'kernels'], ['c'], { pads: [1, 1, 1, 1] }),
      node('Relu', ['c'], ['r']),
      node('MaxPool', ['r'], ['m'], { kernel_shape: [2, 2], strides: [2, 2] }),
      node('Flatten', ['m'], ['f']),
      node('Gemm', ['f', 'layer'], ['logits']),
    ],
    inputs: [declaration('image', ['N', 1, 8, 8])],
    outputs: [declaration('logits', ['N', 3])],
    constants: new Map([
      ['kernels', weights([4, 1, 3, 3], 0.5)],
      ['layer', weights([64, 3], 0.2)],
    ]),
  }),
  [1, 8, 8],
  { input: 'image', output: 'logits' },
);
const job = integralJob({
  model: tiny,
  x: normalNumbers(8 * 8, random),
  baseline: new Float32Array(8 * 8),
  target: 1,
  scalar: 'logit',
  gapTolerance: 0,
  mapTolerance: 0,
  maxEvaluations: 5,
});

async function finalMap(engine: EngineClient, wanted: AttributionJob): Promise<EngineAttribution> {
  const last = (await Array.fromAsync(mapsOf(engine.attribute(wanted)))).at(-1);
  if (last === undefined) throw new Error('no map came');
  return last;
}

const cpu = new EngineClient();
afterAll(() => cpu.close());

describe.skipIf(softwareGpu === null)('WebGPU in software', () => {
  const spawn = () => forkEngine(engineEntry(), softwareGpu ?? {});
  const engine = new EngineClient(spawn);
  afterAll(() => engine.close());

  test('is found, named and passes its self-test, every node on the device', async () => {
    const offer = await new Devices(spawn).offer('webgpu');
    expect(offer).toMatchObject({
      available: true,
      reason: '',
      name: expect.stringContaining('swiftshader') as string,
    });
    expect(offer.selfTest?.error).toBeLessThan(1e-5);
    expect(offer.selfTest?.nodes).toBeGreaterThan(50);
    expect(offer.selfTest?.fallbackNodes).toBe(0);
  });

  test('explains a model as the CPU does, after a self-test on that model', async () => {
    const { name, ...device } = await engine.device('webgpu', tiny);
    expect(name).toContain('swiftshader');
    expect(device).toMatchObject({
      provider: 'webgpu',
      selfTest: { roundingTolerance: 1e-3, fallbackNodes: 0 },
    });
    expect(device.selfTest?.error).toBeLessThan(1e-5);
    const [expected, given] = [
      await finalMap(cpu, job),
      await finalMap(engine, { ...job, provider: 'webgpu' }),
    ];
    expect(given.evaluations).toBe(expected.evaluations);
    expect(given.fx).toBeCloseTo(expected.fx ?? NaN, 5);
    expect(distance(expected.map, given.map)).toBeLessThan(1e-5);
  });

  /** onnxruntime 1.30 computes such a convolution wrongly on WebGPU; should it be mended, the map must be the CPU's. */
  test('refuses a model that it computes wrongly, or computes it rightly', async () => {
    const bytes = modelBytes({
      nodes: [
        node('Conv', ['x', 'w'], ['c'], { group: 2, pads: [1, 1, 1, 1] }),
        node('Tanh', ['c'], ['t']),
        node('GlobalAveragePool', ['t'], ['g']),
        node('Flatten', ['g'], ['y']),
      ],
      inputs: [declaration('x', ['N', 12, 4, 4])],
      outputs: [declaration('y', ['N', 12])],
      constants: new Map([['w', weights([12, 6, 3, 3], 1)]]),
    });
    const grouped = modelOf('grouped', bytes, [12, 4, 4], { input: 'x', output: 'y' });
    const x = normalNumbers(12 * 16, randomSource(6));
    const ends = { x, baseline: new Float32Array(x.length), target: 1, scalar: 'logit' as const };
    const wanted = integralJob({ model: grouped, ...ends, maxEvaluations: 5 });
    const outcome = await finalMap(engine, { ...wanted, provider: 'webgpu' }).catch(
      (error: unknown) => error,
    );
    if (outcome instanceof Error) {
      expect(outcome).toMatchObject({
        kind: 'device-refused',
        message: expect.stringMatching(
          /model grouped: they differ by \d+ % \(at most 1 % is allowed\)/,
        ) as string,
      });
    } else {
      expect(distance((await finalMap(cpu, wanted)).map, (outcome as EngineAttribution).map)).toBeLessThan(
        1e-3,
      );
    }
  });
});

describe('a device with a wrong kernel', () => {
  const entry = path.resolve(import.meta.dirname, '../support/faulty-engine.ts');
  const engines: EngineClient[] = [];
  afterAll(() => Promise.all(engines.map((engine) => engine.close())));
  const faulty = (fault: number, spares = '') => {
    const spawn = () =>
      forkEngine(entry, {
        PATHLIGHT_TEST_FAULT: String(fault),
        PATHLIGHT_TEST_FAULT_SPARES: spares,
      });
    const engine = new EngineClient(spawn);
    engines.push(engine);
    return { spawn, engine };
  };

  test('is not offered: the fixture shows the fault, with its figure', async () => {
    const { available, reason, selfTest } = await new Devices(faulty(0.03).spawn).offer('webgpu');
    expect(available).toBe(false);
    expect(selfTest?.error).toBeGreaterThan(0.003);
    expect(reason).toMatch(/computes other numbers than the CPU for a test network: they differ by [\d.]+ %/);
  });

  test('and explains nothing, asked or not whether it may', async () => {
    const { engine } = faulty(0.03);
    const refused = {
      kind: 'device-refused',
      message: expect.stringMatching(
        /for model tiny: they differ by [\d.]+ % .*where they agree best by [\d.]+ % \(at most 0\.1 %\)/,
      ) as string,
    };
    await expect(engine.attribute({ ...job, provider: 'webgpu' }).next()).rejects.toMatchObject(refused);
    await expect(engine.device('webgpu', tiny)).rejects.toMatchObject(refused);
    expect((await finalMap(engine, job)).final).toBe(true);
  });

  test('is found out by the model in hand where the fixture does not show the fault', async () => {
    // The tiny model has no Erf, as the fixture does.
    const { spawn, engine } = faulty(0.03, 'Erf');
    expect((await new Devices(spawn).offer('webgpu')).available).toBe(true);
    await expect(engine.device('webgpu', tiny)).rejects.toMatchObject({ kind: 'device-refused' });
  });

  test('within the tolerance is a device like any other', async () => {
    const { engine } = faulty(1e-6);
    const { selfTest } = await engine.device('webgpu', tiny);
    expect(selfTest?.error).toBeGreaterThan(0);
    expect(selfTest?.error).toBeLessThan(1e-4);
    expect(
      distance((await finalMap(engine, { ...job, provider: 'webgpu' })).map, (await finalMap(cpu, job)).map),
    ).toBeLessThan(1e-4);
  });
});

test('a device that is being tried is given up with the rest', async () => {
  const devices = new Devices();
  const offers = devices.list();
  await devices.close();
  expect((await offers).filter(({ available }) => available).map(({ provider }) => provider)).toEqual([
    'cpu',
  ]);
});

describe('devices that are not there', () => {
  test('are named with the reason, and the CPU is', async () => {
    const offers = await new Devices(() =>
      forkEngine(engineEntry(), { VK_ICD_FILENAMES: '/nowhere.json' }),
    ).list();
    expect(offers.map(({ provider }) => provider)).toEqual(['cpu', 'webgpu', 'cuda', 'dml', 'coreml']);
    expect(offers[0]).toMatchObject({ available: true, reason: '', selfTest: null });
    for (const { available, reason } of offers.slice(1)) expect(available || reason !== '').toBe(true);
    expect(offers[1]).toMatchObject({
      available: false,
      reason: expect.stringMatching(/no graphics card/) as string,
    });
  });
});
