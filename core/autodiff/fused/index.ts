/** The one table of operators that others stand in for: domain::operator -> how it is written in standard operators. */
import type { Replacement } from '../../onnx/forward.ts';
import type { Node } from '../../onnx/graph.ts';
import { operatorName } from '../../onnx/graph.ts';
import { activation } from './activation.ts';
import { attention } from './attention.ts';
import { type Decomposition, Fusion } from './fusion.ts';
import { linear } from './linear.ts';
import { normalization } from './normalization.ts';
import { quantization } from './quantization.ts';

export const decompositions: Readonly<Record<string, Decomposition>> = {
  ...activation,
  ...attention,
  ...linear,
  ...normalization,
  ...quantization,
};

export function replacementOf(node: Node): Replacement | undefined {
  const name = operatorName(node);
  const decomposition = Object.hasOwn(decompositions, name) ? decompositions[name] : undefined;
  if (decomposition === undefined) return undefined;
  return (fused, graph, note) => decomposition(new Fusion(graph, fused, note));
}
