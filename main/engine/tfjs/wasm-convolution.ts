/**
 * The input gradient of convolutions on wasm, as a convolution of the output's gradient with the turned filter: that kernel the backend
 * has from XNNPACK, where its own Conv2DBackpropInput is a plain loop, and where it has none at all for depthwise convolutions.
 */
import type { KernelConfig, Rank, Tensor4D } from '@tensorflow/tfjs-core';
import type { Core } from './libraries.ts';

type Padding = [[number, number], [number, number], [number, number], [number, number]];

interface Attributes {
  strides: number | [number, number];
  pad: 'valid' | 'same' | number | Padding;
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
  dataFormat?: 'NHWC' | 'NCHW';
  dilations?: number | [number, number];
  inputShape: [number, number, number, number];
}

/** Replaces both kernels; what a turned filter cannot say is left to those that were there. */
export function turnConvolutions(core: Core): void {
  replace(core, 'Conv2DBackpropInput', false, (dy, filter, pad) =>
    core.conv2d(dy, core.transpose(turned(core, filter), [0, 1, 3, 2]), 1, pad),
  );
  replace(core, 'DepthwiseConv2dNativeBackpropInput', true, (dy, filter, pad) =>
    core.depthwiseConv2d(dy, turned(core, filter), 1, pad),
  );
}

function turned(core: Core, filter: Tensor4D): Tensor4D {
  const [height, width] = filter.shape;
  return height * width === 1 ? filter : core.reverse(filter, [0, 1]);
}

function replace(
  core: Core,
  kernelName: string,
  depthwise: boolean,
  convolve: (dy: Tensor4D, filter: Tensor4D, pad: Padding) => Tensor4D,
): void {
  const before = core.getKernel(kernelName, 'wasm');
  core.unregisterKernel(kernelName, 'wasm');
  const kernelFunc: KernelConfig['kernelFunc'] = (call) => {
    const { dy, filter } = call.inputs as unknown as { dy: Tensor4D; filter: Tensor4D };
    const [rows, columns] = axesOf(core, call.attrs as unknown as Attributes, filter.shape, depthwise) ?? [];
    if (rows === undefined || columns === undefined) return before.kernelFunc(call);
    return core.tidy(() =>
      convolve(spread(core, dy, rows.stride, columns.stride), filter, [
        [0, 0],
        rows.padding,
        columns.padding,
        [0, 0],
      ]),
    );
  };
  core.registerKernel({ ...before, kernelFunc });
}

interface Axis {
  stride: number;
  /** Around the spread gradient, so that the convolution gives as many values as the input has. */
  padding: [number, number];
}

function axesOf(
  core: Core,
  { strides, pad, dimRoundingMode, dataFormat = 'NHWC', dilations = 1, inputShape }: Attributes,
  filterShape: Tensor4D['shape'],
  depthwise: boolean,
): Axis[] | undefined {
  if (dataFormat !== 'NHWC' || (depthwise && filterShape[3] !== 1)) return undefined;
  const info = core.backend_util.computeConv2DInfo(
    inputShape,
    filterShape,
    strides,
    dilations,
    pad,
    dimRoundingMode,
    depthwise,
  );
  if (info.dilationHeight !== 1 || info.dilationWidth !== 1) return undefined;
  const axis = (size: number, filter: number, stride: number, before: number, count: number): Axis => {
    const spreadSize = (count - 1) * stride + 1;
    return { stride, padding: [filter - 1 - before, size + before - spreadSize] };
  };
  const axes = [
    axis(info.inHeight, info.filterHeight, info.strideHeight, info.padInfo.top, info.outHeight),
    axis(info.inWidth, info.filterWidth, info.strideWidth, info.padInfo.left, info.outWidth),
  ];
  return axes.every(({ padding }) => padding.every((each) => each >= 0)) ? axes : undefined;
}

/** Puts `stride` - 1 zeros between neighbours. */
function spread(core: Core, dy: Tensor4D, rowStride: number, columnStride: number): Tensor4D {
  if (rowStride === 1 && columnStride === 1) return dy;
  const [count, height, width, channels] = dy.shape;
  const apart = core.pad(core.reshape(dy, [count, height, 1, width, 1, channels]), [
    [0, 0],
    [0, 0],
    [0, rowStride - 1],
    [0, 0],
    [0, columnStride - 1],
    [0, 0],
  ]);
  return core.slice(
    core.reshape<Rank.R4>(apart, [count, height * rowStride, width * columnStride, channels]),
    [0, 0, 0, 0],
    [count, (height - 1) * rowStride + 1, (width - 1) * columnStride + 1, channels],
  );
}
