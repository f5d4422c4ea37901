/** The one table of metrics: what the command line offers, a study computes and a report explains. */
import { gaussianBlur } from '../imaging/resample.ts';
import { ablation } from './ablation.ts';
import { completenessGap } from './completeness.ts';
import { complexity, effectiveComplexity, sparseness } from './concentration.ts';
import { edgeMap } from './edges.ts';
import { floatNoise } from './float-noise.ts';
import { infidelity } from './infidelity.ts';
import { informationCurve, type Information, revealedPictures, revealedSteps } from './information-curve.ts';
import { deletion, insertion, type ReplacementResult } from './insertion-deletion.ts';
import { bootstrapMean, type BootstrapOptions, type Interval, wilsonProportion } from './interval.ts';
import { losslessSize } from './lossless-size.ts';
import { type MapSimilarity, relativeDistance, shareDistance } from './map-change.ts';
import { magnitudeOf } from './map.ts';
import { nullMaps } from './nulls.ts';
import { evenCounts, replacedImages } from './pixel-replacement.ts';
import { pointingGame, pointingTolerance } from './pointing-game.ts';
import { averagePrecision, rocArea } from './precision-recall.ts';
import { cascade, type RandomisedMap } from './randomisation.ts';
import { relevanceMass } from './relevance-mass.ts';
import { relevanceRank } from './relevance-rank.ts';
import { type Asking, type Score, scoresOf } from './score.ts';
import { segmentationOverlap } from './segmentation-overlap.ts';
import { type Explain, sensitivityMax } from './sensitivity.ts';
import { multiScaleSimilarity } from './ssim.ts';

export interface MapOfImage {
  /** [height, width] signed contributions. */
  map: Float32Array;
  height: number;
  width: number;
}

/** A model and one image, as far as metrics ask for them. */
export interface ModelProbe extends Asking {
  /** [channels, height, width] the image and the map's baseline, in the model's input units. */
  x: Float32Array;
  baseline: Float32Array;
  /** What blanked pixels become, for insertion and deletion. */
  blank: Float32Array;
  /** A baseline at which the model is undecided, and the probability that means; null where there is none. */
  undecided: { baseline: Float32Array; chance: number } | null;
  /** Probability of the explained class. */
  probability: Score;
  /** 1 where the model decides for that class, else 0. */
  decided: Score;
  /** The explained scalar, and the difference of it that a ratio is taken of at least (`differenceFloor`). */
  scalar: Score;
  floor: number;
  /** [height, width] the image as shown, and how the model takes such a picture. */
  picture: Uint8Array;
  toInput: (picture: Uint8Array) => Float32Array;
  seed: number;
}

/** A method of explanation on one image. What is null cannot be measured. */
export interface MethodProbe {
  x: Float32Array;
  /** The least and the largest value that the model's input takes. */
  range: readonly [least: number, largest: number];
  explain: Explain;
  /** The same method with twice the steps. */
  finer: Explain | null;
  /** The image after JPEG re-encoding, in the model's input units. */
  reencoded: Float32Array | null;
  /** The method's maps of ever less trained models (`randomisedModels`). */
  randomised: (() => AsyncIterable<RandomisedMap>) | null;
  seed: number;
  signal?: AbortSignal;
}

/** Whatever is at hand. */
export interface Subject extends MapOfImage {
  /** [height, width] the image as shown, for the edge map. */
  display: Float32Array;
  /** [height, width] not 0 where the evidence should be. */
  mask: Uint8Array | null;
  model: ModelProbe | null;
  method: MethodProbe | null;
  /** Of the random maps: another for each image of a folder, so that their nulls are independent. */
  seed: number;
}

type Value = number | null;

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

/** Pictures on the way to the whole image, and what their information is measured by. */
interface Way {
  pictures: (map: MapOfImage, probe: ModelProbe) => Uint8Array[];
  information: Information;
  rescaled: boolean;
}

/** PAIR's: pixels appear, the rest is interpolated; information is the lossless size. */
const bySize: Way = {
  pictures: (map, { picture, seed }) =>
    revealedPictures(saliency(map), picture, map.height, map.width, { seed }),
  information: (picture, _, __, width) => losslessSize(picture, width),
  rescaled: true,
};

/** The reproducibility study's: pixels appear on a blurred image, in 25 counts; information is the similarity to the whole image. */
const bySimilarity: Way = {
  pictures: (map, { picture }) => {
    const { height, width } = map;
    const sigma = (studyBlurAt224 * Math.min(height, width)) / 224;
    const blurred = gaussianBlur(Float32Array.from(picture), height, width, sigma);
    const from = Uint8Array.from(blurred, Math.round);
    const counts = evenCounts(picture.length, 25);
    return Array.from(replacedImages(saliency(map), from, picture, counts), (image) => image.slice());
  },
  information: (picture, image, height, width) => multiScaleSimilarity(picture, image, height, width, 255),
  rescaled: false,
};
/** Pixels, for a shorter side of 224; grown with it, which is ours. */
const studyBlurAt224 = 20;

/** SIC asks for the probability, AIC for the decision. */
function information(
  performance: 'probability' | 'decided',
  { pictures, information, rescaled }: Way,
): Extract<Metric, { needs: 'model' }>['measure'] {
  return async (map, probe) => {
    const { height, width } = map;
    const parts = pictures(map, probe);
    const steps = await revealedSteps(
      probe[performance],
      parts,
      probe.toInput,
      information,
      height,
      width,
      probe,
    );
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
  let last: MapSimilarity | null = null;
  for await (const step of cascade(await explained(image, probe), randomised(), height, width)) {
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
  return explain === null || x === null ? null : distance(await explained(image, probe), await explain(x));
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
    says: 'How soon the score falls to chance as pixels become those of a maximum-entropy baseline; there is one such baseline of many.',
  },
  'sic-entropy': {
    name: 'SIC over lossless size',
    needs: 'model',
    better: 'higher',
    range: oneAtMost,
    kind: 'number',
    measure: information('probability', bySize),
    says: 'How much of the probability is back for how much of the image file; interpolated images are still unlike real ones.',
  },
  'aic-entropy': {
    name: 'AIC over lossless size',
    needs: 'model',
    better: 'higher',
    range: oneAtMost,
    kind: 'number',
    measure: information('decided', bySize),
    says: 'How little of the image file brings the decision back; a step, so of one image it says little.',
  },
  'sic-ms-ssim': {
    name: 'SIC over MS-SSIM',
    needs: 'model',
    better: 'higher',
    range: oneAtMost,
    kind: 'number',
    measure: information('probability', bySimilarity),
    says: 'How much of the probability is back for how much similarity to the image; maps that restore structure early score lower.',
  },
  'aic-ms-ssim': {
    name: 'AIC over MS-SSIM',
    needs: 'model',
    better: 'higher',
    range: oneAtMost,
    kind: 'number',
    measure: information('decided', bySimilarity),
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
    measure: async (map, probe) =>
      sensitivityMax(probe.explain, await explained(map, probe), probe.x, probe.range, probe),
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

function hit(inside: boolean | null): Value {
  return inside === null ? null : Number(inside);
}

export interface Measured {
  /** null where the metric has no value for this map. */
  value: Value;
  /** The same for maps that know nothing of the model; for what asks the method, for methods that make them. */
  null: { random: Value; edges: Value };
}

/** Random maps that a null is the mean of, where measuring one takes no model. */
const randomMaps = 10;

/**
 * Measures a map beside its nulls. The random null is the mean over ten maps; where the model is asked, it is that of one.
 * @returns null where the subject lacks what the metric needs
 * @throws PathlightError as the metric
 */
export async function measureMap(id: MetricId, subject: Subject): Promise<Measured | null> {
  const metric: Metric = metrics[id];
  const { mask, model, method } = subject;
  const { random, edges } = nullsOf(subject);
  const [one = edges] = random;
  const beside = (measure: (map: MapOfImage) => Value): Measured => ({
    value: measure(subject),
    null: { random: meanOf(random.map(measure)), edges: measure(edges) },
  });
  switch (metric.needs) {
    case 'map':
      return beside(metric.measure);
    case 'mask':
      return mask === null ? null : beside((map) => metric.measure(map, mask));
    case 'model':
      if (model === null) return null;
      return {
        value: await metric.measure(subject, model),
        null: { random: await metric.measure(one, model), edges: await metric.measure(edges, model) },
      };
    case 'method': {
      if (method === null) return null;
      const edgesOf: Explain = (x) => Promise.resolve(edgesOfInput(x, subject));
      return {
        value: await metric.measure(subject, method),
        null: {
          random: await metric.measure(
            one,
            ignoring(method, () => Promise.resolve(one.map)),
          ),
          edges: await metric.measure(edges, ignoring(method, edgesOf)),
        },
      };
    }
  }
}

function meanOf(values: readonly Value[]): Value {
  const present = values.filter((value) => value !== null);
  return present.length === 0 ? null : present.reduce((sum, value) => sum + value, 0) / present.length;
}

/** The same probe of a method that does not ask the model. */
function ignoring(method: MethodProbe, explain: Explain): MethodProbe {
  const { randomised, finer, x } = method;
  return {
    ...method,
    explain,
    finer: finer === null ? null : explain,
    randomised:
      randomised === null
        ? null
        : async function* () {
            yield { layer: 'all', map: await explain(x) };
          },
  };
}

/** Edges of the mean over channels. */
function edgesOfInput(x: Float32Array, { height, width }: MapOfImage): Float32Array {
  const pixels = height * width;
  const mean = new Float32Array(pixels);
  x.forEach((value, i) => (mean[i % pixels] = (mean[i % pixels] ?? 0) + (value * pixels) / x.length));
  return edgeMap(mean, height, width);
}

interface Nulls {
  random: MapOfImage[];
  edges: MapOfImage;
}

/** Kept with their subject, so that metrics which share a curve share it for the nulls, too. */
const knownNulls = new WeakMap<Subject, Nulls>();

function nullsOf(subject: Subject): Nulls {
  const known = knownNulls.get(subject);
  if (known !== undefined) return known;
  const { display, height, width, seed } = subject;
  const { random, edges } = nullMaps(display, height, width, randomMaps, seed);
  const nulls = {
    random: random.map((map) => ({ map, height, width })),
    edges: { map: edges, height, width },
  };
  knownNulls.set(subject, nulls);
  return nulls;
}

/**
 * What a folder's values of one metric say together: a mean with its bootstrap interval, or a proportion with Wilson's.
 * @param values one an image, null where it has none
 * @returns null without any value
 */
export function overFolder(
  id: MetricId,
  values: readonly Value[],
  options: BootstrapOptions = {},
): Interval | null {
  return metrics[id].kind === 'hit' ? wilsonProportion(values) : bootstrapMean(values, options);
}
