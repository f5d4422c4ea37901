/** A gradient model held against ONNX Runtime's own run of the model that it was made from. */
import { expect } from 'vitest';
import { buildGradientModel, type GradientModel, type GradientOptions } from '../../core/autodiff/index.ts';
import { elementCount } from '../../core/onnx/tensor.ts';
import { floatTensor, numbers, openSession } from './onnx-models.ts';
import { seededRandom } from './onnx-random.ts';

const plain: GradientOptions = { input: 'x', output: 'y', objective: 'logit', activation: 'none' };

/** Numbers in (-1, 1), from a text alone. */
export function randomNumbers(text: string, count: number): number[] {
  const random = seededRandom(text);
  return Array.from({ length: count }, () => 2 * random() - 1);
}

/**
 * The model from x to y, both float32: its result is unchanged, and its gradient is the limit of difference quotients of
 * the original as ONNX Runtime computes it.
 * @param shape of the whole input x
 * @param original another file of the same model, where the runtime does not take this one
 */
export async function expectSameAsRuntime(
  bytes: Uint8Array,
  shape: readonly number[],
  options: Partial<GradientOptions> = {},
  { tolerance = 3e-3, original: runtimeBytes = bytes }: { tolerance?: number; original?: Uint8Array } = {},
): Promise<GradientModel> {
  const model = buildGradientModel(bytes, { ...plain, ...options });
  const point = randomNumbers(`point ${shape.join()}`, elementCount(shape));
  const original = await openSession(runtimeBytes, false);
  const gradients = await openSession(model.bytes);
  const forward = async (x: readonly number[]): Promise<Float64Array> =>
    numbers((await original.run({ x: floatTensor('float32', x, shape) }))['y']);
  const y = await forward(point);
  const weights = randomNumbers('weights', y.length);
  const [images = 1] = shape;
  const results = await gradients.run({
    [model.inputName]: floatTensor('float32', point, shape),
    [model.seedName]: floatTensor('float32', weights, [images, y.length / images]),
  });
  const outputs = numbers(results[model.outputName]);
  const size = Math.max(1, ...y.map(Math.abs));
  y.forEach((value, index) => expect(outputs[index]).toBeCloseTo(value, 5 - Math.ceil(Math.log10(size))));

  const gradient = numbers(results[model.gradientName]);
  expect(gradient).toHaveLength(point.length);
  const step = 2e-3;
  const slopes: number[] = [];
  for (const [index, value] of point.entries()) {
    const above = await forward(point.with(index, value + step));
    const below = await forward(point.with(index, value - step));
    slopes.push(
      above.reduce((sum, up, at) => sum + ((up - (below[at] ?? 0)) * (weights[at] ?? 0)) / (2 * step), 0),
    );
  }
  await original.release();
  await gradients.release();
  const scale = Math.max(1, ...slopes.map(Math.abs));
  const worst = Math.max(...slopes.map((slope, index) => Math.abs(slope - (gradient[index] ?? NaN))));
  expect(worst, `gradient ${[...gradient].join()}, differences ${slopes.join()}`).toBeLessThan(
    tolerance * scale,
  );
  expect(slopes.some((slope) => Math.abs(slope) > 10 * tolerance)).toBe(true);
  return model;
}
