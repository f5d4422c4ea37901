/** The scalar that is explained, appended to the model: f = sum over k of seed_k objective(output)_k. */
import type { Scalar } from '../attribution/model.ts';
import type { GraphBuilder, Value } from '../onnx/builder.ts';
import type { KnownOperator } from '../onnx/inference.ts';
import { scalar } from '../onnx/tensor.ts';

/** The least number above 0 that float32 holds in full precision. */
const SMALLEST_NORMAL = 2 ** -126;

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
      return objective === 'probability' ? output : apply('Log', positive(graph, output));
  }
}

/** Kept from 0, so that a label of probability 0 and weight 0 adds 0 to the scalar, and not 0 times infinity. */
function positive(graph: GraphBuilder, probability: Value): Value {
  const smallest = graph.constant(scalar(graph.type(probability), SMALLEST_NORMAL));
  return graph.op('Clip', [probability, smallest]);
}
