/** Quadrature on [0, 1]: nodes and positive weights that sum to 1. */

export interface Quadrature {
  /** Ascending, in [0, 1]. */
  nodes: Float64Array;
  /** Positive; sum 1. */
  weights: Float64Array;
}

/** What a rule makes of n nodes; `degree` is the highest degree of polynomial that it integrates exactly. */
interface Rule {
  readonly fewestNodes: number;
  readonly degree: (count: number) => number;
  readonly build: (count: number) => Quadrature;
}

/** Equal weights at (k + shift) / n. */
const equalWeights = (shift: number) => (count: number) => ({
  nodes: Float64Array.from({ length: count }, (_, k) => (k + shift) / count),
  weights: new Float64Array(count).fill(1 / count),
});

/** Nodes k / (n - 1), both ends included; the ends weigh half, so that the weights sum to 1. */
function trapezoid(count: number): Quadrature {
  const intervals = count - 1;
  const weights = new Float64Array(count).fill(1 / intervals);
  weights[0] = weights[intervals] = 0.5 / intervals;
  return { nodes: Float64Array.from({ length: count }, (_, k) => k / intervals), weights };
}

/** Zeros of the Legendre polynomial P_n by Newton's method from Tricomi's estimate; weight 2 / ((1 - z^2) P_n'(z)^2). */
function gaussLegendre(count: number): Quadrature {
  const nodes = new Float64Array(count);
  const weights = new Float64Array(count);
  for (let k = 0; k < Math.ceil(count / 2); k++) {
    let z = Math.cos((Math.PI * (k + 0.75)) / (count + 0.5));
    let derivative = 0;
    for (let iteration = 0; iteration < 100; iteration++) {
      const legendre = legendreWithDerivative(count, z);
      derivative = legendre.derivative;
      const step = legendre.value / derivative;
      z -= step;
      if (Math.abs(step) < 1e-15) break;
    }
    const weight = 1 / ((1 - z * z) * derivative * derivative);
    nodes[k] = (1 - z) / 2;
    nodes[count - 1 - k] = (1 + z) / 2;
    weights[k] = weights[count - 1 - k] = weight;
  }
  return { nodes, weights };
}

/** P_n(z) and its derivative, by the three-term recurrence; |z| < 1. */
function legendreWithDerivative(degree: number, z: number): { value: number; derivative: number } {
  let previous = 1;
  let value = z;
  for (let k = 2; k <= degree; k++) {
    [previous, value] = [value, ((2 * k - 1) * z * value - (k - 1) * previous) / k];
  }
  return { value, derivative: (degree * (z * value - previous)) / (z * z - 1) };
}

export const quadratureRules = {
  midpoint: { fewestNodes: 1, degree: () => 1, build: equalWeights(0.5) },
  trapezoid: { fewestNodes: 2, degree: () => 1, build: trapezoid },
  left: { fewestNodes: 1, degree: () => 0, build: equalWeights(0) },
  right: { fewestNodes: 1, degree: () => 0, build: equalWeights(1) },
  'gauss-legendre': { fewestNodes: 1, degree: (count: number) => 2 * count - 1, build: gaussLegendre },
} as const satisfies Record<string, Rule>;

export type QuadratureRule = keyof typeof quadratureRules;

/**
 * @param count number of nodes
 * @throws RangeError where the rule needs more nodes
 */
export function quadrature(rule: QuadratureRule, count: number): Quadrature {
  const { fewestNodes, build } = quadratureRules[rule];
  if (!Number.isInteger(count) || count < fewestNodes) {
    throw new RangeError(
      `The ${rule} rule needs a whole number of at least ${fewestNodes} nodes, not ${count}`,
    );
  }
  return build(count);
}
