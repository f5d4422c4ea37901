/** ONNX files: bytes <-> graph. Little-endian, as ONNX stores raw data (onnx.proto, TensorProto.raw_data). */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { PathlightError } from '../contract/errors.ts';
import type {
  AttributeProto,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
  ValueInfoProto,
} from './generated/onnx_pb.js';
import {
  AttributeProto_AttributeType as Kind,
  AttributeProtoSchema,
  FunctionProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProto_DataLocation as Location,
  TensorProto_DataType as Code,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from './generated/onnx_pb.js';
import type { ExternalFiles } from './external-data.ts';
import { externalBytes } from './external-data.ts';
import type { Attribute, Declaration, Graph, LocalFunction, Model, Node } from './graph.ts';
import { NodeCount } from './limits.ts';
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

/** Types of 16 bits, which few devices compute in: read as float32, to which both widen exactly. */
const HALVES: ReadonlyMap<number, string> = new Map([
  [Code.FLOAT16, 'float16'],
  [Code.BFLOAT16, 'bfloat16'],
]);
/**
 * Operators that ONNX Runtime 1.30 cannot compute in double on a CPU, alone or in their gradient. A model of doubles that holds any of them is
 * read as float32, to which its weights are rounded.
 */
const WITHOUT_DOUBLES: ReadonlySet<string> = new Set([
  'Acos',
  'Acosh',
  'Asin',
  'Asinh',
  'Atan',
  'Atanh',
  'AveragePool',
  'Celu',
  'Col2Im',
  'Conv',
  'ConvTranspose',
  'Cosh',
  'Elu',
  'Erf',
  'Gelu',
  'GlobalAveragePool',
  'GlobalLpPool',
  'GlobalMaxPool',
  'GridSample',
  'HardSigmoid',
  'HardSwish',
  'InstanceNormalization',
  'LRN',
  'LeakyRelu',
  'LpPool',
  'MaxUnpool',
  'Mean',
  'MeanVarianceNormalization',
  'Mish',
  'OneHot',
  'PRelu',
  'Resize',
  'Selu',
  'Sinh',
  'Softplus',
  'Softsign',
  'Tan',
  'ThresholdedRelu',
  'Upsample',
]);
/** Attributes that state an element type (Cast; the random and window operators, EyeLike; LayerNormalization; QuantizeLinear). */
const TYPE_ATTRIBUTES: ReadonlySet<string> = new Set(['to', 'dtype', 'output_datatype', 'output_dtype']);

/** Protobuf's own limit on a message (2 GiB less one byte). */
const LARGEST = 2 ** 31 - 1;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
/** Branches and loops in one another. */
const DEEPEST = 32;
const EXPORT_AGAIN = 'Export the model again.';

const text = new TextDecoder();
const utf8 = new TextEncoder();

/** The code of an element type in an ONNX file, as the `to` attribute of Cast states it. */
export function elementCode(type: ElementType): number {
  return CODES.get(type) ?? Code.UNDEFINED;
}

/** The reverse of `elementCode`, float32 for what is read as such; undefined for types that Pathlight does not handle. */
export function elementType(code: number): ElementType | undefined {
  return HALVES.has(code) ? 'float32' : TYPES.get(code);
}

function elementName(code: number): string {
  return (TYPES.get(code) ?? Code[code] ?? `element type ${code}`).toLowerCase();
}

/** What a file holds beside its graph, gathered while it is read. */
class Reading {
  readonly files: ExternalFiles;
  /** Names of the types that were read as float32. */
  readonly narrowed = new Set<string>();
  readonly nodes = new NodeCount();
  readonly #doubles: boolean;
  /** How many graphs lie around the one that is read. */
  depth = 0;

  /** @param doubles whether they are read as such, or as float32 */
  constructor(files: ExternalFiles, doubles: boolean) {
    this.files = files;
    this.#doubles = doubles;
  }

  type(code: number): ElementType | undefined {
    const other =
      HALVES.get(code) ?? (code === (Code.DOUBLE as number) && !this.#doubles ? 'double' : undefined);
    if (other === undefined) return TYPES.get(code);
    this.narrowed.add(other);
    return 'float32';
  }
}

/** Takes in doubles, and holds an operator that the runtime has not got for them. */
function needsNarrowing({ graph, functions }: ModelProto): boolean {
  const takesDoubles = (graph?.input ?? []).some(
    ({ type }) => type?.value.case === 'tensorType' && type.value.value.elemType === (Code.DOUBLE as number),
  );
  const lacks = (nodes: readonly NodeProto[]): boolean =>
    nodes.some(
      ({ opType, attribute }) =>
        WITHOUT_DOUBLES.has(opType) || attribute.some(({ g }) => g !== undefined && lacks(g.node)),
    );
  return takesDoubles && (lacks(graph?.node ?? []) || functions.some(({ node }) => lacks(node)));
}

/**
 * @param files the files beside the model in which it keeps weights, by the names that it states (`externalLocations`)
 * @throws PathlightError: not-recognised, damaged, unsupported (element types), too-large, not-found (external data)
 */
export function readModel(bytes: Uint8Array, files: ExternalFiles = new Map()): Model {
  if (bytes.length > LARGEST) {
    throw new PathlightError(
      'too-large',
      'The model is larger than 2 GB, the limit of an ONNX file.',
      'Use a smaller model.',
    );
  }
  const proto = parse(bytes);
  const reading = new Reading(files, !needsNarrowing(proto));
  reading.nodes.add(proto.graph?.node.length ?? 0);
  if (proto.graph === undefined || proto.irVersion === 0n || proto.opsetImport.length === 0) {
    throw new PathlightError(
      'not-recognised',
      'The file is not an ONNX model: it has no graph or states no version.',
      'Choose a file exported to ONNX.',
    );
  }
  const domains = readDomains(proto.opsetImport);
  const graph = readGraph(proto.graph, reading);
  const functions = proto.functions.map((entry) => readFunction(entry, reading));
  return {
    irVersion: Number(proto.irVersion),
    opset: domains.get('') ?? 1,
    domains,
    graph,
    functions,
    notes: [...reading.narrowed].map(
      (name) => `The model is in ${name}: its weights and values were computed in float32.`,
    ),
  };
}

/**
 * The files in which a model keeps weights, as it names them: relative to its own folder.
 * @throws PathlightError as readModel
 */
export function externalLocations(bytes: Uint8Array): string[] {
  const locations = new Set<string>();
  const tensors = (entries: readonly TensorProto[]): void => {
    for (const entry of entries) {
      const location = entry.externalData.find(({ key }) => key === 'location')?.value;
      if (location !== undefined) locations.add(location);
    }
  };
  const nodes = (entries: readonly NodeProto[]): void => {
    for (const { attribute } of entries) {
      for (const { t, g } of attribute) {
        if (t !== undefined) tensors([t]);
        if (g !== undefined) graph(g);
      }
    }
  };
  const graph = (entry: GraphProto): void => {
    tensors(entry.initializer);
    nodes(entry.node);
  };
  const proto = parse(bytes);
  if (proto.graph !== undefined) graph(proto.graph);
  for (const { node } of proto.functions) nodes(node);
  return [...locations];
}

/** ONNX's own operator set goes by two names. */
function domainName(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain;
}

function readDomains(imports: ModelProto['opsetImport']): Map<string, number> {
  return new Map(imports.map(({ domain, version }) => [domainName(domain), Number(version)]));
}

function readFunction(proto: FunctionProto, reading: Reading): LocalFunction {
  reading.nodes.add(proto.node.length);
  return {
    domain: domainName(proto.domain),
    name: proto.name,
    overload: proto.overload,
    inputs: proto.input,
    outputs: proto.output,
    defaults: readAttributes(proto.attributeProto, reading),
    nodes: proto.node.map((entry) => readNode(entry, reading)),
    domains: readDomains(proto.opsetImport),
  };
}

function parse(bytes: Uint8Array): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false });
  } catch (cause) {
    // The reader's own limit, 100 messages in one another, comes before ours.
    if (cause instanceof Error && cause.message.includes('recursion depth')) throw tooDeep(cause);
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

function tooDeep(cause?: Error): PathlightError {
  return new PathlightError(
    'too-large',
    `The model's graphs (the branches of If, the bodies of Loop and Scan) lie in one another more than ${DEEPEST} deep.`,
    'Simplify the model with its exporter, or use a smaller one.',
    { cause },
  );
}

function readGraph(proto: GraphProto, reading: Reading): Graph {
  if (proto.sparseInitializer.length > 0) {
    throw new PathlightError(
      'unsupported',
      'The model stores sparse weights.',
      'Export the model with dense weights.',
    );
  }
  const constants = new Map(proto.initializer.map((value) => [value.name, readTensor(value, reading)]));
  const declared = (entry: ValueInfoProto): Declaration => readDeclaration(entry, reading);
  return {
    name: proto.name,
    nodes: proto.node.map((entry) => readNode(entry, reading)),
    inputs: proto.input.filter(({ name }) => !constants.has(name)).map(declared),
    outputs: proto.output.map(declared),
    constants,
  };
}

function readNode(proto: NodeProto, reading: Reading): Node {
  return {
    name: proto.name,
    operator: proto.opType,
    domain: domainName(proto.domain),
    ...(proto.overload === '' ? {} : { overload: proto.overload }),
    inputs: proto.input,
    outputs: proto.output,
    attributes: readAttributes(proto.attribute, reading),
  };
}

function readAttributes(protos: readonly AttributeProto[], reading: Reading): ReadonlyMap<string, Attribute> {
  return new Map(protos.map((proto) => [proto.name, readAttribute(proto, reading)]));
}

function readAttribute(proto: AttributeProto, reading: Reading): Attribute {
  if (proto.refAttrName !== '') return { kind: 'reference', value: proto.refAttrName };
  switch (proto.type) {
    case Kind.INT: {
      const value = Number(proto.i);
      const type = TYPE_ATTRIBUTES.has(proto.name) ? reading.type(value) : undefined;
      return { kind: 'int', value: type === undefined ? value : elementCode(type) };
    }
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
      return proto.t === undefined
        ? { kind: 'other' }
        : { kind: 'tensor', value: readTensor(proto.t, reading) };
    case Kind.GRAPH:
      if (proto.g === undefined) return { kind: 'other' };
      return { kind: 'graph', value: readInner(proto.g, reading) };
    default:
      return { kind: 'other' };
  }
}

function readInner(proto: GraphProto, reading: Reading): Graph {
  if (reading.depth === DEEPEST) {
    throw tooDeep();
  }
  reading.depth++;
  reading.nodes.add(proto.node.length);
  const graph = readGraph(proto, reading);
  reading.depth--;
  return graph;
}

function readDeclaration(proto: ValueInfoProto, reading: Reading): Declaration {
  const value = proto.type?.value;
  if (value?.case !== 'tensorType') {
    return { name: proto.name, type: null, typeName: value?.case ?? 'not stated', shape: null };
  }
  const { elemType, shape } = value.value;
  return {
    name: proto.name,
    type: reading.type(elemType) ?? null,
    typeName: elementName(elemType),
    shape:
      shape?.dim.map(({ value: dimension }) => {
        if (dimension.case === 'dimValue') return Number(dimension.value);
        return dimension.case === 'dimParam' && dimension.value !== '' ? dimension.value : null;
      }) ?? null,
  };
}

function readTensor(proto: TensorProto, reading: Reading): Tensor {
  const name = proto.name === '' ? 'a constant' : `"${proto.name}"`;
  const type = reading.type(proto.dataType);
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
  const external = proto.dataLocation === Location.EXTERNAL || proto.externalData.length > 0;
  const raw = external ? externalBytes(proto.externalData, name, reading.files) : proto.rawData;
  const half = HALVES.get(proto.dataType);
  // A double that is read as float32 lies in the file as itself; `tensor` rounds it.
  const stored = TYPES.get(proto.dataType) ?? type;
  const data =
    half !== undefined
      ? readHalf(half, raw.length > 0 ? readRaw('uint16', raw) : proto.int32Data)
      : raw.length > 0 || external
        ? readRaw(stored, raw)
        : readTyped(stored, proto);
  if (data.length !== count) {
    throw new PathlightError(
      'damaged',
      `The tensor ${name} of shape [${shape.join(', ')}] holds ${data.length} values instead of ${count}.`,
      EXPORT_AGAIN,
    );
  }
  return tensor(type, shape, data);
}

function readHalf(name: string, bits: ArrayLike<number>): Float32Array {
  const table = halfTables.get(name) ?? halfTable(name);
  halfTables.set(name, table);
  const values = new Float32Array(bits.length);
  for (let at = 0; at < values.length; at++) values[at] = table[bits[at] ?? 0] ?? 0;
  return values;
}

const halfTables = new Map<string, Float32Array>();

/** What each pattern of 16 bits stands for, exactly: a float16, or (bfloat16) the upper half of a float32. */
function halfTable(name: string): Float32Array {
  const patterns = Uint32Array.from({ length: 2 ** 16 }, (_, bits) => bits);
  if (name === 'bfloat16') return new Float32Array(patterns.map((bits) => bits << 16).buffer);
  return Float32Array.from(patterns, (bits) => {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const size =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent < 31
          ? (1 + fraction / 1024) * 2 ** (exponent - 15)
          : fraction === 0
            ? Infinity
            : NaN;
    return (bits & 0x8000) === 0 ? size : -size;
  });
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

/** What is written of a model; the operator sets of further domains where it uses any. */
export type Writable = Pick<Model, 'irVersion' | 'opset' | 'graph'> &
  Partial<Pick<Model, 'domains' | 'functions'>>;

/**
 * Bytes of an ONNX file. The graph's nodes must stand in topological order.
 * @throws PathlightError too-large
 */
export function writeModel(model: Writable): Uint8Array<ArrayBuffer> {
  const stored = [...model.graph.constants.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  if (stored > LARGEST) {
    throw new PathlightError(
      'too-large',
      `The model's weights take ${(stored / 2 ** 30).toFixed(1)} GiB as they are computed with; an ONNX file holds less than 2.`,
      'Use a smaller model.',
    );
  }
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: BigInt(model.irVersion),
      producerName: 'pathlight',
      opsetImport: writeDomains(new Map([...(model.domains ?? []), ['', model.opset]])),
      graph: writeGraph(model.graph),
      functions: (model.functions ?? []).map(writeFunction),
    }),
  );
}

/** A file's graph without what its constants hold. */
export interface Outline {
  readonly nodes: readonly Node[];
  /** Every value of which the file states type and shape: inputs, outputs, constants, and those in between. */
  readonly values: readonly Declaration[];
  /** The names of the graph's outputs. */
  readonly outputs: readonly string[];
}

/**
 * Gives a file's graph other nodes; the weights are passed on as they lie there.
 * @param replaced returns the nodes in topological order; null: leave the file as it is
 * @returns the bytes of the file with these nodes, null where it is left
 * @throws PathlightError as readModel and writeModel
 */
export function withNodes(
  bytes: Uint8Array,
  replaced: (outline: Outline) => readonly Node[] | null,
): Uint8Array | null {
  const proto = parse(bytes);
  const { graph } = proto;
  if (graph === undefined) return null;
  const reading = new Reading(new Map(), true);
  const stated = new Map(graph.node.map((entry) => [readNode(entry, reading), entry]));
  const declared = (entry: ValueInfoProto): Declaration => readDeclaration(entry, reading);
  const nodes = replaced({
    nodes: [...stated.keys()],
    values: [
      ...[...graph.input, ...graph.output, ...graph.valueInfo].map(declared),
      ...graph.initializer.map(({ name, dataType, dims }) => ({
        name,
        type: reading.type(dataType) ?? null,
        typeName: elementName(dataType),
        shape: dims.map(Number),
      })),
    ],
    outputs: graph.output.map(({ name }) => name),
  });
  if (nodes === null) return null;
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  graph.node = nodes.map((node) => stated.get(node) ?? writeNode(node));
  graph.valueInfo = graph.valueInfo.filter(({ name }) => made.has(name));
  return toBinary(ModelProtoSchema, proto);
}

function writeDomains(domains: ReadonlyMap<string, number>): { domain: string; version: bigint }[] {
  return [...domains].map(([domain, version]) => ({ domain, version: BigInt(version) }));
}

function writeFunction(entry: LocalFunction): FunctionProto {
  return create(FunctionProtoSchema, {
    domain: entry.domain,
    name: entry.name,
    overload: entry.overload,
    input: [...entry.inputs],
    output: [...entry.outputs],
    attribute: [...referencesIn(entry.nodes)].filter((name) => !entry.defaults.has(name)),
    attributeProto: [...entry.defaults].map(([name, value]) => writeAttribute(name, value)),
    node: entry.nodes.map(writeNode),
    opsetImport: writeDomains(entry.domains),
  });
}

/** The attributes of the calling node that a function's nodes refer to. */
function referencesIn(nodes: readonly Node[]): Set<string> {
  const found = new Set<string>();
  for (const { attributes } of nodes) {
    for (const value of attributes.values()) {
      if (value.kind === 'reference') found.add(value.value);
      if (value.kind === 'graph') for (const name of referencesIn(value.value.nodes)) found.add(name);
    }
  }
  return found;
}

function writeGraph(graph: Graph): GraphProto {
  return create(GraphProtoSchema, {
    name: graph.name,
    node: graph.nodes.map(writeNode),
    initializer: [...graph.constants].map(([name, value]) => writeTensor(value, name)),
    input: graph.inputs.map(writeDeclaration),
    output: graph.outputs.map(writeDeclaration),
    valueInfo: (graph.values ?? []).map(writeDeclaration),
  });
}

function writeNode(node: Node): NodeProto {
  return create(NodeProtoSchema, {
    name: node.name,
    opType: node.operator,
    domain: node.domain,
    overload: node.overload ?? '',
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: [...node.attributes].map(([name, attribute]) => writeAttribute(name, attribute)),
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
    case 'reference':
      return create(AttributeProtoSchema, { name, refAttrName: attribute.value });
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
  const source = type === 'int64' ? BigInt64Array.from(data, int64) : data;
  // Not a copy: the writer makes one.
  return new Uint8Array(source.buffer as ArrayBuffer, source.byteOffset, source.byteLength);
}

/** Doubles beyond the range of int64 saturate: the "to the end" of a Slice is 2^63 - 1. */
function int64(value: number): bigint {
  if (!Number.isInteger(value) && Math.abs(value) !== Infinity) {
    throw new PathlightError('damaged', `The model makes a size or an index of ${value}.`, EXPORT_AGAIN);
  }
  if (value >= 2 ** 63) return INT64_MAX;
  if (value <= -(2 ** 63)) return INT64_MIN;
  return BigInt(value);
}
