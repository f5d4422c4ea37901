import { getKernel, type KernelConfig, registerKernel, unregisterKernel } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { type TfjsRuntime, tfjsRuntime } from '../../main/engine/tfjs/runtime.ts';
import { compare, measureFixture, passes } from '../../main/engine/tfjs/self-test.ts';
import { openTfjsModel } from '../../main/engine/tfjs/tfjs-model.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { kerasLike, savedLayers, type TfjsModelFolder, writeTfjsModel } from '../support/tfjs-models.ts';

/** As the package brings it, before it is corrected. */
const original = getKernel('MaxPoolGrad', 'wasm');

const side = 16;
let runtime: TfjsRuntime;
let model: TfjsModelFolder;
const folder = temporaryFolder();
beforeAll(async () => {
  runtime = await tfjsRuntime();
  model = writeTfjsModel(folder, await savedLayers(kerasLike(side, 1)), {
    ...{ id: 'keras', side, channels: 1, input: 'image', output: 'scores', activation: 'softmax' },
  });
});

const x = normalNumbers(side * side, randomSource(4));

/** Runs `work` with another kernel of the same name on wasm. */
async function withKernel(kernel: KernelConfig, work: () => Promise<void>): Promise<void> {
  const corrected = getKernel(kernel.kernelName, 'wasm');
  const use = async (each: KernelConfig): Promise<void> => {
    unregisterKernel(each.kernelName, 'wasm');
    registerKernel(each);
    // The package's own kernels are tied to the memory of wasm when the backend is chosen.
    await runtime.on('tfjs-cpu', () => undefined);
    await runtime.on('tfjs-wasm', () => undefined);
  };
  await use(kernel);
  try {
    await work();
  } finally {
    await use(corrected);
  }
}

describe('the corrected wasm backend', () => {
  test('is the first choice here, cpu the last', () => {
    expect(runtime.providers).toEqual(['tfjs-wasm', 'tfjs-cpu']);
  });

  test('has every kernel that cpu has', () => {
    const names = (backend: string): string[] =>
      runtime.core.getKernelsForBackend(backend).map(({ kernelName }) => kernelName);
    expect(names('wasm')).toEqual(expect.arrayContaining(names('cpu')));
  });

  test('passes its self-test to the precision of float32', async () => {
    const test = compare(
      await measureFixture(runtime, 'tfjs-wasm'),
      await measureFixture(runtime, 'tfjs-cpu'),
    );
    expect(passes(test)).toBe(true);
    expect(test.error).toBeLessThan(1e-6);
  });

  test("fails it with the package's own MaxPoolGrad, which loses windows below zero", async () => {
    await withKernel(original, async () => {
      const test = compare(
        await measureFixture(runtime, 'tfjs-wasm'),
        await measureFixture(runtime, 'tfjs-cpu'),
      );
      expect(passes(test)).toBe(false);
      expect(test.error).toBeGreaterThan(0.1);
    });
  });

  test('a fault that only the model in hand meets is found, too: cpu takes over and says so', async () => {
    // The fixture has no sigmoid; the model's swish has.
    const sigmoid = getKernel('Sigmoid', 'wasm');
    const wrong = { ...sigmoid, kernelFunc: getKernel('Tanh', 'wasm').kernelFunc };
    await withKernel(wrong, async () => {
      const opened = await openTfjsModel(model.engine);
      expect(opened).toMatchObject({ provider: 'tfjs-cpu', selfTest: null });
      expect(opened.refused).toEqual([
        expect.stringMatching(/^tfjs-wasm \(differs from tfjs-cpu by \d\.\de/),
      ]);
      expect(await opened.run(x, 1)).toHaveLength(2);
      opened.dispose();
    });
  });

  test('says that its memory is full, where the package would write over other numbers', async () => {
    const { core } = runtime;
    for (const side of [2 ** 15, 60_000, 2 ** 20]) {
      const fill = runtime.on('tfjs-wasm', () => core.tidy(() => core.fill([side, side], 1).shape));
      await expect(fill).rejects.toMatchObject({ kind: 'too-large' });
    }
    const sum = await runtime.on('tfjs-wasm', () => core.tidy(() => core.sum(core.ones([9])).dataSync()));
    expect([...sum]).toEqual([9]);
  });
});

describe('@tensorflow/tfjs-node-gpu, where it is installed', () => {
  /** What it computes with in a process that finds this package. */
  async function usedWith(name: string, source: string): Promise<unknown> {
    const at = path.join(folder, name, '@tensorflow/tfjs-node-gpu');
    mkdirSync(at, { recursive: true });
    writeFileSync(path.join(at, 'index.js'), source);
    const root = path.resolve(import.meta.dirname, '../..');
    const script = `
      import { tfjsRuntime } from './main/engine/tfjs/runtime.ts';
      import { openTfjsModel } from './main/engine/tfjs/tfjs-model.ts';
      const { providers } = await tfjsRuntime();
      const { provider, selfTest } = await openTfjsModel(JSON.parse(process.argv[1]));
      console.log(JSON.stringify({ providers, provider, error: selfTest.error }));`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', script, JSON.stringify(model.engine)],
      { cwd: root, env: { ...process.env, NODE_PATH: path.join(folder, name) } },
    );
    return JSON.parse(stdout);
  }

  /** As the real package does: needs what Node dropped, and registers the backend 'tensorflow'; here of the cpu backend's kernels. */
  const addon = `
    if (!require('util').isNullOrUndefined(null)) throw new Error('no shim');
    const root = require('module').createRequire(process.cwd() + '/package.json');
    const core = root('@tensorflow/tfjs-core');
    core.registerBackend('tensorflow', core.engine().registryFactory['cpu'].factory, 3);
    for (const kernel of core.getKernelsForBackend('cpu')) {
      core.registerKernel({ ...kernel, backendName: 'tensorflow' });
    }`;

  test('is taken first, after its self-test', async () => {
    expect(await usedWith('whole', addon)).toEqual({
      providers: ['tfjs-node-gpu', 'tfjs-wasm', 'tfjs-cpu'],
      provider: 'tfjs-node-gpu',
      error: 0,
    });
  });

  test('is left out where its native part does not load', async () => {
    const broken = "throw new Error('The native addon module (tfjs_binding.node) can not be found')";
    expect(await usedWith('broken', broken)).toMatchObject({
      providers: ['tfjs-wasm', 'tfjs-cpu'],
      provider: 'tfjs-wasm',
    });
  });
});

describe('memory', () => {
  test('is steady over evaluations, and all given back', async () => {
    const { core } = runtime;
    const before = core.memory().numTensors;
    const opened = await openTfjsModel(model.engine);
    expect(opened.provider).toBe('tfjs-wasm');
    const logit = opened.differentiable(1, 'logit');
    await logit.evaluate(x, 1);
    const during = core.memory();
    for (let i = 0; i < 3; i++) await logit.evaluate(x, 1);
    await opened.run(x, 1);
    expect(core.memory()).toMatchObject({ numTensors: during.numTensors, numBytes: during.numBytes });
    opened.dispose();
    expect(core.memory().numTensors).toBe(before);
  });

  test('is given back where a model cannot be built', async () => {
    const before = runtime.core.memory().numTensors;
    const wrong = { ...model.engine, input: { ...model.engine.input, shape: [1, side, side + 1] } };
    await expect(openTfjsModel(wrong)).rejects.toMatchObject({ kind: 'unsupported' });
    const ends = { ...model.engine, output: { ...model.engine.output, name: 'logits' } };
    await expect(openTfjsModel(ends)).rejects.toMatchObject({ kind: 'unsupported' });
    expect(runtime.core.memory().numTensors).toBe(before);
  });
});

describe('the seam', () => {
  test('gives the gradient that finite differences give', async () => {
    const opened = await openTfjsModel(model.engine);
    for (const scalar of ['logit', 'probability', 'log-probability'] as const) {
      const seam = opened.differentiable(0, scalar);
      const direction = normalNumbers(x.length, randomSource(9));
      const step = 1e-3;
      const at = async (sign: number): Promise<number> => {
        const point = x.map((value, i) => value + sign * step * (direction[i] ?? 0));
        return (await seam.evaluate(point, 1)).f[0] ?? NaN;
      };
      const { gradient } = await seam.evaluate(x, 1);
      const along = gradient.reduce((sum, value, i) => sum + value * (direction[i] ?? 0), 0);
      const difference = ((await at(1)) - (await at(-1))) / (2 * step);
      expect(Math.abs(along - difference), scalar).toBeLessThan(0.02 * Math.hypot(...gradient));
    }
    opened.dispose();
  });

  test('evaluates several points as each alone', async () => {
    const opened = await openTfjsModel(model.engine);
    const seam = opened.differentiable(1, 'probability');
    const other = normalNumbers(x.length, randomSource(5));
    const both = await seam.evaluate(Float32Array.from([...x, ...other]), 2);
    const alone = [await seam.evaluate(x, 1), await seam.evaluate(other, 1)];
    for (const [i, each] of alone.entries()) {
      expect(both.f[i]).toBeCloseTo(each.f[0] ?? NaN, 5);
      const own = both.gradient.subarray(i * x.length, (i + 1) * x.length);
      expect(Math.hypot(...own.map((value, k) => value - (each.gradient[k] ?? NaN)))).toBeLessThan(
        1e-5 * Math.hypot(...each.gradient),
      );
    }
    opened.dispose();
  });
});
