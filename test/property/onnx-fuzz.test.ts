/** Random damage to a small model: an error for the reader, or a model that ONNX Runtime opens or refuses; never a crash or a hang. */
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { buildGradientModel, checkSupport } from '../../core/autodiff/index.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import { externalLocations } from '../../core/onnx/file.ts';
import { type GraphProto, ModelProtoSchema, type NodeProto } from '../../core/onnx/generated/onnx_pb.js';
import type { Graph, LocalFunction } from '../../core/onnx/graph.ts';
import { integers, scalar, tensor } from '../../core/onnx/tensor.ts';
import { randomNumbers } from '../support/against-runtime.ts';
import { declaration, modelBytes, node, openSession } from '../support/onnx-models.ts';
import { seededRandom } from '../support/onnx-random.ts';

/** A little of everything that is written out, folded or unrolled. */
function everything(): Uint8Array<ArrayBuffer> {
  const branch = (operator: string): { kind: 'graph'; value: Graph } => ({
    kind: 'graph',
    value: {
      name: 'branch',
      nodes: [node(operator, ['a'], ['b'])],
      inputs: [],
      outputs: [declaration('b', [1, 8])],
      constants: new Map(),
    },
  });
  const turn: Graph = {
    name: 'turn',
    nodes: [node('Identity', ['on'], ['off']), node('Tanh', ['state'], ['next'])],
    inputs: [declaration('i', [], 'int64'), declaration('on', [], 'bool'), declaration('state', [1, 8])],
    outputs: [declaration('off', [], 'bool'), declaration('next', [1, 8])],
    constants: new Map(),
  };
  const half: LocalFunction = {
    domain: 'own',
    name: 'Half',
    overload: '',
    inputs: ['v'],
    outputs: ['w'],
    defaults: new Map(),
    nodes: [node('Neg', ['v'], ['w'])],
    domains: new Map([['', 17]]),
  };
  return modelBytes(
    {
      nodes: [
        node('Conv', ['x', 'w'], ['c'], { pads: [1, 1, 1, 1], strides: [2, 2] }),
        node('Relu', ['c'], ['r']),
        node('MaxPool', ['r'], ['p'], { kernel_shape: [2, 2] }),
        node('Reshape', ['p', 'row'], ['a']),
        node('If', ['yes'], ['f'], { then_branch: branch('Neg'), else_branch: branch('Exp') }),
        node('Loop', ['two', '', 'f'], ['l'], { body: { kind: 'graph', value: turn } }),
        { ...node('Half', ['l'], ['h']), domain: 'own' },
        { ...node('FusedMatMul', ['h', 'm'], ['g'], { transB: 1 }), domain: 'com.microsoft' },
        node('QuantizeLinear', ['g', 's', 'z'], ['q']),
        node('DequantizeLinear', ['q', 's', 'z'], ['d']),
        node('Slice', ['d', 'zero', 'three', 'one'], ['e']),
        node('Pad', ['e', 'pads'], ['k']),
        node('Resize', ['k', '', 'scales'], ['t'], { mode: 'linear' }),
        node('Softmax', ['t'], ['y'], { axis: -1 }),
      ],
      constants: new Map([
        ['w', tensor('float32', [2, 1, 3, 3], randomNumbers('w', 18))],
        ['m', tensor('float32', [5, 8], randomNumbers('m', 40))],
        ['row', integers([1, 8])],
        ['yes', scalar('bool', 1)],
        ['two', scalar('int64', 2)],
        ['s', scalar('float32', 0.05)],
        ['z', tensor('int8', [], [1])],
        ['zero', integers([0])],
        ['one', integers([1])],
        ['three', integers([3])],
        ['pads', integers([0, 1, 0, 2])],
        ['scales', tensor('float32', [2], [1, 2])],
      ]),
      inputs: [declaration('x', [1, 1, 6, 6])],
      outputs: [declaration('y', [1, 12])],
    },
    17,
    10,
    {
      domains: new Map([
        ['own', 1],
        ['com.microsoft', 1],
      ]),
      functions: [half],
    },
  );
}

const whole = everything();

const SIZES = [0n, -1n, 1n, 2n, 9n, -3n, 10n ** 6n, 2n ** 31n, 2n ** 40n];

type Damage = (graph: GraphProto, node: NodeProto, pick: <T>(from: readonly T[]) => T | undefined) => void;

/** Damage that leaves a file that parses. */
const structural: readonly Damage[] = [
  (graph, node, pick) => {
    node.opType = pick(graph.node)?.opType ?? '';
  },
  (graph, node, pick) => {
    const input = pick([...node.input.keys()]);
    if (input !== undefined) node.input[input] = pick(graph.node)?.output[0] ?? '';
  },
  (graph, node, pick) => {
    const input = pick([...node.input.keys()]);
    if (input !== undefined) node.input[input] = pick(graph.initializer)?.name ?? '';
  },
  (_, node) => {
    node.input.pop();
  },
  (_, node, pick) => {
    for (const attribute of node.attribute) {
      attribute.i = pick(SIZES) ?? 0n;
      attribute.ints = attribute.ints.map(() => pick(SIZES) ?? 0n);
      attribute.f = pick([0, -1, NaN, Infinity]) ?? 0;
    }
  },
  (_, node, pick) => {
    const dropped = pick(node.attribute);
    node.attribute = node.attribute.filter((attribute) => attribute !== dropped);
  },
  (graph, _, pick) => {
    const constant = pick(graph.initializer);
    if (constant !== undefined)
      constant.dims = constant.dims.map((size) => pick([size, 0n, 1n, 2n * size]) ?? 1n);
  },
  (graph, _, pick) => {
    const constant = pick(graph.initializer.filter(({ dataType }) => dataType === 7));
    if (constant === undefined) return;
    const count = constant.rawData.length / 8;
    const values = BigInt64Array.from({ length: count }, () => pick(SIZES) ?? 0n);
    constant.rawData = new Uint8Array(values.buffer);
  },
];

function damaged(seed: number): Uint8Array {
  const random = seededRandom(`damage ${seed}`);
  const at = (length: number): number => Math.floor(random() * length);
  const bytes = whole.slice();
  switch (seed % 4) {
    case 0: {
      if (seed % 8 === 0) return bytes.subarray(0, at(bytes.length));
      // A byte lost or doubled in the middle.
      const from = at(bytes.length);
      return Uint8Array.from([...bytes.slice(0, from), ...bytes.slice(from + (seed % 16 === 4 ? 1 : -1))]);
    }
    case 1: {
      for (let flips = 0; flips <= at(4); flips++) {
        const place = at(bytes.length);
        bytes[place] = (bytes[place] ?? 0) ^ (1 << at(8));
      }
      return bytes;
    }
    default: {
      const proto = fromBinary(ModelProtoSchema, bytes);
      const pick = <T>(from: readonly T[]): T | undefined => from[at(from.length)];
      const { graph } = proto;
      for (let times = 0; times <= at(2); times++) {
        const node = pick(graph?.node ?? []);
        if (graph !== undefined && node !== undefined) pick(structural)?.(graph, node, pick);
      }
      return toBinary(ModelProtoSchema, proto);
    }
  }
}

/** @returns what the outcome was; anything but an error for the reader is thrown on */
function told(run: () => Uint8Array<ArrayBuffer> | undefined): Uint8Array<ArrayBuffer> | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof PathlightError && error.kind !== 'internal') {
      expect(error.message.length).toBeLessThan(5000);
      return undefined;
    }
    throw error;
  }
}

describe('a damaged model', () => {
  it('is whole to begin with', async () => {
    const built = buildGradientModel(whole, {
      input: 'x',
      output: 'y',
      objective: 'logit',
      activation: 'softmax',
    });
    await (await openSession(built.bytes)).release();
  });

  it('gives an error for the reader or a model, and nothing else', async () => {
    let models = 0;
    for (let seed = 0; seed < 400; seed++) {
      const bytes = damaged(seed);
      told(() => void checkSupport(bytes));
      told(() => void externalLocations(bytes));
      const built = told(
        () =>
          buildGradientModel(bytes, { input: 'x', output: 'y', objective: 'logit', activation: 'softmax' })
            .bytes,
      );
      if (built === undefined) continue;
      // What the runtime refuses, the engine tells as an error too.
      const session = await openSession(built).catch(() => undefined);
      if (session !== undefined) models++;
      await session?.release();
    }
    expect(models).toBeGreaterThan(20);
  });
});
