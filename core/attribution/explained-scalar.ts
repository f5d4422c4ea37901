import type { Activation } from '../autodiff/objective.ts';
import type { Scalar } from './model.ts';

/** The least number above 0 that float32 holds in full precision, as the graph keeps probabilities from 0. */
const smallestNormal = 2 ** -126;

/**
 * The explained number of one point, as gradient graphs define it (core/autodiff/objective.ts), in float64.
 * @param outputs [labels] the model's raw output
 */
export function explainedScalar(
  outputs: ArrayLike<number>,
  target: number,
  scalar: Scalar,
  activation: Activation,
): number {
  const raw = outputs[target] ?? NaN;
  if (scalar === 'logit') return raw;
  const logProbability = ((): number => {
    switch (activation) {
      case 'softmax': {
        const values = Array.from(outputs);
        const largest = Math.max(...values);
        const sum = values.reduce((total, value) => total + Math.exp(value - largest), 0);
        return raw - largest - Math.log(sum);
      }
      case 'sigmoid':
        // -ln(1 + exp(-z)), which does not overflow
        return Math.min(raw, 0) - Math.log1p(Math.exp(-Math.abs(raw)));
      case 'none':
        return scalar === 'probability' ? NaN : Math.log(Math.max(raw, smallestNormal));
    }
  })();
  if (scalar === 'log-probability') return logProbability;
  return activation === 'none' ? raw : Math.exp(logProbability);
}
