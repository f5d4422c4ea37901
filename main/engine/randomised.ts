import { PathlightError } from '../../core/contract/errors.ts';
import { randomisedModels } from '../../core/onnx/randomise.ts';
import type { EngineModel, RandomisedLayers } from './engine.ts';
import { type CheckedModel, readCheckedModel } from './model-file.ts';

/**
 * Reads a model with the weights of its last layers drawn anew, which is done once, whichever of its ends are asked for.
 * @returns throws PathlightError as `readCheckedModel` does; `bad-request`: more layers than there are; `unsupported`: none with weights
 */
export function readRandomised(randomised: RandomisedLayers): (model: EngineModel) => Promise<CheckedModel> {
  let drawn: Uint8Array | undefined;
  return async (model) => {
    const file = await readCheckedModel(model);
    drawn ??= randomisedBytes(file, randomised);
    return { bytes: drawn, ends: { ...file.ends, externalFiles: new Map() } };
  };
}

function randomisedBytes({ bytes, ends }: CheckedModel, { layers, seed }: RandomisedLayers): Uint8Array {
  let all = 0;
  for (const model of randomisedModels(bytes, seed, ends.externalFiles)) {
    all = model.layers;
    if (model.randomised === layers) return model.bytes();
  }
  throw new PathlightError(
    'bad-request',
    `The model has ${all} layers with weights; ${layers} of them cannot be randomised.`,
  );
}
