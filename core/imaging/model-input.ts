/** Display values -> the numbers a model takes, as its card says, and back for the thumbnail of what the model saw. */
import type { ModelCard } from '../contract/model-card.ts';
import { resizeTriangle } from './resample.ts';

type InputContract = ModelCard['input'];

/**
 * @param display [rows, columns] display values in [0, 1] (grayscale.ts)
 * @returns [channels, height, width] in the model's input units, (value - mean) / std; grey repeated in every channel
 */
export function modelInput(
  display: Float32Array,
  rows: number,
  columns: number,
  input: InputContract,
): Float32Array {
  const resized = resizeTriangle(display, rows, columns, input.height, input.width);
  const plane = resized.map((value) => (value - input.mean) / input.std);
  const tensor = new Float32Array(input.channels * plane.length);
  for (let channel = 0; channel < input.channels; channel++) tensor.set(plane, channel * plane.length);
  return tensor;
}

/**
 * What a model was given, as display values.
 * @param tensor [channels, height, width] in the model's input units; the first channel is taken
 * @returns [height, width], in [0, 1] where the tensor came from display values
 */
export function displayOfModelInput(tensor: Float32Array, input: InputContract): Float32Array {
  return tensor.subarray(0, input.height * input.width).map((value) => value * input.std + input.mean);
}
