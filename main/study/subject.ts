/** One image and one model of a study: what all their maps are measured against. */
import { createHash } from 'node:crypto';
import { makeBaseline } from '../../core/attribution/baselines.ts';
import { differenceFloor } from '../../core/attribution/convergence.ts';
import { explainedScalar } from '../../core/attribution/explained-scalar.ts';
import type { Scalar } from '../../core/attribution/model.ts';
import { saysEqualEnds } from '../../core/attribution/path.ts';
import type { Provider } from '../../core/contract/device.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import type { BaselineName, Prediction } from '../../core/contract/result.ts';
import { channelScale, displayOfModelInput } from '../../core/imaging/model-input.ts';
import { lungMask } from '../../core/metrics/lung-check.ts';
import { nullMaps } from '../../core/metrics/nulls.ts';
import type { Score } from '../../core/metrics/score.ts';
import type { ModelProbe, Subject } from '../../core/metrics/subject.ts';
import type { Analysis } from '../app/analysis.ts';
import type { LibraryImage } from '../app/library.ts';
import { modelSha256 } from '../app/model-sha256.ts';
import type { UsableModel } from '../app/models.ts';
import { predictionOf, targetOf } from '../app/prediction.ts';
import { type AttributionJob, type Engine, mapsOf } from '../engine/engine.ts';
import { readMask } from './mask.ts';

/** What a study asks of every image, whatever the map. */
export interface Questions {
  /** null: what the model decides on the image. */
  target: string | null;
  scalar: Scalar;
  /** What pixels become where a metric takes them away. */
  blank: BaselineName;
  /** A folder of masks; null: the lungs, where a model draws them. */
  masks: string | null;
  /** Of the random maps, and of what metrics draw. */
  seed: number;
  provider: Provider;
}

export interface StudiedImage {
  image: LibraryImage;
  model: UsableModel;
  /** Of the file. */
  sha256: string;
  /** [channels, height, width] in the model's input units. */
  x: Float32Array;
  prediction: Prediction;
  target: { label: string; index: number };
  subject: Subject;
  /**
   * The same with a baseline at which the model is undecided, which takes gradients to find: found once, when it is asked for; without
   * one where the image is its own. A failure is not kept.
   */
  undecided: () => Promise<Subject>;
  /** [height, width] each: maps that know nothing of the model, made once, when they are asked for. */
  nullMaps: () => { random: Float32Array; edges: Float32Array };
  /** Least difference of scores that a gap is held against. */
  floor: number;
  mask: 'file' | 'lungs' | null;
  /** What the measured values depend on besides the map. */
  context: readonly unknown[];
}

/** Changed images that the engine is given together. */
const PROBE_BATCH = 32;
/** Of insertion and deletion: the reproducibility study has 21, RISE 225. */
const CURVE_POINTS = 33;

/** Rejects as the image's decoding, the model and the mask do. */
export async function studiedImage(
  engine: Engine,
  analysis: Analysis,
  image: LibraryImage,
  model: UsableModel,
  questions: Questions,
  signal: AbortSignal,
): Promise<StudiedImage> {
  const { card } = model;
  const { height, width } = card.input;
  const of = { image, frame: 0 };
  const [x, sha256, prediction, mask] = await Promise.all([
    analysis.images.input(of, card.input),
    analysis.images.sha256(image),
    analysis.predict(of, card.id),
    maskOf(analysis, image, questions.masks, height, width),
  ]);
  const target = targetOf(card, questions.target ?? prediction.label, prediction);
  // Another for each image, so that their random maps are independent, and the same whatever else is in the folder.
  const seed = (Number.parseInt(sha256.slice(0, 8), 16) ^ questions.seed) >>> 0;
  const probe = probeOf(engine, model, x, target, questions, seed, signal);
  const subject: Subject = {
    height,
    width,
    display: displayOfModelInput(x, card.input),
    mask: mask?.mask ?? null,
    model: probe,
    seed,
  };
  let nulls: ReturnType<StudiedImage['nullMaps']> | undefined;
  const makeNulls = (): ReturnType<StudiedImage['nullMaps']> => {
    const { random, edges } = nullMaps(subject.display, height, width, 1, seed);
    return { random: random[0] ?? edges, edges };
  };
  let found: Promise<Subject> | undefined;
  const makeUndecided = async (): Promise<Subject> => {
    const baseline = await undecidedBaseline(engine, model, x, target.index, questions, signal);
    return { ...subject, model: { ...probe, undecided: baseline && { baseline, chance: chanceOf(card) } } };
  };
  const undecided = (): Promise<Subject> => {
    found ??= makeUndecided().catch((error: unknown) => {
      found = undefined;
      throw error;
    });
    return found;
  };
  return {
    ...{ image, model, sha256, x, prediction, target, subject },
    undecided,
    nullMaps: () => (nulls ??= makeNulls()),
    floor: probe.floor,
    mask: mask?.from ?? null,
    context: [questions.blank, questions.seed, mask?.sha256 ?? null],
  };
}

/** The mask that a study holds an image's maps against; null: there is none. */
export async function maskOf(
  analysis: Analysis,
  image: LibraryImage,
  folder: string | null,
  height: number,
  width: number,
): Promise<{ mask: Uint8Array; sha256: string; from: 'file' | 'lungs' } | null> {
  if (folder !== null) {
    const drawn = await readMask(folder, image.entry.file, height, width);
    return drawn === null ? null : { ...drawn, from: 'file' };
  }
  const lungs = await analysis.lungs({ image, frame: 0 }, height, width);
  if (lungs === null) return null;
  return { mask: lungMask(lungs.probability), sha256: modelSha256(lungs.card), from: 'lungs' };
}

/** The model as the metrics ask it: its scores come from forward passes on the CPU. */
function probeOf(
  engine: Engine,
  { card, engine: model }: UsableModel,
  x: Float32Array,
  target: { label: string; index: number },
  { scalar, blank }: Questions,
  seed: number,
  signal: AbortSignal,
): ModelProbe {
  const predictions = lately(async (points: Float32Array, count: number) => {
    const outputs = await engine.run(model, points, count);
    const labels = card.output.labels.length;
    return Array.from({ length: count }, (_, k) =>
      predictionOf(card, outputs.subarray(k * labels, (k + 1) * labels)),
    );
  });
  const scoreBy =
    (of: (prediction: Prediction) => number): Score =>
    async (points, count) =>
      Float64Array.from(await predictions(points, count), of);
  const probability = ({ scores }: Prediction): number => scores[target.label] ?? NaN;
  const blanked = makeBaseline(blank, x, card.input);
  const display = displayOfModelInput(x, card.input);
  return {
    x,
    // One for all maps, whatever they start from, so that what is foretold can be compared.
    baseline: blanked,
    blank: blanked,
    undecided: null,
    probability: scoreBy(probability),
    decided: scoreBy(({ label }) => (label === target.label ? 1 : 0)),
    scalar: scoreBy(({ logits }) =>
      explainedScalar(
        card.output.labels.map((label) => logits[label] ?? NaN),
        target.index,
        scalar,
        card.output.activation,
      ),
    ),
    floor: differenceFloor(scalar),
    picture: Uint8Array.from(display, (value) => Math.round(255 * Math.min(1, Math.max(0, value)))),
    toInput: (picture) => inputOf(picture, card.input),
    seed,
    points: CURVE_POINTS,
    batchSize: PROBE_BATCH,
    signal,
  };
}

/** Answers kept: those of the batches of one metric's pictures, which the next metric asks of again. */
const ANSWERS_KEPT = 4;

/** Asks once for the same points, whatever of the answer is wanted. */
function lately<T>(
  ask: (points: Float32Array, count: number) => Promise<T>,
): (points: Float32Array, count: number) => Promise<T> {
  const kept = new Map<string, Promise<T>>();
  return (points, count) => {
    const bytes = new Uint8Array(points.buffer, points.byteOffset, points.byteLength);
    const key = createHash('sha1').update(bytes).digest('base64');
    const answer = kept.get(key) ?? ask(points, count);
    kept.delete(key);
    kept.set(key, answer);
    for (const old of kept.keys()) if (kept.size > ANSWERS_KEPT) kept.delete(old);
    // A failure is not kept.
    answer.catch(() => kept.delete(key));
    return answer;
  };
}

/** @returns [elements] the maximum-entropy baseline; null where the image is as undecided as that */
async function undecidedBaseline(
  engine: Engine,
  { card, engine: model }: UsableModel,
  x: Float32Array,
  target: number,
  { scalar, provider }: Questions,
  signal: AbortSignal,
): Promise<Float32Array | null> {
  const job: AttributionJob = {
    ...{ model, provider, x, input: card.input, target, scalar },
    // The cheapest method that has a baseline made for it.
    method: { id: 'idgi-ig', parameters: { steps: 1 } },
    baseline: { id: 'maximum-entropy', parameters: {} },
  };
  try {
    for await (const { baselines } of mapsOf(engine.attribute(job, signal))) {
      const [baseline] = baselines ?? [];
      if (baseline !== undefined) return baseline.image;
    }
  } catch (error) {
    if (saysEqualEnds(error)) return null;
    throw error;
  }
  throw new PathlightError('engine', 'The computation ended before its baseline', 'Start it again.');
}

/** The probability of a label of which the model says nothing. */
function chanceOf({ output: { activation, labels } }: ModelCard): number {
  return activation === 'sigmoid' || labels.length === 1 ? 0.5 : 1 / labels.length;
}

/** @param picture [height, width] as shown. @returns [channels, height, width] in the model's input units */
function inputOf(picture: Uint8Array, input: ModelCard['input']): Float32Array {
  const tensor = new Float32Array(input.channels * picture.length);
  for (let channel = 0; channel < input.channels; channel++) {
    const { mean, std } = channelScale(input, channel);
    picture.forEach((value, i) => (tensor[channel * picture.length + i] = (value / 255 - mean) / std));
  }
  return tensor;
}
