/** Pools. */
import * as attribute from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import { filled } from '../../onnx/builder.ts';
import { elementCount, integers, scalar, tensor } from '../../onnx/tensor.ts';
import type { Windows } from '../../onnx/window.ts';
import { windows } from '../../onnx/window.ts';
import type { Rule } from '../rule.ts';
import { inputs, unary } from '../rule.ts';
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
  const { kernel, output } = pool;
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
  return sumOverWindows(g, pool, g.mul(g.dy, shares));
}

/** For each element of x, the sum over the windows that hold it of one value a window. */
function sumOverWindows(g: Site, pool: Windows, dy: Value): Value {
  const sizes = g.sizes(g.x(), 2);
  const { kernel, strides, dilations, begin, output } = pool;
  const spatial = sizes.map((_, axis) => axis + 2);
  const none = [0, 0];
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
  return g.mul(mean, g.number(elementCount(kernel)));
}

/** y = (sum |x|^p)^(1/p): dx = sign(x) |x|^(p-1) sum(dy y^(1-p)) over the windows that hold it; 0 where all of a window is 0. */
function powerGradient(g: Site, exponent: number, spread: (value: Value) => Value): Value {
  const sign = g.sign(g.x());
  if (exponent === 1) return g.mul(sign, spread(g.dy));
  const power = (value: Value, by: number): Value => (by === 1 ? value : g.op('Pow', [value, g.number(by)]));
  const isZero = g.op('Equal', [g.y(), g.number(0)]);
  const norm = power(g.where(isZero, g.number(1), g.y()), exponent - 1);
  const share = spread(g.div(g.dy, norm));
  return g.mul(exponent === 2 ? g.x() : g.mul(sign, power(g.op('Abs', [g.x()]), exponent - 1)), share);
}

/** All of dy goes to the first of the greatest elements of each channel, as in PyTorch. */
function globalMaxPoolGradient(g: Site): Value {
  const [images = 1, channels = 1] = g.dimensions(g.x());
  const count = elementCount(g.sizes(g.x(), 2));
  const rows = g.reshape(g.x(), [images, channels, count]);
  const first = g.cast(g.op('ArgMax', [rows], { axis: 2 }), 'int32');
  const places = g.constant(tensor('int32', [1, 1, count], [...Array(count).keys()]));
  const winner = g.asNumber(g.op('Equal', [places, first]));
  return g.reshapeLike(g.mul(winner, g.reshape(g.dy, [images, channels, 1])), g.x());
}

/** dy goes to the element that the pool itself reports as greatest: the first of equals. */
function maxPoolGradient(g: Site): Value {
  if (g.kernels === 'gpu') return maxPoolGradientByComparison(g);
  const flat = g.integers([-1]);
  // A pool of its own: ONNX Runtime computes pools without indices far faster, and keeps its layout around them.
  const [, places = ''] = g.ops('MaxPool', [g.x()], 2, Object.fromEntries(g.node.attributes));
  const indices = g.op('Reshape', [places, flat]);
  const updates = g.op('Reshape', [g.dy, flat]);
  const shape = g.op('Shape', [g.x()]);
  const zeros = g.op('Reshape', [g.zerosLike(g.x()), flat]);
  const scattered = g.op('ScatterElements', [zeros, indices, updates], { axis: 0, reduction: 'add' });
  return g.op('Reshape', [scattered, shape]);
}

/** The least float32. */
const LOWEST = -(2 - 2 ** -23) * 2 ** 127;

/** The same without indices, which WebGPU's pool does not report: dy goes to the first element of its window that equals y. */
function maxPoolGradientByComparison(g: Site): Value {
  const sizes = g.sizes(g.x(), 2);
  const { kernel, strides, dilations, begin, output } = poolWindows(g, sizes);
  const spatial = sizes.map((_, axis) => axis + 2);
  const type = g.graph.type(g.x());
  const extent = kernel.map((size, axis) => (size - 1) * (dilations[axis] ?? 1));
  const stretched = output.map((count, axis) => count * (strides[axis] ?? 1));
  const reached = stretched.map((size, axis) => size - (strides[axis] ?? 1) + (extent[axis] ?? 0) + 1);
  const end = reached.map((size, axis) => size - (sizes[axis] ?? 1) - (begin[axis] ?? 0));
  const around = (sides: readonly number[]): number[] => [0, 0, ...sides];

  // One row an image and channel; the elements of a window become its channels, in the order in which the pool reads them.
  const rows = g.reshape(g.x(), ['batch', 1, ...sizes]);
  const pads = g.integers([...around(begin), ...around(end)]);
  const padded = g.op('Pad', [rows, pads, g.constant(scalar(type, LOWEST))]);
  const places = offsetsIn(kernel).map((offset) => {
    const starts = offset.map((at, axis) => at * (dilations[axis] ?? 1));
    const ends = starts.map((start, axis) => start + (stretched[axis] ?? 1) - (strides[axis] ?? 1) + 1);
    return g.slice(padded, spatial, starts, ends, strides);
  });
  const ofWindow = (value: Value): Value => g.reshape(value, ['batch', 1, ...output]);
  const greatest = g.asNumber(g.op('Equal', [g.op('Concat', places, { axis: 1 }), ofWindow(g.y())]));
  const earlier = g.op('CumSum', [greatest, g.constant({ ...integers([1]), shape: [] })], { exclusive: 1 });
  const first = g.mul(greatest, g.op('Relu', [g.sub(g.number(1), earlier)]));

  // Every element gets the sum of what the windows that hold it give to its place in them.
  const given = g.dilate(g.mul(first, ofWindow(g.dy)), spatial, strides);
  const lacking = extent.map((size, axis) => size + 1 - (strides[axis] ?? 1));
  const spread = g.pad(given, around(extent), around(lacking));
  const count = places.length;
  const back = new Float32Array(count * count);
  for (let place = 0; place < count; place++) back[place * count + (count - 1 - place)] = 1;
  const weights = g.constant(tensor(type, [1, count, ...kernel], back));
  const summed = g.op('Conv', [spread, weights], { kernel_shape: kernel, dilations });
  const inside = g.pad(summed, around(begin.map((size) => -size)), around(end.map((size) => -size)));
  return g.reshapeLike(inside, g.x());
}

/** All places in a window, the last axis fastest. */
function offsetsIn(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (offsets, size) => offsets.flatMap((offset) => Array.from({ length: size }, (_, at) => [...offset, at])),
    [[]],
  );
}

/** Where a pool pads by itself, ONNX Runtime leaves dilations out, and centres windows that lie apart; ONNX does neither. */
function refusePadding(g: Site): string | undefined {
  if (!attribute.string(g.node, 'auto_pad', 'NOTSET').startsWith('SAME')) return undefined;
  const sizes = g.sizes(g.x(), 2);
  const { kernel, strides, dilations, output } = poolWindows(g, sizes);
  const isAmbiguous = sizes.some((size, axis) => {
    const [stride = 1, width = 1, count = 1] = [strides[axis], kernel[axis], output[axis]];
    return dilations[axis] !== 1 || (count - 1) * stride + width < size;
  });
  return isAmbiguous ? 'it pads by itself, and is dilated or leaves gaps' : undefined;
}

const PADDED = 'no auto_pad where it is dilated or leaves gaps';

export const pooling = {
  AveragePool: unary(averagePoolGradient, { refuse: refusePadding, limits: PADDED }),
  GlobalAveragePool: unary((g) => g.mul(g.dy, g.number(1 / elementCount(g.sizes(g.x(), 2))))),
  GlobalLpPool: unary((g) => powerGradient(g, attribute.int(g.node, 'p', 2), (value) => value)),
  GlobalMaxPool: unary(globalMaxPoolGradient),
  LpPool: unary(
    (g) =>
      powerGradient(g, attribute.int(g.node, 'p', 2), (value) =>
        sumOverWindows(g, poolWindows(g, g.sizes(g.x(), 2)), value),
      ),
    { refuse: refusePadding, limits: PADDED },
  ),
  MaxPool: unary(maxPoolGradient, {
    refuse: (g) =>
      attribute.int(g.node, 'storage_order', 0) === 1
        ? 'its indices are stored by columns'
        : refusePadding(g),
    limits: `indices stored by rows, ${PADDED}`,
  }),
  // Every element is put at the place that its index states in the whole of y.
  MaxUnpool: inputs(
    (g) => {
      const flat = g.integers([-1]);
      const indices = g.op('Reshape', [g.x(1), flat]);
      const taken = g.op('GatherElements', [g.op('Reshape', [g.dy, flat]), indices], { axis: 0 });
      return g.op('Reshape', [taken, g.op('Shape', [g.x()])]);
    },
    undefined,
    undefined,
  ),
} satisfies Partial<Record<string, Rule>>;
