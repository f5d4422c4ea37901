/** What the rest of main asks of the engine process. */
import type { IntegralFrame } from '../../core/attribution/integrated-gradients.ts';
import type { Scalar } from '../../core/attribution/model.ts';
import type { HeldInput, ModelSupport as GraphSupport } from '../../core/autodiff/index.ts';
import type { DeviceInfo, DeviceOffer, Provider, SelfTest } from '../../core/contract/device.ts';
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
}

export interface ExplainJob {
  model: EngineModel;
  /** By default the CPU. */
  provider?: Provider;
  /** Model input and baseline, each [elements], in the model's input units. */
  x: Float32Array;
  baseline: Float32Array;
  /** Index of the explained label. */
  target: number;
  scalar: Scalar;
  gapTolerance: number;
  mapTolerance: number;
  maxEvaluations: number;
}

/** After every batch. `map` is [elements], signed. */
export interface EngineMap extends IntegralFrame {
  /** What readers of the results should know of how the model was read: one sentence each. */
  notes: readonly string[];
  /** Points evaluated together: the last bits of the map depend on it. */
  batch: number;
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
  selfTest: SelfTest | null;
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
  /** Runs the model once, on the CPU. @returns its named output, raw */
  run(model: EngineModel, input: Float32Array): Promise<Float32Array>;
  /** Integrated Gradients; the last item has `final: true`. Aborting stops it between two batches. */
  explain(job: ExplainJob, signal?: AbortSignal): AsyncIterableIterator<EngineMap>;
  /** @param subject path of a model's file or folder, or a model with its card, whose ends and further inputs are then taken */
  check(subject: string | EngineModel): Promise<ModelSupport>;
  /** Runs gradients of an ONNX file that can be explained: for a process that is thrown away, whose peak memory it is. */
  measure(file: string, provider: Provider): Promise<GradientMeasurement>;
  close(): Promise<void>;
}
