/** Functions that exporters write as several operators, and whose gradient as one costs less than theirs one by one. */
import type { Node } from '../onnx/graph.ts';
import type { DifferentiableRule } from './rule.ts';

/** x sigmoid(x), at its last node, Mul(x, s) or Mul(s, x): dy/dx = s + y (1 - s). */
function silu(x: number): DifferentiableRule {
  return {
    kind: 'differentiable',
    inputs: [0, 1],
    gradients: (g) => {
      const whole = (): string => {
        const s = g.x(1 - x);
        return g.mul(g.dy, g.add(s, g.mul(g.y(), g.unitRest(s))));
      };
      const inputs = [whole, () => undefined];
      return x === 0 ? inputs : inputs.reverse();
    },
  };
}

/**
 * The rule for the composite that ends at this node. Its gradient is the composite's; what lies inside gets none.
 * @param producer of a value; undefined for inputs and constants
 */
export function compositeOf(
  node: Node,
  producer: (value: string) => Node | undefined,
): DifferentiableRule | undefined {
  if (node.operator !== 'Mul' || node.domain !== '') return undefined;
  const [a = '', b = ''] = node.inputs;
  const isSigmoidOf = (s: string, x: string): boolean => {
    const node = producer(s);
    return node?.operator === 'Sigmoid' && node.domain === '' && node.inputs[0] === x;
  };
  if (isSigmoidOf(b, a)) return silu(0);
  return isSigmoidOf(a, b) ? silu(1) : undefined;
}
