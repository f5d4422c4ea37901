/** Small files that ask for much: an error that names the node, before anything is allocated. */
import { describe, expect, it } from 'vitest';
import { buildGradientModel } from '../../core/autodiff/index.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import type { Graph, Node } from '../../core/onnx/graph.ts';
import { integers, scalar, tensor, type Tensor } from '../../core/onnx/tensor.ts';
import { declaration, modelBytes, node } from '../support/onnx-models.ts';

/** A model of x [N, 4] whose nodes make `big`, a little of which is added to the image. */
function hostile(nodes: readonly Node[], constants: Record<string, Tensor> = {}): Uint8Array<ArrayBuffer> {
  return modelBytes(
    {
      nodes: [
        ...nodes,
        node('ReduceSum', ['big'], ['sum'], { keepdims: 0 }),
        node('Add', ['x', 'sum'], ['y']),
      ],
      constants: new Map(Object.entries(constants)),
      inputs: [declaration('x', ['N', 4])],
      outputs: [declaration('y', ['N', 4])],
    },
    18,
  );
}

function refusal(bytes: Uint8Array): PathlightError {
  try {
    buildGradientModel(bytes, { input: 'x', output: 'y', objective: 'logit', activation: 'none' });
  } catch (error) {
    if (error instanceof PathlightError) return error;
    throw error;
  }
  throw new Error('the model was taken');
}

const one = tensor('float32', [1], [1]);
const [huge, wide] = [100_000, 2 ** 20];
const doubling = (operator: (from: string, to: string) => Node): Node[] =>
  Array.from({ length: 40 }, (_, step) => operator(`d${step}`, step === 39 ? 'big' : `d${step + 1}`));

const cases: [string, readonly Node[], Record<string, Tensor>][] = [
  ['ConstantOfShape', [node('ConstantOfShape', ['s'], ['big'])], { s: integers([huge, huge]) }],
  ['Expand', [node('Expand', ['c', 's'], ['big'])], { c: one, s: integers([huge, huge]) }],
  ['Tile', [node('Tile', ['c', 's'], ['big'])], { c: one, s: integers([2 ** 40]) }],
  ['Pad', [node('Pad', ['c', 's'], ['big'])], { c: one, s: integers([2 ** 40, 0]) }],
  [
    'Range',
    [node('Range', ['a', 'b', 'd'], ['big'])],
    { a: scalar('float32', 0), b: scalar('float32', 1e12), d: scalar('float32', 1) },
  ],
  [
    'Resize',
    [node('Resize', ['c', '', '', 's'], ['big'])],
    { c: tensor('float32', [1, 1, 1], [1]), s: integers([1, wide, wide]) },
  ],
  [
    'Conv',
    [node('Unsqueeze', ['x', 'axis'], ['u']), node('Conv', ['u', 'w'], ['big'], { pads: [2 ** 40, 0] })],
    { axis: integers([1]), w: tensor('float32', [1, 1, 1], [1]) },
  ],
  [
    'OneHot',
    [node('OneHot', ['i', 'd', 'v'], ['big'])],
    { i: integers([0]), d: integers([2 ** 40]), v: tensor('float32', [2], [0, 1]) },
  ],
  ['a chain of Concat', doubling((from, to) => node('Concat', [from, from], [to], { axis: 0 })), { d0: one }],
  [
    'a chain of Tile',
    doubling((from, to) => node('Tile', [from, 'two'], [to])),
    { d0: one, two: integers([2]) },
  ],
  [
    'a chain of outer products',
    [
      node('Expand', ['c', 's'], ['e']),
      node('Transpose', ['e'], ['t']),
      node('Mul', ['e', 't'], ['m']),
      node('Reshape', ['m', 'row'], ['r']),
      node('Transpose', ['r'], ['q']),
      node('Mul', ['r', 'q'], ['big']),
    ],
    { c: tensor('float32', [1, 1], [1]), s: integers([1, 4000]), row: integers([1, -1]) },
  ],
  [
    'many values of a bearable size',
    Array.from({ length: 400 }, (_, step) =>
      step === 0
        ? node('Unsqueeze', ['x', 'axis'], ['p0'])
        : step === 1
          ? node('Expand', ['p0', 's'], ['p1'])
          : node('Sin', [`p${step - 1}`], [step === 399 ? 'big' : `p${step}`]),
    ),
    { axis: integers([1]), s: integers([1, 2 ** 22, 1]) },
  ],
];

describe('a small file that asks for more memory than there is', () => {
  it.each(cases)('by %s', (_, nodes, constants) => {
    const before = process.memoryUsage().arrayBuffers;
    const error = refusal(hostile(nodes, constants));
    expect(error.kind, error.message).toBe('too-large');
    expect(error.message).toMatch(/[Nn]ode .*GiB/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 30);
  });
});

describe('a file that contradicts itself', () => {
  const malformed: [string, readonly Node[], Record<string, Tensor>][] = [
    [
      'a stride of 0',
      [
        node('Unsqueeze', ['x', 'one'], ['u']),
        node('MaxPool', ['u'], ['big'], { kernel_shape: [2], strides: [0] }),
      ],
      { one: integers([1]) },
    ],
    ['a negative size', [node('ConstantOfShape', ['s'], ['big'])], { s: integers([-4]) }],
    [
      'a size that is no number',
      [node('Resize', ['c', '', 's'], ['big'])],
      { c: one, s: tensor('float32', [1], [NaN]) },
    ],
    [
      'a thousand axes',
      [node('ConstantOfShape', ['s'], ['big'])],
      { s: integers(new Array<number>(1000).fill(1)) },
    ],
    [
      'a step of 0',
      [node('Range', ['a', 'b', 'a'], ['big'])],
      { a: scalar('float32', 0), b: scalar('float32', 5) },
    ],
    [
      'blocks of 0',
      [node('Reshape', ['x', 's'], ['r']), node('SpaceToDepth', ['r'], ['big'], { blocksize: 0 })],
      { s: integers([-1, 1, 2, 2]) },
    ],
    [
      'groups of 0',
      [node('Unsqueeze', ['x', 'one'], ['u']), node('Conv', ['u', 'w'], ['big'], { group: 0 })],
      { one: integers([1]), w: tensor('float32', [1, 1, 1], [1]) },
    ],
    ['an axis beyond', [node('Softmax', ['x'], ['big'], { axis: 7 })], {}],
    ['a permutation that repeats', [node('Transpose', ['x'], ['big'], { perm: [0, 0] })], {}],
    ['an index beyond', [node('Gather', ['c', 'i'], ['big'])], { c: one, i: integers([99]) }],
  ];
  it.each(malformed)('by %s', (_, nodes, constants) => {
    expect(refusal(hostile(nodes, constants)).kind).toMatch(/damaged|unsupported|too-large/);
  });

  it('by strides and dilations below 1, which it is told', () => {
    const pool = (attributes: Record<string, number[]>): string =>
      refusal(
        hostile(
          [
            node('Unsqueeze', ['x', 'one'], ['u']),
            node('MaxPool', ['u'], ['big'], { kernel_shape: [2], ...attributes }),
          ],
          { one: integers([1]) },
        ),
      ).message;
    expect(pool({ strides: [0] })).toContain('strides [0] and dilations [1] begin at 1');
    expect(pool({ dilations: [-1] })).toContain('strides [1] and dilations [-1] begin at 1');
  });

  it('by an equation without end', () => {
    const equation = `${'a'.repeat(1_000_000)}->a`;
    expect(refusal(hostile([node('Einsum', ['x'], ['big'], { equation })])).kind).toBe('damaged');
  });

  it('by branches in branches in branches', () => {
    let inner: Graph | undefined;
    for (let depth = 0; depth < 200; depth++) {
      const nodes =
        inner === undefined
          ? [node('Neg', ['x'], ['b'])]
          : [node('If', ['yes'], ['b'], { then_branch: { kind: 'graph' as const, value: inner } })];
      inner = { name: 'g', nodes, inputs: [], outputs: [declaration('b', ['N', 4])], constants: new Map() };
    }
    const then_branch = { kind: 'graph' as const, value: inner as Graph };
    const bytes = hostile([node('If', ['yes'], ['big'], { then_branch })], { yes: scalar('bool', 1) });
    const error = refusal(bytes);
    expect(error.kind).toBe('too-large');
    expect(error.message).toContain('lie in one another more than 32 deep');
  });
});
