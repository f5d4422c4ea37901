import type { InferenceSession } from 'onnxruntime-node';
import type { EntropyModel } from '../../core/attribution/maximum-entropy.ts';
import type { GradientModel } from '../../core/autodiff/index.ts';
import { differentiableModel } from './gradient-model.ts';

/**
 * How sure a model is, answered by ONNX Runtime.
 * @param graph of the objective `negative-entropy`
 * @param activation that the graph was made with
 */
export function entropyModel(
  session: InferenceSession,
  graph: Omit<GradientModel, 'bytes'>,
  activation: 'softmax' | 'sigmoid' | 'none',
): EntropyModel {
  const labels = graph.outputCount;
  return {
    ...differentiableModel(session, graph, 'all'),
    greatestEntropy: activation === 'softmax' ? Math.log(labels) : labels * Math.LN2,
  };
}
