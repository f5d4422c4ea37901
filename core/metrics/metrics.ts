/** The one table of metrics: what the command line offers, a study computes and a report explains. */
import { gaussianBlur } from '../imaging/resample.ts';
import { ablation } from './ablation.ts';
import { completenessGap } from './completeness.ts';
import { complexity, effectiveComplexity, sparseness } from './concentration.ts';
import { floatNoise } from './float-noise.ts';
import { infidelity } from './infidelity.ts';
import { informationCurve, revealedPictures, scoresOfPictures } from './information-curve.ts';
import { deletion, insertion, type ReplacementResult } from './insertion-deletion.ts';
import { losslessSize } from './lossless-size.ts';
import { type MapSimilarity, relativeDistance, shareDistance } from './map-change.ts';
import { magnitudeOf } from './map.ts';
import { evenCounts, replacedImages } from './pixel-replacement.ts';
import { pointingGame, pointingTolerance } from './pointing-game.ts';
import { averagePrecision, rocArea } from './precision-recall.ts';
import { cascade } from './randomisation.ts';
import { relevanceMass } from './relevance-mass.ts';
import { relevanceRank } from './relevance-rank.ts';
import { scoresOf } from './score.ts';
import { segmentationOverlap } from './segmentation-overlap.ts';
import { type Explain, sensitivityMax } from './sensitivity.ts';
import { multiScaleSimilarity } from './ssim.ts';
import type { MapOfImage, MethodProbe, ModelProbe, Value } from './subject.ts';

interface Described {
  name: string;
  better: 'higher' | 'lower' | 'neither';
  /** Least and largest value; null: without bound. */
  range: readonly [number | null, number | null];
  /** What a folder's values are: numbers to average, or hits to count. */
  kind: 'number' | 'hit';
  /** One sentence on what it says and does not say. */
  says: string;
}

export type Metric = Described &
  (
    | { needs: 'map'; measure: (map: MapOfImage) => Value }
    | { needs: 'mask'; measure: (map: MapOfImage, mask: Uint8Array) => Value }
    | { needs: 'model'; measure: (map: MapOfImage, probe: ModelProbe) => Promise<Value> }
    | { needs: 'method'; measure: (map: MapOfImage, probe: MethodProbe) => Promise<Value> }
  );

export type MetricId =
  | 'sparseness'
  | 'complexity'
  | 'effective-complexity'
  | 'hit-rate'
  | 'pointing-game'
  | 'relevance-mass'
  | 'enrichment'
  | 'relevance-rank'
  | 'otsu-iou'
  | 'top-iou'
  | 'average-precision'
  | 'roc-area'
  | 'completeness-gap'
  | 'insertion'
  | 'insertion-ratio'
  | 'deletion'
  | 'deletion-ratio'
  | 'ablation-drop'
  | 'sic-entropy'
  | 'aic-entropy'
  | 'sic-ms-ssim'
  | 'aic-ms-ssim'
  | 'infidelity'
  | 'sensitivity-max'
  | 'randomised-ssim'
  | 'randomised-rank'
  | 'change-jpeg'
  | 'change-jpeg-shares'
  | 'change-float-noise'
  | 'change-steps';

/** Computed once for each map and probe: two metrics read one curve. A failure is not kept. */
function once<Probe extends object, T>(
  compute: (map: MapOfImage, probe: Probe) => Promise<T>,
): (map: MapOfImage, probe: Probe) => Promise<T> {
  const known = new WeakMap<Probe, WeakMap<Float32Array, Promise<T>>>();
  return (map, probe) => {
    const ofProbe = known.get(probe) ?? new WeakMap<Float32Array, Promise<T>>();
    known.set(probe, ofProbe);
    const before = ofProbe.get(map.map);
    if (before !== undefined) return before;
    const result = compute(map, probe).catch((error: unknown) => {
      ofProbe.delete(map.map);
      throw error;
    });
    ofProbe.set(map.map, result);
    return result;
  };
}

const saliency = ({ map }: MapOfImage): Float32Array => magnitudeOf(map, map.length);

const replaced = (
  by: typeof insertion,
): ((map: MapOfImage, probe: ModelProbe) => Promise<ReplacementResult>) =>
  once((map, probe) => by(probe.probability, saliency(map), probe.x, probe.blank, probe));
const [inserted, deleted] = [replaced(insertion), replaced(deletion)];

/** Pictures on the way to the whole image, and how much information each holds: the same for the probability and the decision. */
interface Way {
  revealed: (
    map: MapOfImage,
    probe: ModelProbe,
  ) => Promise<{ pictures: Uint8Array[]; information: number[] }>;
  rescaled: boolean;
}

/** PAIR's: pixels appear, the rest is interpolated; information is the lossless size. */
const bySize: Way = {
  revealed: once((map, { picture, seed }) => {
    const pictures = revealedPictures(saliency(map), picture, map.height, map.width, { seed });
    const information = pictures.map((part) => losslessSize(part, map.width));
    return Promise.resolve({ pictures, information });
  }),
  rescaled: true,
};

/** Pixels, for a shorter side of 224; grown with it, which is ours. */
const studyBlurAt224 = 20;

/** The reproducibility study's: pixels appear on a blurred image, in 25 counts; information is the similarity to the whole image. */
const bySimilarity: Way = {
  revealed: once((map, { picture }) => {
    const { height, width } = map;
    const sigma = (studyBlurAt224 * Math.min(height, width)) / 224;
    const blurred = gaussianBlur(Float32Array.from(picture), height, width, sigma);
    const from = Uint8Array.from(blurred, Math.round);
    const counts = evenCounts(picture.length, 25);
    const pictures = Array.from(replacedImages(saliency(map), from, picture, counts), (image) =>
      image.slice(),
    );
    const information = pictures.map((part) => multiScaleSimilarity(part, picture, height, width, 255));
    return Promise.resolve({ pictures, information });
  }),
  rescaled: false,
};

/** SIC asks for the probability, AIC for the decision. */
function informationArea(
  performance: 'probability' | 'decided',
  { revealed, rescaled }: Way,
): Extract<Metric, { needs: 'model' }>['measure'] {
  return async (map, probe) => {
    const { pictures, information } = await revealed(map, probe);
    const scores = await scoresOfPictures(probe[performance], pictures, probe.toInput, probe);
    const steps = information.map((known, k) => ({ information: known, performance: scores[k] ?? 0 }));
    const curve = informationCurve(steps, { rescaled });
    return typeof curve === 'string' ? null : curve.area;
  };
}

/** The method's own map of the image, which its other maps are compared with; not the map in hand, which other steps may have made. */
const explained = once((_: MapOfImage, { explain, x }: MethodProbe) => explain(x));

/** How like the map of the model that has forgotten everything is. */
const fullyRandomised = once(async (image: MapOfImage, probe: MethodProbe): Promise<MapSimilarity | null> => {
  const { randomised } = probe;
  if (randomised === null) return null;
  const { height, width } = image;
  const own = await explained(image, probe);
  if (own === null) return null;
  let last: MapSimilarity | null = null;
  for await (const step of cascade(own, randomised(), height, width)) {
    last = step.similarity;
  }
  return last;
});

async function changed(
  image: MapOfImage,
  probe: MethodProbe,
  explain: Explain | null,
  x: Float32Array | null,
  distance: (a: Float32Array, b: Float32Array) => Value,
): Promise<Value> {
  if (explain === null || x === null) return null;
  const own = await explained(image, probe);
  const other = own === null ? null : await explain(x);
  return own === null || other === null ? null : distance(own, other);
}

const oneAtMost = [0, 1] as const;
const unbounded = [0, null] as const;

export const metrics = {
  sparseness: {
    name: 'Sparseness (Gini)',
    needs: 'map',
    better: 'neither',
    range: oneAtMost,
    kind: 'number',
    measure: ({ map }) => sparseness(map),
    says: 'How unevenly the attribution is spread; a sparse map is easier to read, not more right.',
  },
  complexity: {
    name: 'Complexity (entropy)',
    needs: 'map',
    better: 'neither',
    range: unbounded,
    kind: 'number',
    measure: ({ map }) => complexity(map),
    says: 'How many pixels share the attribution, as an entropy in nats; it knows nothing of the model.',
  },
  'effective-complexity': {
    name: 'Effective complexity',
    needs: 'map',
    better: 'neither',
    range: unbounded,
    kind: 'number',
    measure: ({ map }) => effectiveComplexity(map),
    says: "How many pixels exceed a 100,000th of the map's maximum; nearly all do in gradient maps.",
  },
  'hit-rate': {
    name: 'Hit rate',
    needs: 'mask',
    better: 'higher',
    range: oneAtMost,
    kind: 'hit',
    measure: ({ map, width }, mask) => hit(pointingGame(map, mask, width)),
    says: "Whether the map's maximum lies in the mask; one pixel decides, and a random map hits by area alone.",
  },
  'pointing-game': {
    name: 'Pointing game',
    needs: 'mask',
    better: 'higher',
    range: oneAtMost,
    kind: 'hit',
    measure: ({ map, height, width }, mask) =>
      hit(pointingGame(map, mask, width, pointingTolerance(height, width))),
    says: "Whether the map's maximum lies in the mask or up to 15 pixels beside it; generous to small masks.",
  },
  'relevance-mass': {
    name: 'Relevance mass',
    needs: 'mask',
    better: 'higher',
    range: oneAtMost,
    kind: 'number',
    measure: ({ map }, mask) => relevanceMass(map, mask)?.share ?? null,
    says: 'Which share of the attribution lies in the mask; large masks get much of it from any map.',
  },
  enrichment: {
    name: 'Enrichment',
    needs: 'mask',
    better: 'higher',
    range: unbounded,
    kind: 'number',
    measure: ({ map }, mask) => relevanceMass(map, mask)?.enrichment ?? null,
    says: "Relevance mass over the mask's share of the area: 1 is an even map; above 1 may still be a shortcut.",
  },
  'relevance-rank': {
    name: 'Relevance rank',
    needs: 'mask',
    better: 'higher',
    range: oneAtMost,
    kind: 'number',
    measure: ({ map }, mask) => relevanceRank(map, mask),
    says: 'Which share of the strongest pixels, as many as the mask has, lies in the mask; their strength does not count.',
  },
  'otsu-iou': {
    name: 'IoU after Otsu',
    needs: 'mask',
    better: 'higher',
    range: oneAtMost,
    kind: 'number',
    measure: ({ map }, mask) => segmentationOverlap(map, mask, 'otsu'),
    says: "Overlap of the mask with the map's upper class by Otsu, CheXlocalize's mIoU; scattered maps score low by form alone.",
  },
  'top-iou': {
    name: 'IoU of the top 5 %',
    needs: 'mask',
    better: 'higher',
    range: oneAtMost,
    kind: 'number',
    measure: ({ map }, mask) => segmentationOverlap(map, mask, 'top'),
    says: "Overlap of the mask with the map's top 5 %; it cannot reach 1 where the mask is larger or smaller.",
  },
  'average-precision': {
    name: 'AUPRC',
    needs: 'mask',
    better: 'higher',
    range: oneAtMost,
    kind: 'number',
    measure: ({ map }, mask) => averagePrecision(map, mask)?.area ?? null,
    says: "How well the map detects the mask's pixels; to be held against the mask's share of the area, which chance reaches.",
  },
  'roc-area': {
    name: 'AUROC of pixels',
    needs: 'mask',
    better: 'higher',
    range: oneAtMost,
    kind: 'number',
    measure: ({ map }, mask) => rocArea(map, mask),
    says: 'How often a pixel of the mask outranks one outside; 1/2 is chance, and small masks score high easily.',
  },
  'completeness-gap': {
    name: 'Completeness gap',
    needs: 'model',
    better: 'lower',
    range: unbounded,
    kind: 'number',
    measure: async ({ map }, probe) => {
      const { scalar, x, baseline, floor } = probe;
      const write = (point: Float32Array, k: number): void => point.set(k === 0 ? x : baseline);
      const [fx = NaN, fb = NaN] = await scoresOf(scalar, x.length, 2, write, probe);
      return completenessGap(map, fx, fb, floor).relative;
    },
    says: "How far the map's sum is from the change of score that it divides up; a small gap does not make a good map.",
  },
  insertion: {
    name: 'Insertion',
    needs: 'model',
    better: 'higher',
    range: oneAtMost,
    kind: 'number',
    measure: async (map, probe) => (await inserted(map, probe)).area,
    says: 'How soon the probability rises as pixels appear on a blank; half-revealed images are like none the model learnt from.',
  },
  'insertion-ratio': {
    name: 'Insertion, probability ratio',
    needs: 'model',
    better: 'higher',
    range: unbounded,
    kind: 'number',
    measure: async (map, probe) => (await inserted(map, probe)).ratio,
    says: "Insertion as a share of the whole image's probability, so that sure images do not dominate; may exceed 1.",
  },
  deletion: {
    name: 'Deletion',
    needs: 'model',
    better: 'lower',
    range: oneAtMost,
    kind: 'number',
    measure: async (map, probe) => (await deleted(map, probe)).area,
    says: 'How soon the probability falls as pixels are blanked; it may fall because the blank is strange, not because evidence is gone.',
  },
  'deletion-ratio': {
    name: 'Deletion, probability ratio',
    needs: 'model',
    better: 'lower',
    range: unbounded,
    kind: 'number',
    measure: async (map, probe) => (await deleted(map, probe)).ratio,
    says: "Deletion as a share of the whole image's probability, so that sure images do not dominate; may exceed 1.",
  },
  'ablation-drop': {
    name: 'Ablation to an undecided baseline',
    needs: 'model',
    better: 'higher',
    range: [null, null],
    kind: 'number',
    measure: async (map, probe) => {
      if (probe.undecided === null) return null;
      const { baseline, chance } = probe.undecided;
      const result = await ablation(probe.probability, saliency(map), probe.x, baseline, chance, probe);
      return result.uninformative ? result.drop : null;
    },
    says: 'How soon the score falls to chance as pixels become those of a maximum-entropy baseline, one of many; none where it falls by less than 0.1.',
  },
  'sic-entropy': {
    name: 'SIC over lossless size',
    needs: 'model',
    better: 'higher',
    range: oneAtMost,
    kind: 'number',
    measure: informationArea('probability', bySize),
    says: 'How much of the probability is back for how much of the image file; interpolated images are still unlike real ones.',
  },
  'aic-entropy': {
    name: 'AIC over lossless size',
    needs: 'model',
    better: 'higher',
    range: oneAtMost,
    kind: 'number',
    measure: informationArea('decided', bySize),
    says: 'How little of the image file brings the decision back; a step, so of one image it says little.',
  },
  'sic-ms-ssim': {
    name: 'SIC over MS-SSIM',
    needs: 'model',
    better: 'higher',
    range: oneAtMost,
    kind: 'number',
    measure: informationArea('probability', bySimilarity),
    says: 'How much of the probability is back for how much similarity to the image; maps that restore structure early score lower.',
  },
  'aic-ms-ssim': {
    name: 'AIC over MS-SSIM',
    needs: 'model',
    better: 'higher',
    range: oneAtMost,
    kind: 'number',
    measure: informationArea('decided', bySimilarity),
    says: 'How little similarity to the image brings the decision back; a step, so of one image it says little.',
  },
  infidelity: {
    name: 'Infidelity, scaled',
    needs: 'model',
    better: 'lower',
    range: unbounded,
    kind: 'number',
    measure: async ({ map, height, width }, probe) =>
      (await infidelity(probe.scalar, map, probe.x, probe.baseline, height, width, probe)).scaled,
    says: 'How far the map is, at its best scale, from foretelling what patches of baseline do to the score; in squared units of the score.',
  },
  'sensitivity-max': {
    name: 'Sensitivity-max',
    needs: 'method',
    better: 'lower',
    range: unbounded,
    kind: 'number',
    measure: async (map, probe) => {
      const own = await explained(map, probe);
      return own === null ? null : sensitivityMax(probe.explain, own, probe.x, probe.range, probe);
    },
    says: 'How much noise of 2 % of the input range can change the map; a map that ignores the model is the least sensitive.',
  },
  'randomised-ssim': {
    name: 'SSIM after randomisation',
    needs: 'method',
    better: 'lower',
    range: [-1, 1],
    kind: 'number',
    measure: async (map, probe) => (await fullyRandomised(map, probe))?.ssim ?? null,
    says: "How like the map is to that of the model with all weights shuffled; a method that fails shows the image's edges, not the model.",
  },
  'randomised-rank': {
    name: 'Rank correlation after randomisation',
    needs: 'method',
    better: 'lower',
    range: [-1, 1],
    kind: 'number',
    measure: async (map, probe) => (await fullyRandomised(map, probe))?.rankAbsolute ?? null,
    says: 'As the SSIM after randomisation, by the order of the pixels alone.',
  },
  'change-jpeg': {
    name: 'Change under JPEG',
    needs: 'method',
    better: 'lower',
    range: unbounded,
    kind: 'number',
    measure: (map, probe) => changed(map, probe, probe.explain, probe.reencoded, relativeDistance),
    says: 'How much the map changes when the image is JPEG-encoded once more; the model itself may be what changes.',
  },
  'change-jpeg-shares': {
    name: 'Change under JPEG, squared shares',
    needs: 'method',
    better: 'lower',
    range: unbounded,
    kind: 'number',
    measure: (map, probe) => changed(map, probe, probe.explain, probe.reencoded, shareDistance),
    says: "The reproducibility study's figure for the same; comparable among images of one size only.",
  },
  'change-float-noise': {
    name: 'Change under float noise',
    needs: 'method',
    better: 'lower',
    range: unbounded,
    kind: 'number',
    measure: (map, probe) =>
      changed(map, probe, probe.explain, floatNoise(probe.x, probe.seed), relativeDistance),
    says: 'How much the map changes when each input value moves by two units in its last place: what another device could do.',
  },
  'change-steps': {
    name: 'Change with twice the steps',
    needs: 'method',
    better: 'lower',
    range: unbounded,
    kind: 'number',
    measure: (map, probe) => changed(map, probe, probe.finer, probe.x, relativeDistance),
    says: 'How much the map still changes when the steps are doubled: its error of integration, not its truth.',
  },
} satisfies Record<MetricId, Metric>;

export const METRIC_IDS = Object.keys(metrics) as readonly MetricId[];

function hit(inside: boolean | null): Value {
  return inside === null ? null : Number(inside);
}
