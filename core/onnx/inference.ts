/** What each operator makes of the types and shapes of its inputs (ONNX Operators.md). */
import * as attribute from './attributes.ts';
import type { Call, Fact } from './call.ts';
import {
  axesOf,
  axisOf,
  broadcast,
  input,
  malformed,
  notHandled,
  optionalValues,
  reducedAxes,
  values,
} from './call.ts';
import { elementType } from './file.ts';
import type { ElementType } from './tensor.ts';
import { elementCount } from './tensor.ts';
import { transposedWindows, windows } from './window.ts';

/** One fact an output; a node may use fewer of them. */
type Inference = (call: Call) => readonly Fact[];

const like: Inference = (call) => [{ type: input(call, 0).type, shape: input(call, 0).shape }];
const test: Inference = (call) => [{ type: 'bool', shape: input(call, 0).shape }];

function combined(type: ElementType | undefined): Inference {
  return (call) => [
    {
      type: type ?? input(call, 0).type,
      shape: broadcast(call, ...call.inputs.map((_, index) => input(call, index).shape)),
    },
  ];
}
const arithmetic = combined(undefined);
const comparison = combined('bool');

const reduction: Inference = (call) => {
  const { type, shape } = input(call, 0);
  return [{ type, shape: withoutAxes(call, shape, reducedAxes(call)) }];
};

function withoutAxes(call: Call, shape: readonly number[], axes: readonly number[]): number[] {
  return attribute.int(call.node, 'keepdims', 1) === 1
    ? shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
    : shape.filter((_, axis) => !axes.includes(axis));
}

const argument: Inference = (call) => {
  const { shape } = input(call, 0);
  const axis = axisOf(call, attribute.int(call.node, 'axis', 0), shape.length);
  return [{ type: 'int64', shape: withoutAxes(call, shape, [axis]) }];
};

const pool: Inference = (call) => {
  const { type, shape } = input(call, 0);
  const kernel = attribute.ints(call.node, 'kernel_shape', []);
  const output = [...shape.slice(0, 2), ...windows(call, shape.slice(2), kernel).output];
  return [
    { type, shape: output },
    { type: 'int64', shape: output },
  ];
};

const globalPool: Inference = (call) => {
  const { type, shape } = input(call, 0);
  return [{ type, shape: shape.map((size, axis) => (axis < 2 ? size : 1)) }];
};

function castTo(call: Call): ElementType {
  const type = elementType(attribute.int(call.node, 'to', 0));
  if (type === undefined)
    throw notHandled(call, 'it casts to an element type that Pathlight does not handle');
  return type;
}

/** The sizes that a Resize makes, and by how much it stretches every axis. */
export function resizing(call: Call): { sizes: readonly number[]; scales: readonly number[] } {
  const { shape } = input(call, 0);
  const axes = attribute
    .ints(call.node, 'axes', undefined)
    ?.map((axis) => axisOf(call, axis, shape.length)) ?? [...shape.keys()];
  const spread = (stated: readonly number[], otherwise: (axis: number) => number): number[] =>
    shape.map((_, axis) => stated[axes.indexOf(axis)] ?? otherwise(axis));
  const stated = optionalValues(call, 3) ?? [];
  if (stated.length > 0) {
    const wanted = spread(stated, (axis) => shape[axis] ?? 1);
    const ratios = shape.map((size, axis) => (wanted[axis] ?? 1) / size);
    const policy = attribute.string(call.node, 'keep_aspect_ratio_policy', 'stretch');
    if (policy === 'stretch') return { sizes: wanted, scales: ratios };
    const own = axes.map((axis) => ratios[axis] ?? 1);
    const scale = policy === 'not_larger' ? Math.min(...own) : Math.max(...own);
    return {
      sizes: shape.map((size, axis) =>
        axes.includes(axis) ? Math.floor(Math.fround(scale * size) + 0.5) : size,
      ),
      scales: shape.map((_, axis) => (axes.includes(axis) ? scale : 1)),
    };
  }
  const factors = optionalValues(call, 2) ?? [];
  if (factors.length !== axes.length) throw malformed(call, 'it states neither sizes nor scales that fit');
  const scales = spread(factors, () => 1);
  // In float32, as ONNX computes it: 6 times 7/3 is 14 there, and less in double precision.
  return { sizes: shape.map((size, axis) => Math.floor(Math.fround(size * (scales[axis] ?? 1)))), scales };
}

/** The start, step and count of a Slice along every axis. */
export function sliceRanges(call: Call): { start: number; step: number; count: number }[] {
  const { shape } = input(call, 0);
  const starts = attribute.ints(call.node, 'starts', undefined) ?? values(call, 1);
  const ends = attribute.ints(call.node, 'ends', undefined) ?? values(call, 2);
  const axes = attribute.ints(call.node, 'axes', undefined) ?? optionalValues(call, 3) ?? [...starts.keys()];
  const steps = optionalValues(call, 4);
  const ranges = shape.map((count) => ({ start: 0, step: 1, count }));
  axes.forEach((stated, index) => {
    const axis = axisOf(call, stated, shape.length);
    const size = shape[axis] ?? 0;
    const step = steps?.[index] ?? 1;
    if (step === 0) throw malformed(call, 'a step is 0');
    const place = (at: number): number => (at < 0 ? at + size : at);
    // ONNX clamps to [0, size] going forward, to [-1, size - 1] going backward.
    const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
    const start = Math.min(Math.max(place(starts[index] ?? 0), 0), high);
    const end = Math.min(Math.max(place(ends[index] ?? 0), low), high);
    ranges[axis] = { start, step, count: Math.max(Math.ceil((end - start) / step), 0) };
  });
  return ranges;
}

/** Paddings at the beginning and the end of every axis. */
export function padding(call: Call): { begin: number[]; end: number[] } {
  const { shape } = input(call, 0);
  const pads =
    attribute.ints(call.node, 'pads', undefined) ??
    attribute.ints(call.node, 'paddings', undefined) ??
    values(call, 1);
  const axes = optionalValues(call, 3)?.map((axis) => axisOf(call, axis, shape.length)) ?? [...shape.keys()];
  if (pads.length !== 2 * axes.length) throw malformed(call, `${pads.length} pads do not fit`);
  const begin = shape.map((_, axis) => pads[axes.indexOf(axis)] ?? 0);
  const end = shape.map((_, axis) =>
    axes.includes(axis) ? (pads[axes.indexOf(axis) + axes.length] ?? 0) : 0,
  );
  return { begin, end };
}

/** The sizes that a CenterCropPad makes. */
function centredSizes(call: Call): number[] {
  const { shape } = input(call, 0);
  const wanted = values(call, 1);
  const axes = attribute
    .ints(call.node, 'axes', undefined)
    ?.map((axis) => axisOf(call, axis, shape.length)) ?? [...shape.keys()];
  if (axes.length !== wanted.length) throw malformed(call, 'its sizes do not fit its axes');
  return shape.map((size, axis) => wanted[axes.indexOf(axis)] ?? size);
}

/** The places that a Compress keeps, along its axis or of all elements in a row. */
export function chosenPlaces(call: Call): number[] {
  return values(call, 1).flatMap((chosen, place) => (chosen === 0 ? [] : [place]));
}

/** The sizes of what a MaxUnpool undoes the pool of. */
function unpooledSizes(call: Call, sizes: readonly number[], kernel: readonly number[]): number[] {
  const pads = attribute.ints(call.node, 'pads', []);
  const strides = attribute.ints(call.node, 'strides', []);
  return sizes.map(
    (size, axis) =>
      (size - 1) * (strides[axis] ?? 1) +
      (kernel[axis] ?? 1) -
      (pads[axis] ?? 0) -
      (pads[axis + sizes.length] ?? 0),
  );
}

/** The sizes into which a Split cuts its axis. */
export function splitSizes(call: Call): readonly number[] {
  const { shape } = input(call, 0);
  const size = shape[axisOf(call, attribute.int(call.node, 'axis', 0), shape.length)] ?? 0;
  const stated = attribute.ints(call.node, 'split', undefined) ?? optionalValues(call, 1);
  if (stated !== undefined) {
    if (stated.reduce((sum, part) => sum + part, 0) !== size)
      throw malformed(call, 'its parts do not add up');
    return stated;
  }
  const count = call.node.outputs.length;
  const part = Math.ceil(size / count);
  return call.node.outputs.map((_, index) => Math.max(Math.min(part, size - index * part), 0));
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

interface Labels {
  readonly operands: readonly (readonly string[])[];
  readonly result: readonly string[];
  /** Those that stand for the axes of an ellipsis, which alone broadcast. */
  readonly ellipsis: readonly string[];
}

/** Characters of an Einsum's equation. */
const LONGEST_EQUATION = 1000;

/** The labels of an Einsum's operands and of its result, one letter an axis. */
export function einsumLabels(call: Call): Labels {
  const equation = attribute.string(call.node, 'equation', '').replaceAll(' ', '');
  if (equation.length > LONGEST_EQUATION) throw malformed(call, 'its equation has no end');
  const [left = '', right] = equation.split('->');
  const terms = left.split(',');
  const free = Array.from(LETTERS).filter((letter) => !equation.includes(letter));
  // Axes under an ellipsis are aligned at their end.
  const hidden = terms.map((term, index) =>
    term.includes('...') ? input(call, index).shape.length - (term.length - 3) : 0,
  );
  const most = Math.max(...hidden);
  if (hidden.some((count) => count < 0) || most > free.length)
    throw malformed(call, 'the equation does not fit');
  const ellipsis = free.slice(0, most);
  const expanded = (term: string, count: number): string[] =>
    Array.from(term.replace('...', ellipsis.slice(most - count).join('')));
  const operands = terms.map((term, index) => expanded(term, hidden[index] ?? 0));
  // Without an arrow: the axes of the ellipsis, then the labels that occur once, in alphabetical order.
  const labels = Array.from(left.replaceAll(/[.,]/g, ''));
  const once = labels.filter((label) => labels.indexOf(label) === labels.lastIndexOf(label)).sort();
  const result = right === undefined ? [...ellipsis, ...once] : expanded(right, most);
  return { operands, result, ellipsis };
}

function matrixProduct(call: Call): number[] {
  const a = input(call, 0).shape;
  const b = input(call, 1).shape;
  if (a.length === 0 || b.length === 0) throw malformed(call, 'a scalar is not a matrix');
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  const [rows = 1, inner] = left.slice(-2);
  const [depth, columns = 1] = right.slice(-2);
  if (inner !== depth) throw malformed(call, 'the inner sizes differ');
  const product = broadcast(call, left.slice(0, -2), right.slice(0, -2));
  if (a.length > 1) product.push(rows);
  if (b.length > 1) product.push(columns);
  return product;
}

function sameExceptAxis(call: Call, axis: number): number[] {
  const { shape } = input(call, 0);
  let total = 0;
  for (const [index] of call.inputs.entries()) {
    const other = input(call, index).shape;
    if (other.length !== shape.length || other.some((size, at) => at !== axis && size !== shape[at])) {
      throw malformed(call, 'the shapes differ off the axis');
    }
    total += other[axis] ?? 0;
  }
  return shape.map((size, at) => (at === axis ? total : size));
}

export const inferences = {
  Abs: like,
  Acos: like,
  Acosh: like,
  Add: arithmetic,
  AffineGrid: (call) => {
    const [n = 1, , ...spatial] = values(call, 1);
    return [{ type: input(call, 0).type, shape: [n, ...spatial, spatial.length] }];
  },
  And: comparison,
  ArgMax: argument,
  ArgMin: argument,
  Asin: like,
  Asinh: like,
  Atan: like,
  Atanh: like,
  AveragePool: pool,
  // In training it also gives the statistics of the batch.
  BatchNormalization: (call) => [
    ...like(call),
    ...Array.from({ length: 4 }, () => ({ type: input(call, 3).type, shape: input(call, 3).shape })),
  ],
  BitShift: arithmetic,
  BitwiseAnd: arithmetic,
  BitwiseNot: like,
  BitwiseOr: arithmetic,
  BitwiseXor: arithmetic,
  Cast: (call) => [{ type: castTo(call), shape: input(call, 0).shape }],
  CastLike: (call) => [{ type: input(call, 1).type, shape: input(call, 0).shape }],
  Ceil: like,
  Celu: like,
  CenterCropPad: (call) => [{ type: input(call, 0).type, shape: centredSizes(call) }],
  Clip: like,
  Col2Im: (call) => {
    const { type, shape } = input(call, 0);
    const block = elementCount(values(call, 2));
    return [{ type, shape: [shape[0] ?? 1, (shape[1] ?? 1) / block, ...values(call, 1)] }];
  },
  Compress: (call) => {
    const { type, shape } = input(call, 0);
    const count = chosenPlaces(call).length;
    const axis = attribute.int(call.node, 'axis', undefined);
    if (axis === undefined) return [{ type, shape: [count] }];
    return [{ type, shape: shape.with(axisOf(call, axis, shape.length), count) }];
  },
  Concat: (call) => {
    const { type, shape } = input(call, 0);
    return [
      { type, shape: sameExceptAxis(call, axisOf(call, attribute.int(call.node, 'axis', 0), shape.length)) },
    ];
  },
  Constant: (call) => {
    const { node } = call;
    const value = attribute.tensorAttribute(node, 'value', undefined);
    if (value !== undefined) return [{ type: value.type, shape: value.shape }];
    if (attribute.float(node, 'value_float', undefined) !== undefined)
      return [{ type: 'float32', shape: [] }];
    if (attribute.int(node, 'value_int', undefined) !== undefined) return [{ type: 'int64', shape: [] }];
    const whole = attribute.ints(node, 'value_ints', undefined);
    if (whole !== undefined) return [{ type: 'int64', shape: [whole.length] }];
    const real = attribute.floats(node, 'value_floats', undefined);
    if (real !== undefined) return [{ type: 'float32', shape: [real.length] }];
    throw notHandled(call, 'its value is neither numbers nor a tensor of them');
  },
  ConstantOfShape: (call) => [
    {
      type: attribute.tensorAttribute(call.node, 'value', undefined)?.type ?? 'float32',
      shape: values(call, 0),
    },
  ],
  Conv: (call) => {
    const { type, shape } = input(call, 0);
    const weights = input(call, 1).shape;
    const group = attribute.int(call.node, 'group', 1);
    const fits = (weights[1] ?? 0) * group === shape[1] && (weights[0] ?? 0) % group === 0;
    if (weights.length !== shape.length || !fits) {
      throw malformed(call, 'the weights do not fit the input');
    }
    const { output } = windows(call, shape.slice(2), weights.slice(2));
    return [{ type, shape: [shape[0] ?? 1, weights[0] ?? 1, ...output] }];
  },
  ConvTranspose: (call) => {
    const { type, shape } = input(call, 0);
    const weights = input(call, 1).shape;
    const group = attribute.int(call.node, 'group', 1);
    if (weights.length !== shape.length || weights[0] !== shape[1] || (weights[0] ?? 0) % group !== 0) {
      throw malformed(call, 'the weights do not fit the input');
    }
    const channels = (weights[1] ?? 1) * group;
    const { output } = transposedWindows(call, shape.slice(2), weights.slice(2));
    return [{ type, shape: [shape[0] ?? 1, channels, ...output] }];
  },
  Cos: like,
  Cosh: like,
  CumSum: like,
  DepthToSpace: (call) => {
    const { type, shape } = input(call, 0);
    const [n = 1, c = 1, h = 1, w = 1] = shape;
    const block = attribute.int(call.node, 'blocksize', 1);
    if (shape.length !== 4 || c % block ** 2 !== 0) throw malformed(call, 'the block does not fit');
    return [{ type, shape: [n, c / block ** 2, h * block, w * block] }];
  },
  Div: arithmetic,
  Dropout: (call) => [
    { type: input(call, 0).type, shape: input(call, 0).shape },
    { type: 'bool', shape: input(call, 0).shape },
  ],
  Einsum: (call) => {
    const { operands, result, ellipsis } = einsumLabels(call);
    const sizes = new Map<string, number>();
    operands.forEach((labels, index) => {
      const { shape } = input(call, index);
      if (shape.length !== labels.length) throw malformed(call, 'the equation does not fit');
      labels.forEach((label, axis) => {
        const size = shape[axis] ?? 1;
        const known = sizes.get(label) ?? size;
        const broadcasts = ellipsis.includes(label) && (known === 1 || size === 1);
        if (known !== size && !broadcasts) throw malformed(call, `the sizes of "${label}" differ`);
        sizes.set(label, Math.max(known, size));
      });
    });
    return [{ type: input(call, 0).type, shape: result.map((label) => sizes.get(label) ?? 1) }];
  },
  Elu: like,
  Equal: comparison,
  Erf: like,
  Exp: like,
  Expand: (call) => [
    { type: input(call, 0).type, shape: broadcast(call, input(call, 0).shape, values(call, 1)) },
  ],
  EyeLike: (call) => {
    const { type, shape } = input(call, 0);
    const code = attribute.int(call.node, 'dtype', undefined);
    return [{ type: code === undefined ? type : (elementType(code) ?? type), shape }];
  },
  Flatten: (call) => {
    const { type, shape } = input(call, 0);
    const stated = attribute.int(call.node, 'axis', 1);
    const axis = stated === shape.length ? stated : axisOf(call, stated, Math.max(shape.length, 1));
    return [{ type, shape: [elementCount(shape.slice(0, axis)), elementCount(shape.slice(axis))] }];
  },
  Floor: like,
  Gather: (call) => {
    const { type, shape } = input(call, 0);
    const axis = axisOf(call, attribute.int(call.node, 'axis', 0), shape.length);
    return [{ type, shape: [...shape.slice(0, axis), ...input(call, 1).shape, ...shape.slice(axis + 1)] }];
  },
  GatherElements: (call) => [{ type: input(call, 0).type, shape: input(call, 1).shape }],
  GatherND: (call) => {
    const { type, shape } = input(call, 0);
    const indices = input(call, 1).shape;
    const depth = indices.at(-1) ?? 0;
    const batch = attribute.int(call.node, 'batch_dims', 0);
    return [{ type, shape: [...indices.slice(0, -1), ...shape.slice(batch + depth)] }];
  },
  Gelu: like,
  Gemm: (call) => {
    const a = input(call, 0);
    const b = input(call, 1).shape;
    if (a.shape.length !== 2 || b.length !== 2) throw malformed(call, 'it takes matrices');
    const transA = attribute.int(call.node, 'transA', 0) === 1;
    const transB = attribute.int(call.node, 'transB', 0) === 1;
    const [rows = 1, inner = 1] = transA ? a.shape.toReversed() : a.shape;
    const [depth = 1, columns = 1] = transB ? b.toReversed() : b;
    if (inner !== depth) throw malformed(call, 'the inner sizes differ');
    const added = call.inputs[2]?.shape ?? [];
    const [first, second, ...more] = broadcast(call, [rows, columns], added);
    if (more.length > 0 || first !== rows || second !== columns)
      throw malformed(call, 'what it adds does not fit');
    return [{ type: a.type, shape: [rows, columns] }];
  },
  GlobalAveragePool: globalPool,
  GlobalLpPool: globalPool,
  GlobalMaxPool: globalPool,
  Greater: comparison,
  GreaterOrEqual: comparison,
  GridSample: (call) => {
    const { type, shape } = input(call, 0);
    const [grids, ...places] = input(call, 1).shape;
    if (grids !== shape[0]) throw malformed(call, 'there are not as many grids as images');
    return [{ type, shape: [...shape.slice(0, 2), ...places.slice(0, -1)] }];
  },
  GroupNormalization: like,
  HardSigmoid: like,
  HardSwish: like,
  Hardmax: like,
  Identity: like,
  InstanceNormalization: like,
  IsInf: test,
  IsNaN: test,
  LRN: like,
  LayerNormalization: (call) => {
    const { type, shape } = input(call, 0);
    const axis = axisOf(call, attribute.int(call.node, 'axis', -1), shape.length);
    const kept = shape.map((size, at) => (at < axis ? size : 1));
    return [
      { type, shape },
      { type: 'float32', shape: kept },
      { type: 'float32', shape: kept },
    ];
  },
  LeakyRelu: like,
  Less: comparison,
  LessOrEqual: comparison,
  Log: like,
  LogSoftmax: like,
  LpNormalization: like,
  LpPool: pool,
  MatMul: (call) => [{ type: input(call, 0).type, shape: matrixProduct(call) }],
  Max: arithmetic,
  MaxPool: pool,
  MaxUnpool: (call) => {
    const { type, shape } = input(call, 0);
    const stated = optionalValues(call, 2);
    if (stated !== undefined) return [{ type, shape: stated }];
    const kernel = attribute.ints(call.node, 'kernel_shape', []);
    return [{ type, shape: [...shape.slice(0, 2), ...unpooledSizes(call, shape.slice(2), kernel)] }];
  },
  Mean: arithmetic,
  MeanVarianceNormalization: like,
  Min: arithmetic,
  Mish: like,
  Mod: arithmetic,
  Mul: arithmetic,
  Neg: like,
  NonZero: (call) => {
    const { shape } = input(call, 0);
    const count = values(call, 0).filter((value) => value !== 0).length;
    return [{ type: 'int64', shape: [shape.length, count] }];
  },
  Not: test,
  OneHot: (call) => {
    const { shape } = input(call, 0);
    const stated = attribute.int(call.node, 'axis', -1);
    const axis = axisOf(call, stated, shape.length + 1);
    const depth = values(call, 1)[0] ?? 0;
    return [{ type: input(call, 2).type, shape: [...shape.slice(0, axis), depth, ...shape.slice(axis)] }];
  },
  Or: comparison,
  PRelu: like,
  Pad: (call) => {
    const { type, shape } = input(call, 0);
    const { begin, end } = padding(call);
    const padded = shape.map((size, axis) => size + (begin[axis] ?? 0) + (end[axis] ?? 0));
    if (padded.some((size) => size < 0)) throw malformed(call, 'it cuts off more than there is');
    return [{ type, shape: padded }];
  },
  Pow: arithmetic,
  RMSNormalization: like,
  Range: (call) => {
    const [start = 0] = values(call, 0);
    const [limit = 0] = values(call, 1);
    const [delta = 1] = values(call, 2);
    return [{ type: input(call, 0).type, shape: [Math.max(Math.ceil((limit - start) / delta), 0)] }];
  },
  Reciprocal: like,
  ReduceL1: reduction,
  ReduceL2: reduction,
  ReduceLogSum: reduction,
  ReduceLogSumExp: reduction,
  ReduceMax: reduction,
  ReduceMean: reduction,
  ReduceMin: reduction,
  ReduceProd: reduction,
  ReduceSum: reduction,
  ReduceSumSquare: reduction,
  Relu: like,
  Reshape: (call) => {
    const { type, shape } = input(call, 0);
    const keepZero = attribute.int(call.node, 'allowzero', 0) === 1;
    const stated = attribute.ints(call.node, 'shape', undefined) ?? values(call, 1);
    const target = stated.map((size, axis) => (size === 0 && !keepZero ? (shape[axis] ?? 0) : size));
    const known = elementCount(target.filter((size) => size !== -1));
    const count = elementCount(shape);
    const result = target.map((size) => (size === -1 ? count / known : size));
    if (elementCount(result) !== count || result.some((size) => !Number.isInteger(size))) {
      throw malformed(call, `it cannot take the shape [${stated.join(', ')}]`);
    }
    return [{ type, shape: result }];
  },
  Resize: (call) => [{ type: input(call, 0).type, shape: resizing(call).sizes }],
  ReverseSequence: like,
  Round: like,
  ScatterElements: like,
  ScatterND: like,
  Selu: like,
  Shape: (call) => {
    const rank = input(call, 0).shape.length;
    const place = (at: number): number => Math.min(Math.max(at < 0 ? at + rank : at, 0), rank);
    const start = place(attribute.int(call.node, 'start', 0));
    const end = place(attribute.int(call.node, 'end', rank));
    return [{ type: 'int64', shape: [Math.max(end - start, 0)] }];
  },
  Shrink: like,
  Sigmoid: like,
  Sign: like,
  Sin: like,
  Sinh: like,
  Size: () => [{ type: 'int64', shape: [] }],
  Slice: (call) => [{ type: input(call, 0).type, shape: sliceRanges(call).map(({ count }) => count) }],
  Softmax: like,
  Softplus: like,
  Softsign: like,
  SpaceToDepth: (call) => {
    const { type, shape } = input(call, 0);
    const [n = 1, c = 1, h = 1, w = 1] = shape;
    const block = attribute.int(call.node, 'blocksize', 1);
    if (shape.length !== 4 || h % block !== 0 || w % block !== 0)
      throw malformed(call, 'the block does not fit');
    return [{ type, shape: [n, c * block ** 2, h / block, w / block] }];
  },
  Split: (call) => {
    const { type, shape } = input(call, 0);
    const axis = axisOf(call, attribute.int(call.node, 'axis', 0), shape.length);
    return splitSizes(call).map((part) => ({
      type,
      shape: shape.map((size, at) => (at === axis ? part : size)),
    }));
  },
  Sqrt: like,
  Squeeze: (call) => {
    const { type, shape } = input(call, 0);
    const axes = axesOf(call, shape.length) ?? shape.flatMap((size, axis) => (size === 1 ? [axis] : []));
    if (axes.some((axis) => shape[axis] !== 1)) throw malformed(call, 'it squeezes an axis that is not 1');
    return [{ type, shape: shape.filter((_, axis) => !axes.includes(axis)) }];
  },
  Sub: arithmetic,
  Sum: arithmetic,
  Swish: like,
  Tan: like,
  Tanh: like,
  ThresholdedRelu: like,
  Tile: (call) => {
    const { type, shape } = input(call, 0);
    const repeats = values(call, 1);
    return [{ type, shape: shape.map((size, axis) => size * (repeats[axis] ?? 1)) }];
  },
  TopK: (call) => {
    const { type, shape } = input(call, 0);
    const axis = axisOf(call, attribute.int(call.node, 'axis', -1), shape.length);
    const count = attribute.int(call.node, 'k', undefined) ?? values(call, 1)[0] ?? 0;
    const kept = shape.map((size, at) => (at === axis ? count : size));
    return [
      { type, shape: kept },
      { type: 'int64', shape: kept },
    ];
  },
  Transpose: (call) => {
    const { type, shape } = input(call, 0);
    const order = attribute.ints(call.node, 'perm', [...shape.keys()].reverse());
    if (order.length !== shape.length || order.toSorted((a, b) => a - b).some((axis, at) => axis !== at)) {
      throw malformed(call, 'the permutation does not fit');
    }
    return [{ type, shape: order.map((axis) => shape[axis] ?? 1) }];
  },
  Trilu: like,
  Unsqueeze: (call) => {
    const { type, shape } = input(call, 0);
    const stated = attribute.ints(call.node, 'axes', undefined) ?? values(call, 1);
    const rank = shape.length + stated.length;
    const axes = new Set(stated.map((axis) => axisOf(call, axis, rank)));
    const rest = shape.values();
    return [
      {
        type,
        shape: Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : (rest.next().value ?? 1))),
      },
    ];
  },
  Where: (call) => [
    {
      type: input(call, 1).type,
      shape: broadcast(call, input(call, 0).shape, input(call, 1).shape, input(call, 2).shape),
    },
  ],
  Xor: comparison,
} satisfies Record<string, Inference>;

/** The operators whose shapes can be inferred: each must have a gradient rule (core/autodiff/rules). */
export type KnownOperator = keyof typeof inferences;

export function isKnown(operator: string): operator is KnownOperator {
  return Object.hasOwn(inferences, operator);
}

/** @returns type and shape of each output */
export function infer(operator: KnownOperator, call: Call): readonly Fact[] {
  return inferences[operator](call);
}
