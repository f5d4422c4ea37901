/** SmoothTaylor (Goh et al. 2021): first-order Taylor terms about noisy roots, and the noise that gives the smoothest map. */
import { PathlightError } from '../contract/errors.ts';
import { resizeTriangle } from '../imaging/resample.ts';
import { gradientMean } from './gradient-mean.ts';
import {
  type AttributionFrame,
  type AttributionStream,
  Inquiry,
  type Run,
  type ScoringModel,
} from './inquiry.ts';
import { addNoise, mean, type NoiseDraws } from './noise.ts';
import { checkPoint } from './path.ts';

/** How SmoothTaylor draws its roots. */
export interface Roots {
  count: number;
  /** [elements] noise of root i, of deviation 1. */
  noise: NoiseDraws;
}

/** f(x), asked for once however often it is wanted; null where nobody wants the sum. */
function scoreOnce(inquiry: Inquiry, x: Float32Array): () => Promise<number | null> {
  let score: number | null = null;
  return async () => {
    if (!inquiry.measureSum) return null;
    score ??= await inquiry.score(x, 'at the image');
    return score;
  };
}

function taylorMean(
  inquiry: Inquiry,
  x: Float32Array,
  { count, noise }: Roots,
  deviation: number,
  score: () => Promise<number | null>,
): AttributionStream {
  return gradientMean(inquiry, {
    count,
    sample: (k) => {
      const point = addNoise(x, noise(k), deviation);
      return { point, factor: x.map((value, i) => value - (point[i] ?? 0)), weight: 1 };
    },
    place: (k) => `at root ${k + 1} of ${count}`,
    expectedSum: async (f) => {
      const fx = await score();
      return fx === null ? null : fx - mean(f);
    },
    expectedSumCost: inquiry.measureSum ? inquiry.scoreCost : 0,
  });
}

/**
 * The mean of (x - z_i) g(z_i) over roots z_i = x + deviation * noise_i. To the first order each term sums to f(x) - f(z_i), so the sum
 * should equal f(x) less the mean score of the roots.
 * @throws PathlightError as `checkPoint` and `Inquiry.evaluate` say
 */
export async function* smoothTaylor(
  model: ScoringModel,
  x: Float32Array,
  roots: Roots,
  deviation: number,
  run: Run,
): AttributionStream {
  checkPoint(model, 'image', x);
  const inquiry = new Inquiry(model, run);
  yield* taylorMean(inquiry, x, roots, deviation, scoreOnce(inquiry, x));
}

/** The search for the noise, as its authors state it: first step of the deviation, its decay, failures and tries allowed. */
const search = { step: 0.1, decay: 0.9, failures: 3, tries: 20 } as const;

/**
 * Adaptive noising: begins at the mean magnitude of x and walks to the deviation whose map is the smoothest. Every try uses the same
 * noise, scaled, so that what differs between two tries is the deviation alone. A try asks for a gradient a root; there are at most
 * 1 + 2 * 20 of them.
 * @param unit what deviations are stated in: the search's first step is a tenth of it
 * @param roughness of a map, lower is better
 * @yields the best map so far; the last frame has the deviation chosen, in that unit, in `findings`
 * @throws PathlightError as `smoothTaylor` does
 */
export async function* adaptiveSmoothTaylor(
  model: ScoringModel,
  x: Float32Array,
  roots: Roots,
  unit: number,
  roughness: (map: Float32Array) => number,
  run: Run,
): AttributionStream {
  checkPoint(model, 'image', x);
  const inquiry = new Inquiry(model, run);
  const score = scoreOnce(inquiry, x);
  const maxEvaluations = (1 + 2 * search.tries) * roots.count + (inquiry.measureSum ? inquiry.scoreCost : 0);
  const best: { deviation: number; roughness: number; frame: AttributionFrame | null } = {
    deviation: NaN,
    roughness: Infinity,
    frame: null,
  };
  /** @returns whether the map at this deviation is the smoothest so far */
  async function* tryNoise(deviation: number): AsyncGenerator<AttributionFrame, boolean, undefined> {
    let last: AttributionFrame | null = null;
    for await (const frame of taylorMean(inquiry, x, roots, deviation, score)) {
      last = frame;
      const { evaluations } = frame;
      yield { ...(best.frame ?? frame), evaluations, maxEvaluations, final: false };
    }
    const reached = last === null ? Infinity : roughness(last.map);
    if (!(reached < best.roughness)) return false;
    best.deviation = deviation;
    best.roughness = reached;
    best.frame = last;
    return true;
  }

  yield* tryNoise(Math.max(mean(x.map(Math.abs)), unit / 1000));
  let step = search.step * unit;
  let failures = 0;
  for (let tried = 0; tried < search.tries && failures < search.failures; tried++) {
    const from = best.deviation;
    // No noise at all would make an empty map, which is as smooth as can be.
    const better =
      (yield* tryNoise(from + step)) || (from !== step && (yield* tryNoise(Math.abs(from - step))));
    if (better) {
      failures = 0;
    } else {
      failures++;
      step *= search.decay;
    }
  }
  const { frame, deviation, roughness: reached } = best;
  if (frame === null) throw new PathlightError('internal', 'No noise gave a map.');
  // An image of one value has no range to state it in.
  const findings = { ...(unit === 0 ? {} : { deviation: deviation / unit }), roughness: reached };
  yield { ...frame, evaluations: inquiry.evaluations, maxEvaluations, final: true, findings };
}

/** How much smaller each level of the pyramid is, and the shortest side that still counts. */
const pyramid = { factor: 1.5, shortestSide: 30 } as const;
/** The share of pixels that set a heat map's range. */
const rangeShare = 0.99;

/**
 * Average total variation over a pyramid of scales (AUTVC): the map's magnitude, channels summed and scaled so that 99 % of its pixels
 * are at most 1, has its mean absolute difference of neighbours taken at every scale, and these are integrated by Simpson's rule.
 * @param map [channels, height, width]
 */
export function totalVariation(map: Float32Array, shape: readonly number[]): number {
  const [channels = 1, height = 1, width = 1] = shape;
  const plane = height * width;
  const heat = new Float32Array(plane);
  for (let i = 0; i < channels * plane; i++) heat[i % plane] = (heat[i % plane] ?? 0) + (map[i] ?? 0);
  const magnitudes = heat.map(Math.abs);
  const range = magnitudes.toSorted()[Math.ceil(rangeShare * plane) - 1] ?? 0;
  if (range === 0) return 0;
  const scaled = magnitudes.map((value) => Math.min(value / range, 1));

  const variations: number[] = [];
  let [rows, columns] = [height, width];
  do {
    const level = resizeTriangle(scaled, height, width, rows, columns);
    let variation = 0;
    for (let i = 0; i < level.length; i++) {
      const here = level[i] ?? 0;
      if (i % columns < columns - 1) variation += Math.abs((level[i + 1] ?? 0) - here);
      if (i + columns < level.length) variation += Math.abs((level[i + columns] ?? 0) - here);
    }
    variations.push(variation / level.length);
    rows = Math.round(rows / pyramid.factor);
    columns = Math.round(columns / pyramid.factor);
  } while (Math.min(rows, columns) >= pyramid.shortestSide);
  return simpson(variations);
}

/** Simpson's rule at spacing 1; with an even number of values the last interval is a trapezoid's; a single value is itself. */
function simpson(values: readonly number[]): number {
  const value = (i: number): number => values[i] ?? 0;
  if (values.length === 1) return value(0);
  let integral = 0;
  let i = 0;
  for (; i + 2 < values.length; i += 2) integral += (value(i) + 4 * value(i + 1) + value(i + 2)) / 3;
  if (i + 1 < values.length) integral += (value(i) + value(i + 1)) / 2;
  return integral;
}
