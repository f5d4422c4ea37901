/** Resize: along every axis a linear map of the samples, whose transpose is the gradient. */
import * as attribute from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import { axisOf } from '../../onnx/call.ts';
import { resizing } from '../../onnx/inference.ts';
import { elementCount, tensor } from '../../onnx/tensor.ts';
import type { Rule } from '../rule.ts';
import { inputs } from '../rule.ts';
import { limitTable } from './table-limit.ts';
import type { Site } from '../site.ts';

interface Sampling {
  mode: string;
  transformation: string;
  nearest: string;
  cubic: number;
  excludeOutside: boolean;
  antialias: boolean;
}

/** One axis: how many samples it has, how many it gets, by what factor, and what part of it is taken (tf_crop_and_resize). */
interface Axis {
  from: number;
  to: number;
  scale: number;
  start: number;
  end: number;
}

/** How much of each output every sample takes part in: [from, to] weights of one axis (ONNX Operators.md, Resize). */
function samplingWeights(axis: Axis, sampling: Sampling): Float64Array {
  const { from, to } = axis;
  const weights = new Float64Array(from * to);
  for (let index = 0; index < to; index++) {
    const give = (at: number, weight: number): void => {
      const place = Math.min(Math.max(at, 0), from - 1) * to + index;
      weights[place] = (weights[place] ?? 0) + weight;
    };
    const at = sourceOf(index, axis, sampling.transformation);
    // Beyond the image stands a constant, which no pixel takes part in.
    if (sampling.transformation === 'tf_crop_and_resize' && (at < 0 || at > from - 1)) continue;
    if (sampling.mode === 'nearest') {
      give(nearest(at, sampling.nearest), 1);
      continue;
    }
    const taps = tapsAround(at, axis, sampling);
    const used = sampling.excludeOutside ? taps.filter((tap) => tap.at >= 0 && tap.at < from) : taps;
    const total = used.reduce((sum, { weight }) => sum + weight, 0);
    for (const tap of used) give(tap.at, tap.weight / total);
  }
  return weights;
}

/** The samples that are mixed at a place, each with its weight. */
function tapsAround(at: number, { scale }: Axis, sampling: Sampling): { at: number; weight: number }[] {
  const radius = sampling.mode === 'linear' ? 1 : 2;
  // To shrink without aliasing, the kernel is widened to the samples that one output stands for.
  const stretch = sampling.antialias ? Math.max(1 / scale, 1) : 1;
  const first = Math.ceil(at - radius * stretch);
  const last = Math.floor(at + radius * stretch);
  return Array.from({ length: last - first + 1 }, (_, index) => ({
    at: first + index,
    weight: kernelWeight(Math.abs(first + index - at) / stretch, sampling),
  }));
}

/** The weight of a sample at a distance: a triangle, or Keys' cubic (1981). */
function kernelWeight(distance: number, { mode, cubic: a }: Sampling): number {
  if (mode === 'linear') return Math.max(1 - distance, 0);
  if (distance < 1) return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
  return distance < 2 ? ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a : 0;
}

/** Where an output sample lies among the input's, in float32 as ONNX Runtime computes it: at .5, nearest depends on the last bit. */
function sourceOf(index: number, { from, to, scale, start, end }: Axis, transformation: string): number {
  const f = Math.fround;
  const by = f(scale);
  const halfPixel = f(f(f(index + 0.5) / by) - 0.5);
  switch (transformation) {
    case 'tf_crop_and_resize':
      return to > 1
        ? f(f(f(start) * (from - 1)) + f(f(f(index * f(f(end) - f(start))) * (from - 1)) / (to - 1)))
        : f(f(0.5) * f(f(f(start) + f(end)) * (from - 1)));
    case 'tf_half_pixel_for_nn':
      return f(f(index + 0.5) / by);
    case 'asymmetric':
      return f(index / by);
    case 'align_corners':
      return to === 1 ? 0 : f((index * (from - 1)) / (to - 1));
    case 'pytorch_half_pixel':
      return to > 1 ? halfPixel : 0;
    case 'half_pixel_symmetric':
      // The image's middle stays where it is, though the output was rounded to whole samples. The sum alone is in double.
      return f(f((from / 2) * f(1 - f(to / f(by * from)))) + (index + 0.5) / by - 0.5);
    default:
      return halfPixel;
  }
}

function nearest(at: number, rounding: string): number {
  switch (rounding) {
    case 'floor':
      return Math.floor(at);
    case 'ceil':
      return Math.ceil(at);
    case 'round_prefer_ceil':
      return Math.floor(at + 0.5);
    default:
      return Math.ceil(at - 0.5);
  }
}

/** Every axis of a Resize; the part that is taken is stated for some axes or for all. */
function axesOf(g: Site): Axis[] {
  const { shape } = g.graph.facts(g.x())[0] ?? { shape: [] };
  const { sizes, scales } = resizing(g.call);
  const stated = attribute
    .ints(g.node, 'axes', undefined)
    ?.map((axis) => axisOf(g.call, axis, shape.length)) ?? [...shape.keys()];
  const region = g.has(1) ? g.data(g.x(1))?.data : undefined;
  return shape.map((from, axis) => {
    const at = stated.indexOf(axis);
    const [start = 0, end = 1] = at < 0 ? [] : [region?.[at], region?.[at + stated.length]];
    return { from, to: sizes[axis] ?? from, scale: scales[axis] ?? 1, start, end };
  });
}

/** Multiplies a matrix [rows, n] with one axis of size n of a value. */
export function alongAxis(g: Site, rows: number, matrix: Float64Array, value: Value, axis: number): Value {
  const sizes = g.dimensions(value);
  const columns = matrix.length / rows;
  const weights = g.constant(tensor(g.graph.type(value), [rows, columns], matrix));
  if (axis === sizes.length - 1) return g.op('MatMul', [value, g.transposed(weights)]);
  const after = elementCount(g.sizes(value, axis + 1));
  const product = g.op('MatMul', [weights, g.reshape(value, ['batch', columns, after])]);
  return g.reshape(product, [...sizes.slice(0, axis), rows, ...sizes.slice(axis + 1)]);
}

function resizeGradient(g: Site): Value {
  const from = g.dimensions(g.x());
  const to = g.dimensions(g.y());
  const sampling: Sampling = {
    mode: attribute.string(g.node, 'mode', 'nearest'),
    transformation: attribute.string(g.node, 'coordinate_transformation_mode', 'half_pixel'),
    nearest: attribute.string(g.node, 'nearest_mode', 'round_prefer_floor'),
    cubic: attribute.float(g.node, 'cubic_coeff_a', -0.75),
    excludeOutside: attribute.int(g.node, 'exclude_outside', 0) === 1,
    antialias: attribute.int(g.node, 'antialias', 0) === 1,
  };
  // ONNX Runtime copies an image that keeps its size, whatever the scales and the region.
  if (g.graph.sameShape(g.x(), g.y())) return g.dy;
  const crops = sampling.transformation === 'tf_crop_and_resize';
  let dx = g.dy;
  axesOf(g).forEach((own, axis) => {
    const whole = !crops || (own.start === 0 && own.end === 1);
    // The same of each axis, where it is antialiased.
    const copied = own.scale === 1 || sampling.antialias;
    if (from[axis] === to[axis] && copied && whole) return;
    const table = { ...own, from: g.size(g.x(), axis), to: g.size(g.y(), axis) };
    limitTable(g, table.from * table.to);
    dx = alongAxis(g, table.from, samplingWeights(table, sampling), dx, axis);
  });
  return dx;
}

function refuse(g: Site): string | undefined {
  const transformation = attribute.string(g.node, 'coordinate_transformation_mode', 'half_pixel');
  return transformation === 'tf_crop_and_resize' && g.data(g.x(1)) === undefined
    ? 'the part that it takes depends on the image'
    : undefined;
}

export const resampling = {
  Resize: {
    ...inputs(resizeGradient, undefined, undefined, undefined),
    refuse,
    limits: 'a constant region in tf_crop_and_resize',
  },
} satisfies Partial<Record<string, Rule>>;
