/** What gradients are computed on, and how far it may be trusted. */

/** ONNX Runtime's execution providers that Pathlight uses; docs/gpu.md says what each of them needs. */
export const PROVIDERS = ['cpu', 'webgpu', 'cuda', 'dml', 'coreml'] as const;
export type Provider = (typeof PROVIDERS)[number];

/** Where models in TensorFlow.js form run; Pathlight takes the first that passes its self-test. */
export const TFJS_PROVIDERS = ['tfjs-node-gpu', 'tfjs-wasm', 'tfjs-cpu'] as const;
export type TfjsProvider = (typeof TFJS_PROVIDERS)[number];

/** A device's scores and gradient beside the CPU's, for the same points of the same model; relative L2 distances. */
export interface DeviceTest {
  /** Of the gradients, the median over the points. Rounding alone makes some of it, where a ReLU falls to its other side. */
  error: number;
  /** What it may not exceed. */
  tolerance: number;
  /** Of the gradients where they agree best, and of the raw outputs where they agree least: rounding without such jumps. */
  rounding: number;
  roundingTolerance: number;
  /** Nodes that ran, and how many of them ran on the CPU all the same. */
  nodes: number;
  fallbackNodes: number;
}

/** A backend of TensorFlow.js beside its reference, tfjs-cpu, at one point of the same model. */
export interface BackendTest {
  /** The greater of the two relative L2 distances, of the outputs and of the gradient. */
  error: number;
  /** 99th percentile of the gradient's absolute differences, relative to its greatest absolute value. */
  p99: number;
  /** What neither may exceed. */
  tolerance: number;
}

export interface DeviceInfo {
  provider: Provider | TfjsProvider;
  /** The device as the system names it; empty where it does not say. */
  name: string;
  /** Threads of the CPU's part. */
  threads: number;
  runtime: string;
  /** Of the model in hand where one is; null on the CPU and on tfjs-cpu, which the others are held against. */
  selfTest: DeviceTest | BackendTest | null;
}

/** A provider as it is offered. */
export interface DeviceOffer {
  provider: Provider;
  name: string;
  /** Found, and its self-test passed on the fixture. */
  available: boolean;
  /** Why not; empty where it is. */
  reason: string;
  /** On the fixture; null where it did not come to that. */
  selfTest: DeviceTest | null;
}
