/** What buildGradientModel and checkSupport promise, on small models. */
import { describe, expect, it } from 'vitest';
import {
  buildGradientModel,
  checkSupport,
  type GradientOptions,
  representationLayer,
} from '../../core/autodiff/index.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import { readModel } from '../../core/onnx/file.ts';
import type { Graph, Node } from '../../core/onnx/graph.ts';
import { integers, scalar, tensor, type Tensor } from '../../core/onnx/tensor.ts';
import { declaration, floatTensor, modelBytes, node, numbers, openSession } from '../support/onnx-models.ts';

const plain: GradientOptions = { input: 'x', output: 'y', objective: 'logit', activation: 'none' };

/** A model from x to y. */
function model(
  nodes: readonly Node[],
  constants: Readonly<Record<string, Tensor>> = {},
  shape: readonly (number | string)[] = ['N', 3],
  more: Partial<Graph> = {},
  opset = 17,
): Uint8Array<ArrayBuffer> {
  return modelBytes(
    {
      nodes,
      constants: new Map(Object.entries(constants)),
      inputs: [declaration('x', shape)],
      outputs: [declaration('y', ['N', 'K'])],
      ...more,
    },
    opset,
  );
}

async function evaluate(
  bytes: Uint8Array,
  options: GradientOptions,
  x: readonly number[][],
  seed: readonly number[][],
): Promise<{ f: number[]; output: number[]; gradient: number[] }> {
  const built = buildGradientModel(bytes, options);
  const session = await openSession(built.bytes);
  const results = await session.run({
    [built.inputName]: floatTensor('float32', x.flat(), [x.length, ...built.inputShape]),
    [built.seedName]: floatTensor('float32', seed.flat(), [x.length, built.outputCount]),
  });
  await session.release();
  return {
    f: [...numbers(results[built.scalarName])],
    output: [...numbers(results[built.outputName])],
    gradient: [...numbers(results[built.gradientName])],
  };
}

function failure(run: () => unknown): PathlightError {
  try {
    run();
  } catch (error) {
    if (error instanceof PathlightError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const close = (actual: readonly number[], expected: readonly number[]): void => {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, index) => expect(value).toBeCloseTo(expected[index] ?? NaN, 5));
};

describe('the scalar', () => {
  const bytes = model([node('Identity', ['x'], ['y'])]);
  const z = [0.3, -1.2, 2];
  const odds = z.map(Math.exp);
  const softmax = odds.map((value) => value / odds.reduce((sum, other) => sum + other, 0));
  const sigmoid = z.map((value) => 1 / (1 + Math.exp(-value)));
  const k = 2;
  const one = [0, 0, 1];

  it.each([
    ['logit', 'softmax', z[k], one],
    ['probability', 'softmax', softmax[k], softmax.map((p, i) => (softmax[k] ?? 0) * (Number(i === k) - p))],
    ['log-probability', 'softmax', Math.log(softmax[k] ?? 0), softmax.map((p, i) => Number(i === k) - p)],
    ['probability', 'sigmoid', sigmoid[k], sigmoid.map((p, i) => (i === k ? p * (1 - p) : 0))],
    ['log-probability', 'sigmoid', Math.log(sigmoid[k] ?? 0), sigmoid.map((p, i) => (i === k ? 1 - p : 0))],
    ['probability', 'none', z[k], one],
    // The second output is negative: no probability, and none of its business here.
    ['log-probability', 'none', Math.log(z[k] ?? 0), one.map((v) => v / (z[k] ?? 1))],
  ] as const)('%s under %s', async (objective, activation, f, gradient) => {
    const result = await evaluate(bytes, { ...plain, objective, activation }, [z], [one]);
    close(result.f, [f ?? NaN]);
    close(result.output, z);
    close(result.gradient, gradient);
  });

  it('weighs the outputs of every image by its own seed', async () => {
    const result = await evaluate(
      bytes,
      plain,
      [z, [1, 2, 3]],
      [
        [1, 0, -1],
        [0, 2, 0.5],
      ],
    );
    close(result.f, [0.3 - 2, 4 + 1.5]);
    close(result.gradient, [1, 0, -1, 0, 2, 0.5]);
  });
});

describe('the other objectives', () => {
  const bytes = model([node('Identity', ['x'], ['y'])]);
  const z = [0.3, -1.2, 0.7];
  const all = [1, 1, 1];
  const entropyOf = (probabilities: readonly number[]): number =>
    probabilities.reduce((sum, p) => sum - p * Math.log(p), 0);
  const odds = (values: readonly number[]): number[] => {
    const exponentials = values.map(Math.exp);
    return exponentials.map((value) => value / exponentials.reduce((sum, other) => sum + other, 0));
  };
  const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value));
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

  it.each([
    ['softmax', z, (values: readonly number[]) => entropyOf(odds(values))],
    [
      'sigmoid',
      z,
      (values: readonly number[]) => sum(values.map((v) => entropyOf([sigmoid(v), sigmoid(-v)]))),
    ],
    ['none', [0.3, 0.5, 0.9], (values: readonly number[]) => sum(values.map((p) => entropyOf([p, 1 - p])))],
  ] as const)('negative entropy under %s, against central differences', async (activation, at, entropy) => {
    const result = await evaluate(
      bytes,
      { ...plain, objective: 'negative-entropy', activation },
      [[...at]],
      [all],
    );
    close(result.f, [-entropy(at)]);
    const step = 1e-4;
    const moved = (k: number, by: number): number[] => at.map((value, i) => (i === k ? value + by : value));
    close(
      result.gradient,
      at.map((_, k) => (entropy(moved(k, -step)) - entropy(moved(k, step))) / (2 * step)),
    );
  });

  it('a certain answer has the entropy 0, and a gradient that is a number', async () => {
    for (const activation of ['softmax', 'sigmoid'] as const) {
      const options = { ...plain, objective: 'negative-entropy', activation } as const;
      const result = await evaluate(bytes, options, [[300, -300, -300]], [all]);
      close(result.f, [0]);
      close(result.gradient, [0, 0, 0]);
    }
  });

  it('the distance of a value inside the model from a target, and its gradient', async () => {
    const inside = model([node('MatMul', ['x', 'w'], ['h']), node('Relu', ['h'], ['y'])], {
      w: tensor('float32', [3, 2], [1, 0, 0, 2, 1, -1]),
    });
    const result = await evaluate(
      inside,
      { ...plain, output: 'h', objective: 'distance' },
      [[1, 2, 3]],
      [[1, -1]],
    );
    // h = (4, 1), less the target (3, 2): 9 + 4, and twice that through the weights' transpose.
    close(result.output, [4, 1]);
    close(result.f, [13]);
    close(result.gradient, [6, 8, 2]);
  });

  it('the representation is the input of the last linear layer', () => {
    const nodes = [
      node('MatMul', ['x', 'w'], ['h']),
      node('Relu', ['h'], ['r']),
      node('MatMul', ['r', 'v'], ['m']),
      node('Add', ['b', 'm'], ['a']),
      node('Softmax', ['a'], ['y']),
    ];
    const linear = model(nodes, {
      w: tensor('float32', [3, 2], [1, 0, 0, 2, 1, -1]),
      v: tensor('float32', [2, 2], [1, 2, 3, 4]),
      b: tensor('float32', [2], [1, 2]),
    });
    expect(representationLayer(linear, 'y')).toBe('r');
    expect(representationLayer(linear, 'r')).toBe('x');
    expect(failure(() => representationLayer(bytes, 'y')).message).toContain('No linear layer');
  });
});

describe('where a derivative jumps, the side is stated', () => {
  const at = (nodes: readonly Node[], constants: Record<string, Tensor>, x: number[], seed: number[]) =>
    evaluate(model(nodes, constants), plain, [x], [seed]).then(({ gradient }) => gradient);

  it('Relu at 0 is off, and so is Relu6 at its bounds; any other Clip is on there', async () => {
    expect(await at([node('Relu', ['x'], ['y'])], {}, [0, -1, 1], [1, 1, 1])).toEqual([0, 0, 1]);
    const clip = node('Clip', ['x', 'low', 'high'], ['y']);
    const bounds = (high: number): Record<string, Tensor> => ({
      low: scalar('float32', 0),
      high: scalar('float32', high),
    });
    expect(await at([clip], bounds(5), [0, 5, 7], [1, 1, 1])).toEqual([1, 1, 0]);
    const nearly6 = Math.fround(6 - 2 ** -21);
    expect(await at([clip], bounds(6), [0, 6, nearly6], [1, 1, 1])).toEqual([0, 0, 1]);
  });

  it('ReduceMax and Max share among those that tie', async () => {
    const greatest = node('ReduceMax', ['x'], ['y'], { axes: [1] });
    expect(await at([greatest], {}, [2, 1, 2], [1])).toEqual([0.5, 0, 0.5]);
    const max = node('Max', ['x', 'c'], ['y']);
    expect(await at([max], { c: scalar('float32', 1) }, [0, 1, 2], [1, 1, 1])).toEqual([0, 0.5, 1]);
  });

  it('a power has the slope 0 at 0 where it is constant there, and its limit elsewhere', async () => {
    const power = node('Pow', ['x', 'p'], ['y']);
    const exponents = { p: tensor('float32', [3], [0, 1, 3]) };
    expect(await at([power], exponents, [0, 0, 0], [1, 1, 1])).toEqual([0, 1, 0]);
  });

  it('a norm of nothing has no slope', async () => {
    const zeros = [0, 0, 0];
    for (const [operator, attributes] of [
      ['ReduceL2', { axes: [1] }],
      ['LpNormalization', { axis: 1 }],
      ['GlobalLpPool', {}],
    ] as const) {
      const [before, after] =
        operator === 'GlobalLpPool' ? [[node('Unsqueeze', ['x', 'one'], ['u'])], 'u'] : [[], 'x'];
      const nodes = [...before, node(operator, [after], ['n'], attributes), node('Flatten', ['n'], ['y'])];
      const seed = operator === 'LpNormalization' ? [1, 2, 3] : [1];
      expect(await at(nodes, { one: integers([1]) }, zeros, seed), operator).toEqual(zeros);
    }
  });

  it('GlobalMaxPool and MaxPool give all to the first', async () => {
    const nodes = [
      node('Unsqueeze', ['x', 'one'], ['u']),
      node('MaxPool', ['u'], ['p'], { kernel_shape: [2], strides: [1] }),
      node('Flatten', ['p'], ['y']),
    ];
    expect(await at(nodes, { one: integers([1]) }, [1, 1, 1], [1, 10])).toEqual([1, 10, 0]);
    const global = [
      node('Unsqueeze', ['x', 'one'], ['u']),
      node('GlobalMaxPool', ['u'], ['p']),
      node('Flatten', ['p'], ['y']),
    ];
    expect(await at(global, { one: integers([1]) }, [1, 2, 2], [3])).toEqual([0, 3, 0]);
  });
});

describe('the batch', () => {
  const halves = [node('Reshape', ['x', 'shape'], ['r']), node('Relu', ['r'], ['y'])];

  it('is free where the model bears it', () => {
    expect(buildGradientModel(model(halves, { shape: integers([-1, 3]) }), plain).batch).toBe('dynamic');
  });

  it('is one image where statistics are taken over the images', () => {
    const bytes = model([node('MeanVarianceNormalization', ['x'], ['y'], { axes: [0, 1] })]);
    expect(buildGradientModel(bytes, plain).batch).toBe(1);
  });

  it('is one image where a shape inside was written for one', async () => {
    const bytes = model(halves, { shape: integers([1, 3]) });
    expect(buildGradientModel(bytes, plain)).toMatchObject({ batch: 1, inputShape: [3], outputCount: 3 });
    expect((await evaluate(bytes, plain, [[1, -1, 2]], [[1, 1, 1]])).gradient).toEqual([1, 0, 1]);
  });

  it('is what the input states', () => {
    const fixed = model(halves, { shape: integers([2, 3]) }, [2, 3]);
    expect(buildGradientModel(fixed, plain).batch).toBe(2);
  });

  it('follows shapes that are computed from it', async () => {
    const nodes = [
      node('Shape', ['x'], ['s']),
      node('Gather', ['s', 'first'], ['n']),
      node('Unsqueeze', ['n', 'axis'], ['u']),
      node('Concat', ['u', 'two', 'two'], ['t'], { axis: 0 }),
      node('Reshape', ['x', 't'], ['r']),
      node('Transpose', ['r'], ['p'], { perm: [0, 2, 1] }),
      node('Flatten', ['p'], ['y']),
    ];
    const constants = { first: scalar('int64', 0), axis: integers([0]), two: integers([2]) };
    const bytes = model(nodes, constants, ['N', 4]);
    const { gradient } = await evaluate(
      bytes,
      plain,
      [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
      ],
      [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
      ],
    );
    expect(gradient).toEqual([1, 3, 2, 4, 5, 7, 6, 8]);
  });

  it('refuses a size that is not the model’s', () => {
    const bytes = model([node('Relu', ['x'], ['y'])]);
    expect(failure(() => buildGradientModel(bytes, { ...plain, inputShape: [4] }))).toMatchObject({
      kind: 'model-refused',
      message: 'The input "x" is 3; the card says 4.',
    });
  });

  it('wants the size of an image from its caller where the file leaves it open', async () => {
    const bytes = model([node('Relu', ['x'], ['y'])], {}, ['N', 'width']);
    expect(failure(() => buildGradientModel(bytes, plain)).message).toContain('left open');
    const options = { ...plain, inputShape: [2] };
    expect((await evaluate(bytes, options, [[-1, 1]], [[1, 1]])).gradient).toEqual([0, 1]);
  });
});

describe('control flow and constants', () => {
  const branch = (nodes: readonly Node[], constants: Record<string, Tensor> = {}): Graph => ({
    name: 'branch',
    nodes,
    inputs: [],
    outputs: [declaration('b', ['N', 3])],
    constants: new Map(Object.entries(constants)),
  });
  const choice = node('If', ['c'], ['y'], {
    then_branch: {
      kind: 'graph',
      value: branch([node('Mul', ['x', 'k'], ['b'])], { k: scalar('float32', 2) }),
    },
    else_branch: { kind: 'graph', value: branch([node('Neg', ['x'], ['b'])]) },
  });

  it('takes the branch of a constant condition', async () => {
    for (const [condition, slope] of [
      [1, 2],
      [0, -1],
    ] as const) {
      const bytes = model([choice], { c: scalar('bool', condition) });
      const { gradient } = await evaluate(bytes, plain, [[1, 2, 3]], [[1, 1, 1]]);
      expect(gradient).toEqual([slope, slope, slope]);
    }
  });

  it('refuses a condition that depends on the image', () => {
    const nodes = [
      node('ReduceMax', ['x'], ['m'], { keepdims: 0 }),
      node('Greater', ['m', 'zero'], ['c']),
      choice,
    ];
    const error = failure(() => buildGradientModel(model(nodes, { zero: scalar('float32', 0) }), plain));
    expect(error.kind).toBe('unsupported');
    expect(error.message).toContain('If: which branch it takes depends on the image');
  });
});

describe('a gradient model', () => {
  it('can be differentiated again: the second derivative of exp(x)³', async () => {
    const bytes = model([
      node('Exp', ['x'], ['e']),
      node('Mul', ['e', 'e'], ['s']),
      node('Mul', ['s', 'e'], ['y']),
    ]);
    const first = buildGradientModel(bytes, plain);
    const seeded = modelBytes(withSeedOfOne(first), 17);
    const x = [0.1, -0.5, 0.7];
    const { output, gradient } = await evaluate(
      seeded,
      { ...plain, output: first.gradientName },
      [x],
      [[1, 1, 1]],
    );
    close(
      output.map((value) => value / 100),
      x.map((value) => (3 * Math.exp(3 * value)) / 100),
    );
    close(
      gradient.map((value) => value / 100),
      x.map((value) => (9 * Math.exp(3 * value)) / 100),
    );
  });
});

function withSeedOfOne(first: ReturnType<typeof buildGradientModel>): Graph {
  const { graph } = readModel(first.bytes);
  return {
    ...graph,
    inputs: graph.inputs.filter(({ name }) => name === first.inputName),
    constants: new Map([...graph.constants, [first.seedName, tensor('float32', [1, 3], [1, 1, 1])]]),
  };
}

describe('what stands in the way', () => {
  it('is a small file that would have a large table written', () => {
    const constants = { scales: tensor('float32', [2], [1, 1e6]) };
    const resize = node('Resize', ['x', '', 'scales'], ['y'], { mode: 'linear' });
    const error = failure(() => buildGradientModel(model([resize], constants, ['N', 300]), plain));
    expect(error.kind).toBe('unsupported');
    expect(error.message).toContain('too long');
  });

  it('is one error that names every operator and node', () => {
    const strange = { ...node('Fused', ['a'], ['b']), domain: 'com.example' };
    const nodes = [
      node('LSTM', ['x'], ['a']),
      strange,
      node('Relu', ['b'], ['r']),
      node('RoiAlign', ['r'], ['g']),
      node('RoiAlign', ['g'], ['y']),
    ];
    const error = failure(() => buildGradientModel(model(nodes), plain));
    expect(error.kind).toBe('unsupported');
    expect(error.message).toBe(
      'The model cannot be differentiated (ONNX operator set 17): ' +
        'LSTM: recurrent layers have no gradient rule (node LSTM:a); ' +
        'com.example::Fused: the operator com.example::Fused is not supported (node Fused:b); ' +
        'RoiAlign: it pools regions for detectors, which have no gradient rule (nodes RoiAlign:g, RoiAlign:y).',
    );
    const support = checkSupport(model(nodes));
    expect(support.explainable).toBe(false);
    expect(support.reasons).toHaveLength(3);
    expect(support.operators).toEqual([
      { operator: 'LSTM', count: 1, support: 'refused' },
      { operator: 'Relu', count: 1, support: 'differentiable' },
      { operator: 'RoiAlign', count: 2, support: 'refused' },
      { operator: 'com.example::Fused', count: 1, support: 'refused' },
    ]);
  });

  it('includes weights that depend on the image', () => {
    const nodes = [
      node('Unsqueeze', ['x', 'axes'], ['u']),
      node('Conv', ['u', 'u'], ['v']),
      node('Flatten', ['v'], ['y']),
    ];
    const error = failure(() => buildGradientModel(model(nodes, { axes: integers([1]) }, [1, 3]), plain));
    expect(error.message).toContain('Conv: its input 1 depends on the image (node Conv:v)');
  });

  it('includes an output that only counts', () => {
    const nodes = [node('ArgMax', ['x'], ['i'], { axis: 1 }), node('Cast', ['i'], ['y'], { to: 1 })];
    expect(failure(() => buildGradientModel(model(nodes), plain)).message).toContain(
      'does not depend differentiably',
    );
    expect(checkSupport(model(nodes)).explainable).toBe(false);
  });

  it('includes a second input', () => {
    const bytes = model([node('Add', ['x', 'age'], ['y'])], {}, ['N', 3], {
      inputs: [declaration('x', ['N', 3]), declaration('age', ['N', 1])],
    });
    expect(failure(() => buildGradientModel(bytes, plain)).message).toContain(
      'also depends on the input "age"',
    );
  });

  it('leaves aside what the output does not need', () => {
    const bytes = model([node('Relu', ['x'], ['y']), node('LSTM', ['x'], ['z'])]);
    expect(buildGradientModel(bytes, plain).batch).toBe('dynamic');
    expect(checkSupport(bytes).explainable).toBe(true);
  });

  it('names the inputs and outputs there are', () => {
    const bytes = model([node('Relu', ['x'], ['y'])]);
    const error = failure(() => buildGradientModel(bytes, { ...plain, output: 'z' }));
    expect(error).toMatchObject({ kind: 'bad-request', advice: 'Its outputs are: "y".' });
  });
});

describe('a graph that contradicts itself', () => {
  it('has a cycle', () => {
    const bytes = model([
      node('Add', ['x', 'b'], ['a']),
      node('Relu', ['a'], ['b']),
      node('Relu', ['b'], ['y']),
    ]);
    const error = failure(() => buildGradientModel(bytes, plain));
    expect(error.kind).toBe('damaged');
    expect(error.message).toMatch(/cycle through node (Add:a|Relu:b)/);
    expect(checkSupport(bytes).explainable).toBe(false);
  });

  it('reads what nobody makes', () => {
    const error = failure(() => buildGradientModel(model([node('Mul', ['x', 'w'], ['y'])]), plain));
    expect(error.kind).toBe('damaged');
    expect(error.message).toContain('Node Mul:y (Mul) reads "w"');
  });

  it('makes a value twice', () => {
    const bytes = model([node('Relu', ['x'], ['y']), node('Neg', ['x'], ['y'])]);
    expect(failure(() => buildGradientModel(bytes, plain)).message).toContain('makes the value "y" twice');
  });

  it('has shapes that do not fit', () => {
    const weights = {
      w: tensor(
        'float32',
        [4, 2],
        Array.from({ length: 8 }, () => 1),
      ),
    };
    const error = failure(() =>
      buildGradientModel(model([node('MatMul', ['x', 'w'], ['y'])], weights), plain),
    );
    expect(error.kind).toBe('damaged');
    expect(error.message).toContain('MatMul:y (MatMul): the inner sizes differ; its inputs have the shapes');
  });

  it('has nodes out of order, which is put right', async () => {
    const bytes = model([node('Neg', ['a'], ['y']), node('Relu', ['x'], ['a'])]);
    expect((await evaluate(bytes, plain, [[1, -1, 2]], [[1, 1, 1]])).gradient).toEqual([-1, -0, -1]);
  });
});
