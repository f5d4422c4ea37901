/** Maps that know nothing of the model: no metric is printed without what it makes of them. */
import { edgeMap } from './edges.ts';
import { normalNumbers, randomSource } from './random.ts';

export interface NullMaps {
  /** [height, width] each: independent normal noise. */
  random: Float32Array[];
  /** [height, width] the image's edges. */
  edges: Float32Array;
}

/** The seed where there is one image, and no other to be independent of. */
const randomMapSeed = 20_240_229;

/**
 * @param display [height, width] the image as shown
 * @param count random maps
 */
export function nullMaps(
  display: Float32Array,
  height: number,
  width: number,
  count = 1,
  seed = randomMapSeed,
): NullMaps {
  const random = randomSource(seed);
  return {
    random: Array.from({ length: count }, () => normalNumbers(display.length, random)),
    edges: edgeMap(display, height, width),
  };
}
