/** Loop and Scan, written out turn by turn, against ONNX Runtime's own run of them. (If: autodiff-model.test.ts.) */
import { describe, expect, it } from 'vitest';
import { buildGradientModel, checkSupport } from '../../core/autodiff/index.ts';
import type { AttributeValues } from '../../core/onnx/builder.ts';
import type { Declaration, Graph, Node } from '../../core/onnx/graph.ts';
import type { Tensor } from '../../core/onnx/tensor.ts';
import { integers, scalar, tensor } from '../../core/onnx/tensor.ts';
import { expectSameAsRuntime } from '../support/against-runtime.ts';
import { declaration, modelBytes, node } from '../support/onnx-models.ts';

const plain = { input: 'x', output: 'y', objective: 'logit', activation: 'none' } as const;

function model(nodes: readonly Node[], constants: Record<string, Tensor>, shape: readonly number[]) {
  return modelBytes({
    nodes,
    constants: new Map(Object.entries(constants)),
    inputs: [declaration('x', shape)],
    outputs: [{ name: 'y', type: 'float32', typeName: 'float32', shape: null }],
  });
}

const open = (name: string, type: Declaration['type'] = 'float32'): Declaration => ({
  name,
  type,
  typeName: type ?? '',
  shape: null,
});
const scalarOf = (name: string, type: 'int64' | 'bool'): Declaration => declaration(name, [], type);

function body(
  nodes: readonly Node[],
  inputs: readonly Declaration[],
  outputs: readonly Declaration[],
  constants: Record<string, Tensor> = {},
): { kind: 'graph'; value: Graph } {
  return {
    kind: 'graph',
    value: { name: 'body', nodes, inputs, outputs, constants: new Map(Object.entries(constants)) },
  };
}

describe('Loop', () => {
  const counters = [scalarOf('turn', 'int64'), scalarOf('before', 'bool')];
  /** carried = tanh(carried * k + turn * x); every turn gives carried * x too. */
  const turns = (condition: readonly Node[], more: Record<string, Tensor> = {}) =>
    body(
      [
        ...condition,
        node('Cast', ['turn'], ['t'], { to: 1 }),
        node('Mul', ['x', 't'], ['tx']),
        node('Mul', ['carried', 'k'], ['kc']),
        node('Add', ['kc', 'tx'], ['sum']),
        node('Tanh', ['sum'], ['next']),
        node('Mul', ['next', 'x'], ['row']),
      ],
      [...counters, open('carried')],
      [scalarOf('after', 'bool'), open('next'), open('row')],
      { k: scalar('float32', 0.8), ...more },
    );
  const join = [node('Reshape', ['rows', 'flat'], ['r']), node('Concat', ['last', 'r'], ['y'], { axis: 1 })];
  const flat = { flat: integers([1, -1]) };

  it('of a constant number of turns', async () => {
    const nodes = [
      node('Loop', ['count', '', 'x'], ['last', 'rows'], {
        body: turns([node('Identity', ['before'], ['after'])]),
      }),
      ...join,
    ];
    await expectSameAsRuntime(model(nodes, { count: scalar('int64', 4), ...flat }, [1, 3]), [1, 3]);
  });

  it('that ends by a condition on its count', async () => {
    const condition = [node('Less', ['turn', 'two'], ['after'])];
    const nodes = [
      node('Loop', ['', 'yes', 'x'], ['last', 'rows'], {
        body: turns(condition, { two: scalar('int64', 2) }),
      }),
      ...join,
    ];
    await expectSameAsRuntime(model(nodes, { yes: scalar('bool', 1), ...flat }, [1, 3]), [1, 3]);
  });

  it('that never runs passes its state on', async () => {
    const nodes = [
      node('Loop', ['count', '', 'x'], ['last', 'rows'], {
        body: turns([node('Identity', ['before'], ['after'])]),
      }),
      node('Mul', ['last', 'x'], ['y']),
    ];
    await expectSameAsRuntime(model(nodes, { count: scalar('int64', 0) }, [1, 3]), [1, 3]);
  });

  it('inside another, with a branch on the count', async () => {
    const branch = (nodes: readonly Node[]) => body(nodes, [], [open('b')]);
    const inner = body(
      [
        node('Identity', ['c2'], ['o2']),
        node('Equal', ['i2', 'one'], ['odd']),
        node('If', ['odd'], ['n2'], {
          then_branch: branch([node('Sin', ['s2'], ['b'])]),
          else_branch: branch([node('Mul', ['s2', 'x'], ['b'])]),
        }),
      ],
      [scalarOf('i2', 'int64'), scalarOf('c2', 'bool'), open('s2')],
      [scalarOf('o2', 'bool'), open('n2')],
      { one: scalar('int64', 1) },
    );
    const outer = body(
      [node('Identity', ['c1'], ['o1']), node('Loop', ['two', '', 's1'], ['n1'], { body: inner })],
      [scalarOf('i1', 'int64'), scalarOf('c1', 'bool'), open('s1')],
      [scalarOf('o1', 'bool'), open('n1')],
    );
    const nodes = [node('Loop', ['two', '', 'x'], ['y'], { body: outer })];
    await expectSameAsRuntime(model(nodes, { two: scalar('int64', 2) }, [1, 3]), [1, 3]);
  });

  it('is refused where the image decides when it ends', () => {
    const condition = [
      node('ReduceMax', ['carried'], ['m'], { keepdims: 0 }),
      node('Less', ['m', 'limit'], ['after']),
    ];
    const nodes = [
      node('Loop', ['count', '', 'x'], ['y', 'rows'], {
        body: turns(condition, { limit: scalar('float32', 9) }),
      }),
    ];
    const bytes = model(nodes, { count: scalar('int64', 4) }, [1, 3]);
    expect(() => buildGradientModel(bytes, plain)).toThrow(/Loop: when it ends depends on the image/);
    expect(checkSupport(bytes).operators).toContainEqual({ operator: 'Loop', count: 1, support: 'refused' });
  });

  it('is refused where it would not end in time', () => {
    const nodes = [
      node('Loop', ['', '', 'x'], ['y', 'rows'], { body: turns([node('Identity', ['before'], ['after'])]) }),
    ];
    expect(() => buildGradientModel(model(nodes, {}, [1, 3]), plain)).toThrow(/opens at most 10000/);
  });
});

describe('Scan', () => {
  /** A recurrent net: state = tanh(state + 0.5 element); every turn gives state² */
  const recurrence = body(
    [
      node('Mul', ['element', 'half'], ['e']),
      node('Add', ['state', 'e'], ['sum']),
      node('Tanh', ['sum'], ['next']),
      node('Mul', ['next', 'next'], ['square']),
    ],
    [open('state'), open('element')],
    [open('next'), open('square')],
    { half: scalar('float32', 0.5) },
  );
  const forms: [string, AttributeValues][] = [
    ['along the first axis', {}],
    ['along another axis', { scan_input_axes: [-1], scan_output_axes: [1] }],
    ['backwards', { scan_input_directions: [1], scan_output_directions: [1] }],
  ];
  it.each(forms)('%s', async (_, attributes) => {
    const nodes = [
      node('Reshape', ['x', 'sides'], ['rows']),
      node('Scan', ['start', 'rows'], ['last', 'all'], {
        body: recurrence,
        num_scan_inputs: 1,
        ...attributes,
      }),
      node('Reshape', ['last', 'flat'], ['l']),
      node('Reshape', ['all', 'flat'], ['a']),
      node('Concat', ['l', 'a'], ['y'], { axis: 1 }),
    ];
    const constants = {
      sides: integers([3, 3]),
      flat: integers([1, -1]),
      start: tensor('float32', [3], [0.1, -0.2, 0.3]),
    };
    await expectSameAsRuntime(model(nodes, constants, [1, 9]), [1, 9]);
  });

  it('is refused where its length is the number of images', () => {
    const nodes = [node('Scan', ['start', 'x'], ['last', 'y'], { body: recurrence, num_scan_inputs: 1 })];
    const bytes = modelBytes({
      nodes,
      constants: new Map([['start', tensor('float32', [3], [0, 0, 0])]]),
      inputs: [declaration('x', ['N', 3])],
      outputs: [declaration('y', ['N', 3])],
    });
    // One image at a time is what works.
    expect(buildGradientModel(bytes, plain).batch).toBe(1);
  });
});

it('lists of tensors are refused by name', () => {
  const nodes = [node('SequenceConstruct', ['x', 'x'], ['s']), node('SequenceAt', ['s', 'zero'], ['y'])];
  expect(() => buildGradientModel(model(nodes, { zero: scalar('int64', 0) }, [1, 3]), plain)).toThrow(
    /SequenceConstruct: sequences and optional values have no gradient rule .*SequenceAt: sequences/,
  );
});
