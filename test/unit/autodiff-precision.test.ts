/** Models in other number formats than float32: of 16 bits, double, and quantised around float operators. */
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { buildGradientModel, checkSupport, type GradientOptions } from '../../core/autodiff/index.ts';
import { readModel } from '../../core/onnx/file.ts';
import { ModelProtoSchema, TensorProto_DataType as Code } from '../../core/onnx/generated/onnx_pb.js';
import type { Node } from '../../core/onnx/graph.ts';
import type { Tensor } from '../../core/onnx/tensor.ts';
import { scalar, tensor } from '../../core/onnx/tensor.ts';
import { expectSameAsRuntime, randomNumbers } from '../support/against-runtime.ts';
import { declaration, floatTensor, modelBytes, node, numbers, openSession } from '../support/onnx-models.ts';

const plain: GradientOptions = { input: 'x', output: 'y', objective: 'logit', activation: 'none' };

function model(
  nodes: readonly Node[],
  constants: Record<string, Tensor>,
  shape: readonly (number | string)[],
  opset = 19,
  type: 'float32' | 'float64' = 'float32',
): Uint8Array<ArrayBuffer> {
  return modelBytes(
    {
      nodes,
      constants: new Map(Object.entries(constants)),
      inputs: [declaration('x', shape, type)],
      outputs: [declaration('y', ['N', 'K'], type)],
    },
    opset,
    10,
  );
}

async function gradientOf(bytes: Uint8Array, x: readonly number[], options: Partial<GradientOptions> = {}) {
  const built = buildGradientModel(bytes, { ...plain, ...options });
  const session = await openSession(built.bytes);
  const results = await session.run({
    [built.inputName]: floatTensor('float32', x, [1, ...built.inputShape]),
    [built.seedName]: floatTensor('float32', new Array(built.outputCount).fill(1), [1, built.outputCount]),
  });
  await session.release();
  return {
    built,
    output: [...numbers(results[built.outputName])],
    gradient: [...numbers(results[built.gradientName])],
  };
}

/** The bits of a float32 whose last 13 (float16) or 16 bits (bfloat16) are rounded away. */
function halfBits(value: number, kind: 'float16' | 'bfloat16'): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;
  if (kind === 'bfloat16') return bits >>> 16;
  const exponent = ((bits >>> 23) & 255) - 112;
  return exponent <= 0 ? 0 : ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 1023);
}

/** The same model with its float32 weights, inputs and outputs in 16 bits. */
function narrowed(bytes: Uint8Array, kind: 'float16' | 'bfloat16', ends: boolean): Uint8Array {
  const proto = fromBinary(ModelProtoSchema, bytes);
  const code = kind === 'float16' ? Code.FLOAT16 : Code.BFLOAT16;
  for (const constant of proto.graph?.initializer ?? []) {
    if (constant.dataType !== (Code.FLOAT as number)) continue;
    const values = new Float32Array(new Uint8Array(constant.rawData).buffer);
    constant.dataType = code;
    constant.rawData = new Uint8Array(Uint16Array.from(values, (value) => halfBits(value, kind)).buffer);
  }
  for (const { type } of ends ? [...(proto.graph?.input ?? []), ...(proto.graph?.output ?? [])] : []) {
    if (type?.value.case === 'tensorType') type.value.value.elemType = code;
  }
  return toBinary(ModelProtoSchema, proto);
}

describe('a model of 16 bits', () => {
  const constants = {
    w: tensor('float32', [4, 3], randomNumbers('w', 12)),
    b: tensor('float32', [3], randomNumbers('b', 3)),
    k: scalar('float32', 0.5),
  };
  const layers = (from: string, to: string): Node[] => [
    node('MatMul', [from, 'w'], ['m']),
    node('Add', ['m', 'b'], ['a']),
    node('Sigmoid', ['a'], ['s']),
    node('Mul', ['s', 'k'], [to]),
  ];

  it('computes in float32 what the runtime computes in 16 bits', async () => {
    const cast = model(
      [
        node('Cast', ['x'], ['h'], { to: Code.FLOAT16 }),
        ...layers('h', 'z'),
        node('Cast', ['z'], ['y'], { to: Code.FLOAT }),
      ],
      constants,
      [1, 4],
    );
    const bytes = narrowed(cast, 'float16', false);
    const { built, output } = await gradientOf(bytes, [0.1, -0.7, 0.4, 0.9]);
    const runtime = await openSession(bytes);
    const x = floatTensor('float32', [0.1, -0.7, 0.4, 0.9], [1, 4]);
    const wanted = numbers((await runtime.run({ x }))['y']);
    await runtime.release();
    // float16 keeps 11 bits.
    output.forEach((value, index) => expect(Math.abs(value - (wanted[index] ?? NaN))).toBeLessThan(1e-3));
    expect(built.notes).toEqual([
      'The model is in float16: its weights and values were computed in float32.',
    ]);
  });

  it.each(['float16', 'bfloat16'] as const)('takes float32 where its input is %s', async (kind) => {
    const wide = model(layers('x', 'y'), constants, [1, 4]);
    const bytes = narrowed(wide, kind, true);
    expect(checkSupport(bytes)).toMatchObject({ explainable: true, inputs: [{ type: kind }] });
    const x = [0.1, -0.7, 0.4, 0.9];
    const [narrow, reference] = [await gradientOf(bytes, x), await gradientOf(wide, x)];
    narrow.gradient.forEach((value, index) => expect(value).toBeCloseTo(reference.gradient[index] ?? NaN, 2));
    expect(narrow.built.notes).toHaveLength(1);
    expect(reference.built.notes).toEqual([]);
  });
});

describe('a double model with a convolution', () => {
  const [channels, size] = [3, 5];
  const kernel = randomNumbers('kernel', channels * 9);
  const constants = {
    // More digits than float32 has.
    kernel: tensor(
      'float64',
      [channels, 1, 3, 3],
      Float64Array.from(kernel, (value) => value + 1e-10),
    ),
    scale: scalar('float64', 1.5),
  };
  const bytes = model(
    [
      node('Conv', ['x', 'kernel'], ['c'], { kernel_shape: [3, 3] }),
      node('Tanh', ['c'], ['t']),
      node('GlobalAveragePool', ['t'], ['p']),
      node('Mul', ['p', 'scale'], ['s']),
      node('Flatten', ['s'], ['y']),
    ],
    constants,
    ['N', 1, size, size],
    17,
    'float64',
  );
  /** The sum of its outputs, in double. */
  const reference = (x: readonly number[]): number => {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) {
      for (let at = 0; at < 9; at++) {
        const [top, left] = [Math.floor(at / 3), at % 3];
        let value = 0;
        for (let tap = 0; tap < 9; tap++) {
          const place = (top + Math.floor(tap / 3)) * size + left + (tap % 3);
          value += (constants.kernel.data[channel * 9 + tap] ?? 0) * (x[place] ?? 0);
        }
        sum += (1.5 * Math.tanh(value)) / 9;
      }
    }
    return sum;
  };

  it('is computed in float32, for want of a kernel, and says so', async () => {
    const x = [...randomNumbers('x', size * size)];
    const { built, output, gradient } = await gradientOf(bytes, x);
    expect(built.notes).toEqual(['The model is in double: its weights and values were computed in float32.']);
    expect(checkSupport(bytes)).toMatchObject({ explainable: true, inputs: [{ type: 'float64' }] });
    expect(output.reduce((sum, value) => sum + value, 0)).toBeCloseTo(reference(x), 5);
    gradient.forEach((value, place) => {
      const moved = (step: number): number => reference(x.map((v, i) => (i === place ? v + step : v)));
      expect(value).toBeCloseTo((moved(1e-5) - moved(-1e-5)) / 2e-5, 5);
    });
  });
});

it('a double model computes in double, between ends of float32 where they are asked for', async () => {
  // (x + 2^30) - 2^30 keeps x in double alone.
  const nodes = [
    node('Add', ['x', 'large'], ['a']),
    node('Sub', ['a', 'large'], ['b']),
    node('Mul', ['b', 'x'], ['y']),
  ];
  const bytes = model(nodes, { large: scalar('float64', 2 ** 30) }, [1, 3], 17, 'float64');
  expect(buildGradientModel(bytes, plain).inputShape).toEqual([3]);
  const { gradient, output } = await gradientOf(bytes, [0.25, -1.125, 3.5], { elementType: 'float32' });
  expect(gradient).toEqual([0.5, -2.25, 7]);
  expect(output).toEqual([0.0625, 1.265625, 12.25]);
});

describe('a model quantised around float operators', () => {
  const quantised = (from: string, to: string, names: readonly string[], values = {}): Node[] => [
    node('QuantizeLinear', [from, ...names], [`${to}/q`], values),
    node('DequantizeLinear', [`${to}/q`, ...names], [to], values),
  ];

  it('passes the gradient through within the range, and 0 beyond it', async () => {
    const constants = { s: scalar('float32', 0.1), z: tensor('int8', [], [3]), k: scalar('float32', 2) };
    // Representable: -13.1 to 12.4.
    const bytes = model(
      [...quantised('x', 'd', ['s', 'z']), node('Mul', ['d', 'k'], ['y'])],
      constants,
      [1, 4],
    );
    const { built, gradient, output } = await gradientOf(bytes, [0.537, -13.04, -13.3, 12.6]);
    gradient.forEach((value, index) => expect(value).toBeCloseTo([2, 2, 0, 0][index] ?? NaN, 5));
    output.forEach((value, index) => expect(value).toBeCloseTo([1, -26, -26.2, 24.8][index] ?? NaN, 4));
    expect(built.notes).toEqual([expect.stringContaining('The model is quantised')]);
  });

  it('gives what the runtime gives, weights a channel and values between the two included', async () => {
    const constants = {
      xs: scalar('float32', 0.02),
      xz: tensor('uint8', [], [120]),
      w: tensor(
        'int8',
        [3, 2, 3, 3],
        Array.from(randomNumbers('q', 54), (value) => Math.round(127 * value)),
      ),
      ws: tensor('float32', [3], [0.01, 0.02, 0.005]),
      wz: tensor('int8', [3], [0, 0, 0]),
      b: tensor('int32', [3], [100, -50, 7]),
      bs: tensor('float32', [3], [0.0002, 0.0004, 0.0001]),
      ys: scalar('float32', 0.05),
      yz: tensor('uint8', [], [0]),
    };
    const nodes = [
      ...quantised('x', 'xd', ['xs', 'xz']),
      node('DequantizeLinear', ['w', 'ws', 'wz'], ['wd'], { axis: 0 }),
      node('DequantizeLinear', ['b', 'bs'], ['bd'], { axis: 0 }),
      node('Conv', ['xd', 'wd', 'bd'], ['c'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      node('Relu', ['c'], ['r']),
      node('QuantizeLinear', ['r', 'ys', 'yz'], ['rq']),
      node('MaxPool', ['rq'], ['p'], { kernel_shape: [2, 2], strides: [2, 2] }),
      node('DequantizeLinear', ['p', 'ys', 'yz'], ['pd']),
      node('Flatten', ['pd'], ['y']),
    ];
    const bytes = model(nodes, constants, [1, 2, 4, 4]);
    const x = randomNumbers('image', 32);
    const { output, gradient } = await gradientOf(bytes, x);
    const session = await openSession(bytes, false);
    const wanted = numbers((await session.run({ x: floatTensor('float32', x, [1, 2, 4, 4]) }))['y']);
    await session.release();
    output.forEach((value, index) => expect(value).toBeCloseTo(wanted[index] ?? NaN, 5));
    expect(gradient.some((value) => Math.abs(value) > 0.01)).toBe(true);
    expect(gradient.every(Number.isFinite)).toBe(true);
  });

  it('whose weights alone are quantised has an ordinary gradient, and no note', async () => {
    const constants = {
      w: tensor(
        'int8',
        [4, 3],
        Array.from(randomNumbers('i', 12), (value) => Math.round(127 * value)),
      ),
      s: tensor('float32', [3], [0.01, 0.02, 0.005]),
      z: tensor('int8', [3], [1, 0, -3]),
    };
    const nodes = [
      node('DequantizeLinear', ['w', 's', 'z'], ['d']),
      node('MatMul', ['x', 'd'], ['m']),
      node('Tanh', ['m'], ['y']),
    ];
    const built = await expectSameAsRuntime(model(nodes, constants, [1, 4]), [1, 4]);
    expect(built.notes).toEqual([]);
  });

  it('may hold weights that are still to be rounded: halves go to the even side, as in the runtime', async () => {
    const constants = {
      w: tensor('float32', [4, 3], [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 200, -200, 0.49, 3.5, -3.5, 0]),
      s: scalar('float32', 1),
      z: tensor('int8', [], [2]),
    };
    const nodes = [...quantised('w', 'd', ['s', 'z']), node('MatMul', ['x', 'd'], ['y'])];
    const built = await expectSameAsRuntime(model(nodes, constants, [1, 4]), [1, 4], {}, { tolerance: 1e-2 });
    expect(built.notes).toEqual([]);
    expect(readModel(built.bytes).graph.nodes.map(({ operator }) => operator)).not.toContain('Round');
  });

  it('is refused where it computes in integers', () => {
    const constants = {
      s: scalar('float32', 0.1),
      z: tensor('uint8', [], [0]),
      w: tensor('uint8', [4, 3], new Array(12).fill(1)),
    };
    const nodes = [
      node('QuantizeLinear', ['x', 's', 'z'], ['q']),
      node('MatMulInteger', ['q', 'w'], ['m']),
      node('Cast', ['m'], ['y'], { to: Code.FLOAT }),
    ];
    expect(() => buildGradientModel(model(nodes, constants, [1, 4]), plain)).toThrow(
      /MatMulInteger: it computes in integers/,
    );
    const contributed = {
      ...node('QLinearAdd', ['q', 's', 'z', 'q', 's', 'z', 's', 'z'], ['m']),
      domain: 'com.microsoft',
    };
    const added = model(
      [nodes[0] ?? contributed, contributed, node('Cast', ['m'], ['y'], { to: Code.FLOAT })],
      constants,
      [1, 4],
    );
    expect(() => buildGradientModel(added, plain)).toThrow(
      /com\.microsoft::QLinearAdd: it computes in integers/,
    );
  });
});
