/** The scalar that is differentiated, appended to the model: f = sum over k of seed_k objective(output)_k, or a distance. */
import type { Scalar } from '../attribution/model.ts';
import type { GraphBuilder, Value } from '../onnx/builder.ts';
import type { KnownOperator } from '../onnx/inference.ts';
import { scalar } from '../onnx/tensor.ts';

/**
 * What a gradient graph differentiates:
 * - a `Scalar` of the outputs that the seed picks;
 * - `negative-entropy`: - H of the outputs that the seed picks, in nats: with a softmax and a seed of ones that of the whole distribution,
 *   with a sigmoid that of each label's own yes and no;
 * - `distance`: the squared distance of the output from the seed, |output - seed|^2.
 */
export type Objective = Scalar | 'negative-entropy' | 'distance';

/** The least number above 0 that float32 holds in full precision. */
const SMALLEST_NORMAL = 2 ** -126;

/** What turns the model's raw output into probabilities, as its card states. */
export type Activation = 'softmax' | 'sigmoid' | 'none';

/** A sum over outputs, and what its gradient begins with. */
export interface Summed {
  /** [N, K] what is differentiated. */
  value: Value;
  /** [N, K] the gradient of the sum with respect to `value`. */
  gradient: Value;
  /** [N, K] the terms of the sum. */
  terms: Value;
}

/**
 * @param output [N, K] the model's raw output
 * @param seed [N, K]
 */
export function appendObjective(
  graph: GraphBuilder,
  output: Value,
  seed: Value,
  objective: Objective,
  activation: Activation,
): Summed {
  if (objective === 'distance') {
    const difference = graph.op('Sub', [output, seed]);
    const terms = graph.op('Mul', [difference, difference]);
    return { value: output, gradient: graph.op('Add', [difference, difference]), terms };
  }
  const value =
    objective === 'negative-entropy'
      ? negativeEntropy(graph, output, activation)
      : explained(graph, output, objective, activation);
  return { value, gradient: seed, terms: graph.op('Mul', [value, seed]) };
}

/** @returns [N, K] p ln p; of a probability that stands alone p ln p + (1 - p) ln (1 - p) */
function negativeEntropy(graph: GraphBuilder, output: Value, activation: Activation): Value {
  const weighted = (logit: Value, kind: Activation): Value =>
    graph.op('Mul', [
      explained(graph, logit, 'probability', kind),
      explained(graph, logit, 'log-probability', kind),
    ]);
  if (activation === 'softmax') return weighted(output, activation);
  // 1 - sigmoid(z) = sigmoid(-z)
  const one = graph.constant(scalar(graph.type(output), 1));
  const opposite = activation === 'sigmoid' ? graph.op('Neg', [output]) : graph.op('Sub', [one, output]);
  return graph.op('Add', [weighted(output, activation), weighted(opposite, activation)]);
}

/** @returns [N, K] logits, probabilities or their logarithms. Without an activation the raw output is the probability. */
function explained(graph: GraphBuilder, output: Value, objective: Scalar, activation: Activation): Value {
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
