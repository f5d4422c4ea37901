/** Where a rule is applied: the node, its values, the gradient that arrives, and the means to write further nodes. */
import { PathlightError } from '../contract/errors.ts';
import { floatValue } from '../onnx/attributes.ts';
import {
  type AttributeValues,
  type Dimension,
  filled,
  type GraphBuilder,
  type Value,
} from '../onnx/builder.ts';
import type { Call } from '../onnx/call.ts';
import { malformed, notHandled } from '../onnx/call.ts';
import type { Node } from '../onnx/graph.ts';
import { elementCode } from '../onnx/file.ts';
import type { KnownOperator } from '../onnx/inference.ts';
import type { ElementType, Tensor } from '../onnx/tensor.ts';
import { integers, scalar } from '../onnx/tensor.ts';
import { BLOCK } from './blocked-layout.ts';

/**
 * Whose kernels the graph is made for. `gpu`: what every GPU provider of ONNX Runtime has, so that whole graphs stay on the
 * device (docs/gpu.md lists what differs); it gives the same numbers, at less speed on a CPU.
 */
export type KernelSet = 'cpu' | 'gpu';

/** @param values at least one */
export function sumOf(graph: GraphBuilder, values: readonly Value[], kernels: KernelSet): Value {
  const [first, second, ...more] = values;
  if (first === undefined) throw new PathlightError('internal', 'A sum needs at least one value.');
  if (second === undefined) return first;
  if (more.length === 0) return graph.op('Add', [first, second]);
  // WebGPU has no Sum.
  return kernels === 'cpu'
    ? graph.op('Sum', values)
    : values.reduce((partial, next) => graph.op('Add', [partial, next]));
}

export class Site {
  readonly graph: GraphBuilder;
  readonly node: Node;
  readonly kernels: KernelSet;
  /** The node over its inputs at the first probe: for attributes, and for sizes that do not depend on the batch. */
  readonly call: Call;
  readonly #arriving: readonly (Value | undefined)[];

  /** @param arriving gradients of the outputs, where there are any */
  constructor(
    graph: GraphBuilder,
    node: Node,
    arriving: readonly (Value | undefined)[] = [],
    kernels: KernelSet = 'cpu',
  ) {
    this.graph = graph;
    this.node = node;
    this.kernels = kernels;
    const [call] = graph.calls(node);
    if (call === undefined) throw new PathlightError('internal', 'A graph needs at least one batch size.');
    this.call = call;
    this.#arriving = arriving;
  }

  /** The gradient of output 0. */
  get dy(): Value {
    return this.dyOf(0);
  }

  /** The gradient of an output; zeros where nothing depends on it. */
  dyOf(output: number): Value {
    return this.#arriving[output] ?? this.zerosLike(this.y(output));
  }

  x(index = 0): Value {
    const name = this.node.inputs[index];
    if (name === undefined || name === '') throw malformed(this.call, `input ${index} is missing`);
    return name;
  }

  has(index: number): boolean {
    return (this.node.inputs[index] ?? '') !== '';
  }

  y(output = 0): Value {
    const name = this.node.outputs[output];
    if (name === undefined || name === '') throw malformed(this.call, `output ${output} is missing`);
    return name;
  }

  unsupported(what: string): PathlightError {
    return notHandled(this.call, what);
  }

  rank(value: Value): number {
    return this.graph.rank(value);
  }

  dimensions(value: Value): Dimension[] {
    return this.graph.dimensions(value);
  }

  /** A size that must not depend on the batch. */
  size(value: Value, axis: number): number {
    const size = this.dimensions(value).at(axis);
    if (typeof size !== 'number') throw this.unsupported(`axis ${axis} depends on the number of images`);
    return size;
  }

  /** Sizes from an axis on, none of which may depend on the batch. */
  sizes(value: Value, from: number): number[] {
    return this.dimensions(value)
      .slice(from)
      .map((_, index) => this.size(value, from + index));
  }

  data(value: Value): Tensor | undefined {
    return this.graph.data(value);
  }

  op(operator: KnownOperator, inputs: readonly Value[], attributes: AttributeValues = {}): Value {
    return this.graph.op(operator, inputs, attributes);
  }

  ops(
    operator: KnownOperator,
    inputs: readonly Value[],
    count: number,
    attributes: AttributeValues = {},
  ): Value[] {
    return this.graph.ops(operator, inputs, count, attributes);
  }

  /** A number in the element type of output 0. */
  number(value: number): Value {
    return this.graph.constant(scalar(this.graph.type(this.y()), value));
  }

  integers(values: readonly number[]): Value {
    return this.graph.constant(integers(values));
  }

  constant(value: Tensor): Value {
    return this.graph.constant(value);
  }

  add(a: Value, b: Value): Value {
    return this.op('Add', [a, b]);
  }

  /** Of any number of values. */
  total(values: readonly Value[]): Value {
    return sumOf(this.graph, values, this.kernels);
  }

  sub(a: Value, b: Value): Value {
    return this.op('Sub', [a, b]);
  }

  mul(a: Value, b: Value): Value {
    return this.op('Mul', [a, b]);
  }

  div(a: Value, b: Value): Value {
    return this.op('Div', [a, b]);
  }

  neg(a: Value): Value {
    return this.op('Neg', [a]);
  }

  where(condition: Value, yes: Value, no: Value): Value {
    return this.op('Where', [condition, yes, no]);
  }

  cast(value: Value, type: ElementType): Value {
    return this.graph.type(value) === type ? value : this.op('Cast', [value], { to: elementCode(type) });
  }

  /** A condition as 0 or 1 in the element type of output 0. */
  asNumber(condition: Value): Value {
    return this.cast(condition, this.graph.type(this.y()));
  }

  /**
   * 1 where the value is above 0, else 0. In float32 by one operator, the steepest HardSigmoid there is: measured on the
   * CPU, it takes three quarters of the time of Greater and Cast, a quarter of that of Sign, and Where takes ten times
   * as long. (Values below 2^-126 count as 0.)
   */
  positive(value: Value): Value {
    if (this.graph.type(value) !== 'float32') {
      return this.cast(this.op('Greater', [value, this.number(0)]), this.graph.type(value));
    }
    return this.op('HardSigmoid', [value], { alpha: floatValue(2 ** 126), beta: floatValue(0) });
  }

  /**
   * 1 where a value from 0 to 6 lies strictly between them, else 0. In float32 by two operators: beyond the steepest HardSigmoid above 0,
   * a falling one below 6; in the blocks of a CPU, where a convolution takes in a sum and a HardSigmoid, one that is above 0 where 1 above 0
   * exceeds a sixth of the value. (A sixth of 6 is 1 in float32, and that of the number below 6 is less.)
   */
  insideSix(value: Value): Value {
    const above = this.positive(value);
    if (this.graph.type(value) !== 'float32') {
      return this.mul(above, this.positive(this.sub(this.number(6), value)));
    }
    const [, channels] = this.dimensions(value);
    const blocks = this.kernels === 'cpu' && this.rank(value) === 4;
    if (blocks && typeof channels === 'number' && channels % BLOCK === 0) {
      const sixth = this.constant(filled('float32', [channels, 1, 1, 1], -1 / 6));
      return this.positive(this.add(this.op('Conv', [value, sixth], { group: channels }), above));
    }
    // The least difference that float32 has at 6, times 2^64, is beyond 1.
    const steep = 2 ** 64;
    const falling = { alpha: floatValue(-steep), beta: floatValue(6 * steep) };
    return this.mul(above, this.op('HardSigmoid', [value], falling));
  }

  /** 1 - v of values in [0, 1], by HardSigmoid for the sake of its layout. */
  unitRest(value: Value): Value {
    if (this.graph.type(value) !== 'float32') return this.sub(this.number(1), value);
    return this.op('HardSigmoid', [value], { alpha: floatValue(-1), beta: floatValue(1) });
  }

  /** 1, 0 or -1. */
  sign(value: Value): Value {
    // WebGPU has no Sign.
    return this.kernels === 'gpu'
      ? this.sub(this.positive(value), this.positive(this.neg(value)))
      : this.op('Sign', [value]);
  }

  /** Sums over axes, which stay as sizes of 1. */
  sum(value: Value, axes: readonly number[]): Value {
    return axes.length === 0 ? value : this.op('ReduceSum', [value, this.integers(axes)]);
  }

  transpose(value: Value, perm: readonly number[]): Value {
    return perm.every((axis, index) => axis === index) ? value : this.op('Transpose', [value], { perm });
  }

  /** The last two axes exchanged. */
  transposed(value: Value): Value {
    const rank = this.rank(value);
    return this.transpose(value, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
  }

  /** At most one of the sizes may be 'batch'. */
  reshape(value: Value, sizes: readonly Dimension[]): Value {
    if (sizes.filter((size) => size === 'batch').length > 1) {
      throw this.unsupported('two of its axes depend on the number of images');
    }
    return this.op('Reshape', [value, this.integers(sizes.map((size) => (size === 'batch' ? -1 : size)))]);
  }

  reshapeLike(value: Value, like: Value): Value {
    if (this.graph.sameShape(value, like)) return value;
    const sizes = this.dimensions(like);
    return sizes.filter((size) => size === 'batch').length > 1
      ? this.op('Reshape', [value, this.op('Shape', [like])])
      : this.reshape(value, sizes);
  }

  zerosLike(value: Value): Value {
    const zero = { kind: 'tensor', value: { ...scalar(this.graph.type(value), 0), shape: [1] } } as const;
    return this.op('ConstantOfShape', [this.op('Shape', [value])], { value: zero });
  }

  /** Zeros put before and after every axis; negative numbers take elements away. */
  pad(value: Value, begin: readonly number[], end: readonly number[]): Value {
    const pads = [...begin, ...end];
    return pads.every((size) => size === 0) ? value : this.op('Pad', [value, this.integers(pads)]);
  }

  slice(
    value: Value,
    axes: readonly number[],
    starts: readonly number[],
    ends: readonly number[],
    steps: readonly number[] = axes.map(() => 1),
  ): Value {
    return this.op('Slice', [value, ...[starts, ends, axes, steps].map((list) => this.integers(list))]);
  }

  /** Axes reversed. */
  flip(value: Value, axes: readonly number[]): Value {
    if (axes.length === 0) return value;
    return this.slice(
      value,
      axes,
      axes.map(() => -1),
      axes.map(() => -(2 ** 63)),
      axes.map(() => -1),
    );
  }

  /** `factor - 1` zeros put after every element of the given axes. */
  dilate(value: Value, axes: readonly number[], factors: readonly number[]): Value {
    const stretched = axes.filter((_, index) => factors[index] !== 1);
    if (stretched.length === 0) return value;
    const factorOf = (axis: number): number => factors[axes.indexOf(axis)] ?? 1;
    const sizes = this.dimensions(value);
    const apart = sizes.flatMap((size, axis) => (stretched.includes(axis) ? [size, 1] : [size]));
    const end = sizes.flatMap((_, axis) => (stretched.includes(axis) ? [0, factorOf(axis) - 1] : [0]));
    const padded = this.pad(
      this.reshape(value, apart),
      end.map(() => 0),
      end,
    );
    return this.reshape(
      padded,
      sizes.map((size, axis) => (typeof size === 'number' ? size * factorOf(axis) : size)),
    );
  }

  /** Adds `updates` into zeros shaped like `like`, at `indices` along an axis. */
  scatterAdd(like: Value, indices: Value, updates: Value, axis: number): Value {
    return this.op('ScatterElements', [this.zerosLike(like), indices, updates], { axis, reduction: 'add' });
  }
}
