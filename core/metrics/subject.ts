/** What there is to measure: a map of an image, and whatever is at hand to question it with. */
import type { RandomisedMap } from './randomisation.ts';
import type { Asking, Score } from './score.ts';
import type { Explain } from './sensitivity.ts';

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
  /** Of the curves of insertion, deletion and ablation, both ends included; by default 65. */
  points?: number;
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

/** One image and whatever is at hand to hold its maps against: the same object for all its maps, so that their nulls are computed once. */
export interface Subject {
  height: number;
  width: number;
  /** [height, width] the image as shown, for the edge map. */
  display: Float32Array;
  /** [height, width] not 0 where the evidence should be. */
  mask: Uint8Array | null;
  model: ModelProbe | null;
  /** Of the random maps: another for each image of a folder, so that their nulls are independent. */
  seed: number;
}

/** null: the metric's question has no answer for this map. */
export type Value = number | null;
