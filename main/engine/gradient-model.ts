/** The seam of core/attribution, answered by ONNX Runtime on a gradient graph of core/autodiff. */
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import type { DifferentiableModel, Evaluation, PathPoints, PathSum } from '../../core/attribution/model.ts';
import type { GradientModel, PathNames } from '../../core/autodiff/index.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import { betweenBatches } from './between-batches.ts';
import { floats, runSession } from './sessions.ts';

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
  /** One call of the runtime over `batch` points, of which the last may be fillers. */
  const run = async (
    feeds: InferenceSession.FeedsType,
    batch: number,
    outputs: string[],
  ): Promise<InferenceSession.ReturnType> => {
    await betweenBatches();
    const seed = new Float32Array(batch * labels).fill(target === 'all' ? 1 : 0);
    if (target !== 'all') for (let k = 0; k < batch; k++) seed[k * labels + target] = 1;
    return runSession(
      session,
      { ...feeds, [graph.seedName]: new Tensor('float32', seed, [batch, labels]) },
      outputs,
    );
  };
  const elements = shape.reduce((product, size) => product * size, 1);
  const image = (values: Float32Array, count = 1): Tensor => new Tensor('float32', values, [count, ...shape]);
  const perPoint = (values: readonly number[], batch: number): Tensor =>
    new Tensor(
      'float32',
      Float32Array.from({ length: batch }, (_, k) => values[k] ?? 0),
      [batch],
    );

  const evaluatePart = async (points: Float32Array, count: number, batch: number): Promise<Evaluation> => {
    const filled = batch === count ? points : new Float32Array(batch * elements);
    if (filled !== points) filled.set(points);
    const { path } = graph;
    const ones = Array<number>(batch).fill(1);
    const feeds =
      path === null
        ? { [graph.inputName]: image(filled, batch) }
        : {
            [path.imageName]: image(filled, batch),
            [path.baselineName]: image(new Float32Array(elements)),
            [path.alphasName]: perPoint(ones, batch),
            [path.weightsName]: perPoint([], batch),
          };
    const outputs = await run(feeds, batch, [graph.scalarName, graph.gradientName]);
    return {
      f: Float64Array.from(floats(outputs, graph.scalarName).subarray(0, count)),
      gradient: floats(outputs, graph.gradientName).subarray(0, count * elements),
    };
  };

  /** A graph of a fixed batch takes exactly that, so others are split, and the last part filled up. */
  const inParts = async (
    count: number,
    work: (from: number, count: number, batch: number) => Promise<void>,
  ): Promise<void> => {
    const batch = graph.batch === 'dynamic' ? count : graph.batch;
    for (let from = 0; from < count; from += batch) await work(from, Math.min(batch, count - from), batch);
  };

  const sumAlong = async (path: PathNames, points: PathPoints): Promise<PathSum> => {
    const { nodes, weights } = points;
    const f = new Float64Array(nodes.length);
    const gradient = new Float32Array(elements);
    const ends = { [path.imageName]: image(points.x), [path.baselineName]: image(points.baseline) };
    await inParts(nodes.length, async (from, count, batch) => {
      const feeds = {
        ...ends,
        [path.alphasName]: perPoint(nodes.slice(from, from + count), batch),
        [path.weightsName]: perPoint(weights.slice(from, from + count), batch),
      };
      const outputs = await run(feeds, batch, [graph.scalarName, path.sumName]);
      f.set(floats(outputs, graph.scalarName).subarray(0, count), from);
      floats(outputs, path.sumName).forEach((value, i) => (gradient[i] = (gradient[i] ?? 0) + value));
    });
    return { f, gradient };
  };

  const { path } = graph;
  return {
    shape,
    async evaluate(points, count) {
      const f = new Float64Array(count);
      const gradient = new Float32Array(points.length);
      await inParts(count, async (from, part, batch) => {
        const own = points.subarray(from * elements, (from + part) * elements);
        const evaluation = await evaluatePart(own, part, batch);
        f.set(evaluation.f, from);
        gradient.set(evaluation.gradient, from * elements);
      });
      return { f, gradient };
    },
    ...(path === null ? {} : { sumAlong: (points: PathPoints) => sumAlong(path, points) }),
  };
}
