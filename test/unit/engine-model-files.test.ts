/** Models of every make in the engine's own process: run and explained alike, and refused with the reason. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  ModelProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType as Code,
} from '../../core/onnx/generated/onnx_pb.js';
import type { Node } from '../../core/onnx/graph.ts';
import { tensor } from '../../core/onnx/tensor.ts';
import { EngineClient } from '../../main/engine/client.ts';
import { type EngineModel, mapsOf } from '../../main/engine/engine.ts';
import { randomNumbers } from '../support/against-runtime.ts';
import { integralJob } from '../support/integral-job.ts';
import { declaration, modelBytes, node } from '../support/onnx-models.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const engine = new EngineClient();
afterAll(() => engine.close());
const folder = temporaryFolder();

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function save(name: string, bytes: Uint8Array, more: Partial<EngineModel> = {}): EngineModel {
  mkdirSync(path.join(folder, name), { recursive: true });
  const file = path.join(folder, name, 'model.onnx');
  writeFileSync(file, bytes);
  return {
    id: name,
    file,
    sha256: sha256(bytes),
    input: { name: 'x', shape: [4] },
    output: { name: 'y', activation: 'none' },
    ...more,
  };
}

const x = Float32Array.from([0.5, -1, 0.25, 2]);

/** What a run and an explanation give for one image. */
async function both(model: EngineModel, image = x) {
  const output = await engine.run(model, image);
  const ends = { x: image, baseline: new Float32Array(image.length) };
  const job = integralJob({ model, ...ends, target: 0, scalar: 'logit', maxEvaluations: 33 });
  const last = (await Array.fromAsync(mapsOf(engine.attribute(job)))).at(-1);
  expect(last?.fx).toBeCloseTo(output[0] ?? NaN, 4);
  return { output: [...output], map: [...(last?.map ?? [])], notes: last?.notes };
}

async function refusals(model: EngineModel, image = x): Promise<unknown[]> {
  const baseline = new Float32Array(image.length);
  const job = integralJob({ model, x: image, baseline, target: 0, scalar: 'logit' });
  const attempts = [() => engine.run(model, image), () => engine.attribute(job).next()];
  const told: unknown[] = [];
  for (const attempt of attempts)
    told.push(
      await attempt().then(
        () => 'taken',
        (error: unknown) => error,
      ),
    );
  return told;
}

const layers: Node[] = [
  node('MatMul', ['x', 'w'], ['m']),
  node('Add', ['m', 'b'], ['a']),
  node('Tanh', ['a'], ['y']),
];
const constants = new Map([
  ['w', tensor('float32', [4, 3], randomNumbers('w', 12))],
  ['b', tensor('float32', [3], randomNumbers('b', 3))],
]);
const plain = modelBytes({
  nodes: layers,
  constants,
  inputs: [declaration('x', ['N', 4])],
  outputs: [declaration('y', ['N', 3])],
});

/** The same model with its matrix in a file. */
function elsewhere(location: string): { bytes: Uint8Array; weights: Uint8Array } {
  const proto = fromBinary(ModelProtoSchema, plain);
  const [matrix] = proto.graph?.initializer ?? [];
  const weights = matrix?.rawData.slice() ?? new Uint8Array();
  if (matrix !== undefined) {
    matrix.rawData = new Uint8Array();
    matrix.dataLocation = TensorProto_DataLocation.EXTERNAL;
    matrix.externalData = Object.entries({ location, offset: '16', length: String(weights.length) }).map(
      ([key, value]) => create(StringStringEntryProtoSchema, { key, value }),
    );
  }
  return { bytes: toBinary(ModelProtoSchema, proto), weights: Buffer.concat([new Uint8Array(16), weights]) };
}

describe('weights in a file beside the model', () => {
  const { bytes, weights } = elsewhere('weights.bin');

  test('give what weights inside give', async () => {
    const model = save('beside', bytes, { externalData: { 'weights.bin': sha256(weights) } });
    writeFileSync(path.join(folder, 'beside', 'weights.bin'), weights);
    expect(await both(model)).toEqual(await both(save('inside', plain)));
    const support = await engine.check(model.file);
    expect(support).toMatchObject({ explainable: true, reasons: [] });
  });

  test('are refused where the card does not name them, or they have changed', async () => {
    const model = save('unnamed', bytes);
    writeFileSync(path.join(folder, 'unnamed', 'weights.bin'), weights);
    for (const error of await refusals(model)) {
      expect(error).toMatchObject({
        kind: 'model-refused',
        message: "The model keeps weights in 'weights.bin', which its card does not name",
      });
    }
    for (const error of await refusals({ ...model, externalData: { 'weights.bin': '0'.repeat(64) } })) {
      expect(error).toMatchObject({
        kind: 'model-refused',
        message: expect.stringContaining('SHA-256') as string,
      });
    }
  });

  test('are refused outside the folder, a link there included', async () => {
    writeFileSync(path.join(folder, 'secret.bin'), weights);
    const up = save('up', elsewhere('../secret.bin').bytes, {
      externalData: { '../secret.bin': sha256(weights) },
    });
    const link = save('link', elsewhere('linked.bin').bytes, {
      externalData: { 'linked.bin': sha256(weights) },
    });
    symlinkSync(path.join(folder, 'secret.bin'), path.join(folder, 'link', 'linked.bin'));
    for (const error of [...(await refusals(up)), ...(await refusals(link))]) {
      expect(error).toMatchObject({
        kind: 'unsupported',
        message: expect.stringMatching(/its own folder|the model's own folder/) as string,
      });
    }
    await expect(engine.check(link.file)).rejects.toMatchObject({ kind: 'unsupported' });
  });

  test('are missed where they are not there', async () => {
    for (const error of await refusals(save('missing', bytes))) {
      expect(error).toMatchObject({
        kind: 'not-found',
        message: 'The tensor "w" lies in the file "weights.bin", which is not there.',
      });
    }
  });

  test.skipIf(process.platform === 'win32')('a pipe in their place is not waited for', async () => {
    const model = save('pipe', bytes);
    execFileSync('mkfifo', [path.join(folder, 'pipe', 'weights.bin')]);
    for (const error of await refusals(model)) expect(error).toMatchObject({ kind: 'not-found' });
  });
});

test('a model of 16 bits is fed float32, and says so', async () => {
  const proto = fromBinary(ModelProtoSchema, plain);
  for (const constant of proto.graph?.initializer ?? []) {
    const bits = new Uint32Array(new Uint8Array(constant.rawData).buffer);
    constant.dataType = Code.BFLOAT16;
    constant.rawData = new Uint8Array(Uint16Array.from(bits, (value) => value >>> 16).buffer);
  }
  for (const { type } of [...(proto.graph?.input ?? []), ...(proto.graph?.output ?? [])]) {
    if (type?.value.case === 'tensorType') type.value.value.elemType = Code.BFLOAT16;
  }
  const narrow = await both(save('narrow', toBinary(ModelProtoSchema, proto)));
  const wide = await both(save('wide', plain));
  expect(narrow.notes).toEqual([
    'The model is in bfloat16: its weights and values were computed in float32.',
  ]);
  expect(wide.notes).toEqual([]);
  narrow.output.forEach((value, index) => expect(value).toBeCloseTo(wide.output[index] ?? NaN, 1));
  narrow.map.forEach((value, index) => expect(value).toBeCloseTo(wide.map[index] ?? NaN, 1));
});

test('a model of a fixed batch of several is filled up', async () => {
  // Its shapes are constants, so that it takes four images, no more and no fewer.
  const bytes = modelBytes({
    nodes: [
      node('Reshape', ['x', 'four'], ['r']),
      ...layers.map((each) => ({ ...each, inputs: each.inputs.map((name) => (name === 'x' ? 'r' : name)) })),
    ],
    constants: new Map([...constants, ['four', tensor('int64', [2], [4, 4])]]),
    inputs: [declaration('x', [4, 4])],
    outputs: [declaration('y', [4, 3])],
  });
  const model = save('fours', bytes);
  const dynamic = save('dynamic', plain);
  expect(await engine.check(model)).toMatchObject({ explainable: true });
  const fours = await both(model);
  const any = await both(dynamic);
  expect(fours.output).toEqual(any.output);
  expect(fours.notes).toEqual([expect.stringContaining('exactly 4 images')]);
  fours.map.forEach((value, index) => expect(value).toBeCloseTo(any.map[index] ?? NaN, 5));
  const points = Float32Array.from({ length: 6 * 4 }, (_, i) => Math.sin(i));
  expect(await engine.run(model, points, 6)).toEqual(await engine.run(dynamic, points, 6));
});

test.each([
  ['any batch', 'N' as const],
  ['a fixed batch of two', 2],
])('a model of %s that answers for an image by its neighbours is refused', async (_, size) => {
  const bytes = modelBytes({
    nodes: [
      node('Softmax', ['x'], ['r'], { axis: 0 }),
      ...layers.map((each) => ({ ...each, inputs: each.inputs.map((name) => (name === 'x' ? 'r' : name)) })),
    ],
    constants,
    inputs: [declaration('x', [size, 4])],
    outputs: [declaration('y', [size, 3])],
  });
  const model = save(`neighbours of ${size}`, bytes);
  const refusal = expect.stringMatching(
    /depends on the images beside it in the batch: the same image scored \S+ alone and \S+ beside another/,
  ) as string;
  expect(await engine.check(model)).toMatchObject({ explainable: false, reasons: [refusal] });
  await expect(both(model)).rejects.toMatchObject({ kind: 'unsupported', message: refusal });
});

test('a further input that nothing reads is left out', async () => {
  const bytes = modelBytes({
    nodes: layers,
    constants,
    inputs: [declaration('x', ['N', 4]), declaration('age', ['N', 1])],
    outputs: [declaration('y', ['N', 3])],
  });
  const any = await both(save('dynamic', plain));
  expect((await both(save('unread', bytes))).output).toEqual(any.output);
});

test('a double model is fed float32', async () => {
  const bytes = modelBytes({
    nodes: layers,
    constants: new Map(
      [...constants].map(([name, { shape, data }]) => [name, tensor('float64', shape, data)]),
    ),
    inputs: [declaration('x', ['N', 4], 'float64')],
    outputs: [declaration('y', ['N', 3], 'float64')],
  });
  const double = await both(save('double', bytes));
  const single = await both(save('single', plain));
  double.output.forEach((value, index) => expect(value).toBeCloseTo(single.output[index] ?? NaN, 5));
  double.map.forEach((value, index) => expect(value).toBeCloseTo(single.map[index] ?? NaN, 5));
});

test('further inputs are held, and channels last laid out', async () => {
  const bytes = modelBytes({
    nodes: [
      node('Transpose', ['x'], ['c'], { perm: [0, 3, 1, 2] }),
      node('Mul', ['c', 'gain'], ['g']),
      node('ReduceMean', ['g'], ['r'], { axes: [2, 3], keepdims: 0 }),
      node('Mul', ['r', 'r'], ['y']),
    ],
    inputs: [declaration('x', ['N', 2, 1, 3]), declaration('gain', [1])],
    outputs: [declaration('y', ['N', 3])],
  });
  const model = save('held', bytes, {
    input: { name: 'x', shape: [3, 2, 1], layout: 'NHWC' },
    heldInputs: { gain: { shape: [1], values: [2] } },
  });
  // Channels first: the first channel is [1, 3], whose mean is 2.
  const { output, map } = await both(model, Float32Array.from([1, 3, 0, 0, 0, 4]));
  expect(output).toEqual([16, 0, 16]);
  // The file alone does not tell what to hold the further input at; its card does.
  expect(await engine.check(model.file)).toMatchObject({ explainable: false });
  expect(await engine.check(model)).toMatchObject({ explainable: true, reasons: [] });
  expect(map.map((value) => Math.round(value * 1e4) / 1e4)).toEqual([4, 12, 0, 0, 0, 0]);
});

test('a model of volumes is refused before anything runs, with the reason', async () => {
  const bytes = modelBytes({
    nodes: [
      node('Conv', ['x', 'k'], ['c']),
      node('ReduceMean', ['c'], ['y'], { axes: [2, 3, 4], keepdims: 0 }),
    ],
    constants: new Map([['k', tensor('float32', [2, 1, 2, 2, 2], randomNumbers('k', 16))]]),
    inputs: [declaration('x', ['N', 1, 'D', 'H', 'W'])],
    outputs: [declaration('y', ['N', 2])],
  });
  const model = save('volumes', bytes, { input: { name: 'x', shape: [1, 4, 4] } });
  const why = 'The input "x" takes volumes, [N, 1, D, H, W].';
  for (const subject of [model.file, model]) {
    expect(await engine.check(subject)).toMatchObject({
      explainable: false,
      reasons: [expect.stringContaining(why)],
    });
  }
  for (const error of await refusals(model, new Float32Array(16))) {
    expect(error).toMatchObject({ kind: 'model-refused', message: expect.stringContaining(why) as string });
  }
});

/** One number, doubled to 32 GiB. */
const doubling = Array.from({ length: 33 }, (_, step) =>
  node('Concat', [`d${step}`, `d${step}`], [`d${step + 1}`], { axis: 0 }),
);

test('what the chosen output does not need is not opened', async () => {
  const bytes = modelBytes({
    nodes: [...layers, ...doubling],
    constants: new Map([...constants, ['d0', tensor('float32', [1], [1])]]),
    inputs: [declaration('x', ['N', 4])],
    outputs: [declaration('y', ['N', 3]), declaration('d33', [2 ** 33])],
  });
  expect(await both(save('second', bytes))).toEqual(await both(save('first', plain)));
});

test('a file that doubles itself to ten gigabytes is refused, run or explained', async () => {
  const bytes = modelBytes({
    nodes: [
      ...doubling,
      node('ReduceSum', ['d33'], ['sum'], { keepdims: 0 }),
      node('Add', ['x', 'sum'], ['y']),
    ],
    constants: new Map([['d0', tensor('float32', [1], [1])]]),
    inputs: [declaration('x', ['N', 4])],
    outputs: [declaration('y', ['N', 4])],
  });
  expect(bytes.length).toBeLessThan(4000);
  for (const error of await refusals(save('doubling', bytes))) {
    expect(error).toMatchObject({
      kind: 'too-large',
      message: expect.stringContaining('Concat:d') as string,
    });
  }
  expect((await both(save('after', plain))).output).toHaveLength(3);
});
