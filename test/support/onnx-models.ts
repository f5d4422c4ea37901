/** Small ONNX models for tests, written with the project's own writer and run by ONNX Runtime. */
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { attributes } from '../../core/onnx/attributes.ts';
import type { AttributeValues } from '../../core/onnx/builder.ts';
import { writeModel } from '../../core/onnx/file.ts';
import type { Declaration, Graph, Model, Node } from '../../core/onnx/graph.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { elementCount, type ElementType, tensor, type Tensor } from '../../core/onnx/tensor.ts';

export function node(
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
  values: AttributeValues = {},
): Node {
  return {
    name: `${operator}:${outputs.join()}`,
    operator,
    domain: '',
    inputs,
    outputs,
    attributes: attributes(values),
  };
}

export function declaration(
  name: string,
  shape: readonly (number | string)[],
  type: ElementType = 'float32',
): Declaration {
  return { name, type, typeName: type, shape };
}

/** Draws weights one after the other: normal, of a given spread. */
export function drawnWeights(seed: number): (shape: readonly number[], spread: number) => Tensor {
  const random = randomSource(seed);
  return (shape, spread) =>
    tensor(
      'float32',
      shape,
      normalNumbers(elementCount(shape), random).map((value) => spread * value),
    );
}

export function modelBytes(
  graph: Partial<Graph>,
  opset = 17,
  irVersion = 8,
  more: Partial<Pick<Model, 'domains' | 'functions'>> = {},
): Uint8Array<ArrayBuffer> {
  return writeModel({
    ...more,
    irVersion,
    opset,
    graph: {
      name: 'test',
      nodes: [],
      inputs: [],
      outputs: [],
      constants: new Map<string, Tensor>(),
      ...graph,
    },
  });
}

/**
 * One thread: tests share the machine.
 * @param optimised whether the runtime may fuse operators, which can change results (quantised models: by whole steps)
 */
export function openSession(bytes: Uint8Array, optimised = true): Promise<InferenceSession> {
  return InferenceSession.create(bytes, {
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
    graphOptimizationLevel: optimised ? 'all' : 'disabled',
  });
}

export type FloatType = 'float32' | 'float64';

export function floatTensor(
  type: FloatType,
  values: ArrayLike<number>,
  shape: readonly number[],
): RuntimeTensor {
  return type === 'float32'
    ? new RuntimeTensor('float32', Float32Array.from(values), shape)
    : new RuntimeTensor('float64', Float64Array.from(values), shape);
}

export function numbers(tensor: RuntimeTensor | undefined): Float64Array {
  const data = tensor?.data;
  if (data instanceof Float32Array || data instanceof Float64Array) return Float64Array.from(data);
  throw new TypeError('the output is not a float tensor');
}
