/** Follows a model from one input to one output, and finds everything that stands in the way of a gradient. */
import { PathlightError } from '../contract/errors.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Obstacle } from '../onnx/forward.ts';
import { readForward } from '../onnx/forward.ts';
import type { Declaration, Model, Node } from '../onnx/graph.ts';
import { operatorName, producer } from '../onnx/graph.ts';
import { OLDEST_OPSET } from '../onnx/upgrade.ts';
import type { Plan } from './backward.ts';
import { planBackward } from './backward.ts';
import { ruleOf } from './rules/index.ts';

export interface Ends {
  readonly input: string;
  /** An output of the model, or a value inside it, such as the last linear layer's input. */
  readonly output: string;
  /** Shape of one image, without the batch axis: for models that leave their image size open. */
  readonly inputShape?: readonly number[];
}

export interface Opened {
  /** The forward graph; complete where there are no obstacles. */
  readonly graph: GraphBuilder;
  readonly plan: Plan;
  readonly obstacles: readonly Obstacle[];
  /** How many images a run may take: any number, or just this one. */
  readonly batch: 'dynamic' | number;
  /** Shape of one image. */
  readonly shape: readonly number[];
}

/** Two sizes that no exporter would write into a model by chance: what differs between them depends on the batch. */
const PROBES = [7, 11] as const;

/** @throws PathlightError where the model contradicts itself, or input and output do not exist */
export function openModel(model: Model, ends: Ends): Opened {
  if (model.opset < OLDEST_OPSET) {
    throw new PathlightError(
      'unsupported',
      `The model is of ONNX operator set ${model.opset}; Pathlight reads ${OLDEST_OPSET} and later.`,
      'Export the model again with a newer operator set.',
    );
  }
  const { batch, shape } = inputSizes(model, ends);
  const { nodes, outputs } = model.graph;
  if (!outputs.some(({ name }) => name === ends.output) && producer(nodes, ends.output) === undefined) {
    throw new PathlightError(
      'bad-request',
      `The model has no output "${ends.output}".`,
      `Its outputs are: ${names(outputs)}.`,
    );
  }
  if (batch === 'dynamic') {
    const opened = followAnyBatch(model, ends, shape);
    if (opened !== undefined) return { ...opened, batch, shape };
  }
  const fixed = batch === 'dynamic' ? 1 : batch;
  return { ...follow(model, ends, [fixed], shape), batch: fixed, shape };
}

type Followed = Pick<Opened, 'graph' | 'plan' | 'obstacles'>;

/**
 * A model may declare a free batch and yet hold shapes of one image: then one image at a time is what works.
 * @returns undefined where the model does not bear any number of images
 */
function followAnyBatch(model: Model, ends: Ends, shape: readonly number[]): Followed | undefined {
  try {
    const followed = follow(model, ends, PROBES, shape);
    if (followed.obstacles.length > 0) return undefined;
    const facts = followed.graph.facts(ends.output);
    return facts.every((fact, index) => fact.shape[0] === PROBES[index]) ? followed : undefined;
  } catch (error) {
    if (error instanceof PathlightError && error.kind !== 'internal') return undefined;
    throw error;
  }
}

function follow(model: Model, ends: Ends, probes: readonly number[], shape: readonly number[]): Followed {
  const { input, output } = ends;
  const shapes = probes.map((count) => [count, ...shape]);
  const { graph, obstacles } = readForward(model, { input, output, shapes, refusal });
  const plan = planBackward(graph, input, output);
  return { graph, plan, obstacles: [...obstacles, ...plan.obstacles] };
}

function refusal(node: Node): string | undefined {
  const rule = node.domain === '' ? ruleOf(node.operator) : undefined;
  if (rule === undefined) return `the operator ${operatorName(node)} is not supported`;
  return rule.kind === 'refused' ? rule.reason : undefined;
}

function inputSizes(model: Model, ends: Ends): Pick<Opened, 'batch' | 'shape'> {
  const declared = model.graph.inputs.find(({ name }) => name === ends.input);
  if (declared === undefined) {
    throw new PathlightError(
      'bad-request',
      `The model has no input "${ends.input}".`,
      `Its inputs are: ${names(model.graph.inputs)}.`,
    );
  }
  if (declared.type !== 'float32' && declared.type !== 'float64') {
    throw new PathlightError(
      'unsupported',
      `The input "${declared.name}" takes ${declared.typeName}; a gradient needs float32.`,
      'Export the model with a float32 input.',
    );
  }
  const [first, ...rest] = declared.shape ?? [null, ...(ends.inputShape ?? [null])];
  const shape = rest.map((size, axis) => (typeof size === 'number' ? size : ends.inputShape?.[axis]));
  const known = shape.filter((size) => size !== undefined);
  if (known.length < shape.length || known.some((size) => !Number.isInteger(size) || size < 1)) {
    throw new PathlightError(
      'unsupported',
      `The size of the model's input "${declared.name}" is left open.`,
      "State the size in the model's card.",
    );
  }
  return { batch: typeof first === 'number' && first > 0 ? first : 'dynamic', shape: known };
}

function names(declarations: readonly Declaration[]): string {
  return declarations.map(({ name }) => `"${name}"`).join(', ');
}

/** One line an operator and reason, each with the nodes concerned. */
export function describeObstacles(obstacles: readonly Obstacle[]): string[] {
  const groups = new Map<string, string[]>();
  for (const { operator, node, reason } of obstacles) {
    const what = operator === '' ? reason : `${operator}: ${reason}`;
    const nodes = groups.get(what);
    if (nodes === undefined) groups.set(what, [node]);
    else nodes.push(node);
  }
  return [...groups].map(
    ([what, nodes]) => `${what} (${nodes.length === 1 ? 'node' : 'nodes'} ${nodes.join(', ')})`,
  );
}
