/** Pools. */
import * as attribute from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import { filled } from '../../onnx/builder.ts';
import { elementCount, tensor } from '../../onnx/tensor.ts';
import type { Windows } from '../../onnx/window.ts';
import { windows } from '../../onnx/window.ts';
import type { Rule } from '../rule.ts';
import { unary } from '../rule.ts';
import type { Site } from '../site.ts';

function poolWindows(g: Site, sizes: readonly number[]): Windows {
  return windows(g.call, sizes, attribute.ints(g.node, 'kernel_shape', []));
}

/** For each window along one axis, by how many elements its sum is divided. */
function divisors(
  { kernel, strides, dilations, begin, end, output }: Windows,
  axis: number,
  size: number,
  countPadding: boolean,
): number[] {
  const [pad = 0, after = 0, dilation = 1] = [begin[axis], end[axis], dilations[axis]];
  // In ceil mode the last window may reach beyond the padding: what lies there never counts.
  const [first, last] = countPadding ? [-pad, size + after] : [0, size];
  return Array.from({ length: output[axis] ?? 1 }, (_, window) => {
    const start = window * (strides[axis] ?? 1) - pad;
    const places = Array.from({ length: kernel[axis] ?? 1 }, (__, at) => start + at * dilation);
    return places.filter((place) => place >= first && place < last).length;
  });
}

/** dx of an element: the sum of dy / divisor over the windows that hold it. */
function averagePoolGradient(g: Site): Value {
  const sizes = g.sizes(g.x(), 2);
  const pool = poolWindows(g, sizes);
  const { kernel, strides, dilations, begin, output } = pool;
  const spatial = sizes.map((_, axis) => axis + 2);
  const none = [0, 0];

  const countPadding = attribute.int(g.node, 'count_include_pad', 0) === 1;
  const counts = sizes.map((size, axis) => divisors(pool, axis, size, countPadding));
  const whole = elementCount(kernel);
  const uniform = counts.every((list, axis) => list.every((count) => count === kernel[axis]));
  const shares = uniform
    ? g.number(1 / whole)
    : g.constant(
        tensor(
          g.graph.type(g.y()),
          [1, 1, ...output],
          counts.reduce<number[]>(
            (shares, list) => shares.flatMap((share) => list.map((count) => share / count)),
            [1],
          ),
        ),
      );
  const dy = g.mul(g.dy, shares);

  const tiles = kernel.every((size, axis) => size === strides[axis] && dilations[axis] === 1);
  if (tiles) {
    // Windows lie side by side: every dy is repeated over its window.
    const scales = g.constant(tensor('float32', [kernel.length + 2], [1, 1, ...kernel]));
    const repeated = g.op('Resize', [dy, '', scales], {
      mode: 'nearest',
      coordinate_transformation_mode: 'asymmetric',
      nearest_mode: 'floor',
    });
    return g.pad(
      repeated,
      [...none, ...begin.map((size) => -size)],
      [
        ...none,
        ...sizes.map((size, axis) => size + (begin[axis] ?? 0) - (output[axis] ?? 1) * (kernel[axis] ?? 1)),
      ],
    );
  }

  // Windows overlap: spread dy apart by the stride, and sum it over the reversed windows at stride 1.
  const spread = g.dilate(dy, spatial, strides);
  const extent = kernel.map((size, axis) => (size - 1) * (dilations[axis] ?? 1));
  const padded = g.pad(
    spread,
    [...none, ...extent.map((size, axis) => size - (begin[axis] ?? 0))],
    [
      ...none,
      ...extent.map(
        (_, axis) => (sizes[axis] ?? 1) + (begin[axis] ?? 0) - (output[axis] ?? 1) * (strides[axis] ?? 1),
      ),
    ],
  );
  if (dilations.some((dilation) => dilation !== 1)) {
    // ONNX Runtime moves the Pad into a pool, where it then finds it wider than the kernel: a Conv takes it.
    const ones = g.constant(filled(g.graph.type(g.y()), [1, 1, ...kernel], 1));
    const rows = g.reshape(padded, ['batch', 1, ...g.sizes(padded, 2)]);
    return g.reshapeLike(g.op('Conv', [rows, ones], { kernel_shape: kernel, dilations }), g.x());
  }
  const mean = g.op('AveragePool', [padded], { kernel_shape: kernel });
  return g.mul(mean, g.number(whole));
}

/** dy goes to the element that the pool itself reports as greatest. */
function maxPoolGradient(g: Site): Value {
  const flat = g.integers([-1]);
  const indices = g.op('Reshape', [g.graph.output(g.node, 1), flat]);
  const updates = g.op('Reshape', [g.dy, flat]);
  const shape = g.op('Shape', [g.x()]);
  const zeros = g.op('Reshape', [g.zerosLike(g.x()), flat]);
  const scattered = g.op('ScatterElements', [zeros, indices, updates], { axis: 0, reduction: 'add' });
  return g.op('Reshape', [scattered, shape]);
}

export const pooling = {
  AveragePool: unary(averagePoolGradient),
  GlobalAveragePool: unary((g) => g.div(g.dy, g.number(elementCount(g.sizes(g.x(), 2))))),
  // Elements that tie share the gradient.
  GlobalMaxPool: unary((g) => {
    const winners = g.asNumber(g.op('Equal', [g.x(), g.y()]));
    const axes = g.sizes(g.x(), 2).map((_, axis) => axis + 2);
    return g.mul(g.div(g.dy, g.sum(winners, axes)), winners);
  }),
  MaxPool: unary(maxPoolGradient, {
    refuse: (g) =>
      attribute.int(g.node, 'storage_order', 0) === 1 ? 'its indices are stored by columns' : undefined,
  }),
} satisfies Partial<Record<string, Rule>>;
