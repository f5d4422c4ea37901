/** Arithmetic on single elements. Broadcasting is undone by the driver. */
import type { Value } from '../../onnx/builder.ts';
import type { Rule } from '../rule.ts';
import { inputs, unary, variadic, zeroGradient } from '../rule.ts';
import type { Site } from '../site.ts';

const square = (g: Site, value: Value): Value => g.mul(value, value);

/** The greatest (least) input takes the gradient; those that tie share it. */
function extreme(g: Site, index: number): Value {
  const winners = g.node.inputs.map((x) => g.asNumber(g.op('Equal', [x, g.y()])));
  const count = winners.length === 1 ? g.number(1) : g.total(winners);
  return g.div(g.mul(g.dy, winners[index] ?? g.number(0)), count);
}

export const elementwise = {
  // d|x| = sign(x) dx
  Abs: unary((g) => g.mul(g.dy, g.sign(g.x()))),
  // d acos(x) = -dx / sqrt(1 - x²)
  Acos: unary((g) => g.neg(g.div(g.dy, g.op('Sqrt', [g.sub(g.number(1), square(g, g.x()))])))),
  // d acosh(x) = dx / sqrt(x² - 1)
  Acosh: unary((g) => g.div(g.dy, g.op('Sqrt', [g.sub(square(g, g.x()), g.number(1))]))),
  Add: inputs(
    (g) => g.dy,
    (g) => g.dy,
  ),
  // d asin(x) = dx / sqrt(1 - x²)
  Asin: unary((g) => g.div(g.dy, g.op('Sqrt', [g.sub(g.number(1), square(g, g.x()))]))),
  // d asinh(x) = dx / sqrt(1 + x²)
  Asinh: unary((g) => g.div(g.dy, g.op('Sqrt', [g.add(g.number(1), square(g, g.x()))]))),
  // d atan(x) = dx / (1 + x²)
  Atan: unary((g) => g.div(g.dy, g.add(g.number(1), square(g, g.x())))),
  // d atanh(x) = dx / (1 - x²)
  Atanh: unary((g) => g.div(g.dy, g.sub(g.number(1), square(g, g.x())))),
  // Between float types; casts to whole numbers never carry a gradient back.
  Cast: unary((g) => g.cast(g.dy, g.graph.type(g.x()))),
  CastLike: inputs((g) => g.cast(g.dy, g.graph.type(g.x()))),
  Ceil: zeroGradient,
  // d cos(x) = -sin(x) dx
  Cos: unary((g) => g.neg(g.mul(g.dy, g.op('Sin', [g.x()])))),
  // d cosh(x) = sinh(x) dx
  Cosh: unary((g) => g.mul(g.dy, g.op('Sinh', [g.x()]))),
  // d(a / b) = da / b - (a / b) db / b
  Div: inputs(
    (g) => g.div(g.dy, g.x(1)),
    (g) => g.neg(g.div(g.mul(g.dy, g.y()), g.x(1))),
  ),
  // d erf(x) = 2 / sqrt(pi) exp(-x²) dx
  Erf: unary((g) =>
    g.mul(g.mul(g.dy, g.number(2 / Math.sqrt(Math.PI))), g.op('Exp', [g.neg(square(g, g.x()))])),
  ),
  // d exp(x) = exp(x) dx
  Exp: unary((g) => g.mul(g.dy, g.y())),
  Floor: zeroGradient,
  Identity: unary((g) => g.dy),
  // d log(x) = dx / x
  Log: unary((g) => g.div(g.dy, g.x())),
  Max: variadic(extreme),
  Mean: variadic((g) => g.div(g.dy, g.number(g.node.inputs.length))),
  Min: variadic(extreme),
  // y = a - b q, q a whole number: dy/da = 1, dy/db = -q
  Mod: inputs(
    (g) => g.dy,
    (g) => g.neg(g.mul(g.dy, g.op('Round', [g.div(g.sub(g.x(0), g.y()), g.x(1))]))),
  ),
  // d(a b) = b da + a db
  Mul: inputs(
    (g) => g.mul(g.dy, g.x(1)),
    (g) => g.mul(g.dy, g.x(0)),
  ),
  Neg: unary((g) => g.neg(g.dy)),
  // d(x^p) = p x^(p-1) dx + x^p ln(x) dp, the latter 0 where x is not positive
  Pow: inputs(
    (g) => {
      const exponent = g.cast(g.x(1), g.graph.type(g.y()));
      const known = g.data(exponent)?.data;
      if (known?.length === 1 && known[0] === 2) return g.mul(g.dy, g.mul(g.number(2), g.x()));
      const slope = g.mul(exponent, g.op('Pow', [g.x(), g.sub(exponent, g.number(1))]));
      // x^0 is 1 at 0, too: its slope is 0, not 0 times infinity.
      const constant = known === undefined || known.includes(0);
      const zero = g.number(0);
      return g.mul(g.dy, constant ? g.where(g.op('Equal', [exponent, zero]), zero, slope) : slope);
    },
    (g) => {
      const positive = g.op('Greater', [g.x(), g.number(0)]);
      const log = g.op('Log', [g.where(positive, g.x(), g.number(1))]);
      return g.cast(g.mul(g.dy, g.mul(g.y(), log)), g.graph.type(g.x(1)));
    },
  ),
  // d(1 / x) = -(1 / x)² dx
  Reciprocal: unary((g) => g.neg(g.mul(g.dy, square(g, g.y())))),
  Round: zeroGradient,
  Sign: zeroGradient,
  // d sin(x) = cos(x) dx
  Sin: unary((g) => g.mul(g.dy, g.op('Cos', [g.x()]))),
  // d sinh(x) = cosh(x) dx
  Sinh: unary((g) => g.mul(g.dy, g.op('Cosh', [g.x()]))),
  // d sqrt(x) = dx / (2 sqrt(x))
  Sqrt: unary((g) => g.div(g.dy, g.mul(g.number(2), g.y()))),
  Sub: inputs(
    (g) => g.dy,
    (g) => g.neg(g.dy),
  ),
  Sum: variadic((g) => g.dy),
  // d tan(x) = (1 + tan²(x)) dx
  Tan: unary((g) => g.mul(g.dy, g.add(g.number(1), square(g, g.y())))),
  Where: inputs(
    undefined,
    (g) => g.where(g.x(0), g.dy, g.number(0)),
    (g) => g.where(g.x(0), g.number(0), g.dy),
  ),
} satisfies Partial<Record<string, Rule>>;

/** Comparisons, logic, and what speaks of shapes or places rather than of values. */
export const withoutGradient = {
  And: zeroGradient,
  ArgMax: zeroGradient,
  ArgMin: zeroGradient,
  BitShift: zeroGradient,
  BitwiseAnd: zeroGradient,
  BitwiseNot: zeroGradient,
  BitwiseOr: zeroGradient,
  BitwiseXor: zeroGradient,
  Constant: zeroGradient,
  ConstantOfShape: zeroGradient,
  Equal: zeroGradient,
  EyeLike: zeroGradient,
  Greater: zeroGradient,
  GreaterOrEqual: zeroGradient,
  IsInf: zeroGradient,
  IsNaN: zeroGradient,
  Less: zeroGradient,
  LessOrEqual: zeroGradient,
  NonZero: zeroGradient,
  Not: zeroGradient,
  Or: zeroGradient,
  Range: zeroGradient,
  Shape: zeroGradient,
  Size: zeroGradient,
  Xor: zeroGradient,
} satisfies Partial<Record<string, Rule>>;
