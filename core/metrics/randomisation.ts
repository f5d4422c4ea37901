import { type MapSimilarity, mapSimilarity } from './map-change.ts';
import { randomSource } from './random.ts';

/** The map of a model whose weights are randomised from its last layer down to this one. */
export interface RandomisedMap {
  layer: string;
  /** [height, width] signed; null where this model's baseline is the image itself. */
  map: Float32Array | null;
}

export interface CascadeStep {
  layer: string;
  /** To the map of the trained model; null where a map is constant or missing. */
  similarity: MapSimilarity | null;
}

/**
 * Cascading randomisation (Adebayo et al. 2018): how like the trained model's map those of ever less trained models are. The trained
 * model itself is no step: its similarity of 1 would only flatter a mean.
 * @param map [height, width] of the trained model
 * @param randomised in the order of `randomisedModels`
 * @throws PathlightError as `mapSimilarity`; what `randomised` throws
 */
export async function* cascade(
  map: Float32Array,
  randomised: AsyncIterable<RandomisedMap>,
  height: number,
  width: number,
): AsyncGenerator<CascadeStep, void> {
  for await (const { layer, map: other } of randomised) {
    yield { layer, similarity: other === null ? null : mapSimilarity(map, other, height, width) };
  }
}

/**
 * What a cascade is held against (Arun et al. 2021): the mean SSIM of pairs of the trained model's maps of different images. A method whose
 * randomised maps are more alike than that does not answer to the model.
 * @param maps [height, width] each, of different images
 * @param pairs drawn with replacement among all pairs
 * @returns null with fewer than two maps that are not constant
 */
export function similarityOfPairs(
  maps: readonly Float32Array[],
  height: number,
  width: number,
  pairs = 50,
  seed = 1,
): number | null {
  const random = randomSource(seed);
  const all = maps.flatMap((a, i) => maps.slice(i + 1).map((b) => [a, b] as const));
  const drawn = Array.from({ length: all.length === 0 ? 0 : pairs }, () => {
    const pair = all[Math.floor(random() * all.length)];
    return pair === undefined ? null : mapSimilarity(pair[0], pair[1], height, width);
  }).filter((similarity) => similarity !== null);
  if (drawn.length === 0) return null;
  return drawn.reduce((sum, { ssim }) => sum + ssim, 0) / drawn.length;
}
