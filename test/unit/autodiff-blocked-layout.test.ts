import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Tensor } from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import { buildGradientModel, type GradientModel } from '../../core/autodiff/index.ts';
import { readModel, withNodes } from '../../core/onnx/file.ts';
import { withoutNeedlessReorders } from '../../core/autodiff/reorders.ts';
import { floats, openSession } from '../../main/engine/sessions.ts';
import { resnet50 } from '../support/classifiers.ts';
import { declaration, drawnWeights, modelBytes, node } from '../support/onnx-models.ts';
import { integers, scalar, tensor } from '../../core/onnx/tensor.ts';
import { seededRandom } from '../support/onnx-random.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'pathlight-test-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Strided 3x3 and 1x1 convolutions of whole blocks of channels, whose gradients meet at the head of each stage. */
const model = resnet50({ size: 64, width: 16, classes: 3 });

function gradientGraph(kernels: 'cpu' | 'gpu', of: Uint8Array = model): GradientModel {
  return buildGradientModel(of, {
    ...{ input: 'input', output: 'logits', objective: 'logit', activation: 'none' },
    kernels,
  });
}

/** As ONNX Runtime rewrites it for this processor. */
async function rewrittenGradient(of: Uint8Array): Promise<Uint8Array> {
  const file = path.join(folder, 'rewritten.onnx');
  const session = await openSession(gradientGraph('cpu', of).bytes, 'the gradient', { keepRewritten: file });
  await session.release();
  return readFileSync(file);
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
    const { nodes } = readModel(await rewrittenGradient(model)).graph;
    expect(nodes.filter(({ operator }) => operator === 'Add')).toEqual([]);
    const adding = nodes.filter(({ operator, inputs }) => operator === 'Conv' && inputs.length > 3);
    // 16 residual blocks.
    expect(adding).toHaveLength(2 * 16);
  });
});

describe('a dense block', () => {
  /** Every layer reads all that were made before it. */
  function denseBlock(): Uint8Array {
    const weights = drawnWeights(1);
    const constants = new Map([['k', weights([32, 3, 3, 3], 0.3)]]);
    const nodes = [node('Conv', ['input', 'k'], ['v0'], { pads: [1, 1, 1, 1] })];
    for (let layer = 0; layer < 4; layer++) {
      constants.set(`k${layer}`, weights([32, 32 * (layer + 1), 3, 3], 0.1));
      nodes.push(
        node('Relu', [`v${layer}`], [`r${layer}`]),
        node('Conv', [`r${layer}`, `k${layer}`], [`c${layer}`], { pads: [1, 1, 1, 1] }),
        node('Concat', [`v${layer}`, `c${layer}`], [`v${layer + 1}`], { axis: 1 }),
      );
    }
    nodes.push(node('GlobalAveragePool', ['v4'], ['pool']), node('Flatten', ['pool'], ['logits']));
    return modelBytes({
      nodes,
      constants,
      inputs: [declaration('input', ['N', 3, 16, 16])],
      outputs: [declaration('logits', ['N', 160])],
    });
  }

  it('is divided and added up inside the blocks on the way back', async () => {
    const rewritten = await rewrittenGradient(denseBlock());
    const spared = withNodes(rewritten, withoutNeedlessReorders);
    const reorders = (bytes: Uint8Array): string[] =>
      readModel(bytes)
        .graph.nodes.filter(({ operator }) => operator.startsWith('Reorder'))
        .map(({ operator }) => operator);
    expect(reorders(rewritten).length).toBeGreaterThan(10);
    // What is left: the score's gradient comes in, the pooled channels and the image's gradient go out.
    expect(reorders(spared ?? rewritten).sort()).toEqual(['ReorderInput', 'ReorderOutput', 'ReorderOutput']);
  });
});

describe('a Relu6 on whole blocks of channels', () => {
  it.each([16, 24])('passes gradients strictly between its bounds (%d channels)', async (channels) => {
    const values = [-1, 0, 2 ** -120, 0.5, 3, 6 - 2 ** -21, 6, 6 + 2 ** -21, 100];
    const identity = Array.from({ length: channels ** 2 }, (_, k) => (k % (channels + 1) === 0 ? 1 : 0));
    const bytes = modelBytes({
      nodes: [
        node('Conv', ['input', 'identity'], ['x']),
        node('Clip', ['x', 'zero', 'six'], ['y']),
        node('Conv', ['y', 'identity'], ['z']),
        node('ReduceSum', ['z', 'axes'], ['logits'], { keepdims: 0 }),
      ],
      constants: new Map([
        ['identity', tensor('float32', [channels, channels, 1, 1], identity)],
        ['zero', scalar('float32', 0)],
        ['six', scalar('float32', 6)],
        ['axes', integers([2, 3])],
      ]),
      inputs: [declaration('input', ['N', channels, 1, values.length])],
      outputs: [declaration('logits', ['N', channels])],
    });
    const { bytes: gradient, seedName, gradientName } = gradientGraph('cpu', bytes);
    const session = await openSession(gradient, 'the gradient');
    const outputs = await session.run(
      {
        input: new Tensor('float32', Array<number[]>(channels).fill(values).flat(), [
          1,
          channels,
          1,
          values.length,
        ]),
        [seedName]: new Tensor('float32', Array<number>(channels).fill(1), [1, channels]),
      },
      [gradientName],
    );
    await session.release();
    const passed = values.map((value) => (value > 0 && value < 6 ? 1 : 0));
    expect([...floats(outputs, gradientName)]).toEqual(Array<number[]>(channels).fill(passed).flat());
  });
});
