import { gradientMean } from './gradient-mean.ts';
import { type AttributionStream, Inquiry, type Run, type ScoringModel } from './inquiry.ts';
import { addNoise, drawSource, mean, type NoiseDraws } from './noise.ts';
import { checkPoint, pointAt } from './path.ts';

/** What one sample of expected gradients draws. */
export interface ReferenceDraw {
  /** Index of the reference. */
  reference: number;
  /** Where on the way from it to the image, in [0, 1]. */
  node: number;
}

/** Draw k of a seed: a reference with replacement, and a place on the way. */
export function referenceDraws(seed: number, references: number): (k: number) => ReferenceDraw {
  return (k) => {
    const random = drawSource(seed, k);
    return { reference: Math.floor(random() * references), node: random() };
  };
}

/**
 * Expected gradients (Erion et al. 2021; captum's GradientShap): the mean of (x_j - b_j) g(b_j + a_j (x_j - b_j)) over references b_j,
 * places a_j and, with noise, images x_j that are drawn. The sum should equal the mean of f(x_j) - f(b_j) and nears it as the samples
 * grow; to tell, the image and every reference drawn are scored once, and with noise every image.
 * @param references [elements] each, at least one
 * @param draw sample k
 * @param noise [elements] added to the image of sample k, in the model's input units; null for none
 * @throws PathlightError as `checkPoint` and `Inquiry.evaluate` say
 */
export async function* expectedGradients(
  model: ScoringModel,
  x: Float32Array,
  references: readonly Float32Array[],
  samples: number,
  draw: (k: number) => ReferenceDraw,
  noise: NoiseDraws | null,
  run: Run,
): AttributionStream {
  checkPoint(model, 'image', x);
  references.forEach((reference, k) => checkPoint(model, `reference ${k + 1}`, reference));
  const inquiry = new Inquiry(model, run);
  const imageOf = (k: number): Float32Array => (noise === null ? x : addNoise(x, noise(k)));
  const referenceOf = (k: number): Float32Array => references[draw(k).reference] ?? x;
  const place = (k: number): string => `at sample ${k + 1} of ${samples}`;

  const drawn = Array.from({ length: samples }, (_, k) => draw(k).reference);
  const distinct = [...new Set(drawn)];
  const images = noise === null ? 1 : samples;
  yield* gradientMean(inquiry, {
    count: samples,
    sample: (k) => {
      const [image, reference] = [imageOf(k), referenceOf(k)];
      const point = new Float32Array(x.length);
      pointAt(image, reference, draw(k).node, point);
      return { point, factor: image.map((value, i) => value - (reference[i] ?? 0)), weight: 1 };
    },
    place,
    expectedSum: async () => {
      if (!inquiry.measureSum) return null;
      const fx = await inquiry.scores(images, imageOf, (k) => (noise === null ? 'at the image' : place(k)));
      const fb = await inquiry.scores(
        distinct.length,
        (k) => references[distinct[k] ?? 0] ?? x,
        (k) => `at reference ${(distinct[k] ?? 0) + 1}`,
      );
      const scoreOf = new Map(distinct.map((reference, k) => [reference, fb[k] ?? NaN]));
      return mean(fx) - mean(drawn.map((reference) => scoreOf.get(reference) ?? NaN));
    },
    expectedSumCost: inquiry.measureSum ? (images + distinct.length) * inquiry.scoreCost : 0,
  });
}
