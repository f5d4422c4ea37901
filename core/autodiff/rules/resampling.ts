/** Resize: along every axis a linear map of the samples, whose transpose is the gradient. */
import * as attribute from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import { axisOf } from '../../onnx/call.ts';
import { elementCount, tensor } from '../../onnx/tensor.ts';
import type { Rule } from '../rule.ts';
import type { Site } from '../site.ts';

interface Sampling {
  mode: string;
  transformation: string;
  nearest: string;
  cubic: number;
  excludeOutside: boolean;
}

/** Rows of [output][input] weights of one axis (ONNX Operators.md, Resize). */
function samplingWeights(from: number, to: number, scale: number, sampling: Sampling): number[][] {
  return Array.from({ length: to }, (_, index) => {
    const row = new Array<number>(from).fill(0);
    const place = (at: number): number => Math.min(Math.max(at, 0), from - 1);
    const give = (at: number, weight: number): void => {
      row[place(at)] = (row[place(at)] ?? 0) + weight;
    };
    const at = sourceOf(index, from, to, scale, sampling.transformation);
    const base = Math.floor(at);
    const part = at - base;
    if (sampling.mode === 'nearest') {
      give(nearest(at, sampling.nearest), 1);
    } else if (sampling.mode === 'linear') {
      give(base, 1 - part);
      give(base + 1, part);
    } else {
      const taps = cubicTaps(part, sampling.cubic).map((weight, tap) => ({ at: base - 1 + tap, weight }));
      const used = sampling.excludeOutside ? taps.filter((tap) => tap.at >= 0 && tap.at < from) : taps;
      const total = used.reduce((sum, { weight }) => sum + weight, 0);
      for (const tap of used) give(tap.at, tap.weight / total);
    }
    return row;
  });
}

function sourceOf(index: number, from: number, to: number, scale: number, transformation: string): number {
  switch (transformation) {
    case 'asymmetric':
      return index / scale;
    case 'align_corners':
      return to === 1 ? 0 : (index * (from - 1)) / (to - 1);
    case 'pytorch_half_pixel':
      return to > 1 ? (index + 0.5) / scale - 0.5 : 0;
    case 'half_pixel_symmetric': {
      const offset = (from / 2) * (1 - to / (scale * from));
      return offset + (index + 0.5) / scale - 0.5;
    }
    default:
      return (index + 0.5) / scale - 0.5;
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

/** Weights of the samples at -1, 0, 1 and 2 (Keys 1981). */
function cubicTaps(part: number, a: number): number[] {
  const near = (x: number): number => ((a + 2) * x - (a + 3)) * x * x + 1;
  const far = (x: number): number => ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return [far(part + 1), near(part), near(1 - part), far(2 - part)];
}

/** The scale of every axis, as stated or as the ratio of the sizes. */
function scales(g: Site): number[] {
  const { shape } = g.graph.facts(g.x())[0] ?? { shape: [] };
  const made = g.graph.facts(g.y())[0]?.shape ?? [];
  const stated = g.has(3) ? undefined : g.data(g.x(2));
  const axes = attribute
    .ints(g.node, 'axes', undefined)
    ?.map((axis) => axisOf(g.call, axis, shape.length)) ?? [...shape.keys()];
  return shape.map((size, axis) => stated?.data[axes.indexOf(axis)] ?? (made[axis] ?? 1) / size);
}

/** Multiplies the matrix [a, b] with one axis of size b of a value. */
function alongAxis(g: Site, matrix: readonly (readonly number[])[], value: Value, axis: number): Value {
  const sizes = g.dimensions(value);
  const rows = matrix.length;
  const columns = matrix[0]?.length ?? 0;
  const weights = g.constant(tensor(g.graph.type(value), [rows, columns], matrix.flat()));
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
  };
  let dx = g.dy;
  const factors = scales(g);
  from.forEach((_, axis) => {
    const scale = factors[axis] ?? 1;
    if (from[axis] === to[axis] && scale === 1) return;
    const weights = samplingWeights(g.size(g.x(), axis), g.size(g.y(), axis), scale, sampling);
    const transposed = Array.from({ length: g.size(g.x(), axis) }, (__, source) =>
      weights.map((row) => row[source] ?? 0),
    );
    dx = alongAxis(g, transposed, dx, axis);
  });
  return dx;
}

function refuse(g: Site): string | undefined {
  const transformation = attribute.string(g.node, 'coordinate_transformation_mode', 'half_pixel');
  if (transformation.startsWith('tf_')) return `coordinate_transformation_mode is ${transformation}`;
  if (attribute.int(g.node, 'antialias', 0) === 1) return 'it resizes with antialiasing';
  return undefined;
}

export const resampling = {
  Resize: {
    kind: 'differentiable',
    gradients: (g) => [() => resizeGradient(g), undefined, undefined, undefined],
    refuse,
  },
} satisfies Partial<Record<string, Rule>>;
