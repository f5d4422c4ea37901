/** ONNX files: bytes <-> graph. Little-endian, as ONNX stores raw data (onnx.proto, TensorProto.raw_data). */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { PathlightError } from '../contract/errors.ts';
import type {
  AttributeProto,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
  ValueInfoProto,
} from './generated/onnx_pb.js';
import {
  AttributeProto_AttributeType as Kind,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProto_DataLocation as Location,
  TensorProto_DataType as Code,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from './generated/onnx_pb.js';
import type { Attribute, Declaration, Graph, Model, Node } from './graph.ts';
import type { ElementType, Tensor, TensorData } from './tensor.ts';
import { allocate, elementCount, tensor } from './tensor.ts';

const TYPES: ReadonlyMap<number, ElementType> = new Map([
  [Code.FLOAT, 'float32'],
  [Code.DOUBLE, 'float64'],
  [Code.INT64, 'int64'],
  [Code.INT32, 'int32'],
  [Code.INT16, 'int16'],
  [Code.INT8, 'int8'],
  [Code.UINT32, 'uint32'],
  [Code.UINT16, 'uint16'],
  [Code.UINT8, 'uint8'],
  [Code.BOOL, 'bool'],
]);
const CODES: ReadonlyMap<ElementType, number> = new Map([...TYPES].map(([code, type]) => [type, code]));

/** Protobuf's own limit on a message (2 GiB less one byte). */
const LARGEST = 2 ** 31 - 1;
/**
 * Large classifiers have some 5,000. ONNX Runtime's time to open a graph can grow with the square of its nodes (a chain of 4,000 takes it
 * 17 s with its gradient), so that a small hostile file would keep the engine busy for hours.
 */
const MOST_NODES = 10_000;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const EXPORT_AGAIN = 'Export the model again.';

const text = new TextDecoder();
const utf8 = new TextEncoder();

/** The code of an element type in an ONNX file, as the `to` attribute of Cast states it. */
export function elementCode(type: ElementType): number {
  return CODES.get(type) ?? Code.UNDEFINED;
}

/** The reverse of `elementCode`; undefined for types that Pathlight does not handle. */
export function elementType(code: number): ElementType | undefined {
  return TYPES.get(code);
}

function elementName(code: number): string {
  return (TYPES.get(code) ?? Code[code] ?? `element type ${code}`).toLowerCase();
}

/** @throws PathlightError: not-recognised, damaged, unsupported (external data, element types) or too-large */
export function readModel(bytes: Uint8Array): Model {
  if (bytes.length > LARGEST) {
    throw new PathlightError(
      'too-large',
      'The model is larger than 2 GB, the limit of an ONNX file.',
      'Use a smaller model.',
    );
  }
  const proto = parse(bytes);
  const nodes = proto.graph?.node.length ?? 0;
  if (nodes > MOST_NODES) {
    throw new PathlightError(
      'too-large',
      `The model's graph has ${nodes} nodes; Pathlight opens at most ${MOST_NODES}.`,
      'Simplify the model with its exporter, or use a smaller one.',
    );
  }
  if (proto.graph === undefined || proto.irVersion === 0n || proto.opsetImport.length === 0) {
    throw new PathlightError(
      'not-recognised',
      'The file is not an ONNX model: it has no graph or states no version.',
      'Choose a file exported to ONNX.',
    );
  }
  const opset = proto.opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx');
  return {
    irVersion: Number(proto.irVersion),
    opset: Number(opset?.version ?? 1n),
    graph: readGraph(proto.graph),
  };
}

function parse(bytes: Uint8Array): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false });
  } catch (cause) {
    // Writers put ir_version first: field 1, a varint, so the byte 8.
    if (bytes[0] === 8) {
      throw new PathlightError(
        'damaged',
        'The ONNX file is cut short or damaged.',
        'Copy or export the model again.',
        { cause },
      );
    }
    throw new PathlightError(
      'not-recognised',
      'The file is not an ONNX model.',
      'Choose a file exported to ONNX.',
      { cause },
    );
  }
}

function readGraph(proto: GraphProto): Graph {
  if (proto.sparseInitializer.length > 0) {
    throw new PathlightError(
      'unsupported',
      'The model stores sparse weights.',
      'Export the model with dense weights.',
    );
  }
  const constants = new Map(proto.initializer.map((value) => [value.name, readTensor(value)]));
  return {
    name: proto.name,
    nodes: proto.node.map(readNode),
    inputs: proto.input.filter(({ name }) => !constants.has(name)).map(readDeclaration),
    outputs: proto.output.map(readDeclaration),
    constants,
  };
}

function readNode(proto: NodeProto): Node {
  return {
    name: proto.name,
    operator: proto.opType,
    domain: proto.domain === 'ai.onnx' ? '' : proto.domain,
    inputs: proto.input,
    outputs: proto.output,
    attributes: new Map(proto.attribute.map((attribute) => [attribute.name, readAttribute(attribute)])),
  };
}

function readAttribute(proto: AttributeProto): Attribute {
  switch (proto.type) {
    case Kind.INT:
      return { kind: 'int', value: Number(proto.i) };
    case Kind.FLOAT:
      return { kind: 'float', value: proto.f };
    case Kind.STRING:
      return { kind: 'string', value: text.decode(proto.s) };
    case Kind.INTS:
      return { kind: 'ints', value: proto.ints.map(Number) };
    case Kind.FLOATS:
      return { kind: 'floats', value: proto.floats };
    case Kind.STRINGS:
      return { kind: 'strings', value: proto.strings.map((value) => text.decode(value)) };
    case Kind.TENSOR:
      return proto.t === undefined ? { kind: 'other' } : { kind: 'tensor', value: readTensor(proto.t) };
    case Kind.GRAPH:
      return proto.g === undefined ? { kind: 'other' } : { kind: 'graph', value: readGraph(proto.g) };
    default:
      return { kind: 'other' };
  }
}

function readDeclaration(proto: ValueInfoProto): Declaration {
  const value = proto.type?.value;
  if (value?.case !== 'tensorType') {
    return { name: proto.name, type: null, typeName: value?.case ?? 'not stated', shape: null };
  }
  const { elemType, shape } = value.value;
  return {
    name: proto.name,
    type: TYPES.get(elemType) ?? null,
    typeName: elementName(elemType),
    shape:
      shape?.dim.map(({ value: dimension }) => {
        if (dimension.case === 'dimValue') return Number(dimension.value);
        return dimension.case === 'dimParam' && dimension.value !== '' ? dimension.value : null;
      }) ?? null,
  };
}

function readTensor(proto: TensorProto): Tensor {
  const name = proto.name === '' ? 'a constant' : `"${proto.name}"`;
  if (proto.dataLocation === Location.EXTERNAL || proto.externalData.length > 0) {
    throw new PathlightError(
      'unsupported',
      `The model keeps its weights in a file of their own (${name}).`,
      'Save the model with its weights inside: in Python, onnx.save(onnx.load("model.onnx"), "whole.onnx").',
    );
  }
  const type = TYPES.get(proto.dataType);
  if (type === undefined) {
    throw new PathlightError(
      'unsupported',
      `The tensor ${name} holds ${elementName(proto.dataType)}, which Pathlight does not compute with.`,
      'Export the model in float32.',
    );
  }
  const shape = proto.dims.map(Number);
  const count = elementCount(shape);
  if (shape.some((size) => size < 0) || !Number.isSafeInteger(count)) {
    throw new PathlightError(
      'damaged',
      `The tensor ${name} has the shape [${shape.join(', ')}].`,
      EXPORT_AGAIN,
    );
  }
  const data = proto.rawData.length > 0 ? readRaw(type, proto.rawData) : readTyped(type, proto);
  if (data.length !== count) {
    throw new PathlightError(
      'damaged',
      `The tensor ${name} of shape [${shape.join(', ')}] holds ${data.length} values instead of ${count}.`,
      EXPORT_AGAIN,
    );
  }
  return tensor(type, shape, data);
}

function readRaw(type: ElementType, raw: Uint8Array): ArrayLike<number> {
  if (type === 'int64') {
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    return Float64Array.from({ length: Math.floor(raw.byteLength / 8) }, (_, index) =>
      Number(view.getBigInt64(index * 8, true)),
    );
  }
  const { BYTES_PER_ELEMENT: size } = allocate(type, 0);
  // A copy, because protobuf does not align; it also lets the file's bytes go. (`slice` of a Buffer would not copy.)
  // A part of an element is left out, and missed by the caller.
  const { buffer: bytes } = new Uint8Array(raw.subarray(0, raw.byteLength - (raw.byteLength % size)));
  switch (type) {
    case 'float32':
      return new Float32Array(bytes);
    case 'float64':
      return new Float64Array(bytes);
    case 'int32':
      return new Int32Array(bytes);
    case 'int16':
      return new Int16Array(bytes);
    case 'int8':
      return new Int8Array(bytes);
    case 'uint32':
      return new Uint32Array(bytes);
    case 'uint16':
      return new Uint16Array(bytes);
    case 'uint8':
    case 'bool':
      return new Uint8Array(bytes);
  }
}

/** The typed fields that ONNX allows beside raw data (onnx.proto, TensorProto). */
function readTyped(type: ElementType, proto: TensorProto): ArrayLike<number> {
  switch (type) {
    case 'float32':
      return proto.floatData;
    case 'float64':
      return proto.doubleData;
    case 'int64':
      return proto.int64Data.map(Number);
    case 'uint32':
      return proto.uint64Data.map(Number);
    default:
      return proto.int32Data;
  }
}

/** Bytes of an ONNX file. The graph's nodes must stand in topological order. */
export function writeModel(model: Model): Uint8Array<ArrayBuffer> {
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: BigInt(model.irVersion),
      producerName: 'pathlight',
      opsetImport: [{ domain: '', version: BigInt(model.opset) }],
      graph: writeGraph(model.graph),
    }),
  );
}

function writeGraph(graph: Graph): GraphProto {
  return create(GraphProtoSchema, {
    name: graph.name,
    node: graph.nodes.map((node) =>
      create(NodeProtoSchema, {
        name: node.name,
        opType: node.operator,
        domain: node.domain,
        input: [...node.inputs],
        output: [...node.outputs],
        attribute: [...node.attributes].map(([name, attribute]) => writeAttribute(name, attribute)),
      }),
    ),
    initializer: [...graph.constants].map(([name, value]) => writeTensor(value, name)),
    input: graph.inputs.map(writeDeclaration),
    output: graph.outputs.map(writeDeclaration),
  });
}

function writeAttribute(name: string, attribute: Attribute): AttributeProto {
  switch (attribute.kind) {
    case 'int':
      return create(AttributeProtoSchema, { name, type: Kind.INT, i: int64(attribute.value) });
    case 'float':
      return create(AttributeProtoSchema, { name, type: Kind.FLOAT, f: attribute.value });
    case 'string':
      return create(AttributeProtoSchema, { name, type: Kind.STRING, s: utf8.encode(attribute.value) });
    case 'ints':
      return create(AttributeProtoSchema, { name, type: Kind.INTS, ints: attribute.value.map(int64) });
    case 'floats':
      return create(AttributeProtoSchema, { name, type: Kind.FLOATS, floats: [...attribute.value] });
    case 'strings':
      return create(AttributeProtoSchema, {
        name,
        type: Kind.STRINGS,
        strings: attribute.value.map((value) => utf8.encode(value)),
      });
    case 'tensor':
      return create(AttributeProtoSchema, { name, type: Kind.TENSOR, t: writeTensor(attribute.value, '') });
    case 'graph':
      return create(AttributeProtoSchema, { name, type: Kind.GRAPH, g: writeGraph(attribute.value) });
    case 'other':
      throw new PathlightError('internal', `The attribute "${name}" cannot be written.`);
  }
}

function writeDeclaration(declaration: Declaration): ValueInfoProto {
  const { name, type, shape } = declaration;
  if (type === null) throw new PathlightError('internal', `The value "${name}" has no element type.`);
  return create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: 'tensorType',
        value: {
          elemType: elementCode(type),
          ...(shape === null
            ? {}
            : {
                shape: {
                  dim: shape.map((size) => ({
                    value:
                      typeof size === 'number'
                        ? { case: 'dimValue' as const, value: BigInt(size) }
                        : { case: 'dimParam' as const, value: size ?? '' },
                  })),
                },
              }),
        },
      },
    },
  });
}

function writeTensor(value: Tensor, name: string): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dims: value.shape.map(BigInt),
    dataType: elementCode(value.type),
    rawData: rawBytes(value.type, value.data),
  });
}

function rawBytes(type: ElementType, data: TensorData): Uint8Array<ArrayBuffer> {
  const source = type === 'int64' ? BigInt64Array.from(data, int64) : data.slice();
  return new Uint8Array(source.buffer);
}

/** Doubles beyond the range of int64 saturate: the "to the end" of a Slice is 2^63 - 1. */
function int64(value: number): bigint {
  if (value >= 2 ** 63) return INT64_MAX;
  if (value <= -(2 ** 63)) return INT64_MIN;
  return BigInt(value);
}
