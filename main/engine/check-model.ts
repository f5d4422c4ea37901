import { buildGradientModel, checkSupport, type ModelSupport } from '../../core/autodiff/index.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import { readExternalFiles, readModelFile } from './model-file.ts';
import { openSession } from './sessions.ts';

/**
 * Whether a model can be explained: besides what its operators say, its gradient graph is built and loaded by the runtime.
 * Nothing is run.
 * @param file path of an ONNX file
 * @throws PathlightError `not-found`, `too-large`, or what reading says of a file that is no ONNX model
 */
export async function checkModel(file: string): Promise<ModelSupport> {
  const bytes = await readModelFile(file);
  const externalFiles = await readExternalFiles(file, bytes);
  const support = checkSupport(bytes, { externalFiles });
  const [input] = support.inputs;
  const [output] = support.outputs;
  if (!support.explainable || input === undefined || output === undefined) return support;
  try {
    const ends = { input: input.name, output: output.name, externalFiles };
    const gradient = buildGradientModel(bytes, { ...ends, objective: 'logit', activation: 'none' });
    const session = await openSession(gradient.bytes, 'the gradient graph');
    await session.release();
    return support;
  } catch (error) {
    if (!(error instanceof PathlightError)) throw error;
    return { ...support, explainable: false, reasons: [error.message] };
  }
}
