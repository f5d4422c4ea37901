/**
 * How much of a map's attribution lies in the lungs. A check that can fail, never a proof: a map inside the lungs
 * may still follow a shortcut (Viviano et al. 2021, "Saliency is a possible red herring when diagnosing poor generalization").
 */
import type { LungCheck } from '../contract/result.ts';
import { edgeMap } from './edges.ts';
import { evidencePeak } from './evidence-peak.ts';
import { normalNumbers, randomSource } from './random.ts';

/** Probability from which on a pixel counts as lung. */
const lungThreshold = 0.5;

/** Seed of the random map. */
const randomMapSeed = 20_240_229;

/**
 * @param map [height, width] signed attributions
 * @param lungs [height, width] lung probability
 * @param display [height, width] the image as shown, for the edge map
 * @returns shares and their nulls; all 0 where there are no lungs
 */
export function lungCheck(
  map: Float32Array,
  lungs: Float32Array,
  display: Float32Array,
  height: number,
  width: number,
): Omit<LungCheck, 'model'> {
  const inside = lungMask(lungs);
  const areaShare = inside.reduce((count, pixel) => count + pixel, 0) / inside.length;
  const share = shareInside(map, inside);
  const { row, column } = evidencePeak(map, height, width);
  return {
    share,
    areaShare,
    enrichment: areaShare === 0 ? 0 : share / areaShare,
    peakInside: inside[row * width + column] === 1,
    peak: { row, column },
    null: {
      random: shareInside(normalNumbers(map.length, randomSource(randomMapSeed)), inside),
      edges: shareInside(edgeMap(display, height, width), inside),
    },
  };
}

/**
 * @param lungs lung probability
 * @returns 1 in the lungs, else 0
 */
export function lungMask(lungs: Float32Array): Uint8Array {
  return Uint8Array.from(lungs, (probability) => (probability >= lungThreshold ? 1 : 0));
}

/** Share of |map| where the mask is 1; 0 for a map of zeros. */
function shareInside(map: Float32Array, mask: Uint8Array): number {
  let [inside, total] = [0, 0];
  for (let i = 0; i < map.length; i++) {
    const magnitude = Math.abs(map[i] ?? 0);
    total += magnitude;
    if (mask[i] === 1) inside += magnitude;
  }
  return total === 0 ? 0 : inside / total;
}
