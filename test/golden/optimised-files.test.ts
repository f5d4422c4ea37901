/** Files that ONNX Runtime's own optimiser has written: what it fused is the same model still. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { buildGradientModel } from '../../core/autodiff/index.ts';
import { readModel } from '../../core/onnx/file.ts';
import { elementCount } from '../../core/onnx/tensor.ts';
import { randomNumbers } from '../support/against-runtime.ts';
import { floatTensor, numbers, openSession } from '../support/onnx-models.ts';
import { sharedFolder } from '../support/shared.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const golden = sharedFolder('golden');
const ofGolden = (name: string): string => path.join(golden ?? '', name, 'model.onnx');
/** A model, and what the optimiser is known to fuse in it. */
const models: [file: string, fused: string[]][] = [
  [path.resolve(import.meta.dirname, '../../models/pneumonia/model.onnx'), ['FusedConv']],
  [ofGolden('tiny_densenet'), ['FusedConv']],
  [ofGolden('tiny_mbconv'), ['FusedConv', 'Gelu', 'QuickGelu']],
  [ofGolden('tiny_vit'), ['BiasGelu', 'FusedMatMul']],
];
const folder = temporaryFolder();

async function optimised(file: string, level: 'extended' | 'all'): Promise<Uint8Array> {
  const optimizedModelFilePath = path.join(folder, `${level}.onnx`);
  const options = { graphOptimizationLevel: level, optimizedModelFilePath, logSeverityLevel: 4 } as const;
  await (await InferenceSession.create(file, options)).release();
  return readFileSync(optimizedModelFilePath);
}

async function gradientOf(bytes: Uint8Array): Promise<{ output: Float64Array; gradient: Float64Array }> {
  const { graph } = readModel(bytes);
  const [input] = graph.inputs;
  const model = buildGradientModel(bytes, {
    input: input?.name ?? '',
    output: graph.outputs[0]?.name ?? '',
    objective: 'logit',
    activation: 'none',
    inputShape: (input?.shape ?? []).slice(1).map((size) => (typeof size === 'number' ? size : 64)),
  });
  const session = await openSession(model.bytes);
  const x = randomNumbers('image', elementCount(model.inputShape));
  const seed = randomNumbers('seed', model.outputCount);
  const results = await session.run({
    [model.inputName]: floatTensor('float32', x, [1, ...model.inputShape]),
    [model.seedName]: floatTensor('float32', seed, [1, seed.length]),
  });
  await session.release();
  return { output: numbers(results[model.outputName]), gradient: numbers(results[model.gradientName]) };
}

describe.each(models)('%s', (file, fused) => {
  it.runIf(existsSync(file))('has the gradient that it had before', async () => {
    const bytes = await optimised(file, 'extended');
    const found = readModel(bytes).graph.nodes.filter(({ domain }) => domain === 'com.microsoft');
    expect([...new Set(found.map(({ operator }) => operator))].sort()).toEqual(fused);
    const [before, after] = [await gradientOf(readFileSync(file)), await gradientOf(bytes)];
    const rms = Math.sqrt(before.gradient.reduce((sum, v) => sum + v * v, 0) / before.gradient.length);
    const off = (a: Float64Array, b: Float64Array): number =>
      a.reduce((most, value, at) => Math.max(most, Math.abs(value - (b[at] ?? NaN))), 0);
    expect(off(before.output, after.output)).toBeLessThan(1e-5);
    expect(off(before.gradient, after.gradient)).toBeLessThan(1e-4 * rms);
  });

  it.runIf(existsSync(file) && process.arch === 'x64')(
    'is refused, with what to do, when laid out for one processor',
    async () => {
      const bytes = await optimised(file, 'all');
      await expect(gradientOf(bytes)).rejects.toThrow(
        /com\.microsoft\.nchwc::.*use the model as it was before/,
      );
    },
  );
});
