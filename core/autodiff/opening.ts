/** Follows a model from one input to one output, and finds everything that stands in the way of a gradient. */
import { PathlightError } from '../contract/errors.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Obstacle } from '../onnx/forward.ts';
import { readForward } from '../onnx/forward.ts';
import { inlineFunctions } from '../onnx/functions.ts';
import type { Declaration, Model } from '../onnx/graph.ts';
import { nodeName, operatorName } from '../onnx/graph.ts';
import { NEWEST_OPSET, OLDEST_OPSET } from '../onnx/upgrade.ts';
import type { Plan } from './backward.ts';
import { planBackward } from './backward.ts';
import type { Ends } from './ends.ts';
import { adaptEnds, heldTensors } from './ends.ts';
import { replacementOf } from './fused/index.ts';
import { refusal } from './refusals.ts';

export interface Opened {
  /** The forward graph; complete where there are no obstacles. */
  readonly graph: GraphBuilder;
  readonly plan: Plan;
  readonly obstacles: readonly Obstacle[];
  /** How many images a run may take: any number, or just this one. */
  readonly batch: 'dynamic' | number;
  /** Shape of one image. */
  readonly shape: readonly number[];
  /** What readers of the results should know of how the model was read: one sentence each. */
  readonly notes: readonly string[];
  /** Bytes that the gradient of one image takes, estimated: the weights, and every value that the way back may need. */
  readonly memory: number;
}

/** What one image may take. */
const MEMORY_BUDGET = 8 * 2 ** 30;

/** Two sizes that no exporter would write into a model by chance: what differs between them depends on the batch. */
const PROBES = [7, 11] as const;

/** @throws PathlightError where the model contradicts itself, asks for too much, or input and output do not exist */
export function openModel(file: Model, ends: Ends): Opened {
  if (file.opset < OLDEST_OPSET || file.opset > NEWEST_OPSET) {
    throw new PathlightError(
      'unsupported',
      `The model is of ONNX operator set ${file.opset}; Pathlight reads ${OLDEST_OPSET} to ${NEWEST_OPSET}.`,
      `Export the model again with ${file.opset < OLDEST_OPSET ? 'a newer' : 'an older'} operator set.`,
    );
  }
  const model = adaptEnds(inlineFunctions(file), ends);
  const { batch, shape } = inputSizes(model, ends);
  if (!model.graph.outputs.some(({ name }) => name === ends.output)) {
    throw new PathlightError(
      'bad-request',
      `The model has no output "${ends.output}".`,
      `Its outputs are: ${names(model.graph.outputs)}.`,
    );
  }
  if (batch === 'dynamic') {
    const opened = followAnyBatch(model, ends, shape);
    if (opened !== undefined) return { ...opened, batch, shape };
  }
  const fixed = batch === 'dynamic' ? 1 : batch;
  return { ...follow(model, ends, [fixed], shape), batch: fixed, shape };
}

type Followed = Pick<Opened, 'graph' | 'plan' | 'obstacles' | 'notes' | 'memory'>;

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
  const held = heldTensors(model, ends);
  const options = { input, output, shapes, held, replacement: replacementOf, refusal };
  const { graph, obstacles, notes } = readForward(model, options);
  const plan = planBackward(graph, input, output);
  const memory = memoryOf(graph, plan);
  return { graph, plan, obstacles: [...obstacles, ...plan.obstacles], notes, memory };
}

/** @throws PathlightError too-large, with the node that takes most */
function memoryOf(graph: GraphBuilder, plan: Plan): number {
  const weights = [...graph.constants.keys()].reduce((sum, name) => sum + graph.bytes(name), 0);
  const values = [...plan.active].map((name) => ({ name, bytes: graph.has(name) ? graph.bytes(name) : 0 }));
  // Behind an obstacle, and off the way of the gradient, values live only until the next: the largest stands for them.
  const others = graph.nodes.flatMap(({ outputs }) =>
    outputs.map((name) => (name === '' ? 0 : graph.bytes(name))),
  );
  const memory = weights + values.reduce((sum, { bytes }) => sum + bytes, 0) + 2 * Math.max(0, ...others);
  if (memory > MEMORY_BUDGET) {
    const largest = values.reduce(
      (most, value) => (value.bytes > most.bytes ? value : most),
      values[0] ?? { name: '', bytes: 0 },
    );
    const node = graph.nodes.find(({ outputs }) => outputs.includes(largest.name));
    throw new PathlightError(
      'too-large',
      `The gradient of one image would take about ${(memory / 2 ** 30).toFixed(1)} GiB; Pathlight takes at most ${MEMORY_BUDGET / 2 ** 30}.` +
        (node === undefined
          ? ''
          : ` The largest value, of node ${nodeName(node)} (${operatorName(node)}), has ${(largest.bytes / 2 ** 30).toFixed(2)} GiB.`),
      'Choose a smaller model, or one with a smaller input.',
    );
  }
  return memory;
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
