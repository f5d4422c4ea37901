/**
 * For every differentiable operator the forms in which its gradient is checked. The type makes the list complete: an
 * operator that gets a rule without a case does not compile.
 */
import { floatValue } from '../../core/onnx/attributes.ts';
import type { AttributeValues } from '../../core/onnx/builder.ts';
import type { DifferentiableRule } from '../../core/autodiff/rule.ts';
import type { rules } from '../../core/autodiff/rules/index.ts';
import type { ElementType } from '../../core/onnx/tensor.ts';

/** Where an operand's values lie. `spread`: distinct values on both sides of 0, none near 0 or another. */
export type Domain = 'spread' | 'positive' | 'unit' | 'above-one';

export type Operand =
  /** Part of the image: differentiated. */
  | { kind: 'image'; shape: readonly number[]; domain: Domain; values?: readonly number[] }
  /** Constant, in the model's float type. */
  | { kind: 'real'; shape: readonly number[]; domain: Domain; values?: readonly number[] }
  | { kind: 'exact'; type: ElementType; shape: readonly number[]; values: readonly number[] }
  | { kind: 'none' };

export interface OperatorCase {
  what: string;
  operands: readonly Operand[];
  attributes?: AttributeValues;
  /** Outputs that are used; one by default. */
  outputs?: number;
  /** Outputs that a node must have, and nothing reads. */
  unused?: number;
  opset?: number;
}

const image = (shape: readonly number[], domain: Domain = 'spread'): Operand => ({
  kind: 'image',
  shape,
  domain,
});
const real = (shape: readonly number[], domain: Domain = 'spread'): Operand => ({
  kind: 'real',
  shape,
  domain,
});
const given = (values: readonly number[], shape: readonly number[] = []): Operand => ({
  kind: 'real',
  shape,
  domain: 'spread',
  values,
});
const ints = (...values: number[]): Operand => ({
  kind: 'exact',
  type: 'int64',
  shape: [values.length],
  values,
});
const exact = (type: ElementType, shape: readonly number[], values: readonly number[]): Operand => ({
  kind: 'exact',
  type,
  shape,
  values,
});
const none: Operand = { kind: 'none' };

const f = floatValue;
const END = 2 ** 63;

const of = (domain: Domain, ...variants: [string, AttributeValues?, number?][]): OperatorCase[] =>
  variants.map(([what, attributes, opset]) => ({
    what,
    operands: [image([2, 3, 4], domain)],
    ...(attributes === undefined ? {} : { attributes }),
    ...(opset === undefined ? {} : { opset }),
  }));

const binary = (first: Domain = 'spread', second: Domain = first): OperatorCase[] => [
  { what: 'equal shapes', operands: [image([2, 3], first), image([2, 3], second)] },
  { what: 'a row against a column', operands: [image([3, 1, 4], first), image([2, 1], second)] },
  { what: 'a scalar on the left', operands: [image([], first), image([2, 3], second)] },
  { what: 'a constant on the right', operands: [image([2, 3, 2], first), real([3, 1], second)] },
  { what: 'a constant on the left', operands: [real([1, 2], first), image([3, 2], second)] },
];

const variadic: OperatorCase[] = [
  { what: 'one', operands: [image([2, 3])] },
  { what: 'three that broadcast', operands: [image([2, 1, 3]), image([4, 1]), image([2, 4, 3])] },
];

/** Axes as an attribute until set 17, as an input from set 18 (ReduceSum: 13) on. */
const reduction = (domain: Domain = 'spread'): OperatorCase[] => {
  const operands = [image([2, 3, 4], domain)];
  return [
    { what: 'one axis kept', operands, attributes: { axes: [1] } },
    { what: 'a negative axis dropped', operands, attributes: { axes: [-1], keepdims: 0 } },
    { what: 'two axes dropped', operands, attributes: { axes: [0, 2], keepdims: 0 } },
    { what: 'all', operands, attributes: { keepdims: 0 } },
    {
      what: 'axes as an input',
      operands: [...operands, ints(-2, 2)],
      attributes: { keepdims: 0 },
      opset: 18,
    },
    {
      what: 'no axes, nothing to do',
      operands: [...operands, ints()],
      attributes: { noop_with_empty_axes: 1 },
      opset: 18,
    },
  ];
};

const conv = (
  what: string,
  x: readonly number[],
  w: readonly number[],
  attributes: AttributeValues = {},
): OperatorCase => ({ what, operands: [image(x), real(w)], attributes });

/**
 * A grid that reads between pixels, within the image and around it, away from where GridSample has kinks (pixels' centres and
 * borders, whether or not corners are aligned). Nearest jumps as the grid moves: there, the grid is not differentiated.
 */
function gridBetween(
  mode: string,
  sizes: readonly number[],
  count: number,
  shape: readonly number[] = [1, 3, count / 3, sizes.length],
): Operand {
  const isClear = (u: number): boolean =>
    sizes.every((size) =>
      [((u + 1) / 2) * (size - 1), ((u + 1) * size - 1) / 2].every(
        (pixel) => Math.abs(2 * pixel - Math.round(2 * pixel)) > 0.12,
      ),
    );
  const clear = Array.from({ length: 400 }, (_, at) => (((at * 37) % 400) / 400) * 3.6 - 1.8).filter(isClear);
  const values = clear.slice(0, count * sizes.length);
  return { kind: mode === 'nearest' ? 'real' : 'image', shape, domain: 'spread', values };
}

type Differentiable = {
  [O in keyof typeof rules]: (typeof rules)[O] extends DifferentiableRule ? O : never;
}[keyof typeof rules];

export const operatorCases: Record<Differentiable, readonly OperatorCase[]> = {
  Abs: of('spread', ['any sign']),
  Acos: of('unit', ['within (-1, 1)']),
  Acosh: of('above-one', ['above 1']),
  Add: binary(),
  AffineGrid: [
    {
      what: '2-D',
      operands: [image([2, 2, 3]), ints(2, 1, 3, 2)],
      opset: 20,
    },
    {
      what: '3-D, corners aligned',
      operands: [image([1, 3, 4]), ints(1, 1, 2, 3, 2)],
      attributes: { align_corners: 1 },
      opset: 20,
    },
  ],
  Asin: of('unit', ['within (-1, 1)']),
  Asinh: of('spread', ['any sign']),
  Atan: of('spread', ['any sign']),
  Atanh: of('unit', ['within (-1, 1)']),
  AveragePool: [
    {
      what: 'side by side',
      operands: [image([1, 2, 4, 6])],
      attributes: { kernel_shape: [2, 3], strides: [2, 3] },
    },
    {
      what: 'side by side, a rest of one',
      operands: [image([1, 1, 5, 7])],
      attributes: { kernel_shape: [2, 3], strides: [2, 3] },
    },
    {
      what: 'overlapping, padded, padding not counted',
      operands: [image([1, 2, 5, 6])],
      attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
    },
    {
      what: 'overlapping, padded unevenly, padding counted',
      operands: [image([1, 1, 5, 6])],
      attributes: { kernel_shape: [3, 2], strides: [1, 2], pads: [1, 0, 2, 1], count_include_pad: 1 },
    },
    {
      what: 'ceil mode, padding not counted',
      operands: [image([1, 1, 6, 7])],
      attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], ceil_mode: 1 },
    },
    {
      what: 'ceil mode, padding counted',
      operands: [image([1, 1, 6, 7])],
      attributes: { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1, count_include_pad: 1 },
      opset: 19,
    },
    {
      what: 'ceil mode side by side',
      operands: [image([1, 1, 5, 7])],
      attributes: { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 },
    },
    {
      what: 'dilated',
      operands: [image([1, 1, 6, 7])],
      attributes: { kernel_shape: [2, 3], strides: [1, 2], dilations: [2, 2] },
      opset: 19,
    },
    {
      what: 'SAME_LOWER',
      operands: [image([1, 1, 5, 6])],
      attributes: { kernel_shape: [2, 3], strides: [2, 2], auto_pad: 'SAME_LOWER' },
    },
    {
      what: '1-D, gaps between windows',
      operands: [image([1, 2, 8])],
      attributes: { kernel_shape: [2], strides: [3] },
    },
    {
      what: '3-D',
      operands: [image([1, 1, 3, 4, 3])],
      attributes: { kernel_shape: [2, 2, 2], strides: [1, 2, 1], pads: [0, 0, 0, 1, 0, 1] },
    },
  ],
  BatchNormalization: [
    {
      what: '4-D',
      operands: [image([2, 3, 2, 2]), real([3]), real([3]), real([3]), real([3], 'positive')],
      attributes: { epsilon: f(0.01) },
    },
    { what: '2-D', operands: [image([2, 3]), real([3]), real([3]), real([3]), real([3], 'positive')] },
  ],
  Cast: [{ what: 'to float32 and on', operands: [image([2, 3])], attributes: { to: 1 } }],
  CastLike: [{ what: 'like a constant', operands: [image([2, 3]), given([1])] }],
  Celu: of('spread', ['default'], ['alpha 2', { alpha: f(2) }]),
  CenterCropPad: [
    { what: 'cut and padded, odd differences', operands: [image([5, 4, 3]), ints(2, 7, 4)], opset: 18 },
    {
      what: 'some axes',
      operands: [image([2, 5, 3]), ints(6, 2)],
      attributes: { axes: [-1, 1] },
      opset: 18,
    },
  ],
  Clip: [
    { what: 'both bounds', operands: [image([3, 4]), given([-0.5]), given([0.8])] },
    { what: 'below only', operands: [image([3, 4]), given([-0.5])] },
    { what: 'above only', operands: [image([3, 4]), none, given([0.3])] },
    {
      what: 'bounds as attributes',
      operands: [image([3, 4])],
      attributes: { min: f(-0.5), max: f(0.8) },
      opset: 10,
    },
  ],
  Col2Im: [
    { what: 'overlapping', operands: [image([1, 8, 6]), ints(3, 4), ints(2, 2)], opset: 18 },
    {
      what: 'strides, dilations and pads',
      operands: [image([2, 6, 9]), ints(5, 5), ints(2, 3)],
      attributes: { strides: [2, 2], dilations: [2, 1], pads: [1, 1, 1, 1] },
      opset: 18,
    },
    { what: '1-D', operands: [image([1, 6, 4]), ints(6), ints(3)], opset: 18 },
  ],
  Compress: [
    {
      what: 'along an axis',
      operands: [image([2, 4]), exact('bool', [3], [1, 0, 1])],
      attributes: { axis: -1 },
    },
    { what: 'of all elements', operands: [image([2, 3]), exact('bool', [5], [0, 1, 1, 0, 1])] },
  ],
  Concat: [
    {
      what: 'three along axis 1',
      operands: [image([2, 1, 2]), image([2, 3, 2]), image([2, 2, 2])],
      attributes: { axis: 1 },
    },
    {
      what: 'with a constant, negative axis',
      operands: [image([2, 3]), real([2, 2])],
      attributes: { axis: -1 },
    },
    { what: 'one', operands: [image([2, 3])], attributes: { axis: 0 } },
  ],
  Conv: [
    conv('1x1', [1, 3, 3, 4], [2, 3, 1, 1]),
    conv('3x3 padded', [2, 2, 4, 5], [3, 2, 3, 3], { pads: [1, 1, 1, 1] }),
    conv('stride 2 that does not divide', [1, 2, 6, 7], [3, 2, 3, 3], {
      strides: [2, 2],
      pads: [1, 1, 1, 1],
    }),
    conv('stride 3 that leaves a rest', [1, 1, 9, 8], [2, 1, 2, 3], { strides: [3, 3] }),
    conv('stride 2 on 1x1', [1, 2, 5, 6], [3, 2, 1, 1], { strides: [2, 2] }),
    conv('stride 2 on padded 1x1', [1, 1, 5, 4], [2, 1, 1, 1], { strides: [2, 2], pads: [1, 0, 1, 1] }),
    conv('different strides', [1, 1, 5, 6], [2, 1, 3, 2], { strides: [1, 2], pads: [1, 0, 1, 0] }),
    conv('grouped', [1, 4, 4, 4], [6, 2, 3, 3], { group: 2, pads: [1, 1, 1, 1] }),
    conv('grouped, stride 2', [1, 4, 5, 5], [6, 2, 3, 3], { group: 2, strides: [2, 2], pads: [1, 1, 1, 1] }),
    conv('depthwise', [1, 3, 4, 5], [3, 1, 3, 3], { group: 3, pads: [1, 1, 1, 1] }),
    conv('depthwise, stride 2, two a channel', [1, 3, 5, 6], [6, 1, 3, 3], {
      group: 3,
      strides: [2, 2],
      pads: [1, 1, 1, 1],
    }),
    conv('dilated', [1, 1, 7, 8], [2, 1, 3, 2], { dilations: [2, 3], pads: [2, 1, 2, 1] }),
    conv('dilated, stride 2', [1, 1, 8, 9], [2, 1, 3, 3], {
      dilations: [2, 2],
      strides: [2, 2],
      pads: [1, 2, 2, 1],
    }),
    conv('padded beyond the kernel', [1, 1, 3, 4], [2, 1, 2, 2], { pads: [2, 2, 3, 1] }),
    conv('SAME_UPPER, stride 2', [1, 1, 6, 5], [2, 1, 3, 3], { auto_pad: 'SAME_UPPER', strides: [2, 2] }),
    conv('SAME_LOWER, even kernel', [1, 1, 5, 5], [2, 1, 2, 2], { auto_pad: 'SAME_LOWER' }),
    conv('VALID', [1, 1, 5, 5], [2, 1, 2, 3], { auto_pad: 'VALID' }),
    conv('1-D', [1, 2, 7], [3, 2, 3], { strides: [2], pads: [1, 0] }),
    conv('3-D', [1, 2, 3, 4, 3], [2, 2, 2, 3, 2], { strides: [1, 2, 1], pads: [0, 1, 0, 1, 1, 1] }),
    { what: 'with a bias', operands: [image([1, 2, 3, 3]), real([2, 2, 2, 2]), real([2])] },
  ],
  ConvTranspose: [
    conv('3x3', [1, 2, 3, 4], [2, 3, 3, 3]),
    conv('stride 2, padded', [1, 2, 3, 3], [2, 1, 4, 4], { strides: [2, 2], pads: [1, 1, 1, 1] }),
    conv('output padding', [1, 1, 3, 3], [1, 2, 3, 3], {
      strides: [2, 2],
      pads: [1, 1, 1, 1],
      output_padding: [1, 1],
    }),
    conv('output shape', [1, 1, 3, 3], [1, 2, 3, 3], { strides: [2, 2], output_shape: [6, 6] }),
    conv('grouped', [1, 4, 3, 3], [4, 1, 2, 2], { group: 2, strides: [2, 2] }),
    conv('dilated', [1, 1, 3, 3], [1, 1, 2, 3], { dilations: [2, 2] }),
    conv('1-D', [1, 2, 4], [2, 2, 3], { strides: [2] }),
    conv('3-D', [1, 1, 2, 3, 2], [1, 2, 2, 2, 2], { strides: [2, 1, 2] }),
    conv('output shape beyond what is reached', [1, 1, 3, 3], [1, 2, 2, 2], {
      strides: [2, 2],
      output_shape: [7, 7],
    }),
    conv('output shape, SAME_UPPER', [1, 1, 3, 3], [1, 2, 3, 3], {
      strides: [2, 2],
      output_shape: [5, 6],
      auto_pad: 'SAME_UPPER',
    }),
    conv('SAME_LOWER', [1, 2, 3, 4], [2, 1, 3, 3], { strides: [2, 3], auto_pad: 'SAME_LOWER' }),
    conv('VALID', [1, 1, 3, 3], [1, 1, 3, 2], { strides: [2, 1], auto_pad: 'VALID' }),
    conv('pads uneven', [1, 2, 4, 3], [2, 1, 3, 3], { strides: [1, 2], pads: [0, 1, 2, 0] }),
    conv('depthwise', [1, 3, 3, 3], [3, 1, 3, 3], { strides: [2, 2], group: 3 }),
  ],
  Cos: of('spread', ['any sign']),
  Cosh: of('spread', ['any sign']),
  CumSum: [
    { what: 'plain', operands: [image([2, 4]), exact('int64', [], [1])] },
    {
      what: 'exclusive, reverse',
      operands: [image([2, 4]), exact('int64', [], [-1])],
      attributes: { exclusive: 1, reverse: 1 },
    },
  ],
  DepthToSpace: [
    { what: 'DCR', operands: [image([1, 8, 2, 3])], attributes: { blocksize: 2 } },
    { what: 'CRD', operands: [image([1, 8, 2, 3])], attributes: { blocksize: 2, mode: 'CRD' } },
  ],
  Div: binary('spread', 'positive'),
  Dropout: of('spread', ['in inference']),
  Einsum: [
    {
      what: 'matrix product',
      operands: [image([2, 3]), image([3, 4])],
      attributes: { equation: 'ij,jk->ik' },
    },
    {
      what: 'batched, transposed',
      operands: [image([2, 3, 2]), image([2, 4, 2])],
      attributes: { equation: 'bid,bjd->bji' },
    },
    { what: 'summed label, no arrow', operands: [image([2, 3])], attributes: { equation: 'ij->i' } },
    { what: 'a diagonal', operands: [image([3, 3])], attributes: { equation: 'ii->i' } },
    { what: 'a trace', operands: [image([2, 3, 3])], attributes: { equation: 'bii->b' } },
    {
      what: 'a diagonal of many',
      operands: [image([2, 3, 3])],
      attributes: { equation: '...ii->...i' },
    },
    {
      what: 'ellipses that broadcast',
      operands: [image([2, 1, 2, 3]), image([2, 4, 3, 2])],
      attributes: { equation: '...ij,...jk->...ik' },
    },
    {
      what: 'ellipsis in front of the result, no arrow',
      operands: [image([3, 2]), image([2, 2, 3])],
      attributes: { equation: 'ca,...ac' },
    },
    {
      what: 'a label of one operand',
      operands: [image([2, 3]), image([2])],
      attributes: { equation: 'ij,i->i' },
    },
    {
      what: 'three operands',
      operands: [image([2, 3]), image([3, 2]), real([2, 2])],
      attributes: { equation: 'ij,jk,kl->il' },
    },
  ],
  Elu: of('spread', ['default'], ['alpha 0.5', { alpha: f(0.5) }]),
  Erf: of('spread', ['any sign']),
  Exp: of('spread', ['any sign']),
  Expand: [
    { what: 'to a higher rank', operands: [image([3, 1]), ints(2, 1, 4)] },
    { what: 'to its own shape', operands: [image([2, 3]), ints(1, 1)] },
  ],
  Flatten: of(
    'spread',
    ['axis 1'],
    ['axis 0', { axis: 0 }],
    ['axis -1', { axis: -1 }],
    ['axis 3', { axis: 3 }],
  ),
  Gather: [
    {
      what: 'a scalar index',
      operands: [image([2, 5, 3]), exact('int64', [], [-1])],
      attributes: { axis: 1 },
    },
    { what: 'neighbours', operands: [image([2, 5]), ints(1, 2, 3)], attributes: { axis: -1 } },
    { what: 'repeated, in disorder', operands: [image([4, 3]), ints(2, 0, -2, 2)] },
    {
      what: 'a matrix of indices',
      operands: [image([3, 4]), exact('int64', [2, 2], [3, 0, 3, 1])],
      attributes: { axis: 1 },
    },
  ],
  GatherElements: [
    {
      what: 'repeated',
      operands: [image([3, 3]), exact('int64', [2, 3], [0, 2, 1, 0, -1, 1])],
      attributes: { axis: 0 },
    },
  ],
  GatherND: [
    { what: 'repeated rows', operands: [image([3, 2, 2]), exact('int64', [3, 1], [2, 0, 2])] },
    {
      what: 'elements, negative',
      operands: [image([3, 2]), exact('int64', [3, 2], [2, -1, 0, 0, -1, 1])],
    },
    {
      what: 'one batch axis',
      operands: [image([2, 3, 2]), exact('int64', [2, 2, 1], [2, -2, 2, 2])],
      attributes: { batch_dims: 1 },
    },
    {
      what: 'two batch axes, two indices',
      operands: [image([2, 1, 3, 2, 2]), exact('int64', [2, 1, 2, 2], [2, 1, -1, 1, 0, -1, 1, 0])],
      attributes: { batch_dims: 2 },
    },
  ],
  Gelu: of('spread', ['exact', {}, 20], ['tanh', { approximate: 'tanh' }, 20]),
  Gemm: [
    { what: 'plain', operands: [image([2, 3]), image([3, 4]), image([4])] },
    {
      what: 'both transposed, scaled',
      operands: [image([3, 2]), image([4, 3]), image([2, 1])],
      attributes: { transA: 1, transB: 1, alpha: f(0.5), beta: f(2) },
    },
    { what: 'A transposed, no C', operands: [image([3, 2]), image([3, 4])], attributes: { transA: 1 } },
    { what: 'B transposed', operands: [image([2, 3]), real([4, 3]), real([1])], attributes: { transB: 1 } },
  ],
  GlobalAveragePool: [
    { what: '4-D', operands: [image([2, 2, 3, 4])] },
    { what: '3-D', operands: [image([1, 2, 5])] },
  ],
  GlobalLpPool: [
    { what: 'p 2', operands: [image([2, 2, 3, 4])] },
    { what: 'p 1', operands: [image([1, 2, 5])], attributes: { p: 1 } },
    { what: 'p 3', operands: [image([1, 2, 2, 3, 2])], attributes: { p: 3 } },
  ],
  GlobalMaxPool: [
    { what: '4-D', operands: [image([2, 2, 3, 4])] },
    { what: '3-D', operands: [image([1, 2, 5])] },
  ],
  GridSample: [
    ...['zeros', 'border', 'reflection'].flatMap((padding_mode) =>
      ['bilinear', 'nearest', 'bicubic'].flatMap((mode) =>
        [0, 1].map((align_corners) => ({
          what: `${mode}, ${padding_mode}, corners ${align_corners === 1 ? 'aligned' : 'not aligned'}`,
          operands: [image([1, 2, 4, 3]), gridBetween(mode, [4, 3], 15)],
          attributes: { padding_mode, mode, align_corners },
        })),
      ),
    ),
    {
      what: 'linear, two images',
      operands: [image([2, 1, 3, 3]), gridBetween('linear', [3, 3], 8, [2, 2, 2, 2])],
      attributes: { mode: 'linear' },
      opset: 20,
    },
    {
      what: '3-D',
      operands: [image([1, 1, 2, 3, 3]), gridBetween('linear', [2, 3, 3], 8, [1, 2, 2, 2, 3])],
      attributes: { mode: 'linear', padding_mode: 'border' },
      opset: 20,
    },
  ],
  GroupNormalization: [
    {
      what: 'scale a group',
      operands: [image([2, 4, 2, 3]), real([2]), real([2])],
      attributes: { num_groups: 2 },
      opset: 18,
    },
    {
      what: 'scale a channel',
      operands: [image([2, 4, 3]), real([4]), real([4])],
      attributes: { num_groups: 2 },
      opset: 21,
    },
  ],
  HardSigmoid: of('spread', ['default'], ['steep', { alpha: f(0.5), beta: f(0.4) }]),
  HardSwish: [{ what: 'across its three parts', operands: [image([6, 8])] }],
  Identity: of('spread', ['any']),
  InstanceNormalization: [
    { what: '4-D', operands: [image([2, 2, 2, 3]), real([2]), real([2])], attributes: { epsilon: f(0.1) } },
    { what: '3-D', operands: [image([1, 3, 4]), real([3]), real([3])] },
  ],
  LRN: [
    {
      what: 'odd size',
      operands: [image([1, 5, 2, 2])],
      attributes: { size: 3, alpha: f(0.3), beta: f(0.6), bias: f(1.5) },
    },
    {
      what: 'wider than the channels',
      operands: [image([2, 4, 1, 2])],
      attributes: { size: 5, alpha: f(0.5) },
    },
  ],
  LayerNormalization: [
    {
      what: 'last axis',
      operands: [image([2, 3, 4]), real([4]), real([4])],
      attributes: { epsilon: f(0.1) },
    },
    { what: 'two axes', operands: [image([2, 3, 4]), real([3, 4])], attributes: { axis: 1 } },
    { what: 'scale and bias of the image', operands: [image([2, 3, 4]), image([4]), image([3, 4])] },
  ],
  LeakyRelu: of('spread', ['default'], ['slope 0.3', { alpha: f(0.3) }]),
  Log: of('positive', ['above 0']),
  LogSoftmax: of('spread', ['last axis'], ['axis 1', { axis: 1 }], ['flattened, set 12', { axis: 1 }, 12]),
  LpNormalization: of('spread', ['p 2'], ['p 1, axis 1', { p: 1, axis: 1 }]),
  LpPool: [
    {
      what: 'overlapping, padded',
      operands: [image([1, 2, 5, 5])],
      attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
    },
    {
      what: 'side by side, p 1',
      operands: [image([1, 1, 4, 6])],
      attributes: { kernel_shape: [2, 3], strides: [2, 3], p: 1 },
    },
    {
      what: 'p 3, SAME_UPPER',
      operands: [image([1, 1, 5, 4])],
      attributes: { kernel_shape: [2, 2], strides: [2, 1], p: 3, auto_pad: 'SAME_UPPER' },
    },
    {
      what: 'dilated, ceil mode',
      operands: [image([1, 1, 6, 8])],
      attributes: { kernel_shape: [2, 2], strides: [2, 2], dilations: [2, 1], ceil_mode: 1 },
      opset: 18,
    },
    { what: '1-D', operands: [image([1, 2, 7])], attributes: { kernel_shape: [3], strides: [3] } },
  ],
  MatMul: [
    { what: 'matrices', operands: [image([2, 3]), image([3, 4])] },
    { what: 'stacks that broadcast', operands: [image([2, 1, 2, 3]), image([3, 3, 2])] },
    { what: 'a vector on the left', operands: [image([3]), image([2, 3, 2])] },
    { what: 'a vector on the right', operands: [image([2, 2, 3]), image([3])] },
    { what: 'two vectors', operands: [image([4]), image([4])] },
    { what: 'a constant matrix', operands: [image([2, 3, 4]), real([4, 2])] },
  ],
  Max: variadic,
  MaxPool: [
    {
      what: 'side by side',
      operands: [image([1, 2, 4, 4])],
      attributes: { kernel_shape: [2, 2], strides: [2, 2] },
    },
    {
      what: 'overlapping, padded',
      operands: [image([2, 2, 5, 5])],
      attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
    },
    {
      what: 'ceil mode',
      operands: [image([1, 1, 6, 7])],
      attributes: { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 },
    },
    {
      what: 'dilated',
      operands: [image([1, 1, 6, 6])],
      attributes: { kernel_shape: [2, 2], dilations: [2, 3] },
    },
    {
      what: 'SAME_UPPER',
      operands: [image([1, 1, 5, 5])],
      attributes: { kernel_shape: [2, 2], auto_pad: 'SAME_UPPER' },
    },
    { what: '1-D', operands: [image([1, 2, 7])], attributes: { kernel_shape: [3], strides: [2] } },
    {
      what: '3-D',
      operands: [image([1, 1, 3, 4, 3])],
      attributes: { kernel_shape: [2, 2, 2], strides: [1, 2, 1] },
    },
  ],
  MaxUnpool: [
    {
      what: 'into twice the size',
      operands: [image([1, 1, 2, 2]), exact('int64', [1, 1, 2, 2], [1, 3, 8, 15])],
      attributes: { kernel_shape: [2, 2], strides: [2, 2] },
    },
    {
      what: 'into a stated shape',
      operands: [image([1, 1, 2, 2]), exact('int64', [1, 1, 2, 2], [1, 3, 8, 15]), ints(1, 1, 5, 5)],
      attributes: { kernel_shape: [2, 2], strides: [2, 2] },
    },
  ],
  Mean: variadic,
  MeanVarianceNormalization: [
    { what: 'by channel', operands: [image([2, 3, 2, 2])] },
    { what: 'stated axes', operands: [image([2, 3, 4])], attributes: { axes: [-1] } },
  ],
  Min: variadic,
  Mish: of('spread', ['any sign', {}, 18]),
  Mod: [
    {
      what: 'fmod by a constant',
      operands: [image([2, 3], 'positive'), given([0.9])],
      attributes: { fmod: 1 },
    },
    {
      what: 'fmod of both',
      operands: [image([2, 3]), image([2, 1], 'above-one')],
      attributes: { fmod: 1 },
    },
  ],
  Mul: binary(),
  Neg: of('spread', ['any sign']),
  OneHot: [
    {
      what: 'last axis',
      operands: [exact('int64', [3], [1, -1, 0]), exact('int64', [], [4]), image([2])],
    },
    {
      what: 'axis 0',
      operands: [exact('int64', [2, 2], [1, 0, 2, 2]), exact('int64', [], [3]), image([2])],
      attributes: { axis: 0 },
    },
  ],
  PRelu: [
    { what: 'a slope a channel', operands: [image([1, 3, 2, 2]), image([3, 1, 1])] },
    { what: 'one slope', operands: [image([2, 3]), real([1])] },
  ],
  Pad: [
    { what: 'zeros', operands: [image([2, 3]), ints(1, 0, 2, 1)] },
    { what: 'cut', operands: [image([3, 4]), ints(-1, 1, 0, -2)] },
    {
      what: 'reflect',
      operands: [image([1, 1, 3, 4]), ints(0, 0, 2, 1, 0, 0, 1, 3)],
      attributes: { mode: 'reflect' },
    },
    { what: 'edge', operands: [image([1, 2, 3]), ints(0, 1, 2, 0, 0, 1)], attributes: { mode: 'edge' } },
    { what: 'wrap', operands: [image([2, 3]), ints(0, 2, 1, 1)], attributes: { mode: 'wrap' }, opset: 19 },
    { what: 'some axes', operands: [image([2, 3, 2]), ints(1, 2), none, ints(-1)], opset: 18 },
    {
      what: 'pads as an attribute',
      operands: [image([2, 3])],
      attributes: { pads: [0, 1, 1, 0] },
      opset: 10,
    },
    {
      what: 'reflect, cut on one side',
      operands: [image([1, 5]), ints(0, -1, 0, 2)],
      attributes: { mode: 'reflect' },
    },
    {
      what: 'edge, cut on both sides',
      operands: [image([5, 2]), ints(-2, 1, -1, 0)],
      attributes: { mode: 'edge' },
    },
  ],
  Pow: [
    ...binary('positive', 'positive'),
    { what: 'a square', operands: [image([2, 3]), given([2])] },
    { what: 'a cube', operands: [image([2, 3]), given([3])] },
    { what: 'an exponent of whole numbers', operands: [image([2, 3]), exact('int64', [], [3])] },
    { what: 'a root', operands: [image([2, 3], 'positive'), given([0.5])] },
    { what: 'exponents with a 0', operands: [image([2, 3]), given([0, 1, 2], [3])] },
  ],
  RMSNormalization: [
    {
      what: 'last axis',
      operands: [image([2, 3, 4]), image([4])],
      attributes: { epsilon: f(0.1) },
      opset: 23,
    },
    { what: 'two axes', operands: [image([2, 3, 4]), real([3, 4])], attributes: { axis: 1 }, opset: 23 },
  ],
  Reciprocal: of('positive', ['above 0']),
  ReduceL1: reduction(),
  ReduceL2: reduction(),
  ReduceLogSum: reduction('positive'),
  ReduceLogSumExp: reduction(),
  ReduceMax: reduction(),
  ReduceMean: reduction(),
  ReduceMin: reduction(),
  ReduceProd: reduction('positive'),
  ReduceSum: [
    { what: 'one axis kept', operands: [image([2, 3, 4]), ints(1)] },
    { what: 'negative axes dropped', operands: [image([2, 3, 4]), ints(-1, 0)], attributes: { keepdims: 0 } },
    { what: 'all', operands: [image([2, 3])], attributes: { keepdims: 0 } },
    {
      what: 'axes as an attribute',
      operands: [image([2, 3, 4])],
      attributes: { axes: [1], keepdims: 0 },
      opset: 11,
    },
  ],
  ReduceSumSquare: reduction(),
  Relu: of('spread', ['any sign']),
  Reshape: [
    { what: 'with -1', operands: [image([2, 3, 4]), ints(4, -1)] },
    { what: 'with 0', operands: [image([2, 3, 4]), ints(0, 2, -1)] },
  ],
  Resize: [
    ...['half_pixel', 'asymmetric', 'align_corners', 'pytorch_half_pixel', 'half_pixel_symmetric'].flatMap(
      (coordinate_transformation_mode) =>
        ['nearest', 'linear', 'cubic'].map((mode) => ({
          what: `${mode}, ${coordinate_transformation_mode}, sizes`,
          operands: [image([1, 1, 4, 3]), none, none, ints(1, 1, 7, 5)],
          attributes: { mode, coordinate_transformation_mode },
          opset: 19,
        })),
    ),
    ...['floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'].map((nearest_mode) => ({
      what: `nearest, ${nearest_mode}, down`,
      operands: [image([1, 2, 6, 5]), none, none, ints(1, 2, 4, 3)],
      attributes: { mode: 'nearest', nearest_mode },
    })),
    {
      what: 'linear by scales, rounded down',
      operands: [image([1, 2, 3, 4]), none, exact('float32', [4], [1, 1, 2.5, 1.5])],
      attributes: { mode: 'linear' },
    },
    {
      what: 'cubic, outside excluded',
      operands: [image([1, 1, 4, 4]), none, none, ints(1, 1, 6, 7)],
      attributes: { mode: 'cubic', exclude_outside: 1, cubic_coeff_a: f(-0.5) },
    },
    {
      what: 'nearest by scales, doubled',
      operands: [image([1, 1, 3, 3]), none, exact('float32', [4], [1, 1, 2, 2])],
      attributes: { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
    },
    {
      what: 'Upsample of set 9',
      operands: [image([1, 1, 3, 2]), exact('float32', [4], [1, 1, 2, 3])],
      attributes: { mode: 'nearest' },
      opset: 9,
    },
    ...['linear', 'cubic', 'nearest'].map((mode) => ({
      what: `${mode}, tf_crop_and_resize`,
      operands: [
        image([1, 1, 5, 4]),
        exact('float32', [8], [0, 0, 0.2, -0.1, 1, 1, 0.9, 1.3]),
        none,
        ints(1, 1, 4, 6),
      ],
      attributes: { mode, coordinate_transformation_mode: 'tf_crop_and_resize', extrapolation_value: f(2) },
    })),
    {
      what: 'tf_half_pixel_for_nn',
      operands: [image([1, 1, 4, 4]), none, none, ints(1, 1, 3, 2)],
      attributes: { mode: 'nearest', coordinate_transformation_mode: 'tf_half_pixel_for_nn' },
      opset: 11,
    },
    ...['linear', 'cubic'].flatMap((mode) =>
      [0, 1].map((exclude_outside) => ({
        what: `${mode}, antialiased${exclude_outside === 1 ? ', outside excluded' : ''}`,
        operands: [image([1, 1, 7, 5]), none, none, ints(1, 1, 3, 8)],
        attributes: { mode, antialias: 1, exclude_outside },
        opset: 18,
      })),
    ),
    ...['not_larger', 'not_smaller'].map((keep_aspect_ratio_policy) => ({
      what: `aspect ratio kept, ${keep_aspect_ratio_policy}`,
      operands: [image([1, 2, 4, 6]), none, none, ints(7, 8)],
      attributes: { mode: 'linear', keep_aspect_ratio_policy, axes: [2, 3] },
      opset: 18,
    })),
    {
      what: 'linear by scales of some axes',
      operands: [image([1, 1, 4, 3]), none, exact('float32', [2], [0.6, 2])],
      attributes: { mode: 'linear', axes: [-1, 2] },
      opset: 18,
    },
    {
      what: '3-D, linear',
      operands: [image([1, 1, 2, 3, 2]), none, none, ints(1, 1, 3, 5, 4)],
      attributes: { mode: 'linear' },
    },
  ],
  ReverseSequence: [
    {
      what: 'time first',
      operands: [image([4, 3, 2]), ints(2, 4, 1)],
      attributes: { time_axis: 0, batch_axis: 1 },
    },
    {
      what: 'batch first',
      operands: [image([2, 4]), ints(3, 1)],
      attributes: { time_axis: 1, batch_axis: 0 },
    },
  ],
  ScatterElements: [
    {
      what: 'overwriting',
      operands: [image([3, 3]), exact('int64', [2, 3], [1, 0, 2, 0, 2, 1]), image([2, 3])],
      attributes: { axis: 0 },
    },
    {
      what: 'adding',
      operands: [image([2, 3]), exact('int64', [2, 2], [0, 0, 2, 1]), image([2, 2])],
      attributes: { axis: 1, reduction: 'add' },
    },
    ...['mul', 'min', 'max'].map((reduction) => ({
      what: `${reduction}, places repeated`,
      operands: [image([2, 3]), exact('int64', [2, 2], [0, 0, 2, -1]), image([2, 2])],
      attributes: { axis: 1, reduction },
      opset: 18,
    })),
    {
      what: 'times zeros',
      operands: [
        image([3]),
        ints(0, 0, 1, 1, 2),
        { kind: 'image', shape: [5], domain: 'spread', values: [0, 2, 0, 0, 3] },
      ],
      attributes: { reduction: 'mul' },
      opset: 18,
    },
  ],
  ScatterND: [
    { what: 'overwriting rows', operands: [image([4, 2]), exact('int64', [2, 1], [2, 0]), image([2, 2])] },
    {
      what: 'adding',
      operands: [image([4, 2]), exact('int64', [3, 1], [2, 0, 2]), image([3, 2])],
      attributes: { reduction: 'add' },
    },
    ...['mul', 'min', 'max'].map((reduction) => ({
      what: `${reduction}, rows repeated`,
      operands: [image([3, 2]), exact('int64', [3, 1], [2, 0, 2]), image([3, 2])],
      attributes: { reduction },
      opset: 18,
    })),
  ],
  Selu: of('spread', ['default'], ['stated', { alpha: f(1.2), gamma: f(0.9) }]),
  Shrink: of('spread', ['default'], ['with a bias', { lambd: f(0.45), bias: f(0.1) }]),
  Sigmoid: of('spread', ['any sign']),
  Sin: of('spread', ['any sign']),
  Sinh: of('spread', ['any sign']),
  Slice: [
    { what: 'a part', operands: [image([3, 5]), ints(1, -3), ints(3, END), ints(0, 1)] },
    { what: 'every second', operands: [image([7, 2]), ints(1), ints(END), ints(0), ints(2)] },
    { what: 'backward by two', operands: [image([2, 7]), ints(-2), ints(-END), ints(-1), ints(-2)] },
    { what: 'reversed', operands: [image([4]), ints(-1), ints(-END), ints(0), ints(-1)] },
    {
      what: 'as attributes',
      operands: [image([3, 4])],
      attributes: { starts: [1], ends: [3], axes: [1] },
      opset: 9,
    },
  ],
  Softmax: of('spread', ['last axis'], ['axis 1', { axis: 1 }], ['flattened, set 12', { axis: 1 }, 12]),
  Softplus: of('spread', ['any sign']),
  Softsign: of('spread', ['any sign']),
  SpaceToDepth: [{ what: 'blocks of 2', operands: [image([1, 2, 4, 2])], attributes: { blocksize: 2 } }],
  Split: [
    {
      what: 'uneven, all used',
      operands: [image([2, 6]), ints(1, 3, 2)],
      attributes: { axis: 1 },
      outputs: 3,
    },
    { what: 'even', operands: [image([4, 2])], attributes: { axis: -2 }, outputs: 2 },
    {
      what: 'set 18',
      operands: [image([5, 2])],
      attributes: { axis: 0, num_outputs: 2 },
      outputs: 2,
      opset: 18,
    },
  ],
  Sqrt: of('positive', ['above 0']),
  Squeeze: [
    { what: 'one axis', operands: [image([2, 1, 3, 1]), ints(-1)] },
    { what: 'all of size 1', operands: [image([2, 1, 3, 1])] },
  ],
  Sub: binary(),
  Sum: variadic,
  Swish: of('spread', ['any sign', { alpha: f(1.5) }, 24]),
  Tan: of('unit', ['within (-1, 1)']),
  Tanh: of('spread', ['any sign']),
  ThresholdedRelu: of('spread', ['default'], ['at 0.3', { alpha: f(0.3) }]),
  Tile: [{ what: 'two axes', operands: [image([2, 1, 3]), ints(1, 3, 2)] }],
  TopK: [
    { what: 'greatest', operands: [image([2, 5]), ints(2)], attributes: { axis: -1 }, unused: 1 },
    {
      what: 'least of axis 0',
      operands: [image([4, 2]), ints(3)],
      attributes: { axis: 0, largest: 0 },
      unused: 1,
    },
  ],
  Transpose: of('spread', ['reversed'], ['stated', { perm: [1, 2, 0] }]),
  Trilu: [
    { what: 'upper', operands: [image([3, 4])] },
    {
      what: 'lower, shifted',
      operands: [image([2, 3, 3]), exact('int64', [], [1])],
      attributes: { upper: 0 },
    },
  ],
  Unsqueeze: [{ what: 'two axes', operands: [image([2, 3]), ints(0, -1)] }],
  Where: [
    {
      what: 'all broadcast',
      operands: [exact('bool', [3, 1], [1, 0, 1]), image([1, 2]), image([2, 3, 1])],
    },
  ],
};
