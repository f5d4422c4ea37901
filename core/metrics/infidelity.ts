/** Infidelity (Yeh et al. 2019): does the map foretell what the model does when parts of the image change? */
import { PathlightError } from '../contract/errors.ts';
import { checkMap } from './map.ts';
import { randomSource } from './random.ts';
import { type Asking, type Score, scoresOf } from './score.ts';

export interface Infidelity {
  /** Mean of (foretold - observed)^2, in squared units of the scalar. */
  raw: number;
  /** The same after the map is scaled by the factor that makes it least: what remains is not a matter of scale. */
  scaled: number;
  /** That factor. */
  scale: number;
}

/**
 * @param foretold [perturbations] sum over the image of perturbation x attribution
 * @param observed [perturbations] f(x) - f(perturbed x)
 */
export function infidelityOf(foretold: Float64Array, observed: Float64Array): Infidelity {
  let [cross, square] = [0, 0];
  foretold.forEach((value, k) => {
    cross += value * (observed[k] ?? 0);
    square += value * value;
  });
  // captum takes a factor of 1 where nothing was foretold.
  const scale = square === 0 ? 1 : cross / square;
  const meanSquare = (factor: number): number =>
    foretold.reduce((sum, value, k) => sum + (factor * value - (observed[k] ?? 0)) ** 2, 0) / foretold.length;
  return { raw: meanSquare(1), scaled: meanSquare(scale), scale };
}

export interface InfidelityOptions extends Asking {
  /** Random patches, by default 10 as captum. */
  perturbations?: number;
  /** Side of the square patches in pixels; by default an eighth of the shorter side. */
  patch?: number;
  seed?: number;
}

/**
 * Random square patches of the image become the baseline. A map of contributions (one that sums to f(x) - f(baseline)) foretells that the
 * score falls by the patch's sum: captum's definition for methods that multiply by the input, with the perturbation as a share of
 * the way to the baseline. A gradient is such a map only after it is multiplied by x - baseline.
 * @param score the explained scalar
 * @param map [height, width] signed contributions, summed over channels
 * @param x [channels, height, width] in the model's input units
 * @param baseline [channels, height, width]
 * @throws PathlightError `bad-request`: sizes that do not fit; as `checkMap` and `scoresOf`
 */
export async function infidelity(
  score: Score,
  map: Float32Array,
  x: Float32Array,
  baseline: Float32Array,
  height: number,
  width: number,
  options: InfidelityOptions = {},
): Promise<Infidelity> {
  const pixels = height * width;
  checkMap(map, pixels);
  if (x.length !== baseline.length || x.length % pixels !== 0) {
    throw new PathlightError(
      'bad-request',
      `An image of ${x.length} and a baseline of ${baseline.length} values are not of ${height} x ${width} pixels`,
      'Give the image and its baseline at the model input size.',
    );
  }
  const shorter = Math.min(height, width);
  const { perturbations = 10, seed = 1 } = options;
  const side = Math.min(shorter, options.patch ?? Math.max(1, Math.round(shorter / 8)));
  const random = randomSource(seed);
  const foretold = new Float64Array(perturbations);
  // Point 0 is the image itself.
  const scores = await scoresOf(
    score,
    x.length,
    perturbations + 1,
    (point, k) => {
      point.set(x);
      if (k === 0) return;
      const top = Math.floor(random() * (height - side + 1));
      const left = Math.floor(random() * (width - side + 1));
      for (let row = top; row < top + side; row++) {
        for (let pixel = row * width + left; pixel < row * width + left + side; pixel++) {
          foretold[k - 1] = (foretold[k - 1] ?? 0) + (map[pixel] ?? 0);
          for (let i = pixel; i < x.length; i += pixels) point[i] = baseline[i] ?? 0;
        }
      }
    },
    options,
  );
  return infidelityOf(
    foretold,
    scores.slice(1).map((value) => (scores[0] ?? 0) - value),
  );
}
