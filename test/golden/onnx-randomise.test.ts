/** Randomising networks as exporters write them: transformers, squeeze-and-excitation, grouped, transposed and 3-D convolutions. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { readModel } from '../../core/onnx/file.ts';
import { randomisedModels } from '../../core/onnx/randomise.ts';
import { readArray } from '../support/npy.ts';
import { floatTensor, numbers, openSession } from '../support/onnx-models.ts';
import { sharedFolder } from '../support/shared.ts';

const golden = sharedFolder('golden');
const names = golden === null ? [] : readdirSync(golden).filter((name) => name.startsWith('tiny_'));

describe.skipIf(golden === null)('cascading randomisation of the golden networks', () => {
  test.each(names)(
    '%s: every layer changes what the model says, and the whole stays finite',
    async (name) => {
      const bytes = readFileSync(path.join(golden ?? '', name, 'model.onnx'));
      const { inputs, outputs } = readModel(bytes).graph;
      const { shape, values } = readArray(path.join(golden ?? '', name, 'input.npy'));
      const image = floatTensor('float32', values, shape);
      const run = async (model: Uint8Array): Promise<Float64Array> => {
        const session = await openSession(model);
        const results = await session.run({ [inputs[0]?.name ?? '']: image });
        await session.release();
        return numbers(results[outputs[0]?.name ?? '']);
      };

      let before = await run(bytes);
      let [count, all] = [0, NaN];
      for (const { bytes: write, layer, layers, randomised } of randomisedModels(bytes)) {
        const now = await run(write());
        expect(now.every(Number.isFinite), layer).toBe(true);
        expect(now, layer).not.toEqual(before);
        before = now;
        expect(randomised).toBe(++count);
        all = layers;
      }
      expect(count).toBe(all);
      expect(count).toBeGreaterThanOrEqual(3);
    },
  );
});
