/** Whether a backend of TensorFlow.js computes what its reference, the cpu backend, computes. */
import type { Tensor, Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import type { BackendTest, TfjsProvider } from '../../../core/contract/device.ts';
import { normalNumbers, randomSource } from '../../../core/metrics/random.ts';
import type { TfjsRuntime } from './runtime.ts';

/** What a net gives at one point, and its gradient there. */
interface Measured {
  outputs: Float32Array;
  gradient: Float32Array;
}

/** Backends round differently (1e-7 to 1e-5); a wrong kernel is wrong in the first digits. */
const tolerance = 1e-3;
/** Where a Relu is so near to 0 that rounding moves it to the other side: 0.7 % was seen in Inception v3, whose every kernel is right. */
const toleranceWithJumps = 1e-2;

export function compare(measured: Measured, reference: Measured): BackendTest {
  const error = Math.max(
    relativeDistance(measured.outputs, reference.outputs),
    relativeDistance(measured.gradient, reference.gradient),
  );
  const greatest = reference.gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const differences = reference.gradient
    .map((value, i) => Math.abs((measured.gradient[i] ?? NaN) - value))
    .sort();
  const p99 = differences[Math.floor(0.99 * (differences.length - 1))] ?? NaN;
  return { error, p99: p99 === 0 ? 0 : p99 / greatest, tolerance };
}

/** A distance that is not a number does not pass. */
export function passes({ error, p99, tolerance: bound }: BackendTest): boolean {
  return error <= bound && p99 <= bound;
}

/** The same figures, held to what is allowed where a Relu jumps. */
export function allowingJumps(test: BackendTest): BackendTest {
  return { ...test, tolerance: toleranceWithJumps };
}

export function passesWithJumps(test: BackendTest): boolean {
  return passes(allowingJumps(test));
}

function relativeDistance(a: Float32Array, b: Float32Array): number {
  let [distance, norm] = [0, 0];
  for (const [i, value] of b.entries()) {
    distance += ((a[i] ?? NaN) - value) ** 2;
    norm += value ** 2;
  }
  return distance === 0 ? 0 : Math.sqrt(distance / norm);
}

/**
 * A net of what image classifiers are made of: convolutions plain and depthwise, batch normalisation, Relu6, both poolings with windows
 * beyond the border and below zero, a residual sum, global average and matrix.
 */
export async function measureFixture(runtime: TfjsRuntime, provider: TfjsProvider): Promise<Measured> {
  const side = 12;
  const random = randomSource(1);
  const numbers = (...shape: number[]): Float32Array =>
    normalNumbers(
      shape.reduce((product, size) => product * size, 1),
      random,
    );
  const parts = {
    image: numbers(1, side, side, 1),
    stem: numbers(3, 3, 1, 8),
    depthwise: numbers(3, 3, 8, 1),
    point: numbers(1, 1, 8, 8),
    mean: numbers(8),
    variance: numbers(8).map((value) => 1 + value ** 2),
    offset: numbers(8),
    scale: numbers(8),
    head: numbers(8, 3),
  };
  const { core } = runtime;
  return runtime.on(provider, () =>
    core.tidy(() => {
      const net = (x: Tensor4D): Tensor => {
        const stem = core.conv2d(x, core.tensor4d(parts.stem, [3, 3, 1, 8]), 1, 'same');
        // Every value below zero.
        const pooled = core.maxPool(
          core.sub<Tensor4D>(stem, core.add(core.max(core.abs(stem)), 1)),
          3,
          2,
          'same',
        );
        const normal = core.batchNorm4d(
          pooled,
          ...([parts.mean, parts.variance, parts.offset, parts.scale].map((each) => core.tensor1d(each)) as [
            Tensor1D,
            Tensor1D,
            Tensor1D,
            Tensor1D,
          ]),
        );
        const depth = core.depthwiseConv2d(normal, core.tensor4d(parts.depthwise, [3, 3, 8, 1]), 1, 'same');
        const point = core.conv2d(core.relu6(depth), core.tensor4d(parts.point, [1, 1, 8, 8]), 1, 'same');
        const sum = core.avgPool(core.add<Tensor4D>(point, normal), 3, 2, 'same');
        return core.matMul(
          core.reshape(core.mean(core.relu(sum), [1, 2]), [1, 8]),
          core.tensor2d(parts.head, [8, 3]),
        );
      };
      const x = core.tensor4d(parts.image, [1, side, side, 1]);
      const outputs = net(x);
      const gradient = core.grad((z) => core.sum(core.mul(net(z as Tensor4D), core.tensor1d([1, -2, 3]))))(x);
      return {
        outputs: outputs.dataSync<'float32'>().slice(),
        gradient: gradient.dataSync<'float32'>().slice(),
      };
    }),
  );
}
