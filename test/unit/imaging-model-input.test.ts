import { expect, it } from 'vitest';
import { displayOfModelInput, modelInput } from '../../core/imaging/model-input.ts';

const input = {
  name: 'image',
  layout: 'NCHW',
  channels: 3,
  height: 2,
  width: 2,
  fit: 'squeeze',
  filter: 'triangle',
  mean: 0.5,
  std: 0.25,
} as const;

it('normalises after resizing and repeats grey in every channel', () => {
  const tensor = modelInput(Float32Array.of(0, 0.25, 0.5, 1), 2, 2, input);
  expect(Array.from(tensor)).toEqual([-2, -1, 0, 2, -2, -1, 0, 2, -2, -1, 0, 2]);
  expect(Array.from(displayOfModelInput(tensor, input))).toEqual([0, 0.25, 0.5, 1]);
});

it('normalises each channel by its own mean and deviation, as colour models want it', () => {
  const colour = { ...input, mean: [0.5, 0.25, 0], std: [0.25, 0.5, 1] };
  const tensor = modelInput(Float32Array.of(0, 0.25, 0.5, 1), 2, 2, colour);
  expect(Array.from(tensor)).toEqual([-2, -1, 0, 2, -0.5, 0, 0.5, 1.5, 0, 0.25, 0.5, 1]);
  expect(Array.from(displayOfModelInput(tensor, colour))).toEqual([0, 0.25, 0.5, 1]);
});

it('squeezes the whole image: its aspect is not kept', () => {
  const wide = Float32Array.of(0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1);
  const [left = NaN, right = NaN] = modelInput(wide, 2, 8, { ...input, channels: 1 });
  expect(left).toBeLessThan(-1);
  expect(right).toBeGreaterThan(1);
  expect(left + right).toBeCloseTo(0, 6);
});
