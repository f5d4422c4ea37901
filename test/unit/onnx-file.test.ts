/** Reading and writing ONNX files, and what is said of files that are none. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { PathlightError } from '../../core/contract/errors.ts';
import { readModel, writeModel } from '../../core/onnx/file.ts';
import {
  ModelProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType,
  TensorProtoSchema,
} from '../../core/onnx/generated/onnx_pb.js';
import type { Tensor } from '../../core/onnx/tensor.ts';
import { integers, tensor } from '../../core/onnx/tensor.ts';
import { declaration, modelBytes, node } from '../support/onnx-models.ts';

const shipped = readFileSync(path.resolve(import.meta.dirname, '../../models/pneumonia/model.onnx'));

function failure(bytes: Uint8Array): PathlightError {
  try {
    readModel(bytes);
  } catch (error) {
    if (error instanceof PathlightError) return error;
    throw error;
  }
  throw new Error('the file was read');
}

function withConstant(value: Tensor): Uint8Array<ArrayBuffer> {
  return modelBytes({
    constants: new Map([['c', value]]),
    nodes: [node('Identity', ['c'], ['y'])],
    outputs: [declaration('y', value.shape, value.type)],
  });
}

describe('a model file', () => {
  it('survives reading and writing', () => {
    const model = readModel(shipped);
    expect(readModel(writeModel(model))).toEqual(model);
  });

  it('keeps element types, and saturates int64 where a Slice means "to the end"', () => {
    const values = [
      tensor('float32', [2], [1.5, -0]),
      tensor('float64', [1], [Math.PI]),
      tensor('bool', [2], [1, 0]),
      tensor('int32', [], [-7]),
      tensor('uint8', [1, 2], [0, 255]),
      integers([-1, 2 ** 53, 2 ** 63, -(2 ** 63)]),
    ];
    for (const value of values) {
      expect(readModel(withConstant(value)).graph.constants.get('c')).toEqual(value);
    }
    const proto = fromBinary(ModelProtoSchema, withConstant(integers([2 ** 63, -(2 ** 63)])));
    const raw = proto.graph?.initializer[0]?.rawData ?? new Uint8Array();
    expect([...new BigInt64Array(new Uint8Array(raw).buffer)]).toEqual([2n ** 63n - 1n, -(2n ** 63n)]);
  });

  it('reads the typed fields that some writers use instead of raw data', () => {
    const proto = fromBinary(ModelProtoSchema, withConstant(integers([0])));
    const put = (fields: object): Tensor | undefined => {
      if (proto.graph !== undefined) {
        proto.graph.initializer = [create(TensorProtoSchema, { name: 'c', ...fields })];
      }
      return readModel(toBinary(ModelProtoSchema, proto)).graph.constants.get('c');
    };
    expect(put({ dims: [2n], dataType: 1, floatData: [1, 2.5] })).toEqual(tensor('float32', [2], [1, 2.5]));
    expect(put({ dims: [1n], dataType: 7, int64Data: [-3n] })).toEqual(integers([-3]));
    expect(put({ dims: [2n], dataType: 9, int32Data: [1, 0] })).toEqual(tensor('bool', [2], [1, 0]));
    expect(put({ dims: [1n], dataType: 11, doubleData: [0.1] })).toEqual(tensor('float64', [1], [0.1]));
  });

  it('lists no initialiser among the inputs, as older files do', () => {
    const proto = fromBinary(ModelProtoSchema, shipped);
    const before = readModel(shipped).graph.inputs;
    const first = proto.graph?.initializer[0]?.name ?? '';
    const input = proto.graph?.input[0];
    if (input !== undefined) proto.graph?.input.push({ ...input, name: first });
    expect(readModel(toBinary(ModelProtoSchema, proto)).graph.inputs).toEqual(before);
  });
});

describe('a file that is no usable model', () => {
  it('is called damaged when it is cut short, wherever', () => {
    for (const share of [0.1, 0.5, 0.9, 0.999]) {
      const error = failure(shipped.subarray(0, Math.floor(shipped.length * share)));
      expect(error.kind).toBe('damaged');
      expect(error.message).toMatch(/cut short|holds \d+ values/);
    }
  });

  it('is not recognised when it is something else', () => {
    const others = [new Uint8Array(), new TextEncoder().encode('PK not a model'), new Uint8Array(1000)];
    for (const bytes of others) expect(failure(bytes).kind).toBe('not-recognised');
  });

  it('is too large when opening it would keep the engine busy for hours', () => {
    const chain = Array.from({ length: 10_001 }, (_, i) => node('Relu', [`x${i}`], [`x${i + 1}`]));
    const bytes = modelBytes({
      nodes: chain,
      inputs: [declaration('x0', [1])],
      outputs: [declaration('x10001', [1])],
    });
    expect(failure(bytes)).toMatchObject({ kind: 'too-large' });
    expect(failure(bytes).message).toContain('10001 nodes');
  });

  it('is damaged when a tensor does not fill its shape', () => {
    const proto = fromBinary(ModelProtoSchema, withConstant(tensor('float32', [4], [1, 2, 3, 4])));
    const [constant] = proto.graph?.initializer ?? [];
    if (constant !== undefined) constant.rawData = constant.rawData.subarray(0, 10);
    const error = failure(toBinary(ModelProtoSchema, proto));
    expect(error.kind).toBe('damaged');
    expect(error.message).toBe('The tensor "c" of shape [4] holds 2 values instead of 4.');
  });

  it('is refused when its weights lie elsewhere, or are of another kind', () => {
    const proto = fromBinary(ModelProtoSchema, withConstant(tensor('float32', [1], [1])));
    const [constant] = proto.graph?.initializer ?? [];
    if (constant !== undefined) constant.dataLocation = TensorProto_DataLocation.EXTERNAL;
    expect(failure(toBinary(ModelProtoSchema, proto))).toMatchObject({
      kind: 'unsupported',
      message: expect.stringContaining('a file of their own') as string,
    });
    if (constant !== undefined)
      Object.assign(constant, {
        dataLocation: TensorProto_DataLocation.DEFAULT,
        dataType: TensorProto_DataType.FLOAT16,
      });
    expect(failure(toBinary(ModelProtoSchema, proto))).toMatchObject({
      kind: 'unsupported',
      message: expect.stringContaining('float16') as string,
    });
  });
});
