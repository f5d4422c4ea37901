/**
 * An engine whose WebGPU has a wrong kernel: its convolutions come out some percent too large. For the self-test to find, and
 * nothing else: the entry that the application starts knows nothing of it. The rest of the device is the CPU's.
 */
import { readFileSync } from 'node:fs';
import { InferenceSession } from 'onnxruntime-node';
import { readModel, writeModel } from '../../core/onnx/file.ts';
import type { Model } from '../../core/onnx/graph.ts';
import { tensor } from '../../core/onnx/tensor.ts';

/** By so much; read from the environment, so that a test can try one that is within the tolerance. */
const fault = Number(process.env['PATHLIGHT_TEST_FAULT']);
/** Graphs with that operator are spared: a fault that the fixture does not show, where it holds one. */
const spared = process.env['PATHLIGHT_TEST_FAULT_SPARES'] ?? '';

const create = InferenceSession.create.bind(InferenceSession) as (
  source: Uint8Array | string,
  options: InferenceSession.SessionOptions,
) => Promise<InferenceSession>;

const faulty: typeof create = (source, options) => {
  if (options.executionProviders?.[0] !== 'webgpu') return create(source, options);
  const bytes = typeof source === 'string' ? readFileSync(source) : source;
  return create(withWrongConvolutions(bytes), { ...options, executionProviders: ['cpu'] });
};
Object.assign(InferenceSession, { create: faulty });

function withWrongConvolutions(bytes: Uint8Array): Uint8Array {
  const model: Model = readModel(bytes);
  if (model.graph.nodes.some(({ operator }) => operator === spared)) return bytes;
  const kernels = model.graph.nodes
    .filter(({ operator }) => operator === 'Conv')
    .map(({ inputs }) => inputs[1] ?? '');
  const constants = new Map(model.graph.constants);
  for (const name of new Set(kernels)) {
    const weights = constants.get(name);
    if (weights?.type !== 'float32') continue;
    const values = Float64Array.from(weights.data as Float32Array, (weight) => weight * (1 + fault));
    constants.set(name, tensor('float32', weights.shape, values));
  }
  return writeModel({ ...model, graph: { ...model.graph, constants } });
}

await import('../../main/engine/process.ts');
