/** The scalar that is explained, appended to the model: f = sum over k of seed_k objective(output)_k. */
import type { Scalar } from '../attribution/model.ts';
import type { GraphBuilder, Value } from '../onnx/builder.ts';
import type { KnownOperator } from '../onnx/inference.ts';

/** What turns the model's raw output into probabilities, as its card states. */
export type Activation = 'softmax' | 'sigmoid' | 'none';

/**
 * @param output [N, K] the model's raw output
 * @returns [N, K] logits, probabilities or their logarithms. Without an activation the raw output is the probability.
 */
export function appendObjective(
  graph: GraphBuilder,
  output: Value,
  objective: Scalar,
  activation: Activation,
): Value {
  if (objective === 'logit') return output;
  const apply = (operator: KnownOperator, value: Value): Value => graph.op(operator, [value]);
  switch (activation) {
    case 'softmax':
      return graph.op(objective === 'probability' ? 'Softmax' : 'LogSoftmax', [output], { axis: -1 });
    case 'sigmoid':
      // ln sigmoid(z) = -ln(1 + exp(-z)), which does not overflow
      return objective === 'probability'
        ? apply('Sigmoid', output)
        : apply('Neg', apply('Softplus', apply('Neg', output)));
    case 'none':
      return objective === 'probability' ? output : apply('Log', output);
  }
}
