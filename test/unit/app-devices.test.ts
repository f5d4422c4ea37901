/** The choice of a device as the window makes it; the device is one that stands in for WebGPU, right or with a wrong kernel. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { ModelCard } from '../../core/contract/model-card.ts';
import type { ExplanationResult } from '../../core/contract/result.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { elementCount, tensor, type Tensor } from '../../core/onnx/tensor.ts';
import { createApp } from '../../main/app/app.ts';
import type { App } from '../../main/app/app-interface.ts';
import { applicationRoot } from '../../main/app/root.ts';
import { forkEngine } from '../../main/engine/spawn.ts';
import { shippedCard } from '../support/engine-models.ts';
import { declaration, modelBytes, node } from '../support/onnx-models.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { asked, from } from '../support/integrated-gradients.ts';

const folder = temporaryFolder();

/** A model of one convolution, so that its maps take no time: labels and preprocessing are the shipped model's. */
function writeTinyModel(): void {
  const random = randomSource(4);
  const weights = (shape: readonly number[]): Tensor =>
    tensor('float32', shape, normalNumbers(elementCount(shape), random));
  const bytes = modelBytes({
    nodes: [
      node('Conv', ['image', 'kernels'], ['c'], { pads: [1, 1, 1, 1] }),
      node('Tanh', ['c'], ['t']),
      node('GlobalAveragePool', ['t'], ['g']),
      node('Flatten', ['g'], ['f']),
      node('Gemm', ['f', 'layer'], ['logits']),
    ],
    inputs: [declaration('image', ['N', 1, 16, 16])],
    outputs: [declaration('logits', ['N', 2])],
    constants: new Map([
      ['kernels', weights([4, 1, 3, 3])],
      ['layer', weights([4, 2])],
    ]),
  });
  const shipped = shippedCard('pneumonia');
  const card: ModelCard = {
    ...shipped,
    id: 'tiny',
    file: 'tiny.onnx',
    sha256: createHash('sha256').update(bytes).digest('hex'),
    input: { ...shipped.input, name: 'image', height: 16, width: 16 },
    output: { ...shipped.output, name: 'logits' },
  };
  const own = path.join(folder, 'models', 'tiny');
  mkdirSync(own, { recursive: true });
  writeFileSync(path.join(own, card.file), bytes);
  writeFileSync(path.join(own, 'card.json'), JSON.stringify(card));
}
writeTinyModel();

const entry = path.join(applicationRoot, 'test/support/faulty-engine.ts');
const apps: App[] = [];
afterAll(() => Promise.all(apps.map((app) => app.close())));

function open(data: string, fault: { size: number; spares?: string }): App {
  const app = createApp({
    host: {
      kind: 'browser',
      chooseFiles: () => Promise.resolve(null),
      saveReport: () => Promise.resolve(false),
    },
    initialPaths: [path.join(applicationRoot, 'examples')],
    modelsFolder: path.join(folder, 'models'),
    dataFolder: path.join(folder, data),
    spawnEngine: () =>
      forkEngine(entry, {
        PATHLIGHT_TEST_FAULT: String(fault.size),
        PATHLIGHT_TEST_FAULT_SPARES: fault.spares ?? '',
      }),
  });
  apps.push(app);
  return app;
}

const signal = new AbortController().signal;

async function explainFirst(app: App): Promise<ExplanationResult> {
  const library = await Array.fromAsync(app.streams['library.open']({ paths: null }, signal));
  const image = library.flatMap(({ header }) => (header.type === 'image' ? [header.image.id] : []))[0] ?? '';
  const request = {
    image,
    frame: 0,
    model: 'tiny',
    target: null,
    scalar: 'logit',
    ...asked,
    baseline: from('black'),
  } as const;
  const frames = await Array.fromAsync(app.streams['review.explain'](request, signal));
  const last = frames.at(-1)?.header;
  if (last?.type !== 'assessment') throw new Error('no assessment came');
  return last.result;
}

describe('a device that computes as the CPU does', () => {
  test('is offered, chosen, kept for the next session, and stands in the result with its self-test', async () => {
    const app = open('good', { size: 1e-6 });
    expect((await app.calls['app.info'](undefined)).device.provider).toBe('cpu');
    const { devices } = await app.calls['devices.list'](undefined);
    expect(devices.map(({ provider, available }) => [provider, available])).toEqual([
      ['cpu', true],
      ['webgpu', true],
      ['cuda', false],
      ['dml', expect.any(Boolean)],
      ['coreml', expect.any(Boolean)],
    ]);
    const chosen = await app.calls['devices.use']({ provider: 'webgpu' });
    expect(chosen).toMatchObject({ provider: 'webgpu', selfTest: { tolerance: 1e-2 } });

    const { device } = await explainFirst(app);
    expect(device).toMatchObject({ provider: 'webgpu', selfTest: { tolerance: 1e-2 } });
    expect(device.selfTest?.error).toBeLessThan(1e-3);
    expect(device.selfTest && 'nodes' in device.selfTest && device.selfTest.nodes).toBeGreaterThan(5);

    const next = await open('good', { size: 1e-6 }).calls['app.info'](undefined);
    expect(next).toMatchObject({ device: { provider: 'webgpu' }, deviceRefused: null });
  });

  test('does not get the place of one that is not there', async () => {
    const app = open('absent', { size: 1e-6 });
    await expect(app.calls['devices.use']({ provider: 'cuda' })).rejects.toMatchObject({
      kind: 'device-refused',
    });
    expect((await app.calls['app.info'](undefined)).device.provider).toBe('cpu');
  });
});

describe('a device with a wrong kernel', () => {
  test('is not taken, and says by how much it is wrong', async () => {
    const app = open('wrong', { size: 0.05 });
    await expect(app.calls['devices.use']({ provider: 'webgpu' })).rejects.toMatchObject({
      kind: 'device-refused',
      message: expect.stringMatching(/they differ by [\d.]+ %/) as string,
    });
  });

  test('that a model shows first is given up for the CPU, with the figure', async () => {
    const app = open('later', { size: 0.05, spares: 'Erf' });
    await app.calls['devices.use']({ provider: 'webgpu' });
    await expect(explainFirst(app)).rejects.toMatchObject({
      kind: 'device-refused',
      message: expect.stringMatching(/model tiny: they differ by [\d.]+ %/) as string,
      advice: 'The CPU computes from here on. Press Explain again.',
    });
    expect(await app.calls['app.info'](undefined)).toMatchObject({
      device: { provider: 'cpu' },
      deviceRefused: expect.stringContaining('model tiny') as string,
    });
    expect((await explainFirst(app)).device).toMatchObject({ provider: 'cpu', selfTest: null });
    await app.close();

    // It was chosen, and may have been mended: the next session tries it again, and says so where it fails.
    const next = await open('later', { size: 0.05 }).calls['app.info'](undefined);
    expect(next).toMatchObject({
      device: { provider: 'cpu' },
      deviceRefused: expect.stringMatching(/'webgpu' cannot be used: .*differ by/) as string,
    });
  });
});
