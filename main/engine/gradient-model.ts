/** The seam of core/attribution, answered by ONNX Runtime on a gradient graph of core/autodiff. */
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import type { DifferentiableModel, Evaluation } from '../../core/attribution/model.ts';
import type { GradientModel } from '../../core/autodiff/index.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import { floats, runSession } from './sessions.ts';

/**
 * Points of a batch at the usual input size. On a CPU more gain nothing (a point takes the same time in batches of 1 to 16) and cost
 * memory and a longer wait for scores and for a cancellation.
 */
const usualBatch = 4;
/** Elements of a batch beyond which it is made smaller: four colour images of 224 x 224. */
const batchElements = usualBatch * 3 * 224 * 224;

/**
 * The time between two batches in which requests that have come in are read and answered. A mere turn of the event loop would not do:
 * an image is longer than a pipe's buffer, so it arrives in pieces.
 */
const pauseMilliseconds = 2;

/** How many points are evaluated together. It depends on the model alone, because the last bits of a result depend on it. */
export function batchSizeFor(shape: readonly number[]): number {
  const elements = shape.reduce((product, size) => product * size, 1);
  return Math.max(1, Math.min(usualBatch, Math.floor(batchElements / elements)));
}

/**
 * @param target index of the explained value of the model's output, or the sum over all of them
 * @throws PathlightError `bad-request`: no such value
 */
export function differentiableModel(
  session: InferenceSession,
  graph: Omit<GradientModel, 'bytes'>,
  target: number | 'all',
): DifferentiableModel {
  const { inputShape: shape, outputCount: labels } = graph;
  if (target !== 'all' && (!Number.isInteger(target) || target < 0 || target >= labels)) {
    throw new PathlightError(
      'bad-request',
      `The model gives ${labels} values; there is no number ${target}.`,
    );
  }
  /** One call of the runtime; a graph of a fixed batch gets exactly that, the rest of it filled with zeros. */
  const run = async (points: Float32Array, count: number, batch: number): Promise<Evaluation> => {
    await new Promise((resolve) => setTimeout(resolve, pauseMilliseconds));
    const elements = points.length / count;
    const filled = batch === count ? points : new Float32Array(batch * elements);
    if (filled !== points) filled.set(points);
    const seed = new Float32Array(batch * labels).fill(target === 'all' ? 1 : 0);
    if (target !== 'all') for (let k = 0; k < batch; k++) seed[k * labels + target] = 1;
    const outputs = await runSession(
      session,
      {
        [graph.inputName]: new Tensor('float32', filled, [batch, ...shape]),
        [graph.seedName]: new Tensor('float32', seed, [batch, labels]),
      },
      [graph.scalarName, graph.gradientName],
    );
    return {
      f: Float64Array.from(floats(outputs, graph.scalarName).subarray(0, count)),
      gradient: floats(outputs, graph.gradientName).subarray(0, count * elements),
    };
  };

  return {
    shape,
    async evaluate(points, count) {
      const batch = graph.batch;
      if (batch === 'dynamic') return run(points, count, count);
      const elements = points.length / count;
      const f = new Float64Array(count);
      const gradient = new Float32Array(points.length);
      for (let from = 0; from < count; from += batch) {
        const part = Math.min(batch, count - from);
        const evaluation = await run(points.subarray(from * elements, (from + part) * elements), part, batch);
        f.set(evaluation.f, from);
        gradient.set(evaluation.gradient, from * elements);
      }
      return { f, gradient };
    },
  };
}
