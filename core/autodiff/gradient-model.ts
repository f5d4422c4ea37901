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
import { elementCount, integers, scalar as scalarTensor } from '../onnx/tensor.ts';
import { appendBackward, planBackward } from './backward.ts';
import { keepBlocked } from './blocked-layout.ts';
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
  /** Also computes points of a straight path, and sums their gradients (`GradientModel.path`). */
  readonly path?: boolean;
  /** By default `cpu`. */
  readonly kernels?: KernelSet;
}

/** The path from a baseline to an image, inside the graph: point n is alphas_n image + (1 - alphas_n) baseline. */
export interface PathNames {
  /** Input [1, ...inputShape], or [N, ...inputShape] for points of any kind, with alphas of 1. */
  readonly imageName: string;
  /** Input [1, ...inputShape]. */
  readonly baselineName: string;
  /** Input [N]. */
  readonly alphasName: string;
  /** Input [N]. */
  readonly weightsName: string;
  /** Output [1, elements]: the sum over n of weights_n df / d point_n. */
  readonly sumName: string;
}

export interface GradientModel {
  /** An ONNX file. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Input [N, ...inputShape]: the model's own; with a path, a value inside the graph. */
  readonly inputName: string;
  /** null where the graph takes its points as they are. */
  readonly path: PathNames | null;
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
  const path = options.path === true ? appendPath(graph, input, gradient) : null;
  const results = [scalar, raw, gradient, ...(path === null ? [] : [path.sumName])];
  foldScales(graph, results);
  if (options.kernels !== 'gpu') keepBlocked(graph);

  const count = graph.facts(raw)[0]?.shape[1] ?? 0;
  const images = batch === 'dynamic' ? BATCH : batch;
  const declare = (name: Value, sizes: readonly number[], first: number | string = images): Declaration => ({
    name,
    type: graph.type(name),
    typeName: graph.type(name),
    shape: [first, ...sizes],
  });
  const { nodes, constants } = live(graph, results);
  return {
    bytes: writeModel({
      irVersion: Math.max(irVersion, OLDEST_IR),
      opset: graph.opset,
      graph: {
        name: 'gradient',
        nodes,
        constants,
        values: valuesBetween(graph, nodes, results),
        inputs: [
          ...(path === null
            ? [declare(input, shape)]
            : [
                declare(path.imageName, shape, IMAGES),
                declare(path.baselineName, shape, 1),
                declare(path.alphasName, []),
                declare(path.weightsName, []),
              ]),
          declare(seed, [count]),
        ],
        outputs: [
          declare(scalar, []),
          declare(raw, [count]),
          declare(gradient, shape),
          ...(path === null ? [] : [declare(path.sumName, [elementCount(shape)], 1)]),
        ],
      },
    }),
    inputName: input,
    path,
    seedName: seed,
    scalarName: scalar,
    outputName: raw,
    gradientName: gradient,
    batch,
    inputShape: shape,
    outputCount: count,
    cost: costOf(graph, nodes, results),
    notes: opened.notes,
  };
}

/**
 * Puts the path before the model, at the head of the graph, and the weighted sum behind its gradient.
 * @param input becomes the value that holds the points
 */
function appendPath(graph: GraphBuilder, input: Value, gradient: Value): PathNames {
  const type = graph.type(input);
  const shapes = graph.facts(input).map(({ shape }) => shape);
  const declare = (wanted: string, shapeOf: (whole: readonly number[]) => readonly number[]): Value => {
    const name = unusedName(graph, wanted);
    graph.input(name, type, shapes.map(shapeOf));
    return name;
  };
  const image = declare('image', (whole) => whole);
  const baseline = declare('baseline', ([, ...rest]) => [1, ...rest]);
  const alphas = declare('alphas', ([images = 1]) => [images]);
  const weights = declare('weights', ([images = 1]) => [images]);

  const written = graph.nodes.length;
  const column = [-1, ...Array<number>(graph.rank(input) - 1).fill(1)];
  const share = graph.op('Reshape', [alphas, graph.constant(integers(column))]);
  const rest = graph.op('Sub', [graph.constant(scalarTensor(type, 1)), share]);
  // Not b + a (x - b), which does not give x at a = 1.
  const parts = [graph.op('Mul', [share, image]), graph.op('Mul', [rest, baseline])] as const;
  graph.op('Add', parts);
  const head = graph.nodes.splice(written);
  const last = head.pop();
  if (last !== undefined) graph.nodes.unshift(...head, { ...last, outputs: [input] });

  const row = graph.op('Reshape', [weights, graph.constant(integers([1, -1]))]);
  const elements = elementCount(graph.facts(input)[0]?.shape.slice(1) ?? []);
  const rows = graph.op('Reshape', [gradient, graph.constant(integers([-1, elements]))]);
  const sumName = graph.op('MatMul', [row, rows]);
  return { imageName: image, baselineName: baseline, alphasName: alphas, weightsName: weights, sumName };
}

/** The name of the batch axis. */
const BATCH = 'N';
/** The name of the first axis of a path's image: 1, or as many as there are points. */
const IMAGES = 'images';

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

function made(nodes: readonly Node[]): Value[] {
  return nodes.flatMap(({ outputs }) => outputs.filter((name) => name !== ''));
}

function valuesBetween(
  graph: GraphBuilder,
  nodes: readonly Node[],
  outputs: readonly Value[],
): Declaration[] {
  return made(nodes)
    .filter((name) => !outputs.includes(name))
    .map((name) => declaration(graph, name));
}

/**
 * What is known of a value. ONNX Runtime's own inference loses the batch at the first Reshape, and then does not see that two images are
 * of one shape, for which it leaves its fast layout.
 */
function declaration(graph: GraphBuilder, name: Value): Declaration {
  const facts = graph.facts(name);
  const shape = graph.dimensions(name).map((size, axis) => {
    if (size !== 'batch') return size;
    return facts.every((fact, probe) => fact.shape[axis] === graph.probes[probe]) ? BATCH : null;
  });
  return { name, type: graph.type(name), typeName: graph.type(name), shape };
}
