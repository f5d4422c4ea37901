import { throwIfCancelled } from '../attribution/path.ts';
import { checkMap } from './map.ts';
import { relativeDistance } from './map-change.ts';
import { randomSource } from './random.ts';

/**
 * A method of explanation, of a model and class that stay the same.
 * @param x [elements] an image in the model's input units
 * @returns [pixels] its map, signed; null where the image equals the method's baseline, so that there is nothing to explain
 */
export type Explain = (x: Float32Array) => Promise<Float32Array | null>;

export interface SensitivityOptions {
  /** Largest change of an element, as a share of the range of the model's input; by default 0.02. */
  radius?: number;
  /** Changed images, by default 10 as captum. */
  samples?: number;
  seed?: number;
  signal?: AbortSignal;
}

/**
 * Sensitivity-max (Yeh et al. 2019; captum's sampling): the largest ||map(x + u) - map(x)|| / ||map(x)|| over images changed by uniform noise.
 * captum's radius of 0.02 is in input units, which means nothing for an input of -1024..1024: ours is a share of the range.
 * @param map [pixels] what the method makes of x itself
 * @param range the least and the largest value that the model's input takes
 * @returns 0 or more; null where the map is all zeros, of which nothing can be a share (captum divides by 1 there), or a changed image has no map
 * @throws PathlightError `bad-request` as `checkMap`; `cancelled`; what the method throws
 */
export async function sensitivityMax(
  explain: Explain,
  map: Float32Array,
  x: Float32Array,
  range: readonly [least: number, largest: number],
  { radius = 0.02, samples = 10, seed = 1, signal }: SensitivityOptions = {},
): Promise<number | null> {
  checkMap(map, map.length);
  const random = randomSource(seed);
  const reach = radius * (range[1] - range[0]);
  let most = 0;
  for (let k = 0; k < samples; k++) {
    throwIfCancelled(signal);
    const changed = await explain(x.map((value) => value + reach * (2 * random() - 1)));
    if (changed === null) return null;
    checkMap(changed, map.length);
    const distance = relativeDistance(map, changed);
    if (distance === null) return null;
    most = Math.max(most, distance);
  }
  return most;
}
