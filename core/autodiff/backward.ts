/**
 * Reverse-mode differentiation of a graph into a graph. Knows no operator: rules say what one node does; here gradients
 * are carried along, added up where a value is used twice, and fitted to the shape of what they are the gradient of.
 */
import { PathlightError } from '../contract/errors.ts';
import type { GraphBuilder, Value } from '../onnx/builder.ts';
import type { Obstacle } from '../onnx/forward.ts';
import type { Node } from '../onnx/graph.ts';
import { nodeName, operatorName } from '../onnx/graph.ts';
import { isFloat } from '../onnx/tensor.ts';
import { compositeOf } from './composites.ts';
import type { DifferentiableRule } from './rule.ts';
import { unary } from './rule.ts';
import { ruleOf } from './rules/index.ts';
import { type KernelSet, Site, sumOf } from './site.ts';

/** Of nodes whose derivative is taken as 1 (Node.straightThrough). */
const straightThrough = unary((g) => g.dy);

interface Step {
  readonly node: Node;
  readonly rule: DifferentiableRule;
}

export interface Plan {
  /** The nodes through which the input reaches the output differentiably, in forward order. */
  readonly steps: readonly Step[];
  /** The values that depend on the input differentiably. */
  readonly active: ReadonlySet<Value>;
  readonly obstacles: readonly Obstacle[];
}

/** Finds the way from input to output, and everything on it that has no gradient. */
export function planBackward(graph: GraphBuilder, input: Value, output: Value): Plan {
  const active = new Set([input]);
  const onTheWay: Step[] = [];
  const obstacles: Obstacle[] = [];
  const useful = leadingTo(graph, output);
  const consumed = new Set([output, ...graph.nodes.flatMap(({ inputs }) => inputs)]);
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node])));
  for (const node of graph.nodes) {
    if (!useful.has(node) || !node.inputs.some((name) => active.has(name))) continue;
    const rule =
      node.straightThrough === true
        ? straightThrough
        : (compositeOf(node, (value) => producers.get(value)) ?? ruleOf(node.operator));
    const obstruct = (reason: string): void => {
      obstacles.push({ operator: operatorName(node), node: nodeName(node), reason });
    };
    if (rule === undefined) {
      obstruct(`the operator ${operatorName(node)} is not supported`);
      continue;
    }
    if (rule.kind === 'refused') {
      obstruct(rule.reason);
      continue;
    }
    if (rule.kind === 'zero-gradient') continue;
    const outputs = node.outputs.filter(
      (name, index) => name !== '' && isFloat(graph.type(name)) && (index === 0 || consumed.has(name)),
    );
    if (outputs.length === 0) continue;
    const reason = refusal(graph, node, rule, active, outputs);
    if (reason !== undefined) obstruct(reason);
    for (const name of outputs) active.add(name);
    onTheWay.push({ node, rule });
  }
  return { steps: onTheWay, active, obstacles };
}

function refusal(
  graph: GraphBuilder,
  node: Node,
  rule: DifferentiableRule,
  active: ReadonlySet<Value>,
  outputs: readonly Value[],
): string | undefined {
  try {
    const site = new Site(graph, node);
    const reason = rule.refuse?.(site);
    if (reason !== undefined) return reason;
    if (rule.everyOutput !== true && outputs.some((name) => name !== node.outputs[0])) {
      return 'one of its further outputs is used';
    }
    const gradients = rule.gradients(site);
    const missing = node.inputs.findIndex(
      (name, index) => active.has(name) && gradients[index] === undefined,
    );
    return missing >= 0 ? `its input ${missing} depends on the image` : undefined;
  } catch (error) {
    if (error instanceof PathlightError && error.kind === 'unsupported') return error.message;
    throw error;
  }
}

function leadingTo(graph: GraphBuilder, output: Value): Set<Node> {
  const wanted = new Set([output]);
  const nodes = new Set<Node>();
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => wanted.has(name))) continue;
    nodes.add(node);
    for (const name of node.inputs) wanted.add(name);
  }
  return nodes;
}

/**
 * Appends the gradient of `output` with respect to `input`.
 * @param seed the gradient of the output itself, of its shape
 * @returns the gradient, of the input's shape
 */
export function appendBackward(
  graph: GraphBuilder,
  plan: Plan,
  input: Value,
  output: Value,
  seed: Value,
  kernels: KernelSet = 'cpu',
): Value {
  const contributions = new Map<Value, Value[]>([[output, [seed]]]);
  const total = (name: Value): Value | undefined => {
    const given = contributions.get(name);
    if (given === undefined) return undefined;
    const sum = sumOf(graph, given, kernels);
    contributions.set(name, [sum]);
    return sum;
  };
  for (const { node, rule } of plan.steps.toReversed()) {
    const arriving = node.outputs.map((name) => total(name));
    if (arriving.every((gradient) => gradient === undefined)) continue;
    const gradients = rule.gradients(new Site(graph, node, arriving, kernels));
    node.inputs.forEach((name, index) => {
      const gradient = plan.active.has(name) ? gradients[index]?.() : undefined;
      if (gradient === undefined) return;
      const fitted = fit(graph, gradient, name, node);
      const others = contributions.get(name);
      if (others === undefined) contributions.set(name, [fitted]);
      else others.push(fitted);
    });
  }
  const gradient = total(input);
  if (gradient === undefined) {
    throw new PathlightError(
      'unsupported',
      `The output "${output}" does not depend differentiably on the input "${input}".`,
      'Choose another output.',
    );
  }
  return gradient;
}

/** Sums a gradient over the axes along which the value was broadcast, or repeats it over those it leaves at 1. */
function fit(graph: GraphBuilder, gradient: Value, value: Value, node: Node): Value {
  if (graph.type(gradient) !== graph.type(value)) throw misshapen(graph, gradient, value, node);
  if (graph.sameShape(gradient, value)) return gradient;
  const given = graph.facts(gradient);
  const wanted = graph.facts(value);
  const extra = graph.rank(gradient) - graph.rank(value);
  if (extra < 0) throw misshapen(graph, gradient, value, node);
  const axes = [...Array(graph.rank(gradient)).keys()].filter(
    (axis) =>
      axis < extra ||
      (wanted.every(({ shape }) => shape[axis - extra] === 1) &&
        given.some(({ shape }) => shape[axis] !== 1)),
  );
  const site = new Site(graph, node);
  let fitted = site.sum(gradient, axes);
  if (extra > 0) fitted = site.op('Squeeze', [fitted, site.integers(axes.filter((axis) => axis < extra))]);
  if (graph.sameShape(fitted, value)) return fitted;
  const own = graph.facts(fitted);
  const repeats = own.every(({ shape }, probe) =>
    shape.every((size, axis) => size === 1 || size === wanted[probe]?.shape[axis]),
  );
  if (!repeats) throw misshapen(graph, gradient, value, node);
  const sizes = graph.dimensions(value);
  const target = sizes.map((size, axis) =>
    size === 'batch' && own.every(({ shape }, probe) => shape[axis] === wanted[probe]?.shape[axis])
      ? 1
      : size,
  );
  const known = target.every((size) => size !== 'batch');
  return site.op('Expand', [fitted, known ? site.integers(target) : site.op('Shape', [value])]);
}

function misshapen(graph: GraphBuilder, gradient: Value, value: Value, node: Node): PathlightError {
  const describe = (name: Value): string => `${graph.type(name)} [${graph.dimensions(name).join(', ')}]`;
  return new PathlightError(
    'internal',
    `The rule of ${operatorName(node)} gave the gradient ${describe(gradient)} for the value ${describe(value)} at node ${nodeName(node)}.`,
    'This is a fault in Pathlight: please report it with the model.',
  );
}
