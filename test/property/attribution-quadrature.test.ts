import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { quadrature, type QuadratureRule, quadratureRules } from '../../core/attribution/quadrature.ts';

const rules = Object.keys(quadratureRules) as QuadratureRule[];

const ruleAndCount = fc.constantFrom(...rules).chain((rule) =>
  fc.record({
    rule: fc.constant(rule),
    count: fc.integer({ min: quadratureRules[rule].fewestNodes, max: 200 }),
  }),
);

describe('every quadrature rule', () => {
  test('has ascending nodes in [0, 1] and positive weights that sum to 1', () => {
    fc.assert(
      fc.property(ruleAndCount, ({ rule, count }) => {
        const { nodes, weights } = quadrature(rule, count);
        expect(nodes).toHaveLength(count);
        expect(weights).toHaveLength(count);
        expect(nodes.every((node, k) => node >= 0 && node <= 1 && node > (nodes[k - 1] ?? -1))).toBe(true);
        expect(weights.every((weight) => weight > 0)).toBe(true);
        expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
      }),
    );
  });

  test('integrates polynomials exactly up to its degree', () => {
    fc.assert(
      fc.property(ruleAndCount, ({ rule, count }) => {
        const { nodes, weights } = quadrature(rule, count);
        const degree = quadratureRules[rule].degree(count);
        for (let power = 0; power <= degree; power++) {
          const sum = nodes.reduce((total, node, k) => total + (weights[k] ?? 0) * node ** power, 0);
          expect(Math.abs(sum - 1 / (power + 1)), `${rule} ${count} power ${power}`).toBeLessThan(1e-12);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('does not claim too low a degree', () => {
    for (const rule of rules) {
      const { nodes, weights } = quadrature(rule, 4);
      const power = quadratureRules[rule].degree(4) + 1;
      const sum = nodes.reduce((total, node, k) => total + (weights[k] ?? 0) * node ** power, 0);
      expect(Math.abs(sum - 1 / (power + 1)), rule).toBeGreaterThan(1e-6);
    }
  });

  test('refuses fewer nodes than it can have', () => {
    expect(() => quadrature('trapezoid', 1)).toThrow(/at least 2 nodes/);
    expect(() => quadrature('midpoint', 0)).toThrow(RangeError);
    expect(() => quadrature('gauss-legendre', 2.5)).toThrow(RangeError);
  });
});

test('Gauss-Legendre agrees with the tabulated nodes of five points (Abramowitz and Stegun 25.4.30)', () => {
  const { nodes, weights } = quadrature('gauss-legendre', 5);
  const tabulated = [-0.906179845938664, -0.538469310105683, 0, 0.538469310105683, 0.906179845938664];
  const tabulatedWeights = [0.236926885056189, 0.478628670499366, 0.568888888888889];
  tabulated.forEach((z, k) => expect(nodes[k]).toBeCloseTo((1 + z) / 2, 14));
  tabulatedWeights.forEach((weight, k) => expect(weights[k]).toBeCloseTo(weight / 2, 14));
});
