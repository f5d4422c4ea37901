/** What the rest of main asks of the engine process. */
import type { Baseline, BaselineId } from '../../core/attribution/baseline-kinds.ts';
import type { BaselineInput } from '../../core/attribution/baselines.ts';
import type { Choice } from '../../core/attribution/choices.ts';
import type { AttributionFrame } from '../../core/attribution/inquiry.ts';
import type { MethodId } from '../../core/attribution/methods.ts';
import type { Scalar } from '../../core/attribution/model.ts';
import type { HeldInput, ModelSupport as GraphSupport } from '../../core/autodiff/index.ts';
import type { DeviceInfo, DeviceOffer, Provider, DeviceTest } from '../../core/contract/device.ts';
import type { Cost } from '../../core/onnx/cost.ts';
import type { ModelFormat } from '../../core/contract/model-card.ts';

/** A model file that has been checked against its card (main/app/models.ts). */
export interface EngineModel {
  id: string;
  /** Absolute path of the ONNX file, or of a TensorFlow.js model's model.json. */
  file: string;
  /** Absent: ONNX. */
  format?: ModelFormat;
  sha256: string;
  /** SHA-256 of the files beside it in which it keeps weights, by the names that it states. */
  externalData?: Readonly<Record<string, string>>;
  /** `shape` is channels first, whatever the layout that the model takes. */
  input: { name: string; shape: readonly number[]; layout?: 'NCHW' | 'NHWC' };
  /** Values of its further inputs, by name. */
  heldInputs?: Readonly<Record<string, HeldInput>>;
  output: { name: string; activation: 'softmax' | 'sigmoid' | 'none' };
  /** The value inside the model that stands for what it makes of an image; by default the last linear layer's input. */
  representation?: string;
}

/** Cascading randomisation: how many of a model's layers, from the last on, have their weights permuted (core/onnx/randomise.ts). */
export interface RandomisedLayers {
  layers: number;
  seed: number;
}

export interface AttributionJob {
  model: EngineModel;
  /** By default the CPU. */
  provider?: Provider;
  /** [elements] the image, in the model's input units. */
  x: Float32Array;
  /** What the model takes. */
  input: BaselineInput;
  /** Index of the explained label. */
  target: number;
  scalar: Scalar;
  method: Choice<MethodId>;
  /** null: the method needs none. What a method does not need is not made. */
  baseline: Choice<BaselineId> | null;
  /** [elements] each: a cohort, or images of another kind. */
  references?: readonly Float32Array[];
  /** [elements] the user's own baseline. */
  image?: Float32Array;
  /** Whether scores are asked for that only the expected sum needs; by default they are. */
  measureSum?: boolean;
  /** Explains the model with the weights of its last layers drawn anew; nothing of it is kept. */
  randomised?: RandomisedLayers;
}

/** A map after a batch. Of a method without a criterion or ends of its own, what belongs to those is null. */
export interface EngineAttribution extends Required<Omit<AttributionFrame, 'integral'>> {
  type: 'map';
  /** f(image) and f(baseline), of a path between them; of several baselines their means. */
  fx: number | null;
  fb: number | null;
  gapRelative: number | null;
  gapBound: number | null;
  mapChange: number | null;
  /** Of several runs: whether all of them have converged. */
  converged: boolean | null;
  nodes: number | null;
  /** Since the job began, baselines included. */
  seconds: number;
  /** null before there is a basis for an estimate. */
  secondsLeft: number | null;
  /** What readers of the results should know of how the model was read: one sentence each. */
  notes: readonly string[];
  /** Points evaluated together: the last bits of the map depend on it. */
  batch: number;
  /** Gradients that were taken to make the baselines; not among `evaluations`. */
  baselineEvaluations: number;
  /** With the final map: the baselines, none where the method needs none. */
  baselines: readonly Baseline[] | null;
  /** How far apart the maps of several runs are (over baselines, noise or references), or null of a single one. */
  spread: {
    runs: number;
    /** Root mean square distance of a run's map from the mean, as a share of the mean's norm; null where that is 0. */
    share: number | null;
    /** How many runs have converged; null where they have no criterion for it. */
    converged: number | null;
    /** [elements] standard deviation over the runs; with the final map. */
    deviation: Float32Array | null;
  } | null;
}

/** How far the baselines have come, where they take gradients, then the maps. */
export type AttributionEvent =
  { type: 'progress'; evaluations: number; maxEvaluations: number } | EngineAttribution;

/** The maps alone. */
export async function* mapsOf(
  events: AsyncIterable<AttributionEvent>,
): AsyncGenerator<EngineAttribution, void, undefined> {
  for await (const event of events) if (event.type === 'map') yield event;
}

/** `pathlight model check`. */
export interface ModelSupport extends Omit<GraphSupport, 'opset'> {
  /** null: a model in TensorFlow.js form. */
  opset: number | null;
}

/** What one gradient of a model takes on a device. */
export interface GradientMeasurement {
  provider: Provider;
  /** Building and opening the graph. */
  openMs: number;
  /** Score and gradient of one image, median of a few runs. */
  gradientMs: number;
  /** null: the CPU, which the others are held against. */
  selfTest: DeviceTest | null;
  /** Most memory that the engine's process has held, building included, MB. */
  peakMB: number;
  cost: Cost;
}

/** Methods reject with PathlightError; when the process dies, every pending call rejects with kind `engine`. */
export interface Engine {
  /**
   * What computes the gradients of a model. A device other than the CPU has passed its self-test on that model, now or before;
   * rejects with `device-refused` where it fails. Without a model the device is named, and nothing is tested. For a model in
   * TensorFlow.js form: the backend that passed, whatever the provider.
   */
  device(provider?: Provider, model?: EngineModel | null): Promise<DeviceInfo>;
  /** Tries a device on the fixture. May take the process down: for one that is thrown away. */
  probe(provider: Provider): Promise<DeviceOffer>;
  /**
   * Runs the model on the CPU, in batches.
   * @param points [count, elements], in the model's input units
   * @param count by default 1
   * @returns [count, labels] its named output, raw
   */
  run(model: EngineModel, points: Float32Array, count?: number): Promise<Float32Array>;
  /**
   * Explains by any method from any baseline (docs/methods.md); the last item has `final: true`. Scores that are asked
   * for alone are the forward model's, on the CPU; those of points whose gradient is taken, the ends of a path of Integrated Gradients
   * among them, come with the gradient from the chosen device. Aborting stops it between two batches, or two steps of opening the model.
   */
  attribute(job: AttributionJob, signal?: AbortSignal): AsyncIterableIterator<AttributionEvent>;
  /** @param subject path of a model's file or folder, or a model with its card, whose ends and further inputs are then taken */
  check(subject: string | EngineModel): Promise<ModelSupport>;
  /** Runs gradients of an ONNX file that can be explained: for a process that is thrown away, whose peak memory it is. */
  measure(file: string, provider: Provider): Promise<GradientMeasurement>;
  close(): Promise<void>;
}
