/** Layer normalisations that ONNX Runtime fuses with what stands before them. */
import * as attribute from '../../onnx/attributes.ts';
import { floatValue } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import { axisOf } from '../../onnx/call.ts';
import type { Decomposition, Fusion } from './fusion.ts';

/** x / sqrt(mean(x²) + epsilon) scale, over the axes from `axis` on. */
function giveSimplified(f: Fusion, x: Value, scale: Value, axis: number, epsilon: number): void {
  const axes = Array.from({ length: f.rank(x) - axis }, (_, index) => axis + index);
  const deviation = f.op('Sqrt', [f.add(f.mean(f.mul(x, x), axes), f.number(epsilon))]);
  f.give('Mul', [f.div(x, deviation), scale]);
  if (f.wants(1)) f.give('Reciprocal', [deviation], {}, 1);
}

function simplified(f: Fusion): void {
  const axis = axisOf(f.call, attribute.int(f.node, 'axis', -1), f.rank(f.x()));
  giveSimplified(f, f.x(), f.x(1), axis, attribute.float(f.node, 'epsilon', 1e-5));
}

/** The sum of the input, what is skipped to it, and perhaps a bias; it is output 3. */
function skipped(f: Fusion, bias: number): Value {
  const sum = f.add(f.x(), f.x(1));
  const whole = f.has(bias) ? f.add(sum, f.x(bias)) : sum;
  f.give('Identity', [whole], {}, 3);
  if (f.wants(1) || f.wants(2)) throw f.unsupported('its mean or deviation is used');
  return whole;
}

export const normalization = {
  SimplifiedLayerNormalization: simplified,
  'com.microsoft::SkipLayerNormalization': (f) => {
    const x = skipped(f, 4);
    f.give('LayerNormalization', [x, f.x(2), ...(f.has(3) ? [f.x(3)] : [])], {
      axis: -1,
      epsilon: floatValue(attribute.float(f.node, 'epsilon', 1e-12)),
    });
  },
  'com.microsoft::SkipSimplifiedLayerNormalization': (f) => {
    const x = skipped(f, 3);
    giveSimplified(f, x, f.x(2), f.rank(x) - 1, attribute.float(f.node, 'epsilon', 1e-12));
  },
} satisfies Record<string, Decomposition>;
