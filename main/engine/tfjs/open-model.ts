/** A TensorFlow.js model as a function of a tensor, up to the values that its activation would turn into probabilities. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Activation } from '../../../core/autodiff/objective.ts';
import { PathlightError } from '../../../core/contract/errors.ts';

/** An input or output as model.json states it. */
export interface ModelEnd {
  name: string;
  dtype: string;
  /** null: any size. */
  shape: (number | null)[];
}

export interface OpenedModel {
  inputs: ModelEnd[];
  outputs: ModelEnd[];
  /** What stands at the model's end; `logits` gives the values before it. */
  activation: Activation;
  /**
   * [N, ...] -> [N, ...]: logits, or what the model gives where it has no activation at its end. Called within a tidy of the caller,
   * on whichever backend is set.
   */
  logits(x: Tensor): Tensor;
  /** How many values the softmax at the end takes together. */
  softmaxSize(logits: Tensor): number;
  dispose(): void;
}

/** What a card says of the model's ends. */
export interface TfjsEnds {
  input: string;
  output: string;
  activation: Activation;
}

/**
 * Makes sure that the activation at the model's end is the card's. A model that ends in one is used without it; one that does not
 * gives logits already.
 * @param found the activation at the model's end
 * @throws PathlightError `model-refused`
 */
export function checkActivation(found: Activation, { output, activation }: TfjsEnds): void {
  if (found === 'none' || found === activation) return;
  throw new PathlightError(
    'model-refused',
    `The model's output '${output}' ends in a ${found}, but its card says '${activation}'`,
    `Write "${found}" into output.activation of card.json: the logit, before the ${found}, is then explained.`,
  );
}

/** @param ends those that the model has */
export function noSuchEnd(kind: 'input' | 'output', name: string, ends: readonly ModelEnd[]): PathlightError {
  return new PathlightError(
    'unsupported',
    `The model has no ${kind} '${name}'`,
    `It has ${ends.map((end) => `'${end.name}'`).join(', ')}: correct ${kind}.name in card.json.`,
  );
}

export function oneInputOnly(inputs: readonly ModelEnd[]): PathlightError {
  return new PathlightError(
    'unsupported',
    `The model takes ${inputs.length} inputs: ${inputs.map(({ name }) => `'${name}'`).join(', ')}`,
    'A model in TensorFlow.js form is explained if the image is its only input.',
  );
}

/** What TensorFlow.js throws while it builds a model. */
export function cannotBuild(error: unknown): PathlightError {
  if (error instanceof PathlightError) return error;
  return new PathlightError(
    'damaged',
    `TensorFlow.js cannot build the model: ${error instanceof Error ? error.message : String(error)}`,
    'Check that model.json and its weight files are complete and belong together.',
    { cause: error },
  );
}
