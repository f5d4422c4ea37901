/** Graph models (SavedModel and the like): the graph up to the values before the activation at its end, run by tfjs-converter. */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import type { Tensor } from '@tensorflow/tfjs-core';
import * as v from 'valibot';
import type { OperatorSupport } from '../../../core/autodiff/support.ts';
import type { Activation } from '../../../core/autodiff/objective.ts';
import { PathlightError } from '../../../core/contract/errors.ts';
import { graphOperators } from './graph-operators.ts';
import type { TfjsFiles } from './model-folder.ts';
import type { ModelJson } from './model-json.ts';
import {
  cannotBuild,
  checkActivation,
  type ModelEnd,
  noSuchEnd,
  oneInputOnly,
  type OpenedModel,
  type TfjsEnds,
} from './open-model.ts';
import type { TfjsRuntime } from './runtime.ts';

const NodeSchema = v.looseObject({
  name: v.string(),
  op: v.string(),
  input: v.optional(v.array(v.string())),
  attr: v.optional(v.record(v.string(), v.record(v.string(), v.unknown()))),
});
type Node = v.InferOutput<typeof NodeSchema>;

const Size = v.looseObject({ size: v.optional(v.union([v.string(), v.number()])) });
const ShapeSchema = v.looseObject({ dim: v.optional(v.array(Size)), unknownRank: v.optional(v.boolean()) });
const SignatureSchema = v.record(
  v.string(),
  v.looseObject({
    name: v.string(),
    dtype: v.optional(v.string()),
    tensorShape: v.optional(ShapeSchema),
  }),
);
type Signature = v.InferOutput<typeof SignatureSchema>;

/** Operators that only arrange values: an activation before them is still the model's end. */
const arranging: ReadonlySet<string> = new Set(['Identity', 'IdentityN', 'Reshape', 'Snapshot', 'Squeeze']);

/** Fused operators, whose last part may be the activation. */
const fused: ReadonlySet<string> = new Set(['_FusedConv2D', '_FusedMatMul', 'FusedDepthwiseConv2dNative']);

/** What a graph holds, with what stands between its image and its output. */
export interface ReadGraph {
  inputs: ModelEnd[];
  outputs: ModelEnd[];
  activation: Activation;
  /** Every operator of the graph, in alphabetical order. */
  operators: OperatorSupport[];
  /** Operators on the way from the image to the logits that have no gradient. */
  obstacles: string[];
  /** The nodes up to the logits, and the names that feed and fetch. */
  nodes: Node[];
  inputNode: string;
  logits: string;
}

/**
 * @param ends null: the first input and output
 * @throws PathlightError `damaged`, `unsupported`; `model-refused` where card and model contradict each other
 */
export function readGraph(json: ModelJson, ends: TfjsEnds | null): ReadGraph {
  const listed = v.safeParse(v.array(NodeSchema), json.topology['node']);
  if (!listed.success) throw damaged("The graph in model.json has a node without a name or an 'op'");
  const nodes = new Map(listed.output.map((node) => [node.name, node]));
  if (nodes.size < listed.output.length) throw damaged('Two nodes of the graph in model.json share a name');

  const inputs = inputsOf(json, listed.output);
  const outputs = outputsOf(json, listed.output);
  if (inputs.length > 1) throw oneInputOnly(inputs.map(({ end }) => end));
  const input = inputs.find(
    ({ end, node }) => ends === null || end.name === ends.input || node === ends.input,
  );
  const output = outputs.find(({ end, tensor }) =>
    ends === null ? true : end.name === ends.output || nodeName(tensor) === nodeName(ends.output),
  );
  const described = { inputs: inputs.map(({ end }) => end), outputs: outputs.map(({ end }) => end) };
  if (input === undefined) throw noSuchEnd('input', ends?.input ?? '', described.inputs);
  if (output === undefined) throw noSuchEnd('output', ends?.output ?? '', described.outputs);

  const { activation, logits } = beforeActivation(nodes, output.tensor);
  if (ends !== null) checkActivation(activation, ends);
  const needed = ancestors(nodes, nodeName(logits));
  refuseMissingWeights(needed, json);
  const obstacles = obstaclesBetween(needed, input.node, nodeName(logits));
  return {
    ...described,
    activation,
    operators: support(listed.output, new Set(obstacles.map(({ op }) => op))),
    obstacles: obstacles.map(
      (node) => `${isDilated(node) ? 'dilated ' : ''}${node.op} (node '${node.name}')`,
    ),
    nodes: needed,
    inputNode: input.node,
    logits,
  };
}

/**
 * Builds the model on the backend that is set.
 * @param ends null: the first input and output
 * @throws PathlightError as `readGraph` does; `unsupported`, naming every operator without a gradient and its node
 */
export function openGraphModel(files: TfjsFiles, ends: TfjsEnds | null, runtime: TfjsRuntime): OpenedModel {
  const { obstacles, nodes, inputNode, logits, inputs, outputs, activation } = readGraph(files, ends);
  if (obstacles.length > 0) {
    throw new PathlightError(
      'unsupported',
      `TensorFlow.js has no gradient for these operators: ${obstacles.join(', ')}`,
      'Export the model without them, or as ONNX.',
    );
  }
  const model = build(nodes, files, runtime);
  return {
    inputs,
    outputs,
    activation,
    logits: (x) => model.execute({ [inputNode]: x }, logits) as Tensor,
    softmaxSize: (values) => values.shape.at(-1) ?? NaN,
    dispose: () => model.dispose(),
  };
}

function build(
  node: Node[],
  { topology, weightSpecs, weights }: TfjsFiles,
  runtime: TfjsRuntime,
): GraphModel {
  try {
    return runtime.converter.loadGraphModelSync(
      runtime.core.io.fromMemorySync({
        modelTopology: { versions: topology['versions'], node },
        weightSpecs,
        weightData: weights,
      }),
    ) as GraphModel;
  } catch (error) {
    throw cannotBuild(error);
  }
}

/** 'name:1' and '^name' name the node 'name'. */
function nodeName(tensor: string): string {
  return tensor.replace(/^\^/, '').replace(/:\d+$/, '');
}

/** The nodes that hand values to a node, without those that it only waits for. */
function sources({ input }: Node): string[] {
  return (input ?? []).filter((name) => !name.startsWith('^'));
}

interface Input {
  end: ModelEnd;
  node: string;
}

/** Every placeholder, under the name that the signature gives it. */
function inputsOf({ signature }: ModelJson, nodes: readonly Node[]): Input[] {
  const stated = Object.entries(signatureOf(signature['inputs']));
  return nodes
    .filter(({ op }) => op === 'Placeholder')
    .map((node) => {
      const [key, entry] = stated.find(([, { name }]) => nodeName(name) === node.name) ?? [];
      const shape = shapeOf(entry?.tensorShape ?? node.attr?.['shape']?.['shape']);
      return { node: node.name, end: { name: key ?? node.name, dtype: 'float32', shape } };
    });
}

interface Output {
  end: ModelEnd;
  tensor: string;
}

/** What the signature states; without one, the nodes that feed no other. */
function outputsOf({ signature }: ModelJson, nodes: readonly Node[]): Output[] {
  const stated = Object.entries(signatureOf(signature['outputs']));
  if (stated.length > 0) {
    return stated.map(([name, entry]) => ({
      tensor: entry.name.replace(/:0$/, ''),
      end: { name, dtype: 'float32', shape: shapeOf(entry.tensorShape) },
    }));
  }
  const used = new Set(nodes.flatMap((node) => (node.input ?? []).map(nodeName)));
  return nodes
    .filter(({ name, op }) => !used.has(name) && op !== 'Placeholder' && op !== 'Const' && op !== 'NoOp')
    .map(({ name }) => ({ tensor: name, end: { name, dtype: 'float32', shape: [] } }));
}

function signatureOf(stated: unknown): Signature {
  return v.is(SignatureSchema, stated) ? stated : {};
}

function shapeOf(stated: unknown): (number | null)[] {
  if (!v.is(ShapeSchema, stated)) return [];
  return (stated.dim ?? []).map(({ size }) => {
    const number = Number(size ?? -1);
    return number < 0 ? null : number;
  });
}

/** Walks back from an output, over what only arranges values, to the activation, if there is one. */
function beforeActivation(
  nodes: ReadonlyMap<string, Node>,
  output: string,
): { activation: Activation; logits: string } {
  const seen = new Set<string>();
  for (let tensor = output; ;) {
    const node = nodes.get(nodeName(tensor));
    if (node === undefined) throw damaged(`The graph in model.json has no node '${nodeName(tensor)}'`);
    if (seen.has(node.name)) throw cycle([node.name]);
    seen.add(node.name);
    const [source] = sources(node);
    if (node.op === 'Softmax' || node.op === 'Sigmoid') {
      if (source === undefined) throw damaged(`The node '${node.name}' in model.json has no input`);
      return { activation: node.op === 'Softmax' ? 'softmax' : 'sigmoid', logits: source };
    }
    if (fused.has(node.op) && takeFusedSigmoid(node)) return { activation: 'sigmoid', logits: tensor };
    if (!arranging.has(node.op) || source === undefined) return { activation: 'none', logits: output };
    tensor = source;
  }
}

const FusedOperators = v.looseObject({ s: v.array(v.string()) });

/** Takes a sigmoid off the end of a fused operator. */
function takeFusedSigmoid({ attr }: Node): boolean {
  const list = attr?.['fused_ops']?.['list'];
  if (!v.is(FusedOperators, list)) return false;
  if (atob(list.s.at(-1) ?? '') !== 'Sigmoid') return false;
  list.s.pop();
  return true;
}

/** A node and all that it depends on, each after what it depends on. */
function ancestors(nodes: ReadonlyMap<string, Node>, last: string): Node[] {
  const done = new Set<string>();
  const begun = new Set<string>();
  const ordered: Node[] = [];
  const open = [last];
  for (let name = open.at(-1); name !== undefined; name = open.at(-1)) {
    const node = nodes.get(name);
    if (node === undefined) throw damaged(`The graph in model.json has no node '${name}'`);
    const waiting = begun.has(name) ? [] : (node.input ?? []).map(nodeName).filter((each) => !done.has(each));
    begun.add(name);
    const again = waiting.filter((each) => begun.has(each));
    if (again.length > 0) throw cycle(again);
    open.push(...waiting);
    if (waiting.length > 0) continue;
    open.pop();
    if (!done.has(name)) ordered.push(node);
    done.add(name);
  }
  return ordered;
}

function refuseMissingWeights(nodes: readonly Node[], { weightSpecs }: ModelJson): void {
  const known = new Set(weightSpecs.map(({ name }) => name));
  const missing = nodes.filter(({ op, name }) => op === 'Const' && !known.has(name)).map(({ name }) => name);
  if (missing.length > 0)
    throw damaged(`model.json lists no weights for the constants ${missing.join(', ')}`);
}

/**
 * The nodes on the way from the input to the logits that have no gradient.
 * @param nodes in the order in which they run
 * @throws PathlightError `unsupported`: the logits do not depend on the input
 */
function obstaclesBetween(nodes: readonly Node[], input: string, logits: string): Node[] {
  const active = new Set([input]);
  const obstacles: Node[] = [];
  for (const node of nodes) {
    if (!sources(node).some((source) => active.has(nodeName(source)))) continue;
    const kind = graphOperators.get(node.op);
    if (kind === undefined || isDilated(node)) obstacles.push(node);
    if (kind !== 'zero-gradient') active.add(node.name);
  }
  if (active.has(logits)) return obstacles;
  throw new PathlightError(
    'unsupported',
    `The model's output does not depend differentiably on its input '${input}'`,
    'Name another output in card.json.',
  );
}

const Numbers = v.looseObject({ i: v.array(v.union([v.string(), v.number()])) });

/** Of convolutions, whose gradient TensorFlow.js has only for windows without gaps. */
function isDilated({ attr }: Node): boolean {
  const list = attr?.['dilations']?.['list'];
  return v.is(Numbers, list) && list.i.some((rate) => Number(rate) > 1);
}

function support(nodes: readonly Node[], refused: ReadonlySet<string>): OperatorSupport[] {
  const counts = new Map<string, number>();
  for (const { op } of nodes) counts.set(op, (counts.get(op) ?? 0) + 1);
  return [...counts]
    .map(([operator, count]): OperatorSupport => ({
      operator,
      count,
      // What is not listed but no obstacle computes constants.
      support: refused.has(operator) ? 'refused' : (graphOperators.get(operator) ?? 'zero-gradient'),
    }))
    .sort((a, b) => (a.operator < b.operator ? -1 : 1));
}

function cycle(names: readonly string[]): PathlightError {
  return damaged(`The graph in model.json runs in a circle through '${names[0] ?? ''}'`);
}

function damaged(what: string): PathlightError {
  return new PathlightError('damaged', what, 'Convert the model anew with the TensorFlow.js converter.');
}
