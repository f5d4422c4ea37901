/** Activations. Where a derivative jumps, the side is PyTorch's: 0 for Relu at 0, 1 for Clip at its bounds. */
import * as attribute from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import type { Rule } from '../rule.ts';
import { inputs, unary } from '../rule.ts';
import type { Site } from '../site.ts';

const sigmoid = (g: Site, x: Value): Value => g.op('Sigmoid', [x]);
/** 1 - v */
const rest = (g: Site, v: Value): Value => g.sub(g.number(1), v);
/** dx = dy times `above` where x > 0, otherwise times `below`. */
function twoSlopes(g: Site, above: Value, below: Value): Value {
  const mask = g.positive(g.x());
  return g.mul(g.dy, g.add(g.mul(mask, above), g.mul(rest(g, mask), below)));
}

export const activation = {
  // max(0, x) + min(0, a (exp(x / a) - 1)): slope y / a + 1 where x <= 0
  Celu: unary((g) =>
    twoSlopes(
      g,
      g.number(1),
      g.add(g.div(g.y(), g.number(attribute.float(g.node, 'alpha', 1))), g.number(1)),
    ),
  ),
  Clip: inputs(
    (g) => {
      // Relu6, from y alone, so that x need not be kept: 1 strictly inside.
      const [low, high] = [1, 2].map((index) => (g.has(index) ? g.data(g.x(index))?.data[0] : undefined));
      if (low === 0 && high === 6) return g.mul(g.dy, g.insideSix(g.y()));
      // y is x exactly where x lies within the bounds.
      return g.mul(g.dy, g.asNumber(g.op('Equal', [g.x(), g.y()])));
    },
    undefined,
    undefined,
  ),
  Dropout: unary((g) => g.dy, {
    refuse: (g) => {
      const drops = !g.has(1) || g.data(g.x(1))?.data[0] !== 0;
      return drops && g.has(2) && g.data(g.x(2))?.data[0] !== 0 ? 'it is in training mode' : undefined;
    },
    limits: 'in inference',
  }),
  // a (exp(x) - 1): slope y + a where x <= 0
  Elu: unary((g) => twoSlopes(g, g.number(1), g.add(g.y(), g.number(attribute.float(g.node, 'alpha', 1))))),
  Gelu: unary((g) => {
    const x = g.x();
    if (attribute.string(g.node, 'approximate', 'none') === 'tanh') {
      // y = x/2 (1 + t), t = tanh(u), u = c (x + k x³): dy/dx = (1 + t) / 2 + x/2 (1 - t²) c (1 + 3 k x²)
      const [c, k] = [g.number(Math.sqrt(2 / Math.PI)), 0.044715];
      const squared = g.mul(x, x);
      const u = g.mul(c, g.mul(x, g.add(g.number(1), g.mul(g.number(k), squared))));
      const t = g.op('Tanh', [u]);
      const du = g.mul(c, g.add(g.number(1), g.mul(g.number(3 * k), squared)));
      const bend = g.mul(g.mul(x, rest(g, g.mul(t, t))), du);
      return g.mul(g.dy, g.mul(g.number(0.5), g.add(g.add(g.number(1), t), bend)));
    }
    // y = x P(x), P the normal distribution, p its density: dy/dx = P + x p
    const normal = g.mul(g.number(0.5), g.add(g.number(1), g.op('Erf', [g.mul(x, g.number(Math.SQRT1_2))])));
    const density = g.mul(
      g.number(1 / Math.sqrt(2 * Math.PI)),
      g.op('Exp', [g.mul(g.number(-0.5), g.mul(x, x))]),
    );
    return g.mul(g.dy, g.add(normal, g.mul(x, density)));
  }),
  // max(0, min(1, a x + b)): slope a strictly inside
  HardSigmoid: unary((g) => {
    const inside = g.mul(g.positive(g.y()), g.positive(rest(g, g.y())));
    return g.mul(g.mul(g.dy, g.number(attribute.float(g.node, 'alpha', 0.2))), inside);
  }),
  // x max(0, min(1, x / 6 + 1/2)): slope 0 up to -3, x / 3 + 1/2 between, 1 from 3 on
  HardSwish: unary((g) => {
    const below = g.positive(g.sub(g.number(3), g.x()));
    const between = g.add(g.div(g.x(), g.number(3)), g.number(0.5));
    const slope = g.add(rest(g, below), g.mul(below, between));
    return g.mul(g.dy, g.mul(g.positive(g.add(g.x(), g.number(3))), slope));
  }),
  LeakyRelu: unary((g) => {
    const alpha = attribute.float(g.node, 'alpha', 0.01);
    return alpha >= 0 && alpha <= 1
      ? g.mul(g.dy, g.op('Clip', [g.positive(g.x()), g.number(alpha)]))
      : twoSlopes(g, g.number(1), g.number(alpha));
  }),
  // y = x t, t = tanh(softplus(x)): dy/dx = t + x (1 - t²) sigmoid(x)
  Mish: unary((g) => {
    const t = g.op('Tanh', [g.op('Softplus', [g.x()])]);
    const bend = g.mul(g.mul(g.x(), rest(g, g.mul(t, t))), sigmoid(g, g.x()));
    return g.mul(g.dy, g.add(t, bend));
  }),
  // x where x > 0, otherwise slope * x
  PRelu: inputs(
    (g) => twoSlopes(g, g.number(1), g.x(1)),
    (g) => g.mul(g.mul(g.dy, g.x()), rest(g, g.positive(g.x()))),
  ),
  Relu: unary((g) => g.mul(g.dy, g.positive(g.y()))),
  // s x where x > 0, otherwise s a (exp(x) - 1): slope s, and y + s a
  Selu: unary((g) => {
    const alpha = attribute.float(g.node, 'alpha', 1.67326319217681884765625);
    const gamma = attribute.float(g.node, 'gamma', 1.05070102214813232421875);
    return twoSlopes(g, g.number(gamma), g.add(g.y(), g.number(gamma * alpha)));
  }),
  // x + b where x < -l, x - b where x > l, otherwise 0
  Shrink: unary((g) => {
    const limit = g.number(attribute.float(g.node, 'lambd', 0.5));
    return g.mul(g.dy, g.positive(g.sub(g.op('Abs', [g.x()]), limit)));
  }),
  // dy/dx = y (1 - y)
  Sigmoid: unary((g) => g.mul(g.dy, g.mul(g.y(), g.unitRest(g.y())))),
  // ln(1 + exp(x)): dy/dx = sigmoid(x)
  Softplus: unary((g) => g.mul(g.dy, sigmoid(g, g.x()))),
  // x / (1 + |x|): dy/dx = 1 / (1 + |x|)²
  Softsign: unary((g) => {
    const base = g.add(g.number(1), g.op('Abs', [g.x()]));
    return g.div(g.dy, g.mul(base, base));
  }),
  // y = x s, s = sigmoid(a x): dy/dx = s + a y (1 - s)
  Swish: unary((g) => {
    const alpha = g.number(attribute.float(g.node, 'alpha', 1));
    const s = sigmoid(g, g.mul(alpha, g.x()));
    return g.mul(g.dy, g.add(s, g.mul(alpha, g.mul(g.y(), rest(g, s)))));
  }),
  // dy/dx = 1 - y²
  Tanh: unary((g) => g.mul(g.dy, rest(g, g.mul(g.y(), g.y())))),
  // x where x > a, otherwise 0
  ThresholdedRelu: unary((g) =>
    g.mul(g.dy, g.positive(g.sub(g.x(), g.number(attribute.float(g.node, 'alpha', 1))))),
  ),
} satisfies Partial<Record<string, Rule>>;
