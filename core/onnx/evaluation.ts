/** Constant folding: computes operators over tensors that do not depend on the image (shape arithmetic, weights). */
import * as attribute from './attributes.ts';
import type { Call } from './call.ts';
import { axisOf, input, malformed, optionalValues, reducedAxes } from './call.ts';
import type { KnownOperator } from './inference.ts';
import { infer, padding, sliceRanges, splitSizes } from './inference.ts';
import type { Tensor } from './tensor.ts';
import { allocate, elementCount, scalar, strides, tensor } from './tensor.ts';

/** Elements of a constant fill beyond which it stays a node. */
const LARGEST_FILL = 2 ** 16;

/** undefined: a form that is not folded. */
type Evaluation = (call: Call) => readonly Tensor[] | undefined;

function data(call: Call, index: number): Tensor {
  const value = input(call, index).data;
  if (value === undefined) throw malformed(call, `input ${index} is not constant`);
  return value;
}

/** The inferred type and shape of output 0. */
function result(call: Call): { type: Tensor['type']; shape: readonly number[] } {
  const [fact] = infer(call.node.operator as KnownOperator, call);
  if (fact === undefined) throw malformed(call, 'it has no output');
  return fact;
}

/** A dense copy of a strided view: of transposed, sliced, flipped or repeated elements. */
function gather(
  source: Tensor,
  shape: readonly number[],
  steps: readonly number[],
  offset = 0,
  type = source.type,
): Tensor {
  const target = allocate(type, elementCount(shape));
  if (target.length === 0) return { type, shape, data: target };
  const at = new Array<number>(shape.length).fill(0);
  const inner = shape.at(-1) ?? 1;
  const innerStep = steps.at(-1) ?? 0;
  let from = offset;
  for (let to = 0; to < target.length; to += inner) {
    for (let index = 0; index < inner; index++)
      target[to + index] = source.data[from + index * innerStep] ?? 0;
    for (let axis = shape.length - 2; axis >= 0; axis--) {
      const next = (at[axis] ?? 0) + 1;
      from += steps[axis] ?? 0;
      if (next < (shape[axis] ?? 1)) {
        at[axis] = next;
        break;
      }
      from -= next * (steps[axis] ?? 0);
      at[axis] = 0;
    }
  }
  return { type, shape, data: target };
}

/** Steps that repeat a tensor over a shape it broadcasts to. */
function broadcastSteps(source: Tensor, rank: number): number[] {
  const own = strides(source.shape);
  const lead = rank - source.shape.length;
  return Array.from({ length: rank }, (_, axis) =>
    (source.shape[axis - lead] ?? 1) === 1 ? 0 : (own[axis - lead] ?? 0),
  );
}

function stretch(source: Tensor, shape: readonly number[]): Tensor {
  const same =
    source.shape.length === shape.length && source.shape.every((size, axis) => size === shape[axis]);
  return same ? source : gather(source, shape, broadcastSteps(source, shape.length));
}

function reshaped(source: Tensor, shape: readonly number[]): Tensor {
  return { type: source.type, shape, data: source.data };
}

function unary(compute: (value: number) => number): Evaluation {
  return (call) => {
    const { type, shape } = result(call);
    return [tensor(type, shape, Float64Array.from(data(call, 0).data, compute))];
  };
}

function binary(compute: (a: number, b: number) => number): Evaluation {
  return (call) => {
    const { type, shape } = result(call);
    const [first, ...others] = call.inputs.map((_, index) => stretch(data(call, index), shape).data);
    const values = Float64Array.from(first ?? []);
    for (const other of others) {
      for (let at = 0; at < values.length; at++) values[at] = compute(values[at] ?? 0, other[at] ?? 0);
    }
    return [tensor(type, shape, values)];
  };
}

const truth =
  (compare: (a: number, b: number) => boolean) =>
  (a: number, b: number): number =>
    compare(a, b) ? 1 : 0;

function isWhole(call: Call): boolean {
  return !input(call, 0).type.startsWith('float');
}

function fold(start: number, compute: (sum: number, value: number) => number): Evaluation {
  return (call) => {
    const source = data(call, 0);
    const { type, shape } = result(call);
    const axes = reducedAxes(call);
    const kept = [...source.shape.keys()].filter((axis) => !axes.includes(axis));
    const order = [...kept, ...axes];
    const own = strides(source.shape);
    const sorted = gather(
      source,
      order.map((axis) => source.shape[axis] ?? 1),
      order.map((axis) => own[axis] ?? 0),
    );
    const width = elementCount(axes.map((axis) => source.shape[axis] ?? 1));
    const sums = Float64Array.from({ length: elementCount(shape) }, (_, at) =>
      Array.from(sorted.data.subarray(at * width, (at + 1) * width)).reduce(compute, start),
    );
    return [tensor(type, shape, sums)];
  };
}

const sameData: Evaluation = (call) => [reshaped(data(call, 0), result(call).shape)];

const evaluations: Partial<Record<KnownOperator, Evaluation>> = {
  Abs: unary(Math.abs),
  Add: binary((a, b) => a + b),
  And: binary(truth((a, b) => a !== 0 && b !== 0)),
  Cast: (call) => {
    const { type, shape } = result(call);
    const source = data(call, 0);
    if (type === 'bool')
      return [
        tensor(
          type,
          shape,
          Uint8Array.from(source.data, (v) => (v !== 0 ? 1 : 0)),
        ),
      ];
    const whole = !type.startsWith('float');
    return [tensor(type, shape, whole ? Float64Array.from(source.data, Math.trunc) : source.data)];
  },
  Ceil: unary(Math.ceil),
  Clip: (call) => {
    const { type, shape } = result(call);
    const [low] = optionalValues(call, 1) ?? [-Infinity];
    const [high] = optionalValues(call, 2) ?? [Infinity];
    const clipped = Float64Array.from(data(call, 0).data, (value) =>
      Math.min(Math.max(value, low ?? -Infinity), high ?? Infinity),
    );
    return [tensor(type, shape, clipped)];
  },
  Concat: (call) => {
    const { type, shape } = result(call);
    const axis = axisOf(call, attribute.int(call.node, 'axis', 0), shape.length);
    const parts = call.inputs.map((_, index) => data(call, index));
    const target = allocate(type, elementCount(shape));
    const rows = elementCount(shape.slice(0, axis));
    let to = 0;
    for (let row = 0; row < rows; row++) {
      for (const part of parts) {
        const width = part.data.length / rows;
        target.set(part.data.subarray(row * width, (row + 1) * width), to);
        to += width;
      }
    }
    return [{ type, shape, data: target }];
  },
  Constant: (call) => {
    const { node } = call;
    const { type, shape } = result(call);
    const value = attribute.tensorAttribute(node, 'value', undefined);
    if (value !== undefined) return [value];
    const one =
      attribute.float(node, 'value_float', undefined) ?? attribute.int(node, 'value_int', undefined);
    if (one !== undefined) return [scalar(type, one)];
    const many = attribute.ints(node, 'value_ints', undefined) ?? attribute.floats(node, 'value_floats', []);
    return [tensor(type, shape, many)];
  },
  ConstantOfShape: (call) => {
    const { type, shape } = result(call);
    // The node is smaller than what it makes, and shapes are small.
    if (elementCount(shape) > LARGEST_FILL) return undefined;
    const value = attribute.tensorAttribute(call.node, 'value', undefined)?.data[0] ?? 0;
    return [{ type, shape, data: allocate(type, elementCount(shape)).fill(value) }];
  },
  Div: (call) => binary(isWhole(call) ? (a, b) => Math.trunc(a / b) : (a, b) => a / b)(call),
  Equal: binary(truth((a, b) => a === b)),
  Exp: unary(Math.exp),
  Expand: (call) => [stretch(data(call, 0), result(call).shape)],
  Flatten: sameData,
  Floor: unary(Math.floor),
  Gather: (call) => {
    const source = data(call, 0);
    const { type, shape } = result(call);
    const axis = axisOf(call, attribute.int(call.node, 'axis', 0), source.shape.length);
    const size = source.shape[axis] ?? 1;
    const width = elementCount(source.shape.slice(axis + 1));
    const rows = elementCount(source.shape.slice(0, axis));
    const target = allocate(type, elementCount(shape));
    let to = 0;
    for (let row = 0; row < rows; row++) {
      for (const stated of data(call, 1).data) {
        if (stated < -size || stated >= size) throw malformed(call, `the index ${stated} is outside ${size}`);
        const from = (row * size + (stated < 0 ? stated + size : stated)) * width;
        target.set(source.data.subarray(from, from + width), to);
        to += width;
      }
    }
    return [{ type, shape, data: target }];
  },
  Greater: binary(truth((a, b) => a > b)),
  GreaterOrEqual: binary(truth((a, b) => a >= b)),
  Identity: sameData,
  Less: binary(truth((a, b) => a < b)),
  LessOrEqual: binary(truth((a, b) => a <= b)),
  Log: unary(Math.log),
  Max: binary(Math.max),
  Min: binary(Math.min),
  Mod: (call) => {
    // fmod = 1 takes the sign of the dividend, 0 that of the divisor.
    const sign = attribute.int(call.node, 'fmod', 0) === 1;
    return binary(sign ? (a, b) => a % b : (a, b) => a - b * Math.floor(a / b))(call);
  },
  Mul: binary((a, b) => a * b),
  Neg: unary((value) => -value),
  NonZero: (call) => {
    const source = data(call, 0);
    const { type, shape } = result(call);
    const own = strides(source.shape);
    const places = [...source.data.keys()].filter((at) => source.data[at] !== 0);
    const coordinates = source.shape.flatMap((size, axis) =>
      places.map((at) => Math.floor(at / (own[axis] ?? 1)) % size),
    );
    return [tensor(type, shape, coordinates)];
  },
  Not: unary((value) => (value === 0 ? 1 : 0)),
  Or: binary(truth((a, b) => a !== 0 || b !== 0)),
  Pow: binary((a, b) => a ** b),
  Range: (call) => {
    const { type, shape } = result(call);
    const start = data(call, 0).data[0] ?? 0;
    const delta = data(call, 2).data[0] ?? 1;
    return [
      tensor(
        type,
        shape,
        Array.from({ length: shape[0] ?? 0 }, (_, index) => start + index * delta),
      ),
    ];
  },
  Reciprocal: unary((value) => 1 / value),
  ReduceMax: fold(-Infinity, Math.max),
  ReduceMin: fold(Infinity, Math.min),
  ReduceProd: fold(1, (product, value) => product * value),
  ReduceSum: fold(0, (sum, value) => sum + value),
  Reshape: sameData,
  // Halves go to the even side.
  Round: unary((value) => {
    const rounded = Math.round(value);
    return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
  }),
  Shape: (call) => {
    const { shape } = input(call, 0);
    const place = (at: number): number =>
      Math.min(Math.max(at < 0 ? at + shape.length : at, 0), shape.length);
    const start = place(attribute.int(call.node, 'start', 0));
    const end = place(attribute.int(call.node, 'end', shape.length));
    return [tensor('int64', [Math.max(end - start, 0)], shape.slice(start, Math.max(end, start)))];
  },
  Size: (call) => [scalar('int64', elementCount(input(call, 0).shape))],
  Slice: (call) => {
    const source = data(call, 0);
    const ranges = sliceRanges(call);
    const own = strides(source.shape);
    return [
      gather(
        source,
        ranges.map(({ count }) => count),
        ranges.map(({ step }, axis) => step * (own[axis] ?? 1)),
        ranges.reduce((offset, { start }, axis) => offset + start * (own[axis] ?? 1), 0),
      ),
    ];
  },
  Pad: (call) => {
    const source = data(call, 0);
    const { begin, end } = padding(call);
    const mode = attribute.string(call.node, 'mode', 'constant');
    if (mode !== 'constant' || [...begin, ...end].some((size) => size < 0)) return undefined;
    const { type, shape } = result(call);
    const fill = optionalValues(call, 2)?.[0] ?? attribute.float(call.node, 'value', 0);
    const target = allocate(type, elementCount(shape)).fill(fill);
    const steps = strides(shape);
    const own = strides(source.shape);
    source.data.forEach((value, at) => {
      const to = source.shape.reduce(
        (sum, size, axis) =>
          sum + ((Math.floor(at / (own[axis] ?? 1)) % size) + (begin[axis] ?? 0)) * (steps[axis] ?? 1),
        0,
      );
      target[to] = value;
    });
    return [{ type, shape, data: target }];
  },
  Split: (call) => {
    const source = data(call, 0);
    const axis = axisOf(call, attribute.int(call.node, 'axis', 0), source.shape.length);
    const own = strides(source.shape);
    let start = 0;
    return splitSizes(call).map((part) => {
      const shape = source.shape.map((size, at) => (at === axis ? part : size));
      const piece = gather(source, shape, own, start * (own[axis] ?? 1));
      start += part;
      return piece;
    });
  },
  Sqrt: unary(Math.sqrt),
  Squeeze: sameData,
  Sub: binary((a, b) => a - b),
  Tile: (call) => {
    const source = data(call, 0);
    const { shape } = result(call);
    // [a, b] tiled is [1, a, 1, b] stretched.
    const own = strides(source.shape);
    const split = source.shape.flatMap((size, axis) => [(shape[axis] ?? 1) / Math.max(size, 1), size]);
    return [
      reshaped(
        gather(
          source,
          split,
          own.flatMap((step) => [0, step]),
        ),
        shape,
      ),
    ];
  },
  Transpose: (call) => {
    const source = data(call, 0);
    const { shape } = result(call);
    const order = attribute.ints(call.node, 'perm', [...source.shape.keys()].reverse());
    const own = strides(source.shape);
    return [
      gather(
        source,
        shape,
        order.map((axis) => own[axis] ?? 0),
      ),
    ];
  },
  Unsqueeze: sameData,
  Where: (call) => {
    const { type, shape } = result(call);
    const [condition, yes, no] = [0, 1, 2].map((index) => stretch(data(call, index), shape).data);
    const picked = Float64Array.from({ length: elementCount(shape) }, (_, at) =>
      condition?.[at] !== 0 ? (yes?.[at] ?? 0) : (no?.[at] ?? 0),
    );
    return [tensor(type, shape, picked)];
  },
};

/** Whether the outputs share the memory of what they are made from. */
export function copiesNothing(operator: KnownOperator): boolean {
  return operator === 'Constant' || evaluations[operator] === sameData;
}

/** @returns the outputs, or undefined where they depend on the image or the operator is not folded */
export function evaluate(operator: KnownOperator, call: Call): readonly Tensor[] | undefined {
  const evaluation = evaluations[operator];
  const onlyShape = operator === 'Shape' || operator === 'Size';
  if (evaluation === undefined) return undefined;
  if (!onlyShape && call.inputs.some((fact) => fact !== undefined && fact.data === undefined))
    return undefined;
  const results = evaluation(call);
  // int64 is held in doubles, which do not truncate by themselves (a division by 0, a root).
  const broken = results?.some(({ type, data: values }) => type === 'int64' && !values.every(isWholeNumber));
  if (broken === true) throw malformed(call, 'it gives something else than a whole number');
  return results;
}

function isWholeNumber(value: number): boolean {
  return Number.isInteger(value) || value === Infinity || value === -Infinity;
}
