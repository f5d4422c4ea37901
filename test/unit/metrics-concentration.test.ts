import { describe, expect, test } from 'vitest';
import { complexity, effectiveComplexity, sparseness } from '../../core/metrics/concentration.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';

const oneHot = Float32Array.from({ length: 100 }, (_, i) => (i === 41 ? -7 : 0));
const even = new Float32Array(100).fill(-0.5);

test('one pixel that has all is sparsest and least complex; an even map the reverse', () => {
  expect(sparseness(oneHot)).toBeCloseTo(0.99, 12);
  expect(complexity(oneHot)).toBe(0);
  expect(effectiveComplexity(oneHot)).toBe(1);
  expect(sparseness(even)).toBeCloseTo(0, 12);
  expect(complexity(even)).toBeCloseTo(Math.log(100), 12);
  expect(effectiveComplexity(even)).toBe(100);
});

describe.each([
  ['sparseness', sparseness],
  ['complexity', complexity],
  ['effective complexity', effectiveComplexity],
])('%s', (_, measure) => {
  test('does not depend on scale, sign, the order of pixels or the maps beside it, as a whole batch normalised together would', () => {
    const map = normalNumbers(256, randomSource(5));
    const value = measure(map);
    expect(measure(map.map((attribution) => -1e-6 * attribution))).toBeCloseTo(value ?? NaN, 6);
    expect(measure(map.toReversed())).toBeCloseTo(value ?? NaN, 9);
    measure(map.map((attribution) => 1e6 * attribution));
    expect(measure(map)).toBe(value);
  });

  test('has no value for a map of zeros, and refuses one that is not of numbers', () => {
    expect(measure(new Float32Array(9))).toBeNull();
    expect(() => measure(new Float32Array([1, Infinity]))).toThrow('not finite');
  });
});
