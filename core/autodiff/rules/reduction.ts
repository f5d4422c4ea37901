/** Reductions. `spread` gives a result's axes back as sizes of 1; the driver repeats it over the input. */
import * as attribute from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import { reducedAxes } from '../../onnx/call.ts';
import type { KnownOperator } from '../../onnx/inference.ts';
import type { Rule } from '../rule.ts';
import { inputs, unary } from '../rule.ts';
import type { Site } from '../site.ts';

/** A value shaped like the output, with the reduced axes as sizes of 1. */
function spread(g: Site, value: Value): Value {
  if (attribute.int(g.node, 'keepdims', 1) === 1) return value;
  const axes = reducedAxes(g.call);
  return axes.length === 0 ? value : g.op('Unsqueeze', [value, g.integers(axes)]);
}

/** Another reduction over the same axes, which stay as sizes of 1. From set 18 on, axes are an input. */
function reduce(g: Site, operator: KnownOperator, value: Value): Value {
  const axes = reducedAxes(g.call);
  if (axes.length === 0) return value;
  return g.graph.opset < 18 ? g.op(operator, [value], { axes }) : g.op(operator, [value, g.integers(axes)]);
}

/** The greatest (least) elements share the gradient. */
function extreme(g: Site): Value {
  const winners = g.asNumber(g.op('Equal', [g.x(), spread(g, g.y())]));
  return g.mul(g.div(spread(g, g.dy), g.sum(winners, reducedAxes(g.call))), winners);
}

export const reduction = {
  // The running sum, run backward.
  CumSum: inputs(
    (g) =>
      g.op('CumSum', [g.dy, g.x(1)], {
        exclusive: attribute.int(g.node, 'exclusive', 0),
        reverse: 1 - attribute.int(g.node, 'reverse', 0),
      }),
    undefined,
  ),
  ReduceL1: unary((g) => g.mul(spread(g, g.dy), g.sign(g.x()))),
  // x / y, and 0 where all elements are 0
  ReduceL2: unary((g) => {
    const y = spread(g, g.y());
    const norm = g.where(g.op('Equal', [y, g.number(0)]), g.number(1), y);
    return g.mul(g.div(spread(g, g.dy), norm), g.x());
  }),
  // y = ln sum(x): dy/dx = exp(-y)
  ReduceLogSum: unary((g) => g.div(spread(g, g.dy), g.op('Exp', [spread(g, g.y())]))),
  // y = ln sum(exp(x)): dy/dx = exp(x - y)
  ReduceLogSumExp: unary((g) => g.mul(spread(g, g.dy), g.op('Exp', [g.sub(g.x(), spread(g, g.y()))]))),
  ReduceMax: unary(extreme),
  ReduceMean: unary((g) => {
    const count = reducedAxes(g.call).reduce((product, axis) => product * g.size(g.x(), axis), 1);
    return g.div(spread(g, g.dy), g.number(count));
  }),
  ReduceMin: unary(extreme),
  // The product of all other elements: with one 0 only that element's is not 0, with two all are 0.
  ReduceProd: unary((g) => {
    const isZero = g.op('Equal', [g.x(), g.number(0)]);
    const nonZero = g.where(isZero, g.number(1), g.x());
    const product = reduce(g, 'ReduceProd', nonZero);
    const zeros = g.sum(g.asNumber(isZero), reducedAxes(g.call));
    const when = (count: number): Value => g.asNumber(g.op('Equal', [zeros, g.number(count)]));
    const others = g.where(isZero, g.mul(product, when(1)), g.div(g.mul(product, when(0)), nonZero));
    return g.mul(spread(g, g.dy), others);
  }),
  ReduceSum: unary((g) => spread(g, g.dy)),
  ReduceSumSquare: unary((g) => g.mul(g.mul(spread(g, g.dy), g.number(2)), g.x())),
} satisfies Partial<Record<string, Rule>>;
