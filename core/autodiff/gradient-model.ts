/**
 * ONNX model -> ONNX model that also computes the gradient of a score with respect to the input, in standard operators
 * only, so that any ONNX runtime can run it.
 */
import { PathlightError } from '../contract/errors.ts';
import type { GraphBuilder, Value } from '../onnx/builder.ts';
import type { Cost } from '../onnx/cost.ts';
import { costOf } from '../onnx/cost.ts';
import { readModel, writeModel } from '../onnx/file.ts';
import type { Declaration, Graph, Node } from '../onnx/graph.ts';
import { elementCount, integers } from '../onnx/tensor.ts';
import { appendBackward, planBackward } from './backward.ts';
import { foldScales } from './fold-scales.ts';
import type { Activation, Objective } from './objective.ts';
import { appendObjective } from './objective.ts';
import type { Ends } from './ends.ts';
import type { Opened } from './opening.ts';
import { describeObstacles, openModel } from './opening.ts';
import type { KernelSet } from './site.ts';

export interface GradientOptions extends Ends {
  readonly objective: Objective;
  readonly activation: Activation;
  /** By default `cpu`. */
  readonly kernels?: KernelSet;
}

export interface GradientModel {
  /** An ONNX file. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Input [N, ...inputShape]: the model's own. */
  readonly inputName: string;
  /** Input [N, K], of the model's element type: the weight of each output in the scalar; of a distance, what it is the distance from. */
  readonly seedName: string;
  /** Output [N]: f = sum over k of seed_k objective(output)_k; of a distance f = |output - seed|^2. */
  readonly scalarName: string;
  /** Output [N, K]: the model's raw output; further axes are laid out in a row. */
  readonly outputName: string;
  /** Output [N, ...inputShape]: df / d input. */
  readonly gradientName: string;
  /** N: any number, or just this one. */
  readonly batch: 'dynamic' | number;
  readonly inputShape: readonly number[];
  /** K. */
  readonly outputCount: number;
  /** Of one evaluation: score and gradient. */
  readonly cost: Cost;
  /** What readers of the results should know of how the model was read: one sentence each. */
  readonly notes: readonly string[];
}

/**
 * @param model an ONNX file
 * @throws PathlightError one error that names everything that stands in the way, before anything runs
 */
export function buildGradientModel(model: Uint8Array, options: GradientOptions): GradientModel {
  const { irVersion, opset, ...content } = readModel(model, options.externalFiles);
  const opened = openModel({ irVersion, opset, ...content }, options);
  if (opened.obstacles.length > 0) {
    throw new PathlightError(
      'unsupported',
      `The model cannot be differentiated (ONNX operator set ${opset}): ${describeObstacles(opened.obstacles).join('; ')}.`,
      'Export the model for inference, in float32, with fixed image sizes and standard ONNX operators.',
    );
  }
  const { graph, batch, shape } = opened;
  const { input } = options;

  const raw = asMatrix(opened, options.output);
  const seed = unusedName(graph, 'seed');
  graph.input(
    seed,
    graph.type(raw),
    graph.facts(raw).map((fact) => fact.shape),
  );
  const objective = appendObjective(graph, raw, seed, options.objective, options.activation);
  const scalar = graph.op('ReduceSum', [objective.terms, graph.constant(integers([1]))], { keepdims: 0 });
  const plan = planBackward(graph, input, objective.value);
  const gradient = graph.op('Identity', [
    appendBackward(graph, plan, input, objective.value, objective.gradient, options.kernels),
  ]);
  foldScales(graph, [scalar, raw, gradient]);

  const count = graph.facts(raw)[0]?.shape[1] ?? 0;
  const ends = [scalar, raw, gradient];
  const part = live(graph, ends);
  const declare = (name: Value, sizes: readonly number[]): Declaration => ({
    name,
    type: graph.type(name),
    typeName: graph.type(name),
    shape: [batch === 'dynamic' ? 'N' : batch, ...sizes],
  });
  return {
    bytes: writeModel({
      irVersion: Math.max(irVersion, OLDEST_IR),
      opset: graph.opset,
      graph: {
        name: 'gradient',
        ...part,
        inputs: [declare(input, shape), declare(seed, [count])],
        outputs: [declare(scalar, []), declare(raw, [count]), declare(gradient, shape)],
      },
    }),
    inputName: input,
    seedName: seed,
    scalarName: scalar,
    outputName: raw,
    gradientName: gradient,
    batch,
    inputShape: shape,
    outputCount: count,
    cost: costOf(graph, part.nodes, ends),
    notes: opened.notes,
  };
}

/** The version of ONNX's file format that came with operator set 17. */
export const OLDEST_IR = 8;

function asMatrix({ graph, batch }: Opened, output: Value): Value {
  if (graph.rank(output) === 2) return output;
  const [images = 1] = graph.probes;
  const count = elementCount(graph.facts(output)[0]?.shape ?? []) / images;
  return graph.op('Reshape', [output, graph.constant(integers([batch === 'dynamic' ? -1 : batch, count]))]);
}

function unusedName(graph: GraphBuilder, wanted: string): string {
  let name = wanted;
  while (graph.has(name)) name = `${name}_`;
  return name;
}

/** What the outputs depend on, and nothing else. */
export function live(graph: GraphBuilder, outputs: readonly Value[]): Pick<Graph, 'nodes' | 'constants'> {
  const wanted = new Set(outputs);
  const nodes: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => wanted.has(name))) continue;
    nodes.push(node);
    for (const name of node.inputs) wanted.add(name);
  }
  return {
    nodes: nodes.reverse(),
    constants: new Map([...graph.constants].filter(([name]) => wanted.has(name))),
  };
}
