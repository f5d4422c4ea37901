/** Reading and writing ONNX files, and what is said of files that are none. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { PathlightError } from '../../core/contract/errors.ts';
import { externalLocations, readModel, writeModel } from '../../core/onnx/file.ts';
import {
  ModelProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType,
  TensorProtoSchema,
} from '../../core/onnx/generated/onnx_pb.js';
import type { Tensor } from '../../core/onnx/tensor.ts';
import { integers, tensor } from '../../core/onnx/tensor.ts';
import { declaration, modelBytes, node } from '../support/onnx-models.ts';

const shipped = readFileSync(path.resolve(import.meta.dirname, '../../models/pneumonia/model.onnx'));

function thrown(read: () => unknown): PathlightError {
  try {
    read();
  } catch (error) {
    if (error instanceof PathlightError) return error;
    throw error;
  }
  throw new Error('the file was read');
}

function failure(bytes: Uint8Array): PathlightError {
  return thrown(() => readModel(bytes));
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

  it('is too large to write beyond 2 GB', () => {
    const part = tensor('float32', [2 ** 24], new Float32Array(2 ** 24));
    const constants = new Map(Array.from({ length: 32 }, (_, index) => [`c${index}`, part]));
    const error = thrown(() => modelBytes({ constants }));
    expect(error).toMatchObject({ kind: 'too-large', message: expect.stringContaining('2.0 GiB') as string });
  });

  it('is damaged when a tensor does not fill its shape', () => {
    const proto = fromBinary(ModelProtoSchema, withConstant(tensor('float32', [4], [1, 2, 3, 4])));
    const [constant] = proto.graph?.initializer ?? [];
    if (constant !== undefined) constant.rawData = constant.rawData.subarray(0, 10);
    const error = failure(toBinary(ModelProtoSchema, proto));
    expect(error.kind).toBe('damaged');
    expect(error.message).toBe('The tensor "c" of shape [4] holds 2 values instead of 4.');
  });

  it('is refused when it computes in a type of 8 bits or less', () => {
    const proto = fromBinary(ModelProtoSchema, withConstant(tensor('float32', [1], [1])));
    const [constant] = proto.graph?.initializer ?? [];
    if (constant !== undefined) constant.dataType = TensorProto_DataType.FLOAT8E4M3FN;
    expect(failure(toBinary(ModelProtoSchema, proto))).toMatchObject({
      kind: 'unsupported',
      message: expect.stringContaining('float8e4m3fn') as string,
    });
  });
});

describe('numbers of 16 bits', () => {
  /** A model of one constant, whose bits are given. */
  function halves(dataType: TensorProto_DataType, bits: number[], fields: boolean): Tensor | undefined {
    const proto = fromBinary(ModelProtoSchema, withConstant(integers([0])));
    const content = fields ? { int32Data: bits } : { rawData: new Uint8Array(Uint16Array.from(bits).buffer) };
    if (proto.graph !== undefined) {
      proto.graph.initializer = [
        create(TensorProtoSchema, { name: 'c', dims: [BigInt(bits.length)], dataType, ...content }),
      ];
    }
    const model = readModel(toBinary(ModelProtoSchema, proto));
    expect(model.notes).toEqual([
      `The model is in ${dataType === TensorProto_DataType.FLOAT16 ? 'float16' : 'bfloat16'}: its weights and values were computed in float32.`,
    ]);
    return model.graph.constants.get('c');
  }

  it.each([false, true])('are read exactly as float32 (typed fields: %s)', (fields) => {
    // IEEE 754: 1, -2, the greatest, the least normal, the least subnormal, -0, infinities
    const float16 = [0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x8000, 0x7c00, 0xfc00];
    const wanted = [1, -2, 65504, 2 ** -14, 2 ** -24, -0, Infinity, -Infinity];
    expect(halves(TensorProto_DataType.FLOAT16, float16, fields)).toEqual(tensor('float32', [8], wanted));
    expect(halves(TensorProto_DataType.FLOAT16, [0x7e00], fields)?.data[0]).toBeNaN();
    const bfloat16 = [0x3f80, 0xc000, 0x7f80, 0x0001];
    expect(halves(TensorProto_DataType.BFLOAT16, bfloat16, fields)).toEqual(
      tensor('float32', [4], [1, -2, Infinity, 2 ** -133]),
    );
  });
});

describe('weights in a file beside the model', () => {
  /** A model whose constant lies elsewhere. */
  function elsewhere(entries: Record<string, string>): Uint8Array {
    const proto = fromBinary(ModelProtoSchema, withConstant(tensor('float32', [2], [0, 0])));
    const [constant] = proto.graph?.initializer ?? [];
    if (constant !== undefined) {
      Object.assign(constant, {
        rawData: new Uint8Array(),
        dataLocation: TensorProto_DataLocation.EXTERNAL,
        externalData: Object.entries(entries).map(([key, value]) =>
          create(StringStringEntryProtoSchema, { key, value }),
        ),
      });
    }
    return toBinary(ModelProtoSchema, proto);
  }
  const files = new Map([['weights.bin', new Uint8Array(Float32Array.from([9, 1.5, -2, 9]).buffer)]]);
  const read = (entries: Record<string, string>): Tensor | undefined =>
    readModel(elsewhere(entries), files).graph.constants.get('c');

  it('are read from where it says', () => {
    const here = { location: 'weights.bin', offset: '4', length: '8' };
    expect(externalLocations(elsewhere(here))).toEqual(['weights.bin']);
    expect(read(here)).toEqual(tensor('float32', [2], [1.5, -2]));
    expect(() => read({ location: 'weights.bin' })).toThrow('holds 4 values instead of 2');
  });

  it.each([
    [{ location: 'other.bin' }, 'not-found', '"other.bin", which is not there'],
    [{ location: 'weights.bin', offset: '12', length: '8' }, 'damaged', 'takes 8 bytes from 12 of the file'],
    [{ location: 'weights.bin', offset: '-4', length: '8' }, 'damaged', 'which has 16'],
    [{ location: 'weights.bin', offset: 'x' }, 'damaged', 'which has 16'],
    [{ location: '../weights.bin' }, 'unsupported', "outside the model's own folder"],
    [{ location: 'a/../../weights.bin' }, 'unsupported', "outside the model's own folder"],
    [{ location: '/etc/passwd' }, 'unsupported', "outside the model's own folder"],
    [{ location: 'C:\\weights.bin' }, 'unsupported', "outside the model's own folder"],
    [{ location: '..\\weights.bin' }, 'unsupported', "outside the model's own folder"],
    [{}, 'unsupported', "outside the model's own folder"],
  ])('are refused where they are not: %j', (entries, kind, message) => {
    const error = thrown(() => read(entries));
    expect(error.kind).toBe(kind);
    expect(error.message).toContain(message);
  });
});
