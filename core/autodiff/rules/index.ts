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
  ...withoutGradient,
} satisfies Record<KnownOperator, Rule>;

const random = refused('its result is random, so that no two evaluations explain the same model');
const recurrent = refused('recurrent layers have no gradient rule');
const quantised = refused('the model is quantised: its gradient is zero almost everywhere');
const repeated = refused('loops have no gradient rule');

/** Operators that are known and refused on purpose. */
const refusals: Readonly<Record<string, Rule>> = {
  Bernoulli: random,
  ConvInteger: quantised,
  DequantizeLinear: quantised,
  DynamicQuantizeLinear: quantised,
  GRU: recurrent,
  LSTM: recurrent,
  Loop: repeated,
  MatMulInteger: quantised,
  Multinomial: random,
  NonMaxSuppression: refused('it selects boxes, so that the number of results depends on the image'),
  QLinearConv: quantised,
  QLinearMatMul: quantised,
  QuantizeLinear: quantised,
  RNN: recurrent,
  RandomNormal: random,
  RandomNormalLike: random,
  RandomUniform: random,
  RandomUniformLike: random,
  Scan: repeated,
};

/** Operators that another form replaces before shapes are inferred (core/onnx/upgrade.ts). */
const replaced: Readonly<Record<string, Rule>> = { Upsample: rules.Resize };

/** @returns undefined for operators that Pathlight does not know */
export function ruleOf(operator: string): Rule | undefined {
  for (const table of [rules, refusals, replaced] as Readonly<Record<string, Rule>>[]) {
    if (Object.hasOwn(table, operator)) return table[operator];
  }
  return undefined;
}
