/** Convolutions: the gradient of a Conv is a ConvTranspose, and the reverse. */
import * as attribute from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import { elementCount } from '../../onnx/tensor.ts';
import { transposedWindows, windows } from '../../onnx/window.ts';
import type { Rule } from '../rule.ts';
import { inputs } from '../rule.ts';
import type { Site } from '../site.ts';

/** [O, C/g, ...] -> [C, O/g, ...], every kernel reversed: what correlates dy into dx at stride 1. */
function reversedKernels(g: Site, group: number): Value {
  const weights = g.x(1);
  const [outputs = 1, channels = 1, ...kernel] = g.sizes(weights, 0);
  const spatial = kernel.map((_, index) => index + 2);
  const flipped = g.flip(
    weights,
    spatial.filter((axis) => kernel[axis - 2] !== 1),
  );
  if (group === 1) return g.transpose(flipped, [1, 0, ...spatial]);
  const grouped = g.reshape(flipped, [group, outputs / group, channels, ...kernel]);
  const exchanged = g.transpose(grouped, [0, 2, 1, ...spatial.map((axis) => axis + 1)]);
  return g.reshape(exchanged, [group * channels, outputs / group, ...kernel]);
}

function convGradient(g: Site): Value {
  const sizes = g.sizes(g.x(), 2);
  const { kernel, strides, dilations, begin, end, output } = windows(g.call, sizes, g.sizes(g.x(1), 2));
  const group = attribute.int(g.node, 'group', 1);
  const extent = kernel.map((size, axis) => (size - 1) * (dilations[axis] ?? 1));
  const spatial = sizes.map((_, axis) => axis + 2);

  // WebGPU's ConvTranspose is of one or two dimensions, and wrong for groups of several channels (onnxruntime 1.30).
  const asConv = g.kernels === 'gpu' && (group > 1 || sizes.length > 2);
  if (strides.every((stride) => stride === 1) || elementCount(kernel) === 1 || asConv) {
    // A stride of s on 1x1 kernels: dx is 0 between the places that were read.
    const spread = g.dilate(g.dy, spatial, strides);
    const before = extent.map((size, axis) => size - (begin[axis] ?? 0));
    const after = extent.map((size, axis) => {
      const stride = strides[axis] ?? 1;
      const stretched = (output[axis] ?? 1) * stride;
      return stride === 1
        ? size - (end[axis] ?? 0)
        : (sizes[axis] ?? 1) + size - stretched - (before[axis] ?? 0);
    });
    // Conv takes no negative padding: what the forward pass padded beyond its kernel is cut off first.
    const cut = (pads: readonly number[]): number[] => [0, 0, ...pads.map((size) => Math.min(size, 0))];
    const kept = (pads: readonly number[]): number[] => pads.map((size) => Math.max(size, 0));
    return g.op('Conv', [g.pad(spread, cut(before), cut(after)), reversedKernels(g, group)], {
      kernel_shape: kernel,
      dilations,
      group,
      pads: [...kept(before), ...kept(after)],
    });
  }

  return g.op('ConvTranspose', [g.dy, g.x(1)], {
    kernel_shape: kernel,
    strides,
    dilations,
    group,
    pads: [...begin, ...end],
    // The rows at the end that no window reached, because the stride does not divide.
    output_padding: sizes.map((size, axis) => {
      const reached = ((output[axis] ?? 1) - 1) * (strides[axis] ?? 1) + (extent[axis] ?? 0) + 1;
      return size + (begin[axis] ?? 0) + (end[axis] ?? 0) - reached;
    }),
  });
}

export const convolution = {
  Conv: inputs(convGradient, undefined, undefined),
  // The weights [C, O/g, ...] are those of the Conv from O to C channels.
  ConvTranspose: inputs(
    (g) => {
      const sizes = g.sizes(g.x(), 2);
      const { kernel, strides, dilations, begin, output } = transposedWindows(
        g.call,
        sizes,
        g.sizes(g.x(1), 2),
      );
      // As much at the end as lets the Conv make x's size: less than nothing where rows were added that nothing reached.
      const end = sizes.map(
        (size, axis) =>
          (size - 1) * (strides[axis] ?? 1) +
          ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) +
          1 -
          (output[axis] ?? 1) -
          (begin[axis] ?? 0),
      );
      const cut = end.map((size) => Math.min(size, 0));
      return g.op('Conv', [g.pad(g.dy, [0, 0, ...cut.map(() => 0)], [0, 0, ...cut]), g.x(1)], {
        kernel_shape: kernel,
        strides,
        dilations,
        group: attribute.int(g.node, 'group', 1),
        pads: [...begin, ...end.map((size) => Math.max(size, 0))],
      });
    },
    undefined,
    undefined,
  ),
} satisfies Partial<Record<string, Rule>>;
