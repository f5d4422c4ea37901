/**
 * Gradients that TensorFlow.js 4.22 lacks or computes wrongly, made of its own operators, so that they run on every backend.
 * Lacking: StridedSlice, Einsum. Wrong: AvgPool and AvgPool3D where windows reach into the padding (the forward pass divides by the
 * values in the window, the gradient by the window's size), MirrorPad (what was mirrored gets no gradient), Cast to whole numbers (the
 * gradient passes). Needless: that of a convolution with respect to its filter, which a fused convolution computes all the same.
 */
import type { GradConfig, KernelBackend, NamedTensorMap, Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import { PathlightError } from '../../../core/contract/errors.ts';

type Core = typeof import('@tensorflow/tfjs-core');

/** Once a process, before anything is computed. */
export function registerGradients(core: Core): void {
  for (const config of [
    cast(core),
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
  if (core.getKernel(kernelName, backendName) !== undefined) core.unregisterKernel(kernelName, backendName);
  core.registerKernel({
    kernelName,
    backendName,
    kernelFunc({ attrs, backend }) {
      const { filterShape: shape } = attrs as unknown as { filterShape: number[] };
      const values = new Float32Array(core.util.sizeFromShape(shape)).fill(NaN);
      const { write } = backend as KernelBackend & { write: (...of: unknown[]) => object };
      return { dataId: write.call(backend, values, shape, 'float32'), shape, dtype: 'float32' };
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

interface PoolAttributes {
  filterSize: number[] | number;
  strides: number[] | number;
  pad: 'valid' | 'same' | number;
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

/** One axis of a pooling. */
interface Windows {
  size: number;
  filter: number;
  stride: number;
  padding: number;
  count: number;
}

/** dx = AvgPoolGrad(dy * window / values in the window) */
function averagePool(core: Core, kernelName: string, gradient: string): GradConfig {
  return {
    kernelName,
    inputsToSave: ['x'],
    gradFunc: (dy, saved, attributes) => {
      const [x] = saved as [Tensor];
      const { filterSize, strides, pad, dimRoundingMode } = attributes as unknown as PoolAttributes;
      return {
        x: () => {
          const axes =
            kernelName === 'AvgPool'
              ? windows2D(core, x, filterSize, strides, pad, dimRoundingMode)
              : windows3D(core, x, filterSize, strides, pad, dimRoundingMode);
          const factors = axes.map((axis, i) =>
            core.tensor(
              shareOfWindow(axis),
              axes.map((_, j) => (i === j ? axis.count : 1)),
            ),
          );
          const factor = factors.reduce((product, next) => core.mul(product, next));
          const scaled = core.mul(dy as Tensor, core.expandDims(factor, -1));
          return core
            .engine()
            .runKernel<Tensor>(gradient, { dy: scaled, input: x }, { filterSize, strides, pad });
        },
      };
    },
  };
}

type Geometry = [
  filter: PoolAttributes['filterSize'],
  strides: PoolAttributes['strides'],
  pad: PoolAttributes['pad'],
  rounding: PoolAttributes['dimRoundingMode'],
];

function windows2D(core: Core, x: Tensor, ...[filter, strides, pad, rounding]: Geometry): Windows[] {
  const info = core.backend_util.computePool2DInfo(
    x.shape as Tensor4D['shape'],
    filter as [number, number],
    strides as [number, number],
    1,
    pad,
    rounding,
  );
  return [
    windows(info.inHeight, info.filterHeight, info.strideHeight, info.padInfo.top, info.outHeight),
    windows(info.inWidth, info.filterWidth, info.strideWidth, info.padInfo.left, info.outWidth),
  ];
}

function windows3D(core: Core, x: Tensor, ...[filter, strides, pad, rounding]: Geometry): Windows[] {
  const info = core.backend_util.computePool3DInfo(
    x.shape as [number, number, number, number, number],
    filter as [number, number, number],
    strides as [number, number, number],
    1,
    pad,
    rounding,
  );
  return [
    windows(info.inDepth, info.filterDepth, info.strideDepth, info.padInfo.front, info.outDepth),
    windows(info.inHeight, info.filterHeight, info.strideHeight, info.padInfo.top, info.outHeight),
    windows(info.inWidth, info.filterWidth, info.strideWidth, info.padInfo.left, info.outWidth),
  ];
}

const windows = (size: number, filter: number, stride: number, padding: number, count: number): Windows => ({
  size,
  filter,
  stride,
  padding,
  count,
});

/** [count] a window's size, divided by how much of it lies on the image. */
function shareOfWindow({ size, filter, stride, padding, count }: Windows): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => {
    const start = i * stride - padding;
    return filter / (Math.min(start + filter, size) - Math.max(start, 0));
  });
}

/** dx = the inner part of dy, plus each border turned back onto what it mirrors; one axis after the other. */
function mirrorPad(core: Core): GradConfig {
  return {
    kernelName: 'MirrorPad',
    inputsToSave: ['x'],
    gradFunc: (dy, saved, attributes) => {
      const [x] = saved as [Tensor];
      const { paddings, mode } = attributes as unknown as {
        paddings: [number, number][];
        mode: 'reflect' | 'symmetric';
      };
      const edge = mode === 'reflect' ? 1 : 0;
      return {
        x: () =>
          paddings.reduce<Tensor>((rest, [before, after], axis) => {
            const size = x.shape[axis] ?? 0;
            const [first, inner, last] = core.split(rest, [before, size, after], axis) as [
              Tensor,
              Tensor,
              Tensor,
            ];
            const placed = (border: Tensor, at: number, length: number): Tensor =>
              core.pad(
                core.reverse(border, axis),
                rest.shape.map((_, each): [number, number] =>
                  each === axis ? [at, size - at - length] : [0, 0],
                ),
              );
            return core.addN([inner, placed(first, edge, before), placed(last, size - edge - after, after)]);
          }, dy as Tensor),
      };
    },
  };
}

interface SliceAttributes {
  begin: number[];
  end: number[];
  strides: number[];
  beginMask: number;
  endMask: number;
  ellipsisMask: number;
  newAxisMask: number;
  shrinkAxisMask: number;
}

/** dx = dy, surrounded by zeros. */
function stridedSlice(core: Core): GradConfig {
  return {
    kernelName: 'StridedSlice',
    inputsToSave: ['x'],
    gradFunc: (dy, saved, attributes) => {
      const [x] = saved as [Tensor];
      const a = attributes as unknown as SliceAttributes;
      return {
        x: () => {
          const { finalShapeSparse, begin, strides } = core.slice_util.sliceInfo(
            x.shape,
            a.begin,
            a.end,
            a.strides,
            a.beginMask,
            a.endMask,
            a.ellipsisMask,
            a.newAxisMask,
            a.shrinkAxisMask,
          );
          if (strides.some((stride) => stride !== 1)) {
            throw new PathlightError(
              'unsupported',
              `The model takes a slice of its values with steps (${strides.join(', ')}), which has no gradient in TensorFlow.js`,
              'Export the model without strided slices, or as ONNX.',
            );
          }
          return core.pad(
            core.reshape(dy as Tensor, finalShapeSparse),
            x.shape.map((size, axis): [number, number] => {
              const before = begin[axis] ?? 0;
              return [before, size - before - (finalShapeSparse[axis] ?? 0)];
            }),
          );
        },
      };
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
        if (new Set(wanted).size !== wanted.length || [...wanted].some((axis) => !known.includes(axis))) {
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
      return gradients as unknown as NamedTensorMap & Record<string, () => Tensor>;
    },
  };
}
