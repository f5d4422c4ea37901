/** What the rest of main asks of the engine process. */
import type { IntegralFrame } from '../../core/attribution/integrated-gradients.ts';
import type { Scalar } from '../../core/attribution/model.ts';
import type { ModelSupport } from '../../core/autodiff/index.ts';

/** A model file that has been checked against its card (main/app/models.ts). */
export interface EngineModel {
  id: string;
  /** Absolute path of the ONNX file. */
  file: string;
  sha256: string;
  input: { name: string; shape: readonly number[] };
  output: { name: string; activation: 'softmax' | 'sigmoid' | 'none' };
}

export interface ExplainJob {
  model: EngineModel;
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
export type EngineMap = IntegralFrame;

export interface DeviceInfo {
  provider: string;
  threads: number;
  runtime: string;
}

/** `pathlight model check`. */
export type { ModelSupport };

/** Methods reject with PathlightError; when the process dies, every pending call rejects with kind `engine`. */
export interface Engine {
  device(): Promise<DeviceInfo>;
  /** Runs the model once. @returns its named output, raw */
  run(model: EngineModel, input: Float32Array): Promise<Float32Array>;
  /** Integrated Gradients; the last item has `final: true`. Aborting stops it between two batches. */
  explain(job: ExplainJob, signal?: AbortSignal): AsyncIterableIterator<EngineMap>;
  check(file: string): Promise<ModelSupport>;
  close(): Promise<void>;
}
