/** Convolutions: the gradient of a Conv is a ConvTranspose, and the reverse. */
import * as attribute from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import { elementCount, tensor } from '../../onnx/tensor.ts';
import { transposedWindows, windows } from '../../onnx/window.ts';
import { BLOCK } from '../blocked-layout.ts';
import type { Rule } from '../rule.ts';
import { inputs } from '../rule.ts';
import type { Site } from '../site.ts';
import { limitTable } from './table-limit.ts';

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

/** Which taps of a strided kernel one place of a block of dx sees, along one axis. */
interface Phase {
  /** The first weight; further ones follow a stride apart. */
  first: number;
  /** The place of dy that meets the first weight, relative to the block's first; further ones lie before it. */
  place: number;
}

/**
 * At a stride of s, each of the s x s places of a block of dx sees kernels of its own: every s-th weight, begun at that place. So dx is a
 * convolution of dy at stride 1 with s x s times the channels, which are then put in their places. Blocks of (m s) x (m s), at a stride of
 * m, fill the runtime's blocks of channels, which otherwise hold zeros, where the image has few.
 * @returns undefined for other than square strides within the kernel on images, dilated kernels, and weights that are not constant
 */
function subpixelGradient(g: Site): Value | undefined {
  const sizes = g.sizes(g.x(), 2);
  const { kernel, strides, dilations, begin, output } = windows(g.call, sizes, g.sizes(g.x(1), 2));
  const [stride = 1, other = 1] = strides;
  const weights = g.data(g.x(1));
  if (weights === undefined || sizes.length !== 2 || stride !== other) return undefined;
  // Beyond the kernel most places would see no weight.
  if (kernel.some((size) => size < stride)) return undefined;
  if (dilations.some((dilation) => dilation !== 1)) return undefined;
  const [outputs = 1, channels = 1, rows = 1, columns = 1] = weights.shape;
  const divided = [1, 2].map((step) => {
    const side = step * stride;
    const axes = sizes.map((_, axis) => phasesOf(kernel[axis] ?? 1, stride, side, begin[axis] ?? 0));
    const taps = axes.map(({ before, after }) => before + after + 1);
    const blocks = sizes.map((size) => Math.ceil(size / side));
    const work = elementCount(blocks) * elementCount(taps) * Math.ceil((side * side * channels) / BLOCK);
    return { step, side, axes, taps, blocks, work };
  });
  const { step, side, axes, blocks } = divided.reduce((a, b) => (b.work < a.work ? b : a));
  const [down, across] = axes;
  if (down === undefined || across === undefined) return undefined;

  /** The places of some phases, from their kernels of so many taps; each phase takes as many channels as x has. */
  const parts = (vertical: Phases, horizontal: Phases): Value => {
    const own = [vertical, horizontal];
    const taps = own.map(({ before, after }) => before + after + 1);
    const [tapsDown = 1, tapsAcross = 1] = taps;
    const count = vertical.phases.length * horizontal.phases.length * channels;
    const kernels = new Float64Array(count * outputs * tapsDown * tapsAcross);
    let at = 0;
    for (const v of vertical.phases) {
      for (const h of horizontal.phases) {
        for (let plane = 0; plane < channels * outputs; plane++) {
          const from = ((plane % outputs) * channels + Math.floor(plane / outputs)) * rows * columns;
          for (let tap = 0; tap < tapsDown * tapsAcross; tap++, at++) {
            const y = weightAt(v, Math.floor(tap / tapsAcross) - vertical.before, stride, rows);
            const x = weightAt(h, (tap % tapsAcross) - horizontal.before, stride, columns);
            if (y !== undefined && x !== undefined) kernels[at] = weights.data[from + y * columns + x] ?? 0;
          }
        }
      }
    }
    const kernel = g.constant(tensor(weights.type, [count, outputs, ...taps], kernels));
    const missing = own.map(
      ({ after }, axis) => step * ((blocks[axis] ?? 1) - 1) + 1 + after - (output[axis] ?? 1),
    );
    return padded(
      g,
      g.dy,
      own.map(({ before }) => before),
      missing,
      (dy, pads) => g.op('Conv', [dy, kernel], { kernel_shape: taps, strides: [step, step], pads }),
    );
  };
  // Phases see different numbers of taps: where each fills the runtime's blocks of channels, it is convolved with its own.
  const separate = channels % BLOCK === 0;
  const together = separate
    ? g.op(
        'Concat',
        down.phases.flatMap((v) =>
          across.phases.map((h) =>
            parts(spanOf([v], kernel[0] ?? 1, stride), spanOf([h], kernel[1] ?? 1, stride)),
          ),
        ),
        { axis: 1 },
      )
    : parts(down, across);
  const whole = g.op('DepthToSpace', [together], { blocksize: side, mode: 'DCR' });
  return g.pad(whole, [0, 0, 0, 0], [0, 0, ...sizes.map((size, axis) => size - (blocks[axis] ?? 1) * side)]);
}

/** Phases, and how many places of dy before and after the block's first they see. */
interface Phases {
  phases: readonly Phase[];
  before: number;
  after: number;
}

/** The phases of a block of dx of so many elements. */
function phasesOf(kernel: number, stride: number, side: number, begin: number): Phases {
  const phases = Array.from({ length: side }, (_, at) => ({
    first: (at + begin) % stride,
    place: Math.floor((at + begin) / stride),
  }));
  return spanOf(phases, kernel, stride);
}

function spanOf(phases: readonly Phase[], kernel: number, stride: number): Phases {
  const earliest = phases.map(
    ({ first, place }) => place - Math.max(0, Math.ceil((kernel - first) / stride) - 1),
  );
  return { phases, before: -Math.min(...earliest), after: Math.max(...phases.map(({ place }) => place)) };
}

/** The weight that a phase puts on the place of dy at this distance; undefined: none. */
function weightAt(
  { first, place }: Phase,
  distance: number,
  stride: number,
  size: number,
): number | undefined {
  const weight = first + stride * (place - distance);
  return weight >= first && weight < size ? weight : undefined;
}

/** Conv takes no negative padding: what lies beyond its windows is cut off first. */
function padded(
  g: Site,
  value: Value,
  begin: readonly number[],
  end: readonly number[],
  conv: (value: Value, pads: number[]) => Value,
): Value {
  const cut = (pads: readonly number[]): number[] => [0, 0, ...pads.map((size) => Math.min(size, 0))];
  const kept = (pads: readonly number[]): number[] => pads.map((size) => Math.max(size, 0));
  return conv(g.pad(value, cut(begin), cut(end)), [...kept(begin), ...kept(end)]);
}

function convGradient(g: Site): Value {
  const sizes = g.sizes(g.x(), 2);
  const { kernel, strides, dilations, begin, output } = windows(g.call, sizes, g.sizes(g.x(1), 2));
  const group = attribute.int(g.node, 'group', 1);
  const extent = kernel.map((size, axis) => (size - 1) * (dilations[axis] ?? 1));
  const correlated = (dy: Value, pads: readonly number[]): Value =>
    g.op('Conv', [dy, reversedKernels(g, group)], { kernel_shape: kernel, dilations, group, pads });

  const dense = strides.every((stride) => stride === 1);
  if (!dense && elementCount(kernel) === 1) {
    // dx is 0 between the places that were read, so it is spread last, when there is least to compute.
    return spread(
      g,
      correlated(g.dy, [...kernel, ...kernel].fill(0)),
      strides,
      begin.map((size) => -size),
      sizes,
    );
  }
  // WebGPU's ConvTranspose is of one or two dimensions, and wrong for groups of several channels (onnxruntime 1.30).
  const asConv = g.kernels === 'gpu' && (group > 1 || sizes.length > 2);
  if (!dense && !asConv && (group === 1 || dilations.some((dilation) => dilation !== 1))) {
    return (g.kernels === 'cpu' ? subpixelGradient(g) : undefined) ?? transposedConv(g);
  }
  const apart = output.map((size, axis) => size * (strides[axis] ?? 1));
  const dy = dense
    ? g.dy
    : spread(
        g,
        g.dy,
        strides,
        begin.map(() => 0),
        apart,
      );
  const before = extent.map((size, axis) => size - (begin[axis] ?? 0));
  const after = sizes.map((size, axis) => size + (begin[axis] ?? 0) - (apart[axis] ?? 1));
  return padded(g, dy, before, after, correlated);
}

/**
 * Elements put `strides` apart, the first at `begin`, in zeros of the given sizes. The last axis by a product with a matrix of zeros and
 * ones: ONNX Runtime pads single elements several times as slowly.
 */
function spread(
  g: Site,
  value: Value,
  strides: readonly number[],
  begin: readonly number[],
  sizes: readonly number[],
): Value {
  const last = sizes.length - 1;
  const [width, wide] = [g.size(value, last + 2), sizes[last] ?? 1];
  limitTable(g, width * wide);
  const places = new Float64Array(width * wide);
  for (let column = 0; column < width; column++) {
    const place = column * (strides[last] ?? 1) + (begin[last] ?? 0);
    if (place >= 0 && place < wide) places[column * wide + place] = 1;
  }
  const columns = g.constant(tensor(g.graph.type(value), [width, wide], places));
  const rows = [...sizes.keys()].slice(0, -1).map((axis) => axis + 2);
  const apart = g.dilate(g.op('MatMul', [value, columns]), rows, strides.slice(0, -1));
  const shift = [0, 0, ...begin.slice(0, -1), 0];
  const end = shift.map((size, axis) =>
    rows.includes(axis) ? (sizes[axis - 2] ?? 1) - size - g.size(apart, axis) : 0,
  );
  return g.pad(apart, shift, end);
}

/** dx as ONNX itself states it: right for every form, and slow on a CPU. */
function transposedConv(g: Site): Value {
  const sizes = g.sizes(g.x(), 2);
  const { kernel, strides, dilations, begin, end, output } = windows(g.call, sizes, g.sizes(g.x(1), 2));
  const extent = kernel.map((size, axis) => (size - 1) * (dilations[axis] ?? 1));
  return g.op('ConvTranspose', [g.dy, g.x(1)], {
    kernel_shape: kernel,
    strides,
    dilations,
    group: attribute.int(g.node, 'group', 1),
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
