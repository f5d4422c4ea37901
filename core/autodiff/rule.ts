/** What a gradient rule is: the vector-Jacobian product of one operator, written as further ONNX nodes. */
import type { Value } from '../onnx/builder.ts';
import type { Site } from './site.ts';

/**
 * Writes the gradient with respect to one input; it may have any shape that the input broadcasts to or from. Undefined where it is zero.
 */
export type Gradient = () => Value | undefined;

export type Rule =
  | {
      readonly kind: 'differentiable';
      /** The inputs that it has a gradient for. */
      readonly inputs: readonly number[] | 'all';
      /** For readers (docs/operators.md): within which forms. */
      readonly limits?: string;
      /**
       * One gradient an input; undefined where none is known (weights, shapes): an image that reaches such an input is
       * refused. Nodes are written inside the returned functions only, so that what nobody asks for costs nothing.
       */
      readonly gradients: (g: Site) => readonly (Gradient | undefined)[];
      /** Why this node cannot be differentiated though others of its operator can. */
      readonly refuse?: (g: Site) => string | undefined;
      /** The rule reads the gradients of all outputs, not of output 0 alone. */
      readonly everyOutput?: boolean;
    }
  /** Piecewise constant, or not about values: its gradient is zero wherever it exists. */
  | { readonly kind: 'zero-gradient' }
  | { readonly kind: 'refused'; readonly reason: string };

export type DifferentiableRule = Extract<Rule, { kind: 'differentiable' }>;

type Extras = Pick<DifferentiableRule, 'refuse' | 'everyOutput' | 'limits'>;

/** A rule for input 0 alone. */
export function unary(gradient: (g: Site) => Value, extras: Extras = {}): DifferentiableRule {
  return { ...inputs(gradient), ...extras };
}

/** A rule for the first inputs, in order. */
export function inputs(...gradients: readonly (((g: Site) => Value) | undefined)[]): DifferentiableRule {
  return {
    kind: 'differentiable',
    inputs: gradients.flatMap((gradient, index) => (gradient === undefined ? [] : [index])),
    gradients: (g) => gradients.map((gradient) => (gradient === undefined ? undefined : () => gradient(g))),
  };
}

/** A rule alike for any number of inputs. */
export function variadic(
  gradient: (g: Site, index: number) => Value,
  extras: Extras = {},
): DifferentiableRule {
  return {
    kind: 'differentiable',
    inputs: 'all',
    gradients: (g) => g.node.inputs.map((_, index) => () => gradient(g, index)),
    ...extras,
  };
}

export const zeroGradient: Extract<Rule, { kind: 'zero-gradient' }> = { kind: 'zero-gradient' };

export function refused(reason: string): Rule {
  return { kind: 'refused', reason };
}
