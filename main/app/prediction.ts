/** From a model's raw output to what it says. */
import { PathlightError } from '../../core/contract/errors.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import type { Prediction } from '../../core/contract/result.ts';

/**
 * @param output the model's output, one number a label of the card
 * @throws PathlightError `model-refused` where the output does not have the card's labels
 */
export function predictionOf(card: ModelCard, output: Float32Array): Prediction {
  const { labels, activation } = card.output;
  if (output.length !== labels.length) {
    throw new PathlightError(
      'model-refused',
      `The model '${card.id}' gives ${output.length} numbers, but its card names ${labels.length} labels`,
      'Correct output.labels in its card.',
    );
  }
  const probabilities = activate(activation, output);
  const scores = Object.fromEntries(labels.map((label, i) => [label, probabilities[i] ?? NaN]));
  const logits = Object.fromEntries(labels.map((label, i) => [label, output[i] ?? NaN]));
  return { label: decide(card, scores), scores, logits, threshold: card.decision?.threshold ?? null };
}

function activate(activation: ModelCard['output']['activation'], output: Float32Array): Float64Array {
  const raw = Float64Array.from(output);
  switch (activation) {
    case 'none':
      return raw;
    case 'sigmoid':
      return raw.map((logit) => 1 / (1 + Math.exp(-logit)));
    case 'softmax': {
      const largest = Math.max(...raw);
      const powers = raw.map((logit) => Math.exp(logit - largest));
      const sum = powers.reduce((total, power) => total + power, 0);
      return powers.map((power) => power / sum);
    }
  }
}

function decide({ decision, output }: ModelCard, scores: Record<string, number>): string {
  if (decision !== undefined) {
    return (scores[decision.positive] ?? NaN) >= decision.threshold ? decision.positive : decision.negative;
  }
  return output.labels.reduce((best, label) =>
    (scores[label] ?? NaN) > (scores[best] ?? NaN) ? label : best,
  );
}

/**
 * The label to explain.
 * @param wanted null: the card's positive label, or, without a decision in the card, the predicted one
 * @throws PathlightError `bad-request` for a label that the model does not have
 */
export function targetOf(
  card: ModelCard,
  wanted: string | null,
  prediction: Prediction,
): { label: string; index: number } {
  const label = wanted ?? card.decision?.positive ?? prediction.label;
  const index = card.output.labels.indexOf(label);
  if (index >= 0) return { label, index };
  throw new PathlightError(
    'bad-request',
    `The model '${card.id}' has no label '${label}'`,
    `Its labels: ${card.output.labels.join(', ')}.`,
  );
}
