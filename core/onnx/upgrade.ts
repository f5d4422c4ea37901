/** Brings nodes of older operator sets into the form they have in the graph's (ONNX Changelog.md). */
import { PathlightError } from '../contract/errors.ts';
import * as attribute from './attributes.ts';
import { attributes } from './attributes.ts';
import type { GraphBuilder } from './builder.ts';
import { filled } from './builder.ts';
import type { Attribute, Node } from './graph.ts';
import { nodeName } from './graph.ts';
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

/** From set 18 on, a Split into equal parts states how many. */
const countParts: Upgrade = (node) =>
  (node.inputs[1] ?? '') !== ''
    ? [node]
    : [
        {
          ...node,
          attributes: new Map([...node.attributes, ...attributes({ num_outputs: node.outputs.length })]),
        },
      ];

/** From set 21 on, the scale and the bias of a GroupNormalization are one a channel, not one a group. */
const spreadGroups: Upgrade = (node, graph) => {
  const [x = '', scale = '', bias = ''] = node.inputs;
  const groups = attribute.int(node, 'num_groups', 1);
  const channels = graph.facts(x)[0]?.shape[1] ?? 1;
  const spread = (value: string): string =>
    graph.op('Reshape', [
      graph.op('Expand', [
        graph.op('Reshape', [value, graph.constant(integers([groups, 1]))]),
        graph.constant(integers([groups, channels / groups])),
      ]),
      graph.constant(integers([channels])),
    ]);
  return [{ ...node, inputs: [x, spread(scale), spread(bias)] }];
};

interface Step {
  /** The operator set that changed the operator's form. */
  readonly before: number;
  readonly upgrade: Upgrade;
}

const axesToInput: Step = { before: 18, upgrade: integersToInput('axes') };

/** operator -> the operator sets that changed its form, and how to follow. */
const upgrades: Readonly<Record<string, readonly Step[]>> = {
  BatchNormalization: [
    {
      before: 9,
      upgrade: (node) => {
        if (attribute.int(node, 'spatial', 1) !== 1) {
          throw new PathlightError(
            'unsupported',
            `Node ${nodeName(node)} (BatchNormalization) normalises every place by itself (spatial = 0).`,
          );
        }
        return withInputs(node, {}, ['spatial']);
      },
    },
  ],
  Clip: [
    {
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
  ],
  GroupNormalization: [{ before: 21, upgrade: spreadGroups }],
  Hardmax: [{ before: 13, upgrade: flattened }],
  LogSoftmax: [{ before: 13, upgrade: flattened }],
  Pad: [
    {
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
  ],
  ReduceL1: [axesToInput],
  ReduceL2: [axesToInput],
  ReduceLogSum: [axesToInput],
  ReduceLogSumExp: [axesToInput],
  ReduceMax: [axesToInput],
  ReduceMean: [axesToInput],
  ReduceMin: [axesToInput],
  ReduceProd: [axesToInput],
  ReduceSum: [{ before: 13, upgrade: integersToInput('axes') }],
  ReduceSumSquare: [axesToInput],
  Resize: [{ before: 11, upgrade: toResize }],
  Scatter: [{ before: 11, upgrade: (node) => [{ ...node, operator: 'ScatterElements' }] }],
  Slice: [
    {
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
  ],
  Softmax: [{ before: 13, upgrade: flattened }],
  Split: [
    { before: 13, upgrade: integersToInput('split') },
    { before: 18, upgrade: countParts },
  ],
  Squeeze: [{ before: 13, upgrade: integersToInput('axes') }],
  TopK: [
    {
      before: 10,
      upgrade: (node, graph) =>
        withInputs(node, { 1: graph.constant(integers([attribute.int(node, 'k', 1)])) }, ['k']),
    },
  ],
  Unsqueeze: [{ before: 13, upgrade: integersToInput('axes') }],
  Upsample: [{ before: 10, upgrade: toResize }],
};

/**
 * @param opset the operator set that the node is written in
 * @returns the nodes that do in the graph's operator set what `node` did in its own
 */
export function upgrade(node: Node, opset: number, graph: GraphBuilder): readonly Node[] {
  const steps = Object.hasOwn(upgrades, node.operator) ? (upgrades[node.operator] ?? []) : [];
  return steps
    .filter(({ before }) => opset < before && before <= graph.opset)
    .reduce<readonly Node[]>(
      (nodes, step) =>
        nodes.flatMap((each) => (each.operator === node.operator ? step.upgrade(each, graph) : [each])),
      [node],
    );
}

/** Operators whose older forms are rewritten, each with the first set that needs no rewriting. */
export const rewritten: readonly { operator: string; before: number }[] = Object.entries(upgrades).flatMap(
  ([operator, steps]) =>
    steps.flatMap(({ before }) => (before <= GRADIENT_OPSET ? [{ operator, before }] : [])),
);
