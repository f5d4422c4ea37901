/** The seam of core/attribution/representation.ts, answered by ONNX Runtime on a gradient graph whose objective is a distance. */
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import type { RepresentationModel } from '../../core/attribution/representation.ts';
import type { GradientModel } from '../../core/autodiff/index.ts';
import { betweenBatches } from './between-batches.ts';
import { floats, runSession } from './sessions.ts';

/** @param graph of the objective `distance`; its output is the representation */
export function representationModel(
  session: InferenceSession,
  graph: Omit<GradientModel, 'bytes'>,
): RepresentationModel {
  const { inputShape: shape, outputCount: size, inputName, seedName, outputName } = graph;
  /** Runs the graph on as many points as it takes at once, and joins what it gives of each. */
  const run = async (
    points: Float32Array,
    count: number,
    targets: Float32Array,
    outputs: { name: string; size: number }[],
  ): Promise<Float32Array[]> => {
    const elements = points.length / count;
    const batch = graph.batch === 'dynamic' ? count : graph.batch;
    const joined = outputs.map((output) => new Float32Array(count * output.size));
    for (let from = 0; from < count; from += batch) {
      await betweenBatches();
      const part = Math.min(batch, count - from);
      // A graph of a fixed batch gets exactly that, the rest of it filled with zeros.
      const filled = (values: Float32Array, each: number): Float32Array => {
        const all = new Float32Array(batch * each);
        all.set(values.subarray(from * each, (from + part) * each));
        return all;
      };
      const results = await runSession(
        session,
        {
          [inputName]: new Tensor('float32', filled(points, elements), [batch, ...shape]),
          [seedName]: new Tensor('float32', filled(targets, size), [batch, size]),
        },
        outputs.map(({ name }) => name),
      );
      outputs.forEach((output, k) =>
        joined[k]?.set(floats(results, output.name).subarray(0, part * output.size), from * output.size),
      );
    }
    return joined;
  };

  return {
    shape,
    size,
    async represent(points, count) {
      const [representation = new Float32Array()] = await run(points, count, new Float32Array(count * size), [
        { name: outputName, size },
      ]);
      return representation;
    },
    async distance(points, count, targets) {
      const [distance = new Float32Array(), gradient = new Float32Array()] = await run(
        points,
        count,
        targets,
        [
          { name: graph.scalarName, size: 1 },
          { name: graph.gradientName, size: points.length / count },
        ],
      );
      return { distance: Float64Array.from(distance), gradient };
    },
  };
}
