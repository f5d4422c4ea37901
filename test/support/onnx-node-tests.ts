/**
 * ONNX's own node tests (Debian: libonnx-testdata): for each operator small models with recorded inputs and outputs, and
 * what of each can be differentiated.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { PathlightError } from '../../core/contract/errors.ts';
import { readModel } from '../../core/onnx/file.ts';
import { GraphProtoSchema, ModelProtoSchema, TensorProtoSchema } from '../../core/onnx/generated/onnx_pb.js';
import type { Model, Node } from '../../core/onnx/graph.ts';
import { elementCount, integers, isFloat, type Tensor } from '../../core/onnx/tensor.ts';
import { OLDEST_OPSET } from '../../core/onnx/upgrade.ts';
import { differentiate } from './gradient-under-test.ts';
import { declaration, type FloatType, modelBytes, node } from './onnx-models.ts';

const FOLDER = '/usr/share/libonnx-testdata/data/node';

export interface NodeTest {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly model: Model;
  /** In the order of the model's inputs and outputs. */
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

/** Inputs and outputs by their places; the other inputs are held. */
export interface Path {
  readonly test: NodeTest;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

export type Examined =
  | { readonly kind: 'differentiable' | 'zero-gradient'; readonly path: Path }
  | { readonly kind: 'refused' | 'not applicable'; readonly why: string };

/** Names of all node tests; null, loudly, where the data set is not installed: what needs it is skipped. */
export function nodeTestNames(): readonly string[] | null {
  if (existsSync(FOLDER)) return readdirSync(FOLDER).sort();
  console.warn(`SKIPPED: ONNX's node tests are not installed (${FOLDER}; Debian: libonnx-testdata)`);
  return null;
}

/** A file of one TensorProto, read as the initialiser of a model that has nothing else. */
function readTensorFile(file: string): Tensor {
  const value = fromBinary(TensorProtoSchema, readFileSync(file));
  value.name = 'value';
  const model = create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [{ domain: '', version: 17n }],
    graph: create(GraphProtoSchema, { initializer: [value] }),
  });
  const tensor = readModel(toBinary(ModelProtoSchema, model)).graph.constants.get('value');
  if (tensor === undefined) throw new Error(`${file} holds no tensor`);
  return tensor;
}

function hasUntypedSubgraph({ attributes }: Node): boolean {
  return [...attributes.values()].some(
    (attribute) =>
      attribute.kind === 'graph' &&
      [...attribute.value.inputs, ...attribute.value.outputs].some(({ type }) => type === null),
  );
}

/** @returns the test, or why it is not one of a gradient */
function readNodeTest(name: string): NodeTest | string {
  const folder = path.join(FOLDER, name);
  const bytes = readFileSync(path.join(folder, 'model.onnx'));
  const model = readModel(bytes);
  const { inputs, outputs, nodes } = model.graph;
  // Models of 16 bits are computed in float32: their gradient is not that of what ONNX Runtime makes of the file.
  const untyped = [...inputs, ...outputs].find(
    ({ type, typeName }) => type === null || typeName.endsWith('float16'),
  );
  if (untyped !== undefined) return `it takes or gives ${untyped.typeName}`;
  if (nodes.some(hasUntypedSubgraph)) return 'one of its sub-graphs states no types';
  const foreign = nodes.find(({ domain }) => domain !== '');
  if (foreign !== undefined) return `it is of the domain ${foreign.domain}`;
  const recorded = (kind: string, count: number): Tensor[] =>
    Array.from({ length: count }, (_, index) =>
      readTensorFile(path.join(folder, 'test_data_set_0', `${kind}_${index}.pb`)),
    );
  return {
    name,
    bytes,
    model,
    inputs: recorded('input', inputs.length),
    outputs: recorded('output', outputs.length),
  };
}

const PREFIX = 'node-test/';
export const [IMAGE, RESULT] = [`${PREFIX}image`, `${PREFIX}result`];

export function imageType({ test, inputs }: Path): FloatType {
  return inputs.every((place) => test.inputs[place]?.type === 'float64') ? 'float64' : 'float32';
}

/** IMAGE [1, n] -> Slice, Reshape and Cast to each input -> the model -> its outputs flattened and joined: RESULT [1, K]. */
export function asClassifier({ test, inputs, outputs }: Path): Uint8Array {
  const { graph, irVersion } = test.model;
  // The tests of older sets are of operators that are the same in this one.
  const opset = Math.max(test.model.opset, OLDEST_OPSET);
  const type = imageType({ test, inputs, outputs });
  const constants = new Map(graph.constants);
  const constant = (name: string, value: Tensor): string => {
    constants.set(PREFIX + name, value);
    return PREFIX + name;
  };
  const nodes: Node[] = [];
  let from = 0;
  graph.inputs.forEach(({ name }, place) => {
    const value = test.inputs[place];
    if (value === undefined) return;
    if (!inputs.includes(place)) {
      constants.set(name, value);
      return;
    }
    const to = from + elementCount(value.shape);
    const bounds = { starts: [from], ends: [to], axes: [1] };
    const lists = Object.entries(bounds).map(([key, list]) => constant(`${key}${place}`, integers(list)));
    const [flat, shaped] = [`${PREFIX}flat${place}`, `${PREFIX}shaped${place}`];
    nodes.push(
      opset < 10 ? node('Slice', [IMAGE], [flat], bounds) : node('Slice', [IMAGE, ...lists], [flat]),
      node('Reshape', [flat, constant(`shape${place}`, integers(value.shape))], [shaped]),
      node('Cast', [shaped], [name], { to: value.type === 'float32' ? 1 : 11 }),
    );
    from = to;
  });
  nodes.push(...graph.nodes);
  const rows = outputs.map((place) => {
    const [cast, row] = [`${PREFIX}cast${place}`, `${PREFIX}row${place}`];
    nodes.push(
      node('Cast', [graph.outputs[place]?.name ?? ''], [cast], { to: type === 'float32' ? 1 : 11 }),
      node('Reshape', [cast, constant('row', integers([1, -1]))], [row]),
    );
    return row;
  });
  nodes.push(node('Concat', rows, [RESULT], { axis: 1 }));
  return modelBytes(
    {
      nodes,
      constants,
      inputs: [declaration(IMAGE, [1, from], type)],
      outputs: [declaration(RESULT, [1, 'K'], type)],
    },
    opset,
    irVersion,
  );
}

function refusal(way: Path): string | undefined {
  try {
    differentiate(asClassifier(way), IMAGE, RESULT);
    return undefined;
  } catch (error) {
    if (error instanceof PathlightError && error.kind !== 'internal') return error.message;
    throw error;
  }
}

/** The reason alone: without the frame of the message, and without names of nodes. */
function reasonOf(message: string): string {
  return message
    .replace(/^The model cannot.*?\): /, '')
    .replace(/Node .* \(\w+\): /, '')
    .replaceAll(/ \((node|nodes) .*/g, '');
}

/** Between which inputs and outputs a test's model is differentiable, or what stands in the way. */
export function examine(name: string): Examined {
  const test = readNodeTest(name);
  if (typeof test === 'string') return { kind: 'not applicable', why: test };
  const floats = (tensors: readonly Tensor[]): number[] =>
    tensors.flatMap(({ type, shape }, place) => (isFloat(type) && elementCount(shape) > 0 ? [place] : []));
  const inputs = floats(test.inputs);
  const outputs = floats(test.outputs);
  if (inputs.length === 0) return { kind: 'not applicable', why: 'it takes no floating-point numbers' };
  if (outputs.length === 0) return { kind: 'zero-gradient', path: { test, inputs, outputs } };

  // All outputs where that can be, else the first alone.
  const reasons: string[] = [];
  const some = outputs.slice(0, 1);
  for (const wanted of outputs.length === 1 ? [some] : [outputs, some]) {
    const possible = inputs.filter((input) => {
      const reason = refusal({ test, inputs: [input], outputs: wanted });
      if (reason !== undefined) reasons.push(reason);
      return reason === undefined;
    });
    if (possible.length > 0) {
      return { kind: 'differentiable', path: { test, inputs: possible, outputs: wanted } };
    }
  }
  // An input that only steers (a limit, a size) may be refused beside one that has no gradient.
  const independent = inputs.filter((_, index) => reasons[index]?.includes('does not depend differentiably'));
  if (independent.length > 0) {
    return { kind: 'zero-gradient', path: { test, inputs: independent, outputs } };
  }
  return { kind: 'refused', why: reasonOf(reasons[0] ?? '') };
}
