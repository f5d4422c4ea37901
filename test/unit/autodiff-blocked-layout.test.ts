import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Tensor } from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import { buildGradientModel, type GradientModel } from '../../core/autodiff/index.ts';
import { readModel } from '../../core/onnx/file.ts';
import { floats, openSession } from '../../main/engine/sessions.ts';
import { resnet50 } from '../support/classifiers.ts';
import { seededRandom } from '../support/onnx-random.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'pathlight-test-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Strided 3x3 and 1x1 convolutions of whole blocks of channels, whose gradients meet at the head of each stage. */
const model = resnet50({ size: 64, width: 16, classes: 3 });

function gradientGraph(kernels: 'cpu' | 'gpu'): GradientModel {
  return buildGradientModel(model, {
    ...{ input: 'input', output: 'logits', objective: 'logit', activation: 'none' },
    kernels,
  });
}

describe('a residual network', () => {
  it('has the gradient that convolutions transposed as ONNX states it give', async () => {
    const random = seededRandom('residual');
    const point = Float32Array.from({ length: 3 * 64 * 64 }, () => 2 * random() - 1);
    const [blocked = [], plain = []] = await Promise.all(
      (['cpu', 'gpu'] as const).map(async (kernels) => {
        const { bytes, seedName, gradientName } = gradientGraph(kernels);
        const session = await openSession(bytes, 'the gradient');
        const feeds = {
          input: new Tensor('float32', point, [1, 3, 64, 64]),
          [seedName]: new Tensor('float32', [1, 0, 0], [1, 3]),
        };
        const gradient = floats(await session.run(feeds, [gradientName]), gradientName);
        await session.release();
        return [...gradient];
      }),
    );
    const size = Math.hypot(...plain);
    expect(size).toBeGreaterThan(0);
    const apart = Math.hypot(...plain.map((value, index) => value - (blocked[index] ?? NaN)));
    expect(apart / size).toBeLessThan(1e-4);
  });

  it('is added up inside the convolutions, forward and backward, behind strided layers, too', async () => {
    const file = path.join(folder, 'rewritten.onnx');
    const session = await openSession(gradientGraph('cpu').bytes, 'the gradient', { keepRewritten: file });
    await session.release();
    const { nodes } = readModel(readFileSync(file)).graph;
    expect(nodes.filter(({ operator }) => operator === 'Add')).toEqual([]);
    const adding = nodes.filter(({ operator, inputs }) => operator === 'Conv' && inputs.length > 3);
    // 16 residual blocks.
    expect(adding).toHaveLength(2 * 16);
  });
});
