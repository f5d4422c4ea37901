import type { BaselineName } from '../contract/result.ts';
import { channelScale } from '../imaging/model-input.ts';
import { gaussianBlur } from '../imaging/resample.ts';

/** An image without what is to be explained, defined on the display, where black is 0 and white is 1. */
const displayLevels = { black: 0, grey: 0.5, white: 1 } as const satisfies Partial<
  Record<BaselineName, number>
>;

export interface BaselineInput {
  channels: number;
  height: number;
  width: number;
  /** The model takes (display value - mean) / std; a number for all channels, or one each. */
  mean: number | number[];
  std: number | number[];
}

/**
 * Standard deviation of the blurred baseline in model-input pixels, for an input of 224 pixels; others in proportion to the
 * shorter side. Ours: a rib is some 8 pixels wide at that size and vanishes, the shape of the thorax stays.
 */
const blurAt224 = 10;

/** Standard deviation of the blurred baseline, in model-input pixels. */
export function blurSigma(input: Pick<BaselineInput, 'height' | 'width'>): number {
  return (blurAt224 * Math.min(input.height, input.width)) / 224;
}

/**
 * @param x [channels, height, width] the image, in the model's input units
 * @returns the baseline, same shape and units
 */
export function makeBaseline(name: BaselineName, x: Float32Array, input: BaselineInput): Float32Array {
  const baseline = new Float32Array(x.length);
  const plane = input.height * input.width;
  for (let channel = 0; channel < input.channels; channel++) {
    const [from, to] = [channel * plane, (channel + 1) * plane];
    if (name === 'blurred') {
      // Blurring commutes with (v - mean) / std, so the model's input is blurred as the display image would be.
      baseline.set(gaussianBlur(x.subarray(from, to), input.height, input.width, blurSigma(input)), from);
    } else {
      const { mean, std } = channelScale(input, channel);
      baseline.fill((displayLevels[name] - mean) / std, from, to);
    }
  }
  return baseline;
}
