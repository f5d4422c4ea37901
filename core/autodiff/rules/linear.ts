/** Matrix products and the normalising exponentials that go with them. */
import * as attribute from '../../onnx/attributes.ts';
import type { AttributeValues, Value } from '../../onnx/builder.ts';
import { floatValue } from '../../onnx/attributes.ts';
import { axisOf } from '../../onnx/call.ts';
import { einsumLabels } from '../../onnx/inference.ts';
import { tensor } from '../../onnx/tensor.ts';
import type { Rule } from '../rule.ts';
import { inputs, refused, unary, variadic } from '../rule.ts';
import type { Site } from '../site.ts';
import { limitTable } from './table-limit.ts';

/** The matrices of a MatMul, a vector made a row (left) or a column (right), and the gradient shaped to fit. */
function matrices(g: Site): { a: Value; b: Value; dy: Value } {
  const left = g.rank(g.x(0)) === 1;
  const right = g.rank(g.x(1)) === 1;
  const axes = [...(left ? [-2] : []), ...(right ? [-1] : [])];
  return {
    a: left ? g.op('Unsqueeze', [g.x(0), g.integers([0])]) : g.x(0),
    b: right ? g.op('Unsqueeze', [g.x(1), g.integers([1])]) : g.x(1),
    dy: axes.length > 0 ? g.op('Unsqueeze', [g.dy, g.integers(axes)]) : g.dy,
  };
}

/** [.., 1, k] and [.., k, 1] back to [.., k]: the driver sums the axes before it. */
function asVector(g: Site, value: Value, isVector: boolean, axis: number): Value {
  return isVector ? g.op('Squeeze', [value, g.integers([axis])]) : value;
}

function gemm(g: Site, a: Value, b: Value, transA: boolean, transB: boolean): Value {
  const values: AttributeValues = {
    alpha: floatValue(attribute.float(g.node, 'alpha', 1)),
    transA: Number(transA),
    transB: Number(transB),
  };
  return g.op('Gemm', [a, b], values);
}

function transposition(g: Site): { transA: boolean; transB: boolean } {
  return {
    transA: attribute.int(g.node, 'transA', 0) === 1,
    transB: attribute.int(g.node, 'transB', 0) === 1,
  };
}

function softmaxAxis(g: Site): number {
  return axisOf(g.call, attribute.int(g.node, 'axis', -1), g.rank(g.x()));
}

/** 1 where the places along both axes are the same, else 0; as wide as it must be to be multiplied with a value. */
function diagonal(g: Site, size: number, rank: number, axes: readonly [number, number]): Value {
  limitTable(g, size * size);
  const shape = Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? size : 1));
  const places = Array.from({ length: size * size }, (_, at) => Number(at % (size + 1) === 0));
  return g.constant(tensor(g.graph.type(g.y()), shape, places));
}

interface Operand {
  readonly value: Value;
  readonly labels: readonly string[];
}

/** An operand of an Einsum without the axes of size 1 along which it is repeated: an ellipsis broadcasts. */
function unrepeated(g: Site, index: number): Operand {
  const { operands, ellipsis } = einsumLabels(g.call);
  const labels = operands[index] ?? [];
  const repeats = labels.flatMap((label, axis) => {
    const sizes = operands.map((term, operand) => g.dimensions(g.x(operand))[term.indexOf(label)] ?? 1);
    return ellipsis.includes(label) && sizes[index] === 1 && sizes.some((size) => size !== 1) ? [axis] : [];
  });
  return {
    value: repeats.length === 0 ? g.x(index) : g.op('Squeeze', [g.x(index), g.integers(repeats)]),
    labels: labels.filter((_, axis) => !repeats.includes(axis)),
  };
}

/** The gradient of one operand is an Einsum of the result's gradient and of the other operands. */
function einsumGradient(g: Site, index: number): Value {
  const { operands, result } = einsumLabels(g.call);
  const own = operands[index] ?? [];
  const others = operands.flatMap((_, operand) => (operand === index ? [] : [unrepeated(g, operand)]));
  const terms = [result, ...others.map(({ labels }) => labels)];
  // A label of this operand alone was summed over, or repeated: its gradient repeats along that axis, or is summed.
  const kept = unrepeated(g, index).labels.filter(
    (label, axis, labels) => labels.indexOf(label) === axis && terms.some((term) => term.includes(label)),
  );
  const equation = `${terms.map((term) => term.join('')).join(',')}->${kept.join('')}`;
  const product = g.op('Einsum', [g.dy, ...others.map(({ value }) => value)], { equation });
  const isFirst = (label: string, axis: number): boolean => own.indexOf(label) === axis;
  const missing = own.flatMap((label, axis) => (kept.includes(label) && isFirst(label, axis) ? [] : [axis]));
  const whole = missing.length === 0 ? product : g.op('Unsqueeze', [product, g.integers(missing)]);
  // A label used twice reads the diagonal: off it, the gradient is 0.
  return own.reduce(
    (value, label, axis) =>
      isFirst(label, axis)
        ? value
        : g.mul(value, diagonal(g, g.size(g.x(index), axis), own.length, [own.indexOf(label), axis])),
    whole,
  );
}

export const linear = {
  Einsum: variadic(einsumGradient, {
    refuse: (g) => {
      einsumLabels(g.call);
      return undefined;
    },
  }),
  // Y = alpha A B + beta C: dA = alpha dY Bᵀ, dB = alpha Aᵀ dY, dC = beta dY, each transposed as stated
  Gemm: inputs(
    (g) => {
      const { transA, transB } = transposition(g);
      return transA ? gemm(g, g.x(1), g.dy, transB, true) : gemm(g, g.dy, g.x(1), false, !transB);
    },
    (g) => {
      const { transA, transB } = transposition(g);
      return transB ? gemm(g, g.dy, g.x(0), true, transA) : gemm(g, g.x(0), g.dy, !transA, false);
    },
    (g) => g.mul(g.dy, g.number(attribute.float(g.node, 'beta', 1))),
  ),
  Hardmax: refused('its gradient is zero almost everywhere'),
  // y = x - ln sum(exp(x)): dx = dy - softmax(x) sum(dy)
  LogSoftmax: unary((g) => {
    const total = g.sum(g.dy, [softmaxAxis(g)]);
    return g.sub(g.dy, g.mul(g.op('Exp', [g.y()]), total));
  }),
  // Y = A B: dA = dY Bᵀ, dB = Aᵀ dY
  MatMul: inputs(
    (g) => {
      const { b, dy } = matrices(g);
      return asVector(g, g.op('MatMul', [dy, g.transposed(b)]), g.rank(g.x(0)) === 1, -2);
    },
    (g) => {
      const { a, dy } = matrices(g);
      return asVector(g, g.op('MatMul', [g.transposed(a), dy]), g.rank(g.x(1)) === 1, -1);
    },
  ),
  // dx = y (dy - sum(y dy))
  Softmax: unary((g) => {
    const total = g.sum(g.mul(g.dy, g.y()), [softmaxAxis(g)]);
    return g.mul(g.y(), g.sub(g.dy, total));
  }),
} satisfies Partial<Record<string, Rule>>;
