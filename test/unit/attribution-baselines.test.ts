import { expect, test } from 'vitest';
import { blurSigma, makeBaseline } from '../../core/attribution/baselines.ts';
import { gaussianBlur } from '../../core/imaging/resample.ts';

const input = { channels: 3, height: 8, width: 6, mean: 0.4, std: 0.25 };
const display = Float32Array.from({ length: 3 * 48 }, (_, i) => ((i * 37) % 11) / 10);
const x = display.map((value) => (value - input.mean) / input.std);

test.each([
  ['black', 0],
  ['grey', 0.5],
  ['white', 1],
] as const)('%s is that of the display, carried through the normalisation', (name, level) => {
  const baseline = makeBaseline(name, x, input);
  expect(baseline).toHaveLength(x.length);
  expect(new Set(baseline)).toEqual(new Set([Math.fround((level - 0.4) / 0.25)]));
});

test('a channel with a mean and deviation of its own has a level of its own', () => {
  const colour = { ...input, mean: [0.5, 0.25, 0], std: [0.25, 0.5, 1] };
  const white = makeBaseline('white', x, colour);
  expect([white[0], white[48], white[96]]).toEqual([2, 1.5, 1]);
});

test('blurred is the blurred display image, carried through the normalisation, channel by channel', () => {
  const baseline = makeBaseline('blurred', x, input);
  for (let channel = 0; channel < 3; channel++) {
    const plane = display.subarray(channel * 48, (channel + 1) * 48);
    gaussianBlur(plane, 8, 6, blurSigma(input)).forEach((value, i) =>
      expect(baseline[channel * 48 + i]).toBeCloseTo((value - 0.4) / 0.25, 5),
    );
  }
});

test('the blur grows with the shorter side of the input', () => {
  expect(blurSigma({ height: 224, width: 224 })).toBe(10);
  expect(blurSigma({ height: 448, width: 512 })).toBe(20);
});
