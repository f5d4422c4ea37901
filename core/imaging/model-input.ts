/** Display values -> the numbers a model takes, as its card says, and back for the thumbnail of what the model saw. */
import type { ModelCard } from '../contract/model-card.ts';
import { resizeTriangle } from './resample.ts';

type InputContract = ModelCard['input'];

/** A channel's part of (value - mean) / std. */
export function channelScale(
  { mean, std }: Pick<InputContract, 'mean' | 'std'>,
  channel: number,
): { mean: number; std: number } {
  const of = (values: number | readonly number[]): number =>
    typeof values === 'number' ? values : (values[channel] ?? NaN);
  return { mean: of(mean), std: of(std) };
}

/** The mean or deviation of a card, as text: "0.5", or "[0.485, 0.456, 0.406]". */
export function perChannel(values: number | readonly number[]): string {
  return typeof values === 'number' ? String(values) : `[${values.join(', ')}]`;
}

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
  const tensor = new Float32Array(input.channels * resized.length);
  for (let channel = 0; channel < input.channels; channel++) {
    const { mean, std } = channelScale(input, channel);
    tensor.set(
      resized.map((value) => (value - mean) / std),
      channel * resized.length,
    );
  }
  return tensor;
}

/**
 * What a model was given, as display values.
 * @param tensor [channels, height, width] in the model's input units; the first channel is taken
 * @returns [height, width], in [0, 1] where the tensor came from display values
 */
export function displayOfModelInput(tensor: Float32Array, input: InputContract): Float32Array {
  const { mean, std } = channelScale(input, 0);
  return tensor.subarray(0, input.height * input.width).map((value) => value * std + mean);
}
