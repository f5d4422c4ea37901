/** Every operator of a graph model that counts as differentiable: by finite differences, and on wasm as on cpu. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TfjsProvider } from '../../core/contract/device.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { openGraphModel } from '../../main/engine/tfjs/graph-model.ts';
import { graphOperators } from '../../main/engine/tfjs/graph-operators.ts';
import type { OpenedModel } from '../../main/engine/tfjs/open-model.ts';
import { type TfjsRuntime, tfjsRuntime } from '../../main/engine/tfjs/runtime.ts';
import { attribute, type GraphNode, type GraphParts, savedGraph } from '../support/tfjs-models.ts';

let runtime: TfjsRuntime;
beforeAll(async () => (runtime = await tfjsRuntime()));

type Constant = GraphParts['constants'][string];

interface Case {
  /** Without the batch axis. */
  shape: number[];
  /** 'x' is the image, 'x2' the image times 0.7, numbers are the constants. */
  inputs?: (string | Constant)[];
  attr?: GraphNode['attr'];
  /** What keeps the image's values where the operator is smooth. */
  range?: (value: number) => number;
  /** No two values are near each other: their order is what counts. */
  distinct?: true;
  /** Number of the output. */
  output?: number;
}

const ints = (...values: number[]): Constant => ({ shape: [values.length], values, dtype: 'int32' });
const int = (value: number): Constant => ({ shape: [], values: [value], dtype: 'int32' });
const float = (value: number): Constant => ({ shape: [], values: [value] });
let seed = 100;
const random = (...shape: number[]): Constant => ({
  shape,
  values: normalNumbers(
    shape.reduce((product, size) => product * size, 1),
    randomSource(seed++),
  ),
});
const pairs = (...values: [number, number][]): Constant => ({
  shape: [values.length, 2],
  values: values.flat(),
  dtype: 'int32',
});

const vector: Case = { shape: [7] };
const picture = { shape: [6, 5, 3] };
const positive = (value: number): number => 0.3 + Math.abs(value);
const inside = (value: number): number => 0.8 * Math.tanh(value);
const dilations = attribute.ints(1, 1, 1, 1);
const convolution = (stride: number, padding = 'SAME'): Record<string, unknown> => ({
  strides: attribute.ints(1, stride, stride, 1),
  padding: attribute.text(padding),
  data_format: attribute.text('NHWC'),
  dilations,
});
const pool = (size: number, stride: number, padding = 'SAME'): Record<string, unknown> => ({
  ksize: attribute.ints(1, size, size, 1),
  strides: attribute.ints(1, stride, stride, 1),
  padding: attribute.text(padding),
  data_format: attribute.text('NHWC'),
});
const volume = {
  strides: attribute.ints(1, 1, 2, 1, 1),
  padding: attribute.text('SAME'),
  data_format: attribute.text('NDHWC'),
  dilations: attribute.ints(1, 1, 1, 1, 1),
  ksize: attribute.ints(1, 3, 2, 3, 1),
};
const fused = (...operators: string[]): Record<string, unknown> => ({
  fused_ops: attribute.texts(...operators),
  num_args: { i: '1' },
});
const batchNorm: Case = {
  ...picture,
  inputs: ['x', random(3), random(3), random(3), { shape: [3], values: [0.5, 1, 2] }],
  attr: { epsilon: attribute.float(1e-3), is_training: attribute.flag(false) },
};
const scalars: Case = { ...vector, inputs: ['x', 'x2'] };
const reduction: Case = { ...picture, inputs: ['x', ints(1, 2)], attr: { keep_dims: attribute.flag(false) } };
const keep = { ...vector, attr: {} };

const resizings = (
  [
    [9, 4, false, false],
    [3, 8, true, false],
    [11, 12, false, true],
    [4, 3, false, true],
  ] as const
).map(([rows, columns, aligned, half]) => ({
  ...picture,
  inputs: ['x', ints(rows, columns)],
  attr: { align_corners: attribute.flag(aligned), half_pixel_centers: attribute.flag(half) },
}));

const cases: Record<string, Case[]> = {
  ...Object.fromEntries(
    (
      'Identity IdentityN Snapshot StopGradient Abs Asinh Atan Cos Cosh Elu Erf Exp Expm1 Neg Relu Relu6 Selu Sigmoid Sin Sinh ' +
      'Softplus Square Tanh LogSoftmax Softmax'
    )
      .split(' ')
      .map((operator) => [operator, [vector]]),
  ),
  ...Object.fromEntries(
    ['Acos', 'Asin', 'Atanh', 'Tan'].map((operator) => [operator, [{ ...vector, range: inside }]]),
  ),
  ...Object.fromEntries(
    ['Log', 'Log1p', 'Reciprocal', 'Rsqrt', 'Sqrt'].map((operator) => [
      operator,
      [{ ...vector, range: positive }],
    ]),
  ),
  Acosh: [{ ...vector, range: (value) => 1.3 + Math.abs(value) }],
  Cast: [{ ...vector, attr: { SrcT: { type: 'DT_FLOAT' }, DstT: { type: 'DT_FLOAT' } } }],
  ClipByValue: [{ ...vector, inputs: ['x', float(-0.5), float(0.6)] }],
  LeakyRelu: [{ ...vector, attr: { alpha: attribute.float(0.1) } }],
  Prelu: [{ ...vector, inputs: ['x', random(7)] }],
  Add: [scalars, { ...picture, inputs: ['x', random(3)] }],
  AddV2: [scalars],
  AddN: [{ ...vector, inputs: ['x', 'x2', 'x'], attr: { N: { i: '3' } } }],
  Atan2: [{ ...scalars, inputs: ['x', random(7)] }],
  BiasAdd: [{ ...picture, inputs: ['x', random(3)] }],
  Div: [{ ...vector, inputs: [random(7), 'x'], range: positive }],
  RealDiv: [
    { ...vector, inputs: ['x2', 'x'], range: positive },
    { ...picture, inputs: ['x', random(3)] },
  ],
  Maximum: [{ ...vector, inputs: ['x', random(7)] }],
  Minimum: [{ ...vector, inputs: [random(7), 'x'] }],
  Mul: [scalars, { ...picture, inputs: [random(6, 1, 3), 'x'] }],
  Pow: [
    { ...vector, inputs: ['x', float(2.5)], range: positive },
    { ...vector, inputs: [float(1.7), 'x'] },
  ],
  Select: [{ ...vector, inputs: ['positive', 'x', 'x2'] }],
  SelectV2: [{ ...vector, inputs: ['positive', 'x', random(7)] }],
  SquaredDifference: [scalars],
  Sub: [scalars, { ...picture, inputs: [random(3), 'x'] }],
  AvgPool: [
    { ...picture, attr: pool(3, 2) },
    { ...picture, attr: pool(3, 1) },
    { ...picture, attr: pool(2, 2, 'VALID') },
  ],
  AvgPool3D: [{ shape: [4, 5, 4, 2], attr: volume }],
  Conv2D: [
    { ...picture, inputs: ['x', random(3, 3, 3, 4)], attr: convolution(1) },
    { ...picture, inputs: ['x', random(3, 2, 3, 4)], attr: convolution(2) },
    { ...picture, inputs: ['x', random(2, 2, 3, 4)], attr: convolution(2, 'VALID') },
  ],
  Conv2DBackpropInput: [
    { ...picture, inputs: [ints(2, 12, 10, 4), random(3, 3, 4, 3), 'x'], attr: convolution(2) },
  ],
  Conv3D: [{ shape: [4, 5, 4, 2], inputs: ['x', random(2, 3, 2, 2, 3)], attr: volume }],
  DepthwiseConv2d: [{ ...picture, inputs: ['x', random(3, 3, 3, 2)], attr: convolution(1) }],
  DepthwiseConv2dNative: [
    { ...picture, inputs: ['x', random(3, 3, 3, 1)], attr: convolution(1) },
    { ...picture, inputs: ['x', random(3, 3, 3, 2)], attr: convolution(2) },
  ],
  FusedBatchNorm: [batchNorm],
  FusedBatchNormV2: [batchNorm],
  FusedBatchNormV3: [batchNorm],
  FusedDepthwiseConv2dNative: [
    {
      ...picture,
      inputs: ['x', random(3, 3, 3, 1), random(3)],
      attr: { ...convolution(1), ...fused('BiasAdd', 'Relu6') },
    },
    {
      ...picture,
      inputs: ['x', random(3, 3, 3, 1), random(3)],
      attr: { ...convolution(1), ...fused('BiasAdd') },
    },
  ],
  LRN: [
    {
      ...picture,
      attr: {
        depth_radius: { i: '1' },
        bias: attribute.float(1),
        alpha: attribute.float(0.5),
        beta: attribute.float(0.75),
      },
    },
  ],
  MaxPool: [
    { ...picture, attr: pool(3, 2), distinct: true },
    { ...picture, attr: pool(2, 1, 'VALID'), distinct: true },
    { ...picture, attr: { ...pool(2, 1), ksize: attribute.ints(1, 3, 2, 1) }, distinct: true },
    { ...picture, attr: pool(3, 2), distinct: true, range: (value) => value - 100 },
  ],
  MaxPool3D: [
    {
      shape: [4, 5, 4, 2],
      attr: { ...volume, ksize: attribute.ints(1, 2, 3, 3, 1) },
      distinct: true,
      range: (value) => value - 100,
    },
  ],
  _FusedConv2D: [
    {
      ...picture,
      inputs: ['x', random(3, 3, 3, 4), random(4)],
      attr: { ...convolution(1), ...fused('BiasAdd') },
    },
    {
      ...picture,
      inputs: ['x', random(3, 3, 3, 4), random(4)],
      attr: { ...convolution(2), ...fused('BiasAdd', 'Relu') },
    },
    {
      ...picture,
      inputs: ['x', random(3, 3, 3, 4), random(4)],
      attr: { ...convolution(1), ...fused('BiasAdd', 'LeakyRelu'), leakyrelu_alpha: attribute.float(0.2) },
    },
  ],
  BatchMatMul: [{ shape: [3, 4], inputs: ['x', random(2, 4, 5)] }],
  BatchMatMulV2: [{ shape: [3, 4], inputs: [random(2, 5, 4), 'x'], attr: { adj_y: attribute.flag(true) } }],
  Einsum: [
    { shape: [3, 4], inputs: ['x', random(4, 5)], attr: { equation: attribute.text('abc,cd->abd') } },
    { shape: [3, 4], inputs: ['x', 'x2'], attr: { equation: attribute.text('abc,adc->abd') } },
  ],
  MatMul: [{ ...vector, inputs: ['x', random(7, 3)] }],
  _FusedMatMul: [
    { ...vector, inputs: ['x', random(7, 3), random(3)], attr: fused('BiasAdd') },
    { ...vector, inputs: ['x', random(7, 3), random(3)], attr: fused('BiasAdd', 'Elu') },
  ],
  Cumsum: [
    { ...picture, inputs: ['x', int(1)], attr: { exclusive: attribute.flag(true) } },
    { ...picture, inputs: ['x', int(2)], attr: { reverse: attribute.flag(true) } },
  ],
  ...Object.fromEntries(['Max', 'Mean', 'Min', 'Sum'].map((operator) => [operator, [reduction]])),
  BatchToSpaceND: [{ shape: [2, 3, 1], inputs: ['twice', ints(2, 2), pairs([0, 1], [1, 0])] }],
  BroadcastTo: [{ shape: [1, 4], inputs: ['x', ints(2, 3, 4)] }],
  Concat: [{ ...picture, inputs: [int(3), 'x', 'x2'], attr: { N: { i: '2' } } }],
  ConcatV2: [{ ...picture, inputs: ['x', random(2, 6, 5, 2), int(-1)], attr: { N: { i: '2' } } }],
  ExpandDims: [{ ...keep, inputs: ['x', int(1)] }],
  Gather: [{ shape: [4, 3], inputs: ['x', ints(1, 0, 1)] }],
  GatherV2: [{ shape: [4, 3], inputs: ['x', ints(3, 0, 3), int(1)] }],
  MirrorPad: ['REFLECT', 'SYMMETRIC'].map((mode) => ({
    shape: [4, 5, 1],
    inputs: ['x', pairs([0, 0], [2, 1], [1, 3], [0, 0])],
    attr: { mode: attribute.text(mode) },
  })),
  Pack: [{ ...vector, inputs: ['x', 'x2'], attr: { axis: { i: '1' }, N: { i: '2' } } }],
  Pad: [{ shape: [4, 5, 1], inputs: ['x', pairs([0, 0], [2, 1], [0, 3], [0, 0])] }],
  PadV2: [{ shape: [4, 5, 1], inputs: ['x', pairs([0, 0], [2, 1], [0, 3], [0, 0]), float(2)] }],
  Reshape: [{ ...picture, inputs: ['x', ints(2, -1)] }],
  ResizeBilinear: resizings,
  ResizeNearestNeighbor: resizings,
  Reverse: [{ shape: [4], inputs: ['x', { shape: [2], values: [0, 1], dtype: 'int32' }] }],
  ReverseV2: [{ ...picture, inputs: ['x', ints(1, -1)] }],
  Slice: [{ ...picture, inputs: ['x', ints(0, 1, 2, 0), ints(2, 3, -1, 2)] }],
  SpaceToBatchND: [{ shape: [4, 5, 1], inputs: ['x', ints(2, 2), pairs([0, 0], [0, 1])] }],
  Split: [{ shape: [6, 2], inputs: [int(1), 'x'], attr: { num_split: { i: '3' } }, output: 1 }],
  SplitV: [
    { shape: [6, 2], inputs: ['x', ints(1, 3, 2), int(1)], attr: { num_split: { i: '3' } }, output: 1 },
  ],
  Squeeze: [{ shape: [3, 1, 2], attr: { squeeze_dims: attribute.ints(2) } }],
  StridedSlice: [
    {
      ...picture,
      inputs: ['x', ints(0, 1, -2, 1), ints(0, 5, 0, 2), ints(1, 1, 1, 1)],
      attr: { begin_mask: { i: '1' }, end_mask: { i: '5' }, shrink_axis_mask: { i: '8' } },
    },
  ],
  Tile: [{ ...picture, inputs: ['x', ints(1, 2, 1, 3)] }],
  Transpose: [{ ...picture, inputs: ['x', ints(0, 3, 1, 2)] }],
  Unpack: [{ shape: [3, 4], attr: { axis: { i: '1' }, num: { i: '3' } }, output: 2 }],
};

function open(operator: string, { shape, inputs = ['x'], attr, output = 0 }: Case): OpenedModel {
  const constants: Record<string, Constant> = { factor: float(0.7), zero: float(0) };
  const named: Record<string, string> = { x: 'image', x2: 'second', positive: 'positive', twice: 'twice' };
  const names = inputs.map((each, i) => {
    if (typeof each === 'string') return named[each] ?? each;
    constants[`constant${i}`] = each;
    return `constant${i}`;
  });
  const nodes: GraphNode[] = [
    { name: 'second', op: 'Mul', input: ['image', 'factor'] },
    { name: 'positive', op: 'Greater', input: ['image', 'zero'] },
    { name: 'twice', op: 'ConcatV2', input: ['image', 'second', 'axis'], attr: { N: { i: '2' } } },
    { name: 'y', op: operator, input: names, attr: attr ?? {} },
  ];
  constants['axis'] = int(0);
  const written = savedGraph({ nodes, constants, outputs: { y: output === 0 ? 'y' : `y:${output}` } }, shape);
  const { topology, signature, specs, weights } = written;
  return openGraphModel(
    {
      format: 'tfjs-graph',
      topology: topology as Record<string, unknown>,
      // The signature's names end in ':0'.
      signature: JSON.parse(JSON.stringify(signature).replace(/(y:\d+):0/, '$1')) as Record<string, unknown>,
      weightSpecs: specs,
      groups: [],
      weights,
    },
    null,
    runtime,
  );
}

/** Of what comes out, in the sum that is differentiated. */
function weightsFor(size: number): Float32Array {
  return normalNumbers(size, randomSource(3));
}

/** The values, and the gradient of their weighted sum. */
function measuredOn(
  provider: TfjsProvider,
  model: OpenedModel,
  x: Float32Array,
  shape: number[],
): Promise<{ values: Float32Array; gradient: Float32Array }> {
  const { core } = runtime;
  return runtime.on(provider, () =>
    core.tidy(() => {
      let values = new Float32Array();
      const gradient = core.grad((z) => {
        const y = model.logits(z);
        values = y.dataSync<'float32'>().slice();
        return core.sum(core.mul(y, core.tensor(weightsFor(y.size), y.shape)));
      })(core.tensor(x, shape));
      return { values, gradient: gradient.dataSync<'float32'>().slice() };
    }),
  );
}

describe.each(
  Object.entries(cases).flatMap(([operator, each]) => each.map((one, i) => [operator, i, one] as const)),
)('%s, case %i', (operator, i, one) => {
  const shape = [2, ...one.shape];
  const size = shape.reduce((product, each) => product * each, 1);
  const drawn = normalNumbers(size, randomSource(7 + i));
  const order = [...drawn.keys()].sort((a, b) => (drawn[a] ?? 0) - (drawn[b] ?? 0));
  const x = (one.distinct === true ? Float32Array.from(order, (rank) => rank / 10) : drawn).map(
    one.range ?? ((value) => value),
  );
  let model: OpenedModel;
  beforeAll(() => (model = open(operator, one)));
  afterAll(() => model.dispose());

  test('its gradient is that of finite differences, and the same on wasm', async () => {
    const { gradient, values } = await measuredOn('tfjs-cpu', model, x, shape);
    const direction = normalNumbers(size, randomSource(11));
    const step = 2e-3;
    const weights = weightsFor(values.length);
    const at = async (sign: number): Promise<number> => {
      const point = x.map((value, k) => value + sign * step * (direction[k] ?? 0));
      const moved = await measuredOn('tfjs-cpu', model, point, shape);
      return moved.values.reduce((sum, value, k) => sum + value * (weights[k] ?? NaN), 0);
    };
    const difference = ((await at(1)) - (await at(-1))) / (2 * step);
    const along = gradient.reduce((sum, value, k) => sum + value * (direction[k] ?? 0), 0);
    const length = Math.hypot(...gradient);
    expect(length).toBeGreaterThan(0);
    expect(Math.abs(along - difference)).toBeLessThan(0.01 * length + 1e-3);

    const wasm = await measuredOn('tfjs-wasm', model, x, shape);
    for (const [part, reference] of Object.entries({ values, gradient })) {
      const own = part === 'values' ? wasm.values : wasm.gradient;
      const distance = Math.hypot(...own.map((value, k) => value - (reference[k] ?? NaN)));
      expect(distance, part).toBeLessThan(1e-6 * Math.hypot(...reference));
    }
  });
});

test('there is a case for every operator that counts as differentiable', () => {
  const listed = [...graphOperators].filter(([, kind]) => kind === 'differentiable').map(([name]) => name);
  expect(Object.keys(cases).sort()).toEqual(listed.sort());
});

test('a three-dimensional maximum over windows that are not square is refused: cpu would be wrong', async () => {
  const model = open('MaxPool3D', { shape: [4, 5, 4, 2], attr: volume });
  const x = normalNumbers(2 * 4 * 5 * 4 * 2, randomSource(1));
  await expect(measuredOn('tfjs-cpu', model, x, [2, 4, 5, 4, 2])).rejects.toThrow(/3 x 2 x 3/);
  model.dispose();
});

test('a dilated convolution is refused by name: TensorFlow.js has no gradient for it', () => {
  const attr = { ...convolution(1), dilations: attribute.ints(1, 2, 2, 1) };
  expect(() => open('Conv2D', { ...picture, inputs: ['x', random(3, 3, 3, 4)], attr })).toThrow(
    /dilated Conv2D \(node 'y'\)/,
  );
});
