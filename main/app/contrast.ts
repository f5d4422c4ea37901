/**
 * Debugging by contrast: two pictures explained alike, their scores and maps side by side, and what moved between them. The pictures are
 * one image with and without a known change, whose maps are brought into one frame; or two files, whose maps are compared as they lie.
 */
import type { AssessmentHeader, MapHeader, PreparationHeader } from '../../core/contract/calls.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import type { ExplanationResult } from '../../core/contract/result.ts';
import { type Orientation, sameOrientation } from '../../core/imaging/orientation.ts';
import {
  inverseOf,
  type Placement,
  type PictureTransform,
  staying,
  stayingPlacement,
} from '../../core/imaging/transform.ts';
import { evidencePeak } from '../../core/metrics/evidence-peak.ts';
import { lungMask } from '../../core/metrics/lung-check.ts';
import {
  type LungParts,
  lungParts,
  type LungShares,
  lungShares,
  placeInWords,
} from '../../core/metrics/lung-parts.ts';
import { type ContrastedMaps, contrastMaps, type MapContrast } from '../../core/metrics/map-contrast.ts';
import { areaOf } from '../../core/metrics/map.ts';
import { type SignedRegion, strongestRegions } from '../../core/metrics/strongest-regions.ts';
import type { Analysis, Explanation, ExplanationRequest } from './analysis.ts';
import type { Displayed } from './images.ts';
import { summaryOf, warningsOf } from './contrast-words.ts';
import type { LibraryImage } from './library.ts';

/** A known change as it is asked for: lengths in pixels of the model's input. */
export interface TransformChoice {
  zoom: number;
  /** To the right and down. */
  shift: { columns: number; rows: number };
  window: { center: number; width: number } | null;
}

export interface ContrastRequest extends Omit<ExplanationRequest, 'transform'> {
  /** A second file, or a known change of the first; one of them alone. */
  other: LibraryImage | TransformChoice;
}

/**
 * How the two maps came into one frame. `transform`: by the known change. `same-content`: both files hold the same bytes. `as-they-lie`:
 * not at all; a pixel of one is not the anatomy of that pixel of the other.
 */
export type Registration = 'transform' | 'same-content' | 'as-they-lie';

/** Where a picture's evidence is densest, in the map's own frame. */
export interface DensestEvidence {
  row: number;
  column: number;
  /** Share of |map| in the disc around it, and the disc's share of the area. */
  share: number;
  areaShare: number;
  where: string;
}

export interface ContrastSide {
  result: ExplanationResult;
  densest: DensestEvidence;
  /** null without lungs, or for a map of zeros. */
  lungShares: LungShares | null;
  /** The regions that raise and lower the score most. */
  regions: ContrastRegion[];
}

export interface ContrastRegion extends Omit<SignedRegion, 'pixels'> {
  /** Of what the region holds. */
  lungShares: LungShares | null;
  where: string;
}

/** compare.json. */
export interface Contrast {
  transform: TransformChoice | null;
  registration: Registration;
  scores: {
    label: string;
    a: { probability: number; logit: number };
    b: { probability: number; logit: number };
    difference: { probability: number; logit: number };
  }[];
  decision: { a: string; b: string; changed: boolean };
  /** null where a method has no criterion for it. */
  converged: { a: boolean | null; b: boolean | null };
  a: ContrastSide;
  b: ContrastSide;
  /** Where B's densest evidence lies in A's frame; null: it is not registered, or lies outside. */
  densestOfBInA: { row: number; column: number; where: string } | null;
  /**
   * Over what is compared, in A's frame, by A's outline of the lungs for both, and the lungs' share of that area; null where nothing is
   * registered or there are no lungs.
   */
  lungSharesInA: { a: LungShares; b: LungShares; areaShare: number } | null;
  /** Pearson's correlation of the two pictures as the model is given them, as they lie; null where one is blank. */
  pictureCorrelation: number | null;
  /** Whether each picture's outline of the lungs is taken for one; null without a lungs model. One that is not counts as none. */
  lungsPlausible: { a: boolean; b: boolean } | null;
  /** null where two images of different sizes are compared. */
  maps: MapContrast | null;
  /** What B gained (sign 1) and lost (sign -1) against A, in A's frame; null where `maps` is. */
  moved: ContrastRegion[] | null;
  /** What moved, in sentences; and what to know before believing them. */
  summary: string[];
  warnings: string[];
}

/** The pixels of each of `Contrast.moved`, in its order. */
type MovedPixels = readonly (readonly number[])[];

/** A finished contrast, and what stands beside it. */
export interface FinishedContrast {
  contrast: Contrast;
  card: ModelCard;
  a: Explanation;
  b: Explanation;
  pictures: { a: Displayed; b: Displayed };
  images: { a: LibraryImage; b: LibraryImage };
  height: number;
  width: number;
  /** null as `Contrast.maps`. */
  registered: (Omit<ContrastedMaps, 'contrast'> & { movedPixels: MovedPixels }) | null;
  /** Whether the change leaves some of the picture's frame to what comes in from outside. */
  broughtIn: boolean;
}

/** How far one of the two explanations has come. */
interface ContrastEvent {
  of: 'a' | 'b';
  header: PreparationHeader | MapHeader | AssessmentHeader;
}

/** Under this share of the picture nothing can be said of what stayed. */
const LEAST_STAYING = 0.01;

/** Lungs that take more than this many times the area that those of the other picture lead to expect, or less than its part, are none. Ours. */
const MOST_LUNG_RATIO = 2;

/** A contrast whose pictures are at hand. */
export interface PreparedContrast {
  card: ModelCard;
  requests: { a: ExplanationRequest; b: ExplanationRequest };
  transform: { choice: TransformChoice; placement: Placement } | null;
  pictures: { a: Displayed; b: Displayed };
}

/**
 * Decodes both pictures, and changes the second, before anything is computed or written. Rejects as the decoder does, and with `bad-request`
 * where the change would leave nothing to see.
 */
export async function prepareContrast(
  { images }: Analysis,
  card: ModelCard,
  { other, ...request }: ContrastRequest,
): Promise<PreparedContrast> {
  if ('entry' in other) {
    const requests = { a: request, b: { ...request, image: other } };
    const pictures = { a: await images.displayed(requests.a), b: await images.displayed(requests.b) };
    return { card, requests, transform: null, pictures };
  }
  const transform = pictureTransform(other, card.input);
  const requests = { a: request, b: { ...request, transform } };
  const pictures = { a: await images.displayed(requests.a), b: await images.displayed(requests.b) };
  return { card, requests, transform: { choice: other, placement: transform }, pictures };
}

/** Both for one label, A's. Yields the maps on their way, A's first. */
export async function* contrastImages(
  analysis: Analysis,
  { card, requests, transform, pictures }: PreparedContrast,
  signal?: AbortSignal,
): AsyncGenerator<ContrastEvent, FinishedContrast, undefined> {
  const { height, width } = card.input;
  const a = yield* explained(analysis, 'a', requests.a, signal);
  // A card without a decision would leave B's label to what the model says of B.
  const b = yield* explained(analysis, 'b', { ...requests.b, target: a.result.target }, signal);

  const registration: Registration =
    transform !== null
      ? 'transform'
      : a.result.image.sha256 === b.result.image.sha256
        ? 'same-content'
        : 'as-they-lie';
  const sameSize = pictures.a.rows === pictures.b.rows && pictures.a.columns === pictures.b.columns;
  const placement = transform?.placement ?? stayingPlacement;
  const maps = sameSize ? contrastMaps(a.map, b.map, height, width, placement) : null;
  const lungsPlausible = plausibleLungs(a, b, transform?.placement ?? null);
  const parts = {
    a: lungsPlausible?.a === false ? null : partsOf(a),
    b: lungsPlausible?.b === false ? null : partsOf(b),
  };
  const orientation = { a: requests.a.image.entry.orientation, b: requests.b.image.entry.orientation };
  // A place in a map of both is a patient's side where that is the same side of both.
  const shared = sameOrientation(orientation.a, orientation.b) ? orientation.a : null;
  const sides = {
    a: sideOf(a, parts.a, orientation.a),
    b: sideOf(b, parts.b, orientation.b),
  };
  const inputs = {
    a: await analysis.images.input(requests.a, card.input),
    b: await analysis.images.input(requests.b, card.input),
  };
  const moved = maps && strongestRegions(maps.difference, height, width);
  const facts: Omit<Contrast, 'summary' | 'warnings'> = {
    transform: transform?.choice ?? null,
    registration,
    scores: scoresOf(a.result, b.result),
    decision: {
      a: a.result.prediction.label,
      b: b.result.prediction.label,
      changed: a.result.prediction.label !== b.result.prediction.label,
    },
    converged: { a: a.result.converged, b: b.result.converged },
    ...sides,
    densestOfBInA:
      registration === 'as-they-lie'
        ? null
        : inFrameOfA(sides.b.densest, placement, height, width, parts.a, orientation.a),
    lungSharesInA:
      registration === 'as-they-lie' || maps === null || parts.a === null
        ? null
        : sharesInA(a.map, maps, parts.a),
    lungsPlausible,
    pictureCorrelation: correlation(inputs.a, inputs.b),
    maps: maps?.contrast ?? null,
    moved: maps && moved && inWords(moved, maps.difference, height, width, parts.a, shared),
  };
  const images = { a: requests.a.image, b: requests.b.image };
  return {
    contrast: {
      ...facts,
      summary: summaryOf(facts, shared, { height, width }),
      warnings: warningsOf(facts, { a: images.a.entry, b: images.b.entry }),
    },
    card,
    a,
    b,
    pictures,
    images,
    height,
    width,
    registered: maps && { ...maps, movedPixels: moved?.map(({ pixels }) => pixels) ?? [] },
    broughtIn: staying(height, width, inverseOf(placement)).includes(0),
  };
}

async function* explained(
  analysis: Analysis,
  of: 'a' | 'b',
  request: ExplanationRequest,
  signal: AbortSignal | undefined,
): AsyncGenerator<ContrastEvent, Explanation, undefined> {
  const frames = analysis.explain(request, signal);
  let next = await frames.next();
  while (next.done !== true) {
    yield { of, header: next.value.header };
    next = await frames.next();
  }
  return next.value;
}

/** @throws PathlightError `bad-request` where next to nothing would stay in the picture */
function pictureTransform(
  { zoom, shift, window }: TransformChoice,
  { height, width }: ModelCard['input'],
): PictureTransform {
  const transform = { zoom, across: shift.columns / width, down: shift.rows / height, window };
  // Along an axis the picture covers [1/2 - zoom/2, 1/2 + zoom/2] + shift of its frame; what stays is measured in the unchanged one.
  const stays = (moved: number): number =>
    Math.max(0, Math.min(1, 0.5 + zoom / 2 + moved) - Math.max(0, 0.5 - zoom / 2 + moved)) / zoom;
  const area = stays(transform.across) * stays(transform.down);
  if (area >= LEAST_STAYING) return transform;
  throw new PathlightError(
    'bad-request',
    area === 0
      ? 'The change moves the whole picture out of its frame'
      : `The change leaves ${(100 * area).toFixed(1)} % of the picture in its frame`,
    `Zoom and move less: the model's input has ${width} columns and ${height} rows.`,
  );
}

function partsOf({ lungs, width }: Explanation): LungParts | null {
  return lungs === null ? null : lungParts(lungs.probability, width);
}

/**
 * By their areas. A known change says how much of A's lungs stays in the picture, and how large; of two files each is what the other
 * leads to expect, and where they disagree neither is believed.
 * @param placement null: two files
 */
function plausibleLungs(
  a: Explanation,
  b: Explanation,
  placement: Placement | null,
): Contrast['lungsPlausible'] {
  if (a.lungs === null || b.lungs === null) return null;
  const [ofA, ofB] = [lungMask(a.lungs.probability), lungMask(b.lungs.probability)];
  const { zoom } = placement ?? stayingPlacement;
  const stays = staying(a.height, a.width, placement ?? stayingPlacement);
  const expected = zoom ** 2 * areaOf(ofA.map((pixel, i) => pixel * (stays[i] ?? 0)));
  const found = areaOf(ofB);
  const agree = Math.max(expected, found) <= MOST_LUNG_RATIO * Math.min(expected, found);
  return { a: agree || placement !== null, b: agree };
}

function sideOf(
  { result, map, height, width }: Explanation,
  parts: LungParts | null,
  orientation: Orientation | null,
): ContrastSide {
  const densest = evidencePeak(map, height, width);
  return {
    result,
    densest: { ...densest, where: placeInWords(densest, height, width, parts, orientation) },
    lungShares: parts && lungShares(map, parts),
    regions: inWords(strongestRegions(map, height, width), map, height, width, parts, orientation),
  };
}

function inWords(
  regions: readonly SignedRegion[],
  map: Float32Array,
  height: number,
  width: number,
  parts: LungParts | null,
  orientation: Orientation | null,
): ContrastRegion[] {
  return regions.map(({ pixels, ...region }) => ({
    ...region,
    lungShares: parts && lungShares(map, parts, pixels),
    where: placeInWords(region, height, width, parts, orientation),
  }));
}

function sharesInA(
  map: Float32Array,
  { broughtBack, compared }: ContrastedMaps,
  parts: LungParts,
): Contrast['lungSharesInA'] {
  const pixels = Array.from(compared.keys()).filter((i) => compared[i] === 1);
  const [a, b] = [lungShares(map, parts, pixels), lungShares(broughtBack, parts, pixels)];
  const inLungs = pixels.filter((i) => parts.pictureLeft[i] === 1 || parts.pictureRight[i] === 1);
  return a === null || b === null ? null : { a, b, areaShare: inLungs.length / pixels.length };
}

function inFrameOfA(
  { row, column }: DensestEvidence,
  placement: Placement,
  height: number,
  width: number,
  parts: LungParts | null,
  orientation: Orientation | null,
): Contrast['densestOfBInA'] {
  const { zoom, across, down } = inverseOf(placement);
  const back = (index: number, length: number, shift: number): number =>
    Math.floor(length / 2 + zoom * (index + 0.5 - length / 2) + shift * length);
  const place = { row: back(row, height, down), column: back(column, width, across) };
  if (place.row < 0 || place.row >= height || place.column < 0 || place.column >= width) return null;
  return { ...place, where: placeInWords(place, height, width, parts, orientation) };
}

function scoresOf(a: ExplanationResult, b: ExplanationResult): Contrast['scores'] {
  const of = ({ prediction }: ExplanationResult, label: string) => ({
    probability: prediction.scores[label] ?? NaN,
    logit: prediction.logits[label] ?? NaN,
  });
  return Object.keys(a.prediction.scores)
    .map((label) => {
      const [ofA, ofB] = [of(a, label), of(b, label)];
      const difference = {
        probability: ofB.probability - ofA.probability,
        logit: ofB.logit - ofA.logit,
      };
      return { label, a: ofA, b: ofB, difference };
    })
    .toSorted(
      (one, two) =>
        Math.max(two.a.probability, two.b.probability) - Math.max(one.a.probability, one.b.probability),
    );
}

/** Pearson's. */
function correlation(a: Float32Array, b: Float32Array): number | null {
  const mean = (values: Float32Array): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((value, i) => {
    const [fromA, fromB] = [value - meanA, (b[i] ?? 0) - meanB];
    ab += fromA * fromB;
    aa += fromA * fromA;
    bb += fromB * fromB;
  });
  return aa === 0 || bb === 0 ? null : ab / Math.sqrt(aa * bb);
}
