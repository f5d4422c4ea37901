/** Maps that know nothing of the model: no metric is printed without what it makes of them. */
import { edgeMap } from './edges.ts';
import { normalNumbers, randomSource } from './random.ts';

export interface NullMaps {
  /** [height, width] independent normal noise, always the same. */
  random: Float32Array;
  /** [height, width] the image's edges. */
  edges: Float32Array;
}

/** Seed of the random map. */
const randomMapSeed = 20_240_229;

/** @param display [height, width] the image as shown */
export function nullMaps(display: Float32Array, height: number, width: number): NullMaps {
  return {
    random: normalNumbers(display.length, randomSource(randomMapSeed)),
    edges: edgeMap(display, height, width),
  };
}
