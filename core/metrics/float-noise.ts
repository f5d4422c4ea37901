import { randomSource } from './random.ts';

/**
 * The image with each value off by up to two units in its last place, as another device, resampler or order of summation would have it.
 * @param x [elements] in the model's input units
 */
export function floatNoise(x: Float32Array, seed = 1): Float32Array {
  const random = randomSource(seed);
  // Two units in the last place are at most 2^-22 of a float32.
  return x.map((value) => value * (1 + (2 * random() - 1) * 2 ** -22));
}
