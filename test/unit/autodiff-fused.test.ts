/** Every fused operator against ONNX Runtime's own kernel of it: the result unchanged, the gradient the limit of its difference quotients. */
import { describe, expect, it } from 'vitest';
import { buildGradientModel } from '../../core/autodiff/index.ts';
import { decompositions } from '../../core/autodiff/fused/index.ts';
import { floatValue as f } from '../../core/onnx/attributes.ts';
import type { AttributeValues } from '../../core/onnx/builder.ts';
import type { Node } from '../../core/onnx/graph.ts';
import type { ElementType, Tensor } from '../../core/onnx/tensor.ts';
import { elementCount, integers, tensor } from '../../core/onnx/tensor.ts';
import { expectSameAsRuntime, randomNumbers } from '../support/against-runtime.ts';
import { declaration, modelBytes, node } from '../support/onnx-models.ts';

/** An operand that is the image, scaled so that no two operands are alike, or its reshaped form. */
type Operand = { image: number; shape?: readonly number[] } | Tensor | null;

interface FusedCase {
  what: string;
  x: readonly number[];
  operands: readonly Operand[];
  attributes?: AttributeValues;
  opset?: number;
  outputs?: readonly string[];
}

const image = (scale = 1, shape?: readonly number[]): Operand =>
  shape === undefined ? { image: scale } : { image: scale, shape };
const real = (...shape: number[]): Tensor =>
  tensor('float32', shape, randomNumbers(`real ${shape.join()}`, elementCount(shape)));
const whole = (type: ElementType, shape: readonly number[], values: readonly number[]): Tensor =>
  tensor(type, shape, values);

function build(name: string, form: FusedCase): Uint8Array<ArrayBuffer> {
  const [domain = '', operator = ''] = name.includes('::') ? name.split('::') : ['', name];
  const constants = new Map<string, Tensor>();
  const nodes: Node[] = [];
  const inputs = form.operands.map((operand, index) => {
    if (operand === null) return '';
    if (!('image' in operand)) {
      constants.set(`c${index}`, operand);
      return `c${index}`;
    }
    constants.set(`scale${index}`, tensor('float32', [], [operand.image]));
    constants.set(`shape${index}`, integers(operand.shape ?? form.x));
    nodes.push(
      node('Mul', ['x', `scale${index}`], [`scaled${index}`]),
      node('Reshape', [`scaled${index}`, `shape${index}`], [`i${index}`]),
    );
    return `i${index}`;
  });
  constants.set('row', integers([1, -1]));
  nodes.push(
    { ...node(operator, inputs, form.outputs ?? ['result'], form.attributes), domain },
    node('Reshape', ['result', 'row'], ['y']),
  );
  return modelBytes(
    {
      nodes,
      constants,
      inputs: [declaration('x', [1, elementCount(form.x)])],
      outputs: [{ name: 'y', type: 'float32', typeName: 'float32', shape: null }],
    },
    form.opset ?? 17,
    (form.opset ?? 17) < 15 ? 7 : 10,
    { domains: new Map([['com.microsoft', 1]]) },
  );
}

const conv = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
const fusedConv = (what: string, attributes: AttributeValues, ...more: Operand[]): FusedCase => ({
  what,
  x: [1, 2, 4, 3],
  operands: [image(), real(3, 2, 3, 3), ...more],
  attributes: { ...conv, ...attributes },
});
const parameters = (...values: number[]) => ({ kind: 'floats', value: values }) as const;

const tokens = [1, 4, 6];
const projected = (what: string, attributes: AttributeValues = {}, ...more: Operand[]): FusedCase => ({
  what,
  x: tokens,
  operands: [image(), real(6, 18), real(18), ...more],
  attributes: { num_heads: 2, ...attributes },
});
const multiHead = (what: string, attributes: AttributeValues = {}, ...more: Operand[]): FusedCase => ({
  what,
  x: tokens,
  operands: [image(1.5), image(-0.7), image(1.1), ...more],
  attributes: { num_heads: 2, ...attributes },
});
const standard = (
  what: string,
  x: readonly number[],
  attributes: AttributeValues = {},
  ...more: Operand[]
): FusedCase => ({
  what,
  x,
  operands: [image(1.5), image(-0.7), image(1.1), ...more],
  attributes,
  opset: 23,
});

const cases: Partial<Record<string, readonly FusedCase[]>> = {
  'com.microsoft::Gelu': [{ what: 'any', x: [2, 5], operands: [image(3)] }],
  'com.microsoft::QuickGelu': [
    { what: 'by default', x: [2, 5], operands: [image(3)] },
    { what: 'of alpha 1: Silu', x: [2, 5], operands: [image(3)], attributes: { alpha: f(1) } },
  ],
  'com.microsoft::FastGelu': [
    { what: 'plain', x: [2, 5], operands: [image(3)] },
    { what: 'with a bias', x: [2, 5], operands: [image(3), real(5)] },
  ],
  'com.microsoft::BiasGelu': [{ what: 'any', x: [2, 5], operands: [image(3), real(5)] }],
  'com.microsoft::FusedConv': [
    fusedConv('without an activation', {}),
    fusedConv('Relu, with a bias', { activation: 'Relu' }, real(3)),
    fusedConv('Relu over a residual', { activation: 'Relu' }, real(3), real(1, 3, 4, 3)),
    fusedConv('LeakyRelu', { activation: 'LeakyRelu', activation_params: parameters(0.2) }),
    fusedConv('Clip', { activation: 'Clip', activation_params: parameters(-0.5, 0.7) }),
    fusedConv('HardSigmoid', { activation: 'HardSigmoid', activation_params: parameters(0.3, 0.4) }),
    fusedConv('Tanh', { activation: 'Tanh' }),
    fusedConv('Sigmoid', { activation: 'Sigmoid' }),
  ],
  'com.microsoft::FusedGemm': [
    {
      what: 'LeakyRelu of a transposed product',
      x: [3, 2],
      operands: [image(), real(4, 3), real(4)],
      attributes: {
        transA: 1,
        transB: 1,
        alpha: f(0.5),
        beta: f(2),
        activation: 'LeakyRelu',
        activation_alpha: f(0.2),
      },
    },
    { what: 'Relu', x: [2, 3], operands: [image(), real(3, 4), real(4)], attributes: { activation: 'Relu' } },
    {
      what: 'HardSigmoid',
      x: [2, 3],
      operands: [image(), real(3, 4), real(4)],
      attributes: { activation: 'HardSigmoid', activation_alpha: f(0.3), activation_beta: f(0.4) },
    },
  ],
  'com.microsoft::FusedMatMul': [
    { what: 'plain', x: [2, 3], operands: [image(), real(3, 4)], attributes: { alpha: f(0.3) } },
    {
      what: 'both transposed',
      x: [2, 3, 2],
      operands: [image(), real(4, 3)],
      attributes: { transA: 1, transB: 1 },
    },
    {
      what: 'the image on both sides',
      x: [2, 3, 2],
      operands: [image(), image(0.5)],
      attributes: { transB: 1 },
    },
    {
      what: 'batch axes moved',
      x: [2, 3, 4],
      operands: [image(), real(3, 4, 5)],
      attributes: { transBatchA: 1 },
    },
    {
      what: 'batch axes moved and transposed',
      x: [4, 3, 2],
      operands: [image(), real(3, 4, 5)],
      attributes: { transBatchA: 1, transA: 1 },
    },
  ],
  'com.microsoft::TransposeMatMul': [
    {
      what: 'transposed',
      x: [2, 3, 2],
      operands: [image(), real(4, 3)],
      attributes: { transA: 1, transB: 1, alpha: f(2) },
    },
  ],
  'com.microsoft::ExpandDims': [
    { what: 'in between', x: [2, 3], operands: [image(), whole('int32', [], [1])] },
  ],
  'com.microsoft::GatherND': [
    { what: 'rows', x: [2, 3], operands: [image(), whole('int64', [2, 1], [1, 0])] },
  ],
  'com.microsoft::GridSample': [17, 20].flatMap((opset) => [
    { what: `bilinear, set ${opset}`, x: [1, 2, 3, 4], operands: [image(), real(1, 2, 3, 2)], opset },
    {
      what: `bicubic, from corner to corner, set ${opset}`,
      x: [1, 2, 3, 4],
      operands: [image(), real(1, 2, 3, 2)],
      attributes: { mode: 'bicubic', padding_mode: 'border', align_corners: 1 },
      opset,
    },
  ]),
  'com.microsoft::Pad': [
    {
      what: 'a constant',
      x: [2, 3],
      operands: [image(), integers([0, 1, 0, 2]), whole('float32', [1], [0.5])],
    },
    {
      what: 'reflected',
      x: [2, 3],
      operands: [image(), integers([0, 1, 0, 2])],
      attributes: { mode: 'reflect' },
    },
  ],
  'com.microsoft::Trilu': [
    { what: 'the upper half', x: [3, 3], operands: [image()], attributes: { upper: 1 } },
  ],
  SimplifiedLayerNormalization: [
    {
      what: 'the last axis',
      x: [2, 5],
      operands: [image(), real(5)],
      attributes: { epsilon: f(1e-3), axis: -1 },
    },
    { what: 'two axes', x: [2, 3, 4], operands: [image(), real(3, 4)], attributes: { axis: 1 } },
  ],
  'com.microsoft::SkipLayerNormalization': [
    {
      what: 'with everything',
      x: [1, 3, 5],
      operands: [image(), image(0.5), real(5), real(5), real(5)],
      attributes: { epsilon: f(1e-5) },
    },
    { what: 'the least', x: [1, 3, 5], operands: [image(), real(1, 3, 5), real(5)] },
    {
      what: 'its sum is the result',
      x: [1, 3, 5],
      operands: [image(), image(0.5), real(5), real(5), real(5)],
      outputs: ['unused', '', '', 'result'],
    },
  ],
  'com.microsoft::SkipSimplifiedLayerNormalization': [
    {
      what: 'with a bias',
      x: [1, 3, 5],
      operands: [image(), image(0.5), real(5), real(5)],
      attributes: { epsilon: f(1e-5) },
    },
    { what: 'the least', x: [1, 3, 5], operands: [image(), real(1, 3, 5), real(5)] },
  ],
  'com.microsoft::Attention': [
    projected('plain'),
    projected('one direction', { unidirectional: 1 }),
    projected('a scale of its own', { scale: f(0.9) }),
    projected('a mask of places', {}, whole('int32', [1, 4], [1, 0, 1, 1])),
    projected(
      'a mask of places, and one direction',
      { unidirectional: 1 },
      whole('int32', [1, 4], [1, 1, 1, 0]),
    ),
    projected(
      'a mask of pairs',
      {},
      whole('int32', [1, 4, 4], [1, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]),
    ),
    projected('a number of places', {}, whole('int32', [1], [3])),
    projected('a bias of the scores', {}, null, null, real(1, 2, 4, 4)),
    {
      what: 'values of another width',
      x: tokens,
      operands: [image(), real(6, 16), real(16)],
      attributes: { num_heads: 2, qkv_hidden_sizes: [4, 4, 8] },
    },
  ],
  'com.microsoft::MultiHeadAttention': [
    multiHead('plain'),
    multiHead('with biases', {}, real(18)),
    multiHead('one direction', { unidirectional: 1 }),
    multiHead('a mask of keys', {}, null, whole('int32', [1, 4], [1, 0, 1, 1])),
    multiHead('a bias of the scores', { scale: f(0.8) }, null, null, real(1, 2, 4, 4)),
    {
      what: 'keys and values by heads',
      x: tokens,
      operands: [image(1.5), image(0.7, [1, 2, 4, 3]), image(1.1, [1, 2, 4, 3])],
      attributes: { num_heads: 2 },
    },
  ],
  Attention: [
    standard('by heads', [1, 2, 3, 4]),
    standard('in three axes', tokens, { q_num_heads: 2, kv_num_heads: 2 }),
    standard('no looking ahead', [1, 2, 3, 4], { is_causal: 1 }),
    standard('a mask to add', [1, 2, 3, 4], { scale: f(0.7) }, real(3, 3)),
    standard('a mask of places', [1, 2, 3, 4], {}, whole('bool', [3, 3], [1, 0, 1, 1, 1, 0, 0, 1, 1])),
    standard('bounded scores', [1, 2, 3, 4], { softcap: f(0.5) }),
    standard('bounded scores and a mask', [1, 2, 3, 4], { softcap: f(0.5) }, real(3, 3)),
    {
      what: 'keys and values shared by heads',
      x: [1, 4, 3, 4],
      operands: [image(1.5), real(1, 2, 5, 4), real(1, 2, 5, 4)],
      opset: 24,
    },
  ],
  RotaryEmbedding: [
    {
      what: 'by heads, halves',
      x: [1, 2, 3, 4],
      operands: [image(), real(1, 3, 2), real(1, 3, 2)],
      opset: 23,
    },
    {
      what: 'by heads, interleaved',
      x: [1, 2, 3, 4],
      operands: [image(), real(1, 3, 2), real(1, 3, 2)],
      attributes: { interleaved: 1 },
      opset: 23,
    },
    {
      what: 'in three axes, by places, a part of each head',
      x: [1, 3, 12],
      operands: [image(), real(5, 2), real(5, 2), whole('int64', [1, 3], [4, 0, 2])],
      attributes: { num_heads: 2, rotary_embedding_dim: 4 },
      opset: 23,
    },
  ],
};

describe('a fused operator computes what ONNX Runtime computes, and has its gradient', () => {
  for (const [name, forms = []] of Object.entries(cases)) {
    describe(name, () => {
      for (const form of forms) {
        it(form.what, () => expectSameAsRuntime(build(name, form), [1, elementCount(form.x)]));
      }
    });
  }
});

it.each([
  ['com.microsoft::GroupQueryAttention', 'the operator com.microsoft::GroupQueryAttention is not supported'],
  ['com.microsoft.nchwc::Conv', 'optimised for one processor'],
  ['com.microsoft::QLinearConv', 'it computes in integers'],
  ['ai.onnx.ml::TreeEnsembleClassifier', 'classical machine learning'],
  ['com.example::Fused', 'the operator com.example::Fused is not supported'],
])('%s is refused by name', (name, reason) => {
  const bytes = build(name, { what: '', x: [2, 3], operands: [image()] });
  const options = { input: 'x', output: 'y', objective: 'logit', activation: 'none' } as const;
  expect(() => buildGradientModel(bytes, options)).toThrow(`${name}: ${reason}`.slice(0, name.length + 2));
  expect(() => buildGradientModel(bytes, options)).toThrow(reason);
});

it('covers the table', () => {
  // Quantisation has no difference quotients: onnx-quantised.test.ts.
  const others = [
    'DequantizeLinear',
    'QuantizeLinear',
    'com.microsoft::DequantizeLinear',
    'com.microsoft::QuantizeLinear',
  ];
  expect([...Object.keys(cases), ...others].sort()).toEqual(Object.keys(decompositions).sort());
});
