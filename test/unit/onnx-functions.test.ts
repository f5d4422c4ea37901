/** Functions that a model brings along, held against ONNX Runtime's own inlining of them. */
import { describe, expect, it } from 'vitest';
import { buildGradientModel } from '../../core/autodiff/index.ts';
import { floatValue } from '../../core/onnx/attributes.ts';
import type { Graph, LocalFunction, Node } from '../../core/onnx/graph.ts';
import { integers, scalar, tensor } from '../../core/onnx/tensor.ts';
import { expectSameAsRuntime } from '../support/against-runtime.ts';
import { declaration, modelBytes, node } from '../support/onnx-models.ts';

const own = 'pathlight.test';
const call = (name: string, inputs: string[], outputs: string[], values = {}): Node => ({
  ...node(name, inputs, outputs, values),
  domain: own,
});
const reference = (value: string) => ({ kind: 'reference', value }) as const;

function define(name: string, more: Partial<LocalFunction> & Pick<LocalFunction, 'nodes'>): LocalFunction {
  return {
    domain: own,
    name,
    overload: '',
    inputs: ['a'],
    outputs: ['b'],
    defaults: new Map(),
    domains: new Map([
      ['', 18],
      [own, 1],
    ]),
    ...more,
    // The runtime takes no two nodes of one name, wherever they come from.
    nodes: more.nodes.map((each) => ({ ...each, name: '' })),
  };
}

function model(functions: readonly LocalFunction[], nodes: readonly Node[], more: Partial<Graph> = {}) {
  return modelBytes(
    { nodes, inputs: [declaration('x', [1, 4])], outputs: [declaration('y', [1, 4])], ...more },
    18,
    10,
    { domains: new Map([[own, 1]]), functions },
  );
}

const leaky = define('Leaky', {
  nodes: [node('LeakyRelu', ['a'], ['b'], { alpha: reference('slope') })],
  defaults: new Map([['slope', floatValue(0.3)]]),
});

describe('a function of the model', () => {
  it('is written out, with the attributes of its call or its own', async () => {
    for (const values of [{}, { slope: floatValue(0.7) }]) {
      await expectSameAsRuntime(model([leaky], [call('Leaky', ['x'], ['y'], values)]), [1, 4]);
    }
  });

  it('may call others; names inside are its own', async () => {
    const twice = define('Twice', {
      nodes: [
        call('Leaky', ['a'], ['x'], { slope: reference('steepness') }),
        node('Tanh', ['x'], ['y']),
        call('Leaky', ['y'], ['b']),
      ],
    });
    const nodes = [
      call('Twice', ['x'], ['b'], { steepness: floatValue(2) }),
      call('Twice', ['b'], ['y'], { steepness: floatValue(0.5) }),
    ];
    await expectSameAsRuntime(model([twice, leaky], nodes), [1, 4]);
  });

  it('may leave out inputs and outputs, and pass one on', async () => {
    const parts = define('Parts', {
      inputs: ['a', 'low', 'high'],
      outputs: ['b', 'unused', 'same'],
      nodes: [
        node('Clip', ['a', 'low', 'high'], ['b']),
        node('Neg', ['a'], ['unused']),
        node('Identity', ['a'], ['same']),
      ],
    });
    const nodes = [
      call('Parts', ['x', '', 'top'], ['clipped', '', 'same']),
      node('Mul', ['clipped', 'same'], ['y']),
    ];
    await expectSameAsRuntime(
      model([parts], nodes, { constants: new Map([['top', scalar('float32', 0.25)]]) }),
      [1, 4],
    );
  });

  it('may be written in an older operator set than the model', async () => {
    const steps = (axes: { axes: readonly number[] } | undefined, parts: { num_outputs?: number }) => [
      node('ReduceMean', axes === undefined ? ['x', 'axes'] : ['x'], ['mean'], axes),
      node('Sub', ['x', 'mean'], ['c']),
      node('Split', ['c'], ['left', 'right'], { axis: 1, ...parts }),
      node('Mul', ['left', 'right'], ['p']),
      node('Concat', ['p', 'left'], ['y'], { axis: 1 }),
    ];
    const centred = define('Centred', {
      inputs: ['x'],
      outputs: ['y'],
      domains: new Map([['', 13]]),
      nodes: steps({ axes: [1] }, {}),
    });
    // The runtime does not convert: it takes the newer form alone.
    const original = model([], steps(undefined, { num_outputs: 2 }), {
      constants: new Map([['axes', integers([1])]]),
    });
    await expectSameAsRuntime(model([centred], [call('Centred', ['x'], ['y'])]), [1, 4], {}, { original });
  });

  it('may be called in a branch, and hold one', async () => {
    const branch = (nodes: readonly Node[]): { kind: 'graph'; value: Graph } => ({
      kind: 'graph',
      value: { name: 'branch', nodes, inputs: [], outputs: [declaration('r', [1, 4])], constants: new Map() },
    });
    const choosing = define('Choosing', {
      inputs: ['a', 'which'],
      nodes: [
        node('If', ['which'], ['b'], {
          then_branch: branch([node('LeakyRelu', ['a'], ['r'], { alpha: reference('slope') })]),
          else_branch: branch([node('Neg', ['a'], ['r'])]),
        }),
      ],
    });
    const nodes = [
      call('Choosing', ['x', 'yes'], ['first'], { slope: floatValue(0.4) }),
      node('If', ['yes'], ['y'], {
        then_branch: branch([call('Choosing', ['first', 'no'], ['r'], { slope: floatValue(1) })]),
        else_branch: branch([node('Identity', ['first'], ['r'])]),
      }),
    ];
    const constants = new Map([
      ['yes', scalar('bool', 1)],
      ['no', tensor('bool', [], [0])],
    ]);
    await expectSameAsRuntime(model([choosing], nodes, { constants }), [1, 4]);
  });

  it('is refused where it calls itself, in any number of steps', () => {
    const there = define('There', { nodes: [call('Back', ['a'], ['b'])] });
    const back = define('Back', { nodes: [call('There', ['a'], ['b'])] });
    const options = { input: 'x', output: 'y', objective: 'logit', activation: 'none' } as const;
    expect(() => buildGradientModel(model([there, back], [call('There', ['x'], ['y'])]), options)).toThrow(
      /function pathlight\.test::There calls itself/,
    );
  });

  it.each([
    ['something', [node('Neg', ['a'], ['b'])]],
    ['nothing', []],
  ] as const)('is refused where it would grow without bound, to %s', (_, last) => {
    const doubling = Array.from({ length: 40 }, (_, level) =>
      define(`F${level}`, {
        nodes:
          level === 0 ? last : [call(`F${level - 1}`, ['a'], ['m']), call(`F${level - 1}`, ['m'], ['b'])],
      }),
    );
    const options = { input: 'x', output: 'y', objective: 'logit', activation: 'none' } as const;
    expect(() => buildGradientModel(model(doubling, [call('F39', ['x'], ['y'])]), options)).toThrow(
      /opens at most 10000/,
    );
  });
});
