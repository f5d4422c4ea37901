/** Activations that ONNX Runtime fuses, alone or into other operators (ContribOperators.md; cpu kernels). */
import * as attribute from '../../onnx/attributes.ts';
import { floatValue } from '../../onnx/attributes.ts';
import type { AttributeValues, Value } from '../../onnx/builder.ts';
import type { Decomposition, Fusion } from './fusion.ts';

/** gelu(x) = x / 2 (1 + erf(x / sqrt 2)) */
function giveGelu(f: Fusion, x: Value): void {
  const half = f.mul(x, f.number(0.5));
  f.give('Mul', [half, f.add(f.op('Erf', [f.mul(x, f.number(Math.SQRT1_2))]), f.number(1))]);
}

/** gelu(x) by tanh: x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x³))) */
function giveFastGelu(f: Fusion, x: Value): void {
  const slope = f.add(
    f.mul(f.number(0.044715 * Math.sqrt(2 / Math.PI)), f.mul(x, x)),
    f.number(Math.sqrt(2 / Math.PI)),
  );
  const half = f.mul(x, f.number(0.5));
  f.give('Mul', [half, f.add(f.op('Tanh', [f.mul(x, slope)]), f.number(1))]);
}

function biased(f: Fusion): Value {
  return f.has(1) ? f.add(f.x(), f.x(1)) : f.x();
}

const plain = ['Relu', 'Sigmoid', 'Softplus', 'Softsign', 'Tanh'] as const;

/**
 * What a fused operator does last.
 * @param parameters by the names that the activation itself has for them
 */
export function giveActivated(
  f: Fusion,
  value: Value,
  kind: string,
  parameters: readonly (number | undefined)[],
): void {
  const [first, second] = parameters;
  const given = (values: Record<string, number | undefined>): AttributeValues =>
    Object.fromEntries(
      Object.entries(values).flatMap(([name, number]) =>
        number === undefined ? [] : [[name, floatValue(number)]],
      ),
    );
  const simple = plain.find((name) => name === kind);
  if (simple !== undefined) return f.give(simple, [value]);
  switch (kind) {
    case '':
      return f.give('Identity', [value]);
    case 'LeakyRelu':
    case 'Elu':
    case 'Celu':
    case 'ThresholdedRelu':
      return f.give(kind, [value], given({ alpha: first }));
    case 'HardSigmoid':
      return f.give(kind, [value], given({ alpha: first, beta: second }));
    case 'Selu':
      return f.give(kind, [value], given({ alpha: first, gamma: second }));
    case 'Clip':
      return f.give('Clip', [value, f.number(first ?? -Infinity), f.number(second ?? Infinity)]);
    default:
      throw f.unsupported(`its activation ${kind} is not supported`);
  }
}

export const activation = {
  'com.microsoft::BiasGelu': (f) => giveGelu(f, biased(f)),
  'com.microsoft::FastGelu': (f) => giveFastGelu(f, biased(f)),
  'com.microsoft::Gelu': (f) => giveGelu(f, f.x()),
  // x sigmoid(alpha x)
  'com.microsoft::QuickGelu': (f) => {
    const alpha = f.number(attribute.float(f.node, 'alpha', 1.702));
    f.give('Mul', [f.x(), f.op('Sigmoid', [f.mul(f.x(), alpha)])]);
  },
} satisfies Record<string, Decomposition>;
