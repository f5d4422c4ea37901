/** The gradient of average pooling where windows reach into the padding. */
import type { GradConfig, Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import type { Core } from './libraries.ts';

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
export function averagePool(core: Core, kernelName: string, gradient: string): GradConfig {
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
