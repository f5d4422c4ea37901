import { PathlightError } from '../../core/contract/errors.ts';
import { randomisedModels } from '../../core/onnx/randomise.ts';
import type { RandomisedLayers } from './engine.ts';
import type { CheckedModel } from './model-file.ts';

/**
 * The model with the weights of its last layers drawn anew.
 * @throws PathlightError `bad-request`: more layers than there are; `unsupported`: none with weights
 */
export function randomisedLayers(
  { bytes, ends }: CheckedModel,
  { layers, seed }: RandomisedLayers,
): CheckedModel {
  let all = 0;
  for (const model of randomisedModels(bytes, seed, ends.externalFiles)) {
    all = model.layers;
    if (model.randomised === layers)
      return { bytes: model.bytes(), ends: { ...ends, externalFiles: new Map() } };
  }
  throw new PathlightError(
    'bad-request',
    `The model has ${all} layers with weights; ${layers} of them cannot be randomised.`,
  );
}
