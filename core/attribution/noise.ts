/** Seeded noise: draw k is the same whatever was drawn before it, so that a run can be repeated from its seed. */
import { normalNumbers, randomSource } from '../metrics/random.ts';

/** Numbers for draw k of a seed. Seeds a golden-ratio step apart, because neighbouring seeds belong to neighbouring runs. */
export function drawSource(seed: number, k: number): () => number {
  return randomSource((seed + Math.imul(k + 1, 0x9e3779b9)) | 0);
}

/** [elements] the noise of draw k. */
export type NoiseDraws = (k: number) => ArrayLike<number>;

/** Normal noise of mean 0. @param deviation in the units of what it is added to */
export function normalNoise(seed: number, elements: number, deviation: number): NoiseDraws {
  return (k) => normalNumbers(elements, drawSource(seed, k)).map((value) => deviation * value);
}

/** @returns [elements] x + scale * noise */
export function addNoise(x: Float32Array, noise: ArrayLike<number>, scale = 1): Float32Array {
  return x.map((value, i) => value + scale * (noise[i] ?? 0));
}

export function mean(values: ArrayLike<number>): number {
  return Array.from(values).reduce((total, value) => total + value, 0) / values.length;
}

/** Largest minus smallest value: noise is stated as a share of it, as SmoothGrad's authors do. */
export function rangeOf(x: Float32Array): number {
  let [lowest, highest] = [Infinity, -Infinity];
  for (const value of x) {
    lowest = Math.min(lowest, value);
    highest = Math.max(highest, value);
  }
  return highest - lowest;
}
