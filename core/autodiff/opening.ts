/** Follows a model from one input to one output, and finds everything that stands in the way of a gradient. */
import { PathlightError } from '../contract/errors.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Obstacle } from '../onnx/forward.ts';
import { readForward } from '../onnx/forward.ts';
import { inlineFunctions } from '../onnx/functions.ts';
import type { Declaration, Model } from '../onnx/graph.ts';
import { nodeName, operatorName, producer } from '../onnx/graph.ts';
import { NEWEST_OPSET, OLDEST_OPSET } from '../onnx/upgrade.ts';
import type { Plan } from './backward.ts';
import { planBackward } from './backward.ts';
import type { Ends } from './ends.ts';
import { adaptEnds, heldTensors, volumeReason } from './ends.ts';
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
}

/** Bytes that the gradient of one image may take. */
const MEMORY_BUDGET = 8 * 2 ** 30;

/** Two sizes that no exporter would write into a model by chance: what differs between them depends on the batch. */
const PROBES = [7, 11] as const;

/** @throws PathlightError where the model contradicts itself, asks for too much, or input and output do not exist */
export function openModel(file: Model, ends: Ends): Opened {
  const stated = [file.opset, ...file.functions.flatMap(({ domains }) => domains.get('') ?? [])];
  const unknown = stated.find((opset) => opset < OLDEST_OPSET || opset > NEWEST_OPSET);
  if (unknown !== undefined) {
    throw new PathlightError(
      'unsupported',
      `The model is of ONNX operator set ${unknown}; Pathlight reads ${OLDEST_OPSET} to ${NEWEST_OPSET}.`,
      `Export the model again with ${unknown < OLDEST_OPSET ? 'a newer' : 'an older'} operator set.`,
    );
  }
  const model = adaptEnds(inlineFunctions(file), ends);
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
  const opened = follow(model, ends, [fixed], shape);
  const notes = fixed === 1 ? opened.notes : [...opened.notes, manyAtOnce(fixed)];
  return { ...opened, notes, batch: fixed, shape };
}

function manyAtOnce(images: number): string {
  return `The model takes exactly ${images} images at once: points of one image were computed together, and missing ones filled with zeros.`;
}

type Followed = Pick<Opened, 'graph' | 'plan' | 'obstacles' | 'notes'>;

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
  checkMemory(graph, plan);
  return { graph, plan, obstacles: [...obstacles, ...plan.obstacles], notes };
}

/**
 * Bounds the weights and every value that the way back may need, before the way back is written. (What a gradient really asks
 * is less, and known later: core/onnx/cost.ts.)
 * @throws PathlightError too-large, with the node that takes most
 */
function checkMemory(graph: GraphBuilder, plan: Plan): void {
  const read = new Set(graph.nodes.flatMap(({ inputs }) => inputs));
  const weights = [...graph.constants.keys()].filter((name) => read.has(name));
  const made = graph.nodes.flatMap((node) =>
    node.outputs.filter((name) => name !== '').map((name) => ({ node, name, bytes: graph.bytes(name) })),
  );
  const largest = made.reduce((most, each) => (each.bytes > (most?.bytes ?? 0) ? each : most), made[0]);
  // Values off the way of the gradient live only until the next: the largest stands for them.
  const kept = made.filter(({ name }) => plan.active.has(name));
  const bytes =
    weights.reduce((sum, name) => sum + graph.bytes(name), 0) +
    kept.reduce((sum, value) => sum + value.bytes, 0) +
    2 * (largest?.bytes ?? 0);
  if (bytes <= MEMORY_BUDGET || largest === undefined) return;
  const gib = (size: number): string => (size / 2 ** 30).toFixed(1);
  throw new PathlightError(
    'too-large',
    `The gradient of one image would take about ${gib(bytes)} GiB; Pathlight takes at most ${gib(MEMORY_BUDGET)}. The largest value, of node ${nodeName(largest.node)} (${operatorName(largest.node)}), has ${gib(largest.bytes)} GiB.`,
    'Choose a smaller model, or one with a smaller input.',
  );
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
  const volumes =
    ends.inputShape?.length === 3 ? volumeReason({ ...declared, shape: declared.shape ?? [] }) : undefined;
  if (volumes !== undefined) {
    throw new PathlightError('model-refused', volumes, 'Choose a model of two-dimensional images.');
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
  const stated = ends.inputShape;
  if (
    stated !== undefined &&
    (stated.length !== known.length || stated.some((size, axis) => size !== known[axis]))
  ) {
    throw new PathlightError(
      'model-refused',
      `The input "${declared.name}" is ${known.join(' x ')}; the card says ${stated.join(' x ')}.`,
      "Correct the model's card.",
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
