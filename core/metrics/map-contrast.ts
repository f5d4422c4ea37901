/** How the map of a changed picture differs from that of the unchanged one, once it is brought back into its frame. */
import { inverseOf, type Placement, placedMap, staying } from '../imaging/transform.ts';
import { type ChanceAgreement, chanceAgreement, pairAgreement } from './agreement.ts';
import { areaOf, checkMap } from './map.ts';
import { relativeDistance } from './map-change.ts';

/** What two maps are alike by: Spearman's rank correlation of |map|, and the overlap (intersection over union) of its strongest 5 %. */
export interface Likeness {
  rankCorrelation: number;
  topOverlap: number;
}

export interface MapContrast extends Likeness {
  /** Share of A's area that is compared: what stays in both pictures. */
  comparedArea: number;
  /** Share of A's |map| in the area that left the picture, and of B's in the area that came in. */
  leftShare: number;
  cameShare: number;
  /** The same of two random maps of as many pixels. */
  null: ChanceAgreement;
  /** Of map A carried to B's frame and back: what resampling alone leaves of a map that did not change. */
  exact: Likeness & { relativeChange: number | null };
  /** ||B - A|| / ||A||; null where A is all zeros. */
  relativeChange: number | null;
  /** Over the compared area, in the map's unit. */
  sums: { a: number; b: number };
}

export interface ContrastedMaps {
  contrast: MapContrast;
  /** [height, width] map B in A's frame, and B - A there; 0 where nothing is compared. */
  broughtBack: Float32Array;
  difference: Float32Array;
  /** [height, width] 1 where the maps are compared. */
  compared: Uint8Array;
}

/**
 * @param a [height, width] signed map of the unchanged picture
 * @param b [height, width] signed map of the changed picture, in that picture's frame
 * @param placement what was done to the picture
 * @throws PathlightError `bad-request` as `checkMap`
 */
export function contrastMaps(
  a: Float32Array,
  b: Float32Array,
  height: number,
  width: number,
  placement: Placement,
): ContrastedMaps {
  checkMap(a, height * width);
  checkMap(b, height * width);
  const back = inverseOf(placement);
  const compared = staying(height, width, placement);
  const only = (map: Float32Array): Float32Array => map.map((value, i) => (compared[i] === 1 ? value : 0));
  const packed = (map: Float32Array): Float32Array => map.filter((_, i) => compared[i] === 1);
  const broughtBack = only(placedMap(b, height, width, back));
  const carried = placedMap(placedMap(a, height, width, placement), height, width, back);
  const [ofA, ofB, ofCarried] = [packed(a), packed(broughtBack), packed(carried)];
  return {
    contrast: {
      comparedArea: areaOf(compared) / compared.length,
      leftShare: shareWhere(a, compared, 0),
      cameShare: shareWhere(b, staying(height, width, back), 0),
      ...pairAgreement(ofA, ofB),
      null: chanceAgreement(ofA.length),
      exact: { ...pairAgreement(ofA, ofCarried), relativeChange: relativeDistance(ofA, ofCarried) },
      relativeChange: relativeDistance(ofA, ofB),
      sums: { a: sumOf(ofA), b: sumOf(ofB) },
    },
    broughtBack,
    difference: broughtBack.map((value, i) => (compared[i] === 1 ? value - (a[i] ?? 0) : 0)),
    compared,
  };
}

function shareWhere(map: Float32Array, mask: Uint8Array, wanted: 0 | 1): number {
  let [there, total] = [0, 0];
  map.forEach((value, i) => {
    total += Math.abs(value);
    if (mask[i] === wanted) there += Math.abs(value);
  });
  return total === 0 ? 0 : there / total;
}

function sumOf(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}
