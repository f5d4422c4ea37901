/** Brings nodes of older operator sets into the form they have in operator set 17 (ONNX Changelog.md). */
import * as attribute from './attributes.ts';
import { attributes } from './attributes.ts';
import type { GraphBuilder } from './builder.ts';
import { filled } from './builder.ts';
import type { Attribute, Node } from './graph.ts';
import { integers, scalar, tensor } from './tensor.ts';

/** The oldest operator set whose nodes can be read: before it, broadcasting was stated by attributes. */
export const OLDEST_OPSET = 7;
/** The newest operator set that ONNX Runtime 1.30 runs. */
export const NEWEST_OPSET = 26;
/** The operator set that gradients are written in, unless the model's own is newer. */
export const GRADIENT_OPSET = 17;

type Upgrade = (node: Node, graph: GraphBuilder) => readonly Node[];

/** Moves what older sets stated as attributes to inputs of the given places. */
function withInputs(
  node: Node,
  given: Readonly<Record<number, string>>,
  dropped: readonly string[],
): readonly Node[] {
  const count = Math.max(node.inputs.length, ...Object.keys(given).map((place) => Number(place) + 1));
  return [
    {
      ...node,
      inputs: Array.from({ length: count }, (_, place) => given[place] ?? node.inputs[place] ?? ''),
      attributes: new Map([...node.attributes].filter(([name]) => !dropped.includes(name))),
    },
  ];
}

/** A list of integers that was an attribute, as input 1. */
function integersToInput(name: string): Upgrade {
  return (node, graph) => {
    const list = attribute.ints(node, name, undefined);
    return list === undefined ? [node] : withInputs(node, { 1: graph.constant(integers(list)) }, [name]);
  };
}

/** Until set 12, Softmax and its kin worked on the input flattened to a matrix at `axis`. */
const flattened: Upgrade = (node, graph) => {
  const [x = '', [y = '']] = [node.inputs[0], node.outputs];
  const rank = graph.rank(x);
  const stated = attribute.int(node, 'axis', 1);
  const axis = stated < 0 ? stated + rank : stated;
  const last = attributes({ axis: -1 });
  if (axis === rank - 1) return [{ ...node, attributes: last }];
  const matrix = `${y}/matrix`;
  const flat = `${y}/flat`;
  const shape = `${y}/shape`;
  const plain = { domain: '', attributes: attributes({}) };
  return [
    {
      ...plain,
      name: `${y}/flatten`,
      operator: 'Flatten',
      inputs: [x],
      outputs: [flat],
      attributes: attributes({ axis }),
    },
    { ...node, inputs: [flat], outputs: [matrix], attributes: last },
    { ...plain, name: shape, operator: 'Shape', inputs: [x], outputs: [shape] },
    { ...plain, name: `${y}/reshape`, operator: 'Reshape', inputs: [matrix, shape], outputs: [y] },
  ];
};

/** Upsample, and Resize of set 10, sampled at floor(i / scale). */
const toResize: Upgrade = (node, graph) => {
  const mode = attribute.string(node, 'mode', 'nearest');
  const list = attribute.floats(node, 'scales', undefined);
  const scales =
    list === undefined ? (node.inputs[1] ?? '') : graph.constant(tensor('float32', [list.length], list));
  const settings: Record<string, string | Attribute> = {
    mode: mode === 'bilinear' ? 'linear' : mode,
    coordinate_transformation_mode: 'asymmetric',
    ...(mode === 'nearest' ? { nearest_mode: 'floor' } : {}),
  };
  return [
    {
      ...node,
      operator: 'Resize',
      inputs: [node.inputs[0] ?? '', '', scales],
      attributes: attributes(settings),
    },
  ];
};

/** operator -> the operator set that changed its form, and how to follow. */
const upgrades: Readonly<Record<string, { before: number; upgrade: Upgrade }>> = {
  BatchNormalization: {
    before: 9,
    upgrade: (node) => withInputs(node, {}, ['spatial']),
  },
  Clip: {
    before: 11,
    upgrade: (node, graph) => {
      const type = graph.type(node.inputs[0] ?? '');
      const min = attribute.float(node, 'min', undefined);
      const max = attribute.float(node, 'max', undefined);
      return withInputs(
        node,
        {
          ...(min === undefined ? {} : { 1: graph.constant(scalar(type, min)) }),
          ...(max === undefined ? {} : { 2: graph.constant(scalar(type, max)) }),
        },
        ['min', 'max'],
      );
    },
  },
  Hardmax: { before: 13, upgrade: flattened },
  LogSoftmax: { before: 13, upgrade: flattened },
  Pad: {
    before: 11,
    upgrade: (node, graph) => {
      const pads = attribute.ints(node, 'pads', []);
      const fill = filled(graph.type(node.inputs[0] ?? ''), [], attribute.float(node, 'value', 0));
      return withInputs(node, { 1: graph.constant(integers(pads)), 2: graph.constant(fill) }, [
        'pads',
        'value',
      ]);
    },
  },
  ReduceSum: { before: 13, upgrade: integersToInput('axes') },
  Resize: { before: 11, upgrade: toResize },
  Scatter: { before: 11, upgrade: (node) => [{ ...node, operator: 'ScatterElements' }] },
  Slice: {
    before: 10,
    upgrade: (node, graph) => {
      const starts = attribute.ints(node, 'starts', []);
      const ends = attribute.ints(node, 'ends', []);
      const axes = attribute.ints(node, 'axes', [...starts.keys()]);
      const given = [starts, ends, axes].map((list) => graph.constant(integers(list)));
      return withInputs(node, { 1: given[0] ?? '', 2: given[1] ?? '', 3: given[2] ?? '' }, [
        'starts',
        'ends',
        'axes',
      ]);
    },
  },
  Softmax: { before: 13, upgrade: flattened },
  Split: { before: 13, upgrade: integersToInput('split') },
  Squeeze: { before: 13, upgrade: integersToInput('axes') },
  TopK: {
    before: 10,
    upgrade: (node, graph) =>
      withInputs(node, { 1: graph.constant(integers([attribute.int(node, 'k', 1)])) }, ['k']),
  },
  Unsqueeze: { before: 13, upgrade: integersToInput('axes') },
  Upsample: { before: 10, upgrade: toResize },
};

/**
 * @param opset the model's own operator set
 * @returns the nodes that do in set 17 what `node` did in its own
 */
export function upgrade(node: Node, opset: number, graph: GraphBuilder): readonly Node[] {
  const entry = Object.hasOwn(upgrades, node.operator) ? upgrades[node.operator] : undefined;
  return entry === undefined || opset >= entry.before ? [node] : entry.upgrade(node, graph);
}

/** Operators whose older forms are rewritten, each with the first set that needs no rewriting. */
export const rewritten: readonly { operator: string; before: number }[] = Object.entries(upgrades).map(
  ([operator, { before }]) => ({ operator, before }),
);
