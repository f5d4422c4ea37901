/** docs/operators.md: what happens to each operator of ONNX, written from the rule table. */
import { NEWEST_OPSET, OLDEST_OPSET, rewritten } from '../onnx/upgrade.ts';
import { decompositions } from './fused/index.ts';
import type { DifferentiableRule, Rule } from './rule.ts';
import { everyRule } from './rules/index.ts';

/** Operators that came after set 7, by the set they came with (ONNX Changelog.md). */
const INTRODUCED: Readonly<Record<number, readonly string[]>> = {
  8: ['Expand', 'Scan'],
  9: [
    ...['Acosh', 'Asinh', 'Atanh', 'Compress', 'ConstantOfShape', 'Cosh', 'Erf', 'EyeLike', 'IsNaN'],
    ...['MaxUnpool', 'MeanVarianceNormalization', 'NonZero', 'OneHot', 'Scatter', 'Shrink', 'Sign', 'Sinh'],
    ...['TfIdfVectorizer', 'Where'],
  ],
  10: [
    ...['ConvInteger', 'DequantizeLinear', 'IsInf', 'MatMulInteger', 'Mod', 'NonMaxSuppression'],
    ...['QLinearConv', 'QLinearMatMul', 'QuantizeLinear', 'Resize', 'ReverseSequence', 'RoiAlign'],
    ...['StringNormalizer', 'ThresholdedRelu'],
  ],
  11: [
    ...['BitShift', 'ConcatFromSequence', 'CumSum', 'Det', 'DynamicQuantizeLinear', 'GatherElements'],
    ...['GatherND', 'Range', 'Round', 'ScatterElements', 'ScatterND', 'SequenceAt', 'SequenceConstruct'],
    ...['SequenceEmpty', 'SequenceErase', 'SequenceInsert', 'SequenceLength', 'SplitToSequence', 'Unique'],
  ],
  12: [
    ...['Celu', 'Einsum', 'GreaterOrEqual', 'LessOrEqual', 'NegativeLogLikelihoodLoss'],
    'SoftmaxCrossEntropyLoss',
  ],
  14: ['HardSwish', 'Trilu'],
  15: ['Bernoulli', 'CastLike', 'Optional', 'OptionalGetElement', 'OptionalHasElement'],
  16: ['GridSample'],
  17: [
    ...['BlackmanWindow', 'DFT', 'HammingWindow', 'HannWindow', 'LayerNormalization', 'MelWeightMatrix'],
    ...['STFT', 'SequenceMap'],
  ],
  18: [
    ...['BitwiseAnd', 'BitwiseNot', 'BitwiseOr', 'BitwiseXor', 'CenterCropPad', 'Col2Im'],
    ...['GroupNormalization', 'Mish'],
  ],
  19: ['DeformConv'],
  20: ['AffineGrid', 'Gelu', 'ImageDecoder', 'RegexFullMatch', 'StringConcat', 'StringSplit'],
  23: ['Attention', 'RMSNormalization', 'RotaryEmbedding'],
  24: ['Swish', 'TensorScatter'],
  26: ['BitCast', 'CumProd'],
};

function introduced(operator: string): number {
  const found = Object.entries(INTRODUCED).find(([, operators]) => operators.includes(operator));
  return Number(found?.[0] ?? OLDEST_OPSET);
}

function row(...cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`;
}

function table(head: readonly string[], rows: readonly string[]): string {
  return [row(...head), row(...head.map(() => '---')), ...rows].join('\n');
}

function ofKind<K extends Rule['kind']>(kind: K): [string, Extract<Rule, { kind: K }>][] {
  return everyRule().filter((entry): entry is [string, Extract<Rule, { kind: K }>] => entry[1].kind === kind);
}

function differentiated({ inputs }: DifferentiableRule): string {
  return inputs === 'all' ? 'all' : inputs.join(', ');
}

/** @returns Markdown */
export function supportDocument(): string {
  const differentiable = ofKind('differentiable');
  const zero = ofKind('zero-gradient');
  const refused = ofKind('refused');
  const older = [...rewritten].map(({ operator, before }) => `${operator} (before ${before})`).sort();
  return `# Operators

Written by \`npm run generate\` from the rule table (\`core/autodiff/rules\`): do not edit.

What Pathlight does with each operator of ONNX that lies between the image and the explained output. What does not depend on
the image is not differentiated: there, every operator whose shapes are known may stand. \`pathlight model check FILE\` says the
same of a model, and names the nodes that stand in the way.

Models of operator sets ${OLDEST_OPSET} to ${NEWEST_OPSET} are read; "set" is the operator set that an operator came with, where that
was after ${OLDEST_OPSET}. Older forms of these operators are rewritten first: ${older.join(', ')}.

Every rule is held to difference quotients of ONNX Runtime's own forward pass, at random points, in ONNX's own node tests
(\`test/acceptance/onnx-node-tests.test.ts\`) and in forms of our own (\`test/property/gradient-rules.test.ts\`). Where a derivative
jumps, the side is PyTorch's.

## Differentiable: ${differentiable.length}

"Inputs" are those that the gradient passes through, counted from 0; the others must not depend on the image. Sizes must be
fixed, but for the number of images.

${table(
  ['operator', 'set', 'inputs', 'within'],
  differentiable.map(([operator, rule]) =>
    row(operator, introduced(operator), differentiated(rule), rule.limits ?? ''),
  ),
)}

## Written as others: ${Object.keys(decompositions).length}

These are written as standard operators before anything else, which compute what ONNX Runtime's own kernels compute
(\`test/unit/autodiff-fused.test.ts\`): ${Object.keys(decompositions).sort().join(', ')}.

QuantizeLinear and DequantizeLinear around operators that compute in floats are among them: the gradient passes straight through
the rounding where a value lies within the range of its integers, and is 0 beyond it.

If, Loop and Scan are written out where the branch taken, or the number of turns, is constant, and refused otherwise. So are
the functions that a model brings along, unless one calls itself.

## Gradient of zero: ${zero.length}

Piecewise constant, or about shapes and places rather than values: they may stand anywhere, and nothing passes back through
them. A cast to whole numbers belongs here, too.

${zero.map(([operator]) => operator).join(', ')}.

## Refused: ${refused.length}

An image that reaches one of these is an error that names the node, before anything runs. So is any operator that stands in none
of these lists.

${table(
  ['operator', 'set', 'why'],
  refused.map(([operator, { reason }]) => row(operator, introduced(operator), reason)),
)}
`;
}
