/**
 * How much of a map's attribution lies in the lungs. A check that can fail, never a proof: a map inside the lungs
 * may still follow a shortcut (Viviano et al. 2021, "Saliency is a possible red herring when diagnosing poor generalization").
 */
import type { LungCheck } from '../contract/result.ts';
import { evidencePeak } from './evidence-peak.ts';
import { areaOf } from './map.ts';
import { nullMaps } from './nulls.ts';
import { relevanceMass } from './relevance-mass.ts';

/** Probability from which on a pixel counts as lung. */
const lungThreshold = 0.5;

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
  const shareOf = (of: Float32Array): number => relevanceMass(of, inside)?.share ?? 0;
  const {
    random: [random = map],
    edges,
  } = nullMaps(display, height, width);
  const areaShare = areaOf(inside) / inside.length;
  const share = shareOf(map);
  const { row, column } = evidencePeak(map, height, width);
  return {
    share,
    areaShare,
    enrichment: areaShare === 0 ? 0 : share / areaShare,
    peakInside: inside[row * width + column] === 1,
    peak: { row, column },
    null: { random: shareOf(random), edges: shareOf(edges) },
  };
}

/**
 * @param lungs lung probability
 * @returns 1 in the lungs, else 0
 */
export function lungMask(lungs: Float32Array): Uint8Array {
  return Uint8Array.from(lungs, (probability) => (probability >= lungThreshold ? 1 : 0));
}
