import type { DifferentiableModel } from '../../core/attribution/model.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import { elementCount } from '../../core/onnx/tensor.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';

/** Of the greater score, or of `floor`. Rounding that depends on the batch stays far below, the neighbour's own part does not. */
const tolerance = 1e-3;
/** Below it a score may be what rounding left of greater numbers: the logarithm of a probability of almost 1. */
const floor = 0.01;

/**
 * Makes sure that a model's answer for an image does not depend on what lies beside it in the batch (statistics of the batch, a softmax
 * along the wrong axis): points of a path are computed together, and each would be explained by its neighbours, too.
 * @throws PathlightError `unsupported`, with the scores
 */
export async function refuseMixedImages(model: DifferentiableModel): Promise<void> {
  const elements = elementCount(model.shape);
  const pair = normalNumbers(2 * elements, randomSource(1));
  const { f: alone } = await model.evaluate(pair.slice(0, elements), 1);
  const { f: beside } = await model.evaluate(pair, 2);
  const [a = NaN] = alone;
  const [b = NaN, other = NaN] = beside;
  // Scores that are no numbers are another complaint.
  if (!(Math.abs(a - b) > tolerance * Math.max(Math.abs(a), Math.abs(other), floor))) return;
  throw new PathlightError(
    'unsupported',
    `The model's answer for an image depends on the images beside it in the batch: the same image scored ${a.toPrecision(3)} alone and ${b.toPrecision(3)} beside another`,
    'Export the model in inference mode, so that it answers for each image by itself, or with a batch of one image.',
  );
}
