/** The one table of gradient rules: operator -> rule. An operator whose shapes are known without a rule does not compile. */
import type { KnownOperator } from '../../onnx/inference.ts';
import type { Rule } from '../rule.ts';
import { refused } from '../rule.ts';
import { activation } from './activation.ts';
import { convolution } from './convolution.ts';
import { elementwise, withoutGradient } from './elementwise.ts';
import { linear } from './linear.ts';
import { movement } from './movement.ts';
import { normalization } from './normalization.ts';
import { pooling } from './pooling.ts';
import { reduction } from './reduction.ts';
import { resampling } from './resampling.ts';
import { sampling } from './sampling.ts';

export const rules = {
  ...activation,
  ...convolution,
  ...elementwise,
  ...linear,
  ...movement,
  ...normalization,
  ...pooling,
  ...reduction,
  ...resampling,
  ...sampling,
  ...withoutGradient,
} satisfies Record<KnownOperator, Rule>;

const random = refused('its result is random, so that no two evaluations explain the same model');
const recurrent = refused('recurrent layers have no gradient rule');
const quantised = refused(
  'it computes in integers: a model quantised so has no gradient, but may have one in its QDQ form',
);
const regions = refused('it pools regions for detectors, which have no gradient rule');
const spectral = refused('Fourier transforms and spectra have no gradient rule');
const loss = refused('it is a training loss: explain what the model outputs before it');
const dataDependent = refused('the number of its results depends on the image');
const words = refused('it works on text');
const containers = refused('sequences and optional values have no gradient rule');

/** Operators that are known and refused on purpose. */
const refusals: Readonly<Record<string, Rule>> = {
  Bernoulli: random,
  BitCast: refused('it reads numbers as others of the same bits'),
  BlackmanWindow: spectral,
  ConcatFromSequence: containers,
  ConvInteger: quantised,
  CumProd: refused('running products have no gradient rule'),
  DFT: spectral,
  DeformConv: refused('deformable convolutions have no gradient rule'),
  Det: refused('determinants have no gradient rule'),
  DynamicQuantizeLinear: quantised,
  GRU: recurrent,
  HammingWindow: spectral,
  HannWindow: spectral,
  ImageDecoder: refused('it decodes an image file: the model must take pixels'),
  LSTM: recurrent,
  MatMulInteger: quantised,
  MaxRoiPool: regions,
  MelWeightMatrix: spectral,
  Multinomial: random,
  NegativeLogLikelihoodLoss: loss,
  NonMaxSuppression: dataDependent,
  Optional: containers,
  OptionalGetElement: containers,
  OptionalHasElement: containers,
  QLinearConv: quantised,
  QLinearMatMul: quantised,
  RNN: recurrent,
  RandomNormal: random,
  RandomNormalLike: random,
  RandomUniform: random,
  RandomUniformLike: random,
  RegexFullMatch: words,
  RoiAlign: regions,
  STFT: spectral,
  SequenceAt: containers,
  SequenceConstruct: containers,
  SequenceEmpty: containers,
  SequenceErase: containers,
  SequenceInsert: containers,
  SequenceLength: containers,
  SequenceMap: containers,
  SoftmaxCrossEntropyLoss: loss,
  SplitToSequence: containers,
  StringConcat: words,
  StringNormalizer: words,
  StringSplit: words,
  TensorScatter: refused('the caches of language models have no gradient rule'),
  TfIdfVectorizer: words,
  Unique: dataDependent,
};

/** Operators that another form replaces before shapes are inferred (core/onnx/upgrade.ts). */
const replaced: Readonly<Record<string, Rule>> = {
  Scatter: rules.ScatterElements,
  Upsample: rules.Resize,
};

const table: ReadonlyMap<string, Rule> = new Map(Object.entries({ ...rules, ...refusals, ...replaced }));

/** @returns undefined for operators that Pathlight does not know */
export function ruleOf(operator: string): Rule | undefined {
  return table.get(operator);
}

/** Every operator that is known, in alphabetical order, with its rule. */
export function everyRule(): [operator: string, rule: Rule][] {
  return [...table].sort(([a], [b]) => (a < b ? -1 : 1));
}
