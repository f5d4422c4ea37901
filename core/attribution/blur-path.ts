/** The path of Blur Integrated Gradients (Xu, Venugopalan and Sundararajan 2020): from the image to ever stronger blur. */
import { type Border, preciseBlur } from '../imaging/resample.ts';
import type { KnownPoints } from './along-path.ts';
import { gradientMean } from './gradient-mean.ts';
import { type AttributionStream, Inquiry, type Run, type ScoringModel } from './inquiry.ts';
import { checkPoint } from './path.ts';

export interface BlurPathOptions {
  steps: number;
  /** The strongest blur, in input pixels. */
  largestSigma: number;
  /** Equal steps of the standard deviation, or of its square, the time of the heat equation. */
  spacing: 'sigma' | 'variance';
  /** The published code pads with zeros, which darkens the border: a map then explains a frame that nobody put there. */
  border: Border;
}

/** Standard deviation of point k, from 0 at the image. */
function sigmaAt(k: number, { steps, largestSigma, spacing }: BlurPathOptions): number {
  return largestSigma * (spacing === 'sigma' ? k / steps : Math.sqrt(k / steps));
}

/** @param shape [channels, height, width] of the image @returns [elements] float64 */
export function blurImage(
  x: Float32Array,
  shape: readonly number[],
  sigma: number,
  border: Border,
): Float64Array {
  const [channels = 1, height = 1, width = 1] = shape;
  const plane = height * width;
  const blurred = new Float64Array(x.length);
  for (let channel = 0; channel < channels; channel++) {
    const from = channel * plane;
    blurred.set(preciseBlur(x.subarray(from, from + plane), height, width, sigma, border), from);
  }
  return blurred;
}

const placeOfSigma = (sigma: number): string => `at a blur of ${sigma.toFixed(2)} pixels`;

/** @param shape [channels, height, width] of the image */
export function blurPath(x: Float32Array, shape: readonly number[], options: BlurPathOptions): KnownPoints {
  return {
    count: options.steps + 1,
    point: (k) => Float32Array.from(blurImage(x, shape, sigmaAt(k, options), options.border)),
    place: (k) => placeOfSigma(sigmaAt(k, options)),
  };
}

/** Of the difference quotient that stands for dB / d sigma in the published code, in pixels. */
const sigmaStep = 0.01;

/**
 * Blur IG as its published code computes it, for comparison: - sum of (sigma_j+1 - sigma_j) g(B_j) dB_j / d sigma, the derivative as a
 * difference quotient. Frames before the last average over the blurs so far. Integrating along the points themselves (`blurPath`) blurs half as often, and is exact for a linear model.
 */
export async function* blurByDerivative(
  model: ScoringModel,
  x: Float32Array,
  shape: readonly number[],
  options: BlurPathOptions,
  run: Run,
): AttributionStream {
  checkPoint(model, 'image', x);
  const { steps, border } = options;
  const inquiry = new Inquiry(model, run);
  const place = (k: number): string => placeOfSigma(sigmaAt(k, options));
  yield* gradientMean(inquiry, {
    count: steps,
    sample: (k) => {
      const sigma = sigmaAt(k, options);
      const here = blurImage(x, shape, sigma, border);
      const further = blurImage(x, shape, sigma + sigmaStep, border);
      // The mean's weights sum to 1, the steps to the strongest blur.
      const scale = (steps * (sigmaAt(k + 1, options) - sigma)) / sigmaStep;
      return {
        point: Float32Array.from(here),
        factor: here.map((value, i) => scale * (value - (further[i] ?? 0))),
        weight: 1,
      };
    },
    place,
    expectedSum: async (f) => {
      if (!inquiry.measureSum) return null;
      const strongest = blurImage(x, shape, sigmaAt(steps, options), border);
      return (f[0] ?? NaN) - (await inquiry.score(strongest, place(steps)));
    },
    expectedSumCost: inquiry.measureSum ? inquiry.scoreCost : 0,
  });
}
