/** Methods whose map is a weighted mean of gradients, each multiplied by a picture: all that differs is where and by what. */
import { type AttributionStream, type Inquiry, joinPoints } from './inquiry.ts';

export interface GradientSample {
  /** [elements] where the gradient is taken. */
  point: Float32Array;
  /** [elements] what it is multiplied by. */
  factor: ArrayLike<number>;
  weight: number;
}

export interface GradientSamples {
  count: number;
  /** Sample k: asked for once, in the order in which they are evaluated, so that no more than a batch of them is kept. */
  sample: (k: number) => GradientSample;
  /** Of sample k, for the message of an error. */
  place: (k: number) => string;
  /**
   * What the sum should equal. @param f [count] scores of the samples
   * @returns null where nothing is promised
   */
  expectedSum: (f: Float64Array) => Promise<number | null>;
  /** Gradients that `expectedSum` asks for. */
  expectedSumCost: number;
}

/**
 * sum_k w_k factor_k g(point_k) / sum_k w_k. A frame after every batch holds the mean of the samples so far: an estimate of the
 * whole, whose weights sum to 1, too. Keeps one sum; the order is fixed, so the same samples give the same bits.
 */
export async function* gradientMean(inquiry: Inquiry, samples: GradientSamples): AttributionStream {
  const { count, sample, place } = samples;
  const { batchSize } = inquiry.run;
  const maxEvaluations = count + samples.expectedSumCost;
  const scores = new Float64Array(count);
  let sum = new Float64Array();
  let weights = 0;
  for (let start = 0; start < count; start += batchSize) {
    const batch = Array.from({ length: Math.min(batchSize, count - start) }, (_, k) => sample(start + k));
    const elements = batch[0]?.point.length ?? 0;
    if (start === 0) sum = new Float64Array(elements);
    const points = joinPoints(batch.map(({ point }) => point));
    const { f, gradient } = await inquiry.evaluate(points, batch.length, (k) => place(start + k));
    scores.set(f, start);
    for (const [k, { factor, weight }] of batch.entries()) {
      const offset = k * elements;
      for (let i = 0; i < elements; i++) {
        sum[i] = (sum[i] ?? 0) + weight * (factor[i] ?? 0) * (gradient[offset + i] ?? 0);
      }
      weights += weight;
    }
    const final = start + batch.length === count;
    const expectedSum = final ? await samples.expectedSum(scores) : null;
    const total = weights;
    yield inquiry.frame(
      sum.map((value) => value / total),
      expectedSum,
      maxEvaluations,
      final,
    );
  }
}
