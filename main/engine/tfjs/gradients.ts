/**
 * Gradients that TensorFlow.js 4.22 lacks or computes wrongly, made of its own operators, so that they run on every backend.
 * Lacking: StridedSlice, Einsum, most comparisons. Wrong: AvgPool and AvgPool3D where windows reach into the padding (the forward pass
 * divides by the values in the window, the gradient by the window's size), both resizings, MirrorPad (what was mirrored gets no
 * gradient), Cumsum along any but the last axis, Cast to whole numbers (the gradient passes). Slow: FusedBatchNorm. Needless: that of
 * a convolution with respect to its filter, which a fused convolution computes all the same.
 */
import type { GradConfig, Tensor } from '@tensorflow/tfjs-core';
import { PathlightError } from '../../../core/contract/errors.ts';
import { averagePool } from './gradient-average-pool.ts';
import { bilinear, mirrorPad, nearest, resize, stridedSlice } from './gradient-movement.ts';
import type { Core } from './libraries.ts';
import type { NumberStore } from './wasm-kernels.ts';

/** Once a process, before anything is computed. */
export function registerGradients(core: Core): void {
  for (const config of [
    ...stepFunctions.map(([kernelName, inputs]) => withoutGradient(core, kernelName, inputs)),
    cast(core),
    batchNormalization(core),
    cumsum(core),
    resize(core, 'ResizeBilinear', bilinear),
    resize(core, 'ResizeNearestNeighbor', nearest),
    maxPool3D(core),
    averagePool(core, 'AvgPool', 'AvgPoolGrad'),
    averagePool(core, 'AvgPool3D', 'AvgPool3DGrad'),
    mirrorPad(core),
    stridedSlice(core),
    einsum(core),
  ]) {
    core.registerGradient(config);
  }
}

/**
 * Lets a backend answer NaN where it is asked for a convolution's gradient with respect to its filter. It costs as much as the forward
 * pass, and a fused convolution asks for it although only the image's gradient is wanted. Where a filter itself depends on the image the
 * result would not be finite, which is refused.
 */
export function skipFilterGradients(core: Core, backendName: string): void {
  const kernelName = 'Conv2DBackpropFilter';
  core.unregisterKernel(kernelName, backendName);
  core.registerKernel({
    kernelName,
    backendName,
    kernelFunc({ attrs, backend }) {
      const { filterShape: shape } = attrs as unknown as { filterShape: number[] };
      const values = new Float32Array(core.util.sizeFromShape(shape)).fill(NaN);
      const store = backend as unknown as NumberStore;
      return { dataId: store.write(values, shape, 'float32'), shape, dtype: 'float32' };
    },
  });
}

/** dx = dy, or nothing where the values are rounded to whole numbers */
function cast(core: Core): GradConfig {
  return {
    kernelName: 'Cast',
    gradFunc: (dy, _, { dtype }) => ({
      x: () => (dtype === 'float32' ? core.clone(dy as Tensor) : core.zerosLike(dy as Tensor)),
    }),
  };
}

/** Kernels whose values jump, and what their inputs are called. */
const stepFunctions: readonly [kernelName: string, inputs: string[]][] = [
  ...['Equal', 'FloorDiv', 'Greater', 'Less', 'LessEqual', 'LogicalAnd', 'LogicalOr', 'NotEqual'].map(
    (kernelName): [string, string[]] => [kernelName, ['a', 'b']],
  ),
  ...['All', 'Any', 'LogicalNot'].map((kernelName): [string, string[]] => [kernelName, ['x']]),
];

function withoutGradient(core: Core, kernelName: string, inputs: string[]): GradConfig {
  return {
    kernelName,
    inputsToSave: inputs,
    gradFunc: (_, saved) =>
      Object.fromEntries(inputs.map((name, i) => [name, () => core.zeros(saved[i]?.shape ?? [])])),
  };
}

/** dx = dy scale / sqrt(variance + epsilon). TensorFlow.js writes the factor out in the size of x, and more that only training needs. */
function batchNormalization(core: Core): GradConfig {
  return {
    kernelName: 'FusedBatchNorm',
    inputsToSave: ['variance', 'scale'],
    gradFunc: (dy, saved, attributes) => {
      const [variance, scale] = saved as [Tensor, Tensor];
      const { varianceEpsilon } = attributes as unknown as { varianceEpsilon: number };
      return {
        x: () => core.mul(dy as Tensor, core.mul(scale, core.rsqrt(core.add(variance, varianceEpsilon)))),
      };
    },
  };
}

/** As TensorFlow.js has it, where it is right: the cpu backend takes a window's height for its width. */
function maxPool3D(core: Core): GradConfig {
  const own = core.getGradient('MaxPool3D');
  return {
    ...own,
    gradFunc: (dy, saved, attributes) => {
      const { filterSize } = attributes as unknown as { filterSize: number | [number, number, number] };
      const [, height, width] = typeof filterSize === 'number' ? [] : filterSize;
      if (height === width) return own.gradFunc(dy, saved, attributes);
      throw new PathlightError(
        'unsupported',
        `The model takes the maximum over windows of ${String(filterSize).replaceAll(',', ' x ')}, whose gradient TensorFlow.js computes wrongly`,
        'Export the model as ONNX.',
      );
    },
  };
}

/** dx = the sum of dy from the other end */
function cumsum(core: Core): GradConfig {
  return {
    kernelName: 'Cumsum',
    inputsToSave: [],
    gradFunc: (dy, _, attributes) => {
      const { axis, exclusive, reverse } = attributes as unknown as {
        axis: number;
        exclusive: boolean;
        reverse: boolean;
      };
      return { x: () => core.cumsum(dy as Tensor, axis, exclusive, !reverse) };
    },
  };
}

/** y = einsum('a,b->o') has da = einsum('o,b->a') and db = einsum('o,a->b'). */
function einsum(core: Core): GradConfig {
  return {
    kernelName: 'Einsum',
    saveAllInputs: true,
    gradFunc: (dy, saved, attributes) => {
      const { equation } = attributes as unknown as { equation: string };
      const [inputs = '', output = ''] = equation.replaceAll(' ', '').split('->');
      const operands = inputs.split(',');
      const gradientOf = (own: number): Tensor => {
        const wanted = operands[own] ?? '';
        const others = operands.filter((_, i) => i !== own);
        const known = [output, ...others].join('');
        if (
          new Set(wanted).size !== wanted.length ||
          Array.from(wanted).some((axis) => !known.includes(axis))
        ) {
          throw new PathlightError(
            'unsupported',
            `The model's Einsum '${equation}' sums over an axis of one operand alone, which has no gradient here`,
            'Export the model as ONNX.',
          );
        }
        return core.einsum(
          `${[output, ...others].join(',')}->${wanted}`,
          dy as Tensor,
          ...saved.filter((_, i) => i !== own),
        );
      };
      const gradients: Record<string, () => Tensor> = {};
      for (const i of saved.keys()) gradients[i] = () => gradientOf(i);
      return gradients;
    },
  };
}
