/** A gradient model and ONNX Runtime's run of it, for tests that compare gradients with difference quotients. */
import type { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { buildGradientModel, type GradientModel } from '../../core/autodiff/index.ts';
import { floatTensor, type FloatType, numbers } from './onnx-models.ts';

export interface Evaluation {
  /** Sum of weights times outputs, of the first image. */
  readonly f: number;
  readonly output: Float64Array;
  readonly gradient: Float64Array;
}

/** The gradient of the raw outputs of a model with one input [1, n] and one output [1, K]. */
export function differentiate(
  bytes: Uint8Array,
  input = 'image',
  output = 'result',
  kernels: 'cpu' | 'gpu' = 'cpu',
): GradientModel {
  return buildGradientModel(bytes, { input, output, objective: 'logit', activation: 'none', kernels });
}

/** @param images one row each; @param weights of the outputs of each */
export async function evaluateGradient(
  session: InferenceSession,
  model: GradientModel,
  type: FloatType,
  images: readonly (readonly number[])[],
  weights: readonly (readonly number[])[],
): Promise<Evaluation> {
  const rows = (values: readonly (readonly number[])[]): RuntimeTensor =>
    floatTensor(type, values.flat(), [values.length, values[0]?.length ?? 0]);
  const results = await session.run({
    [model.inputName]: rows(images),
    [model.seedName]: rows(weights),
  });
  const [f = NaN] = numbers(results[model.scalarName]);
  return {
    f,
    output: numbers(results[model.outputName]),
    gradient: numbers(results[model.gradientName]),
  };
}

/** Operators that ONNX Runtime computes in float32 inside, whatever they are given. */
export const computedInFloat32: ReadonlySet<string> = new Set([
  'Cast',
  'CastLike',
  'GroupNormalization',
  'Shrink',
]);
