import {
  buildGradientModel,
  checkSupport,
  type Ends,
  type ModelSupport,
  volumeReason,
} from '../../core/autodiff/index.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import type { EngineModel } from './engine.ts';
import { differentiableModel } from './gradient-model.ts';
import { refuseMixedImages } from './mixed-images.ts';
import { readCheckedModel, readExternalFiles, readModelFile } from './model-file.ts';
import { openSession } from './sessions.ts';

/**
 * Whether a model can be explained: besides what its operators say, its gradient graph is built, loaded by the runtime, and run on a
 * pair of random images.
 * @param subject path of an ONNX file, of which the first output by the first input is checked, or a model with its card
 * @throws PathlightError `not-found`, `too-large`, or what reading says of a file that is no ONNX model
 */
export async function checkModel(subject: string | EngineModel): Promise<ModelSupport> {
  const { bytes, ends: stated } =
    typeof subject === 'string' ? await withoutCard(subject) : await readCheckedModel(subject);
  const support = checkSupport(bytes, stated);
  const [input] = support.inputs;
  const [output] = support.outputs;
  const volumes = input === undefined ? undefined : volumeReason(input);
  if (volumes !== undefined) return { ...support, explainable: false, reasons: [volumes] };
  if (!support.explainable || input === undefined || output === undefined) return support;
  try {
    const ends = { input: input.name, output: output.name, ...stated };
    const gradient = buildGradientModel(bytes, { ...ends, objective: 'logit', activation: 'none' });
    const session = await openSession(gradient.bytes, 'the gradient graph');
    try {
      await refuseMixedImages(differentiableModel(session, gradient, 0));
    } finally {
      await session.release();
    }
    return support;
  } catch (error) {
    if (!(error instanceof PathlightError)) throw error;
    return { ...support, explainable: false, reasons: [error.message] };
  }
}

async function withoutCard(file: string): Promise<{ bytes: Uint8Array; ends: Partial<Ends> }> {
  const bytes = await readModelFile(file);
  return { bytes, ends: { externalFiles: await readExternalFiles(file, bytes) } };
}
