/** A model's ends: further inputs, several outputs, channels last, open sizes; and the operator sets that are read. */
import { describe, expect, it } from 'vitest';
import { buildGradientModel, type GradientOptions } from '../../core/autodiff/index.ts';
import type { Declaration, Node } from '../../core/onnx/graph.ts';
import { readModel } from '../../core/onnx/file.ts';
import { NEWEST_OPSET, OLDEST_OPSET } from '../../core/onnx/upgrade.ts';
import { integers, tensor, type Tensor } from '../../core/onnx/tensor.ts';
import { expectSameAsRuntime, randomNumbers } from '../support/against-runtime.ts';
import { declaration, floatTensor, modelBytes, node, numbers, openSession } from '../support/onnx-models.ts';

const plain: GradientOptions = { input: 'x', output: 'y', objective: 'logit', activation: 'none' };

async function run(bytes: Uint8Array, options: Partial<GradientOptions>, x: readonly number[]) {
  const built = buildGradientModel(bytes, { ...plain, ...options });
  const session = await openSession(built.bytes);
  const seed = new Array<number>(built.outputCount).fill(1);
  const results = await session.run({
    [built.inputName]: floatTensor('float32', x, [1, ...built.inputShape]),
    [built.seedName]: floatTensor('float32', seed, [1, seed.length]),
  });
  await session.release();
  return {
    shape: built.inputShape,
    output: [...numbers(results[built.outputName])],
    gradient: [...numbers(results[built.gradientName])],
  };
}

function model(
  nodes: readonly Node[],
  inputs: readonly Declaration[],
  constants: Record<string, Tensor> = {},
  outputs: readonly Declaration[] = [declaration('y', ['N', 'K'])],
): Uint8Array<ArrayBuffer> {
  return modelBytes({ nodes, inputs, outputs, constants: new Map(Object.entries(constants)) });
}

describe('further inputs', () => {
  const bytes = model(
    [node('Mul', ['x', 'age'], ['m']), node('Add', ['m', 'sex'], ['y'])],
    [declaration('x', [1, 2]), declaration('age', [1, 1]), declaration('sex', [1, 2])],
  );

  it('are held at what is stated', async () => {
    const heldInputs = { age: { shape: [1, 1], values: [3] }, sex: { shape: [1, 2], values: [0.5] } };
    expect(await run(bytes, { heldInputs }, [1, 2])).toMatchObject({ output: [3.5, 6.5], gradient: [3, 3] });
  });

  it('are named where nothing is stated', () => {
    const heldInputs = { age: { shape: [1, 1], values: [3] } };
    expect(() => buildGradientModel(bytes, { ...plain, heldInputs })).toThrow(
      /also depends on the input "sex", whose value the model's card must state/,
    );
  });

  it('are refused where they do not exist, or do not fit', () => {
    const held = (heldInputs: GradientOptions['heldInputs']) => (): unknown =>
      buildGradientModel(bytes, { ...plain, ...(heldInputs === undefined ? {} : { heldInputs }) });
    expect(held({ weight: { shape: [1], values: [1] } })).toThrow(/no further input "weight"/);
    expect(held({ x: { shape: [1, 2], values: [1] } })).toThrow(/no further input "x"/);
    expect(held({ age: { shape: [2, 2], values: [1, 2] } })).toThrow(/held at 2 values instead of 4/);
    const wrong = { age: { shape: [1, 3], values: [1] }, sex: { shape: [1, 2], values: [0] } };
    expect(held(wrong)).toThrow(/do not broadcast/);
  });

  it('written for one image make it one image at a time', async () => {
    const joined = model(
      [node('Concat', ['x', 'age'], ['j'], { axis: 1 }), node('Exp', ['j'], ['y'])],
      [declaration('x', ['N', 2]), declaration('age', ['N', 1])],
    );
    const heldInputs = { age: { shape: [1, 1], values: [3] } };
    expect(buildGradientModel(joined, { ...plain, heldInputs }).batch).toBe(1);
    expect((await run(joined, { heldInputs }, [0, 0])).gradient).toEqual([1, 1]);
  });

  it('that have a default stay at it', async () => {
    const withDefault = model(
      [node('Mul', ['x', 'gain'], ['y'])],
      [declaration('x', [1, 2]), declaration('gain', [1])],
      { gain: tensor('float32', [1], [7]) },
    );
    expect((await run(withDefault, {}, [1, 2])).gradient).toEqual([7, 7]);
  });
});

it('of several outputs the chosen one is explained', async () => {
  const bytes = model(
    [node('Neg', ['x'], ['y']), node('Mul', ['x', 'y'], ['z'])],
    [declaration('x', [1, 2])],
    {},
    [declaration('y', [1, 2]), declaration('z', [1, 2])],
  );
  expect((await run(bytes, {}, [1, 2])).gradient).toEqual([-1, -1]);
  expect((await run(bytes, { output: 'z' }, [1, 2])).gradient).toEqual([-2, -4]);
});

describe('channels last', () => {
  const weights = { w: tensor('float32', [2, 3, 2, 2], randomNumbers('w', 24)) };
  const conv = [node('Conv', ['c', 'w'], ['v']), node('Flatten', ['v'], ['y'])];
  const first = model([node('Identity', ['x'], ['c']), ...conv], [declaration('x', [1, 3, 3, 2])], weights);
  const last = model(
    [node('Transpose', ['x'], ['c'], { perm: [0, 3, 1, 2] }), ...conv],
    [declaration('x', ['N', 'height', 2, 3])],
    weights,
  );
  const x = randomNumbers('x', 18);

  it('are taken first all the same: the map is laid out as the image is', async () => {
    const reference = await run(first, {}, x);
    const result = await run(last, { layout: 'NHWC', inputShape: [3, 3, 2] }, x);
    expect(result.shape).toEqual([3, 3, 2]);
    expect(result).toEqual(reference);
  });

  it('work as they stand where nobody asks', async () => {
    await expectSameAsRuntime(last, [1, 3, 2, 3], { inputShape: [3, 2, 3] });
  });
});

it('an open size is what the caller states', async () => {
  const bytes = model(
    [node('GlobalAveragePool', ['x'], ['p']), node('Flatten', ['p'], ['y'])],
    [declaration('x', ['N', 1, 'h', 'w'])],
  );
  expect(() => buildGradientModel(bytes, plain)).toThrow(/left open/);
  expect((await run(bytes, { inputShape: [1, 2, 4] }, randomNumbers('o', 8))).gradient).toEqual(
    new Array(8).fill(0.125),
  );
});

describe('operator sets', () => {
  /** The least of a net, in the form that its operator set has. */
  function net(opset: number): Uint8Array<ArrayBuffer> {
    const axes = opset < 18 ? { axes: [2, 3] } : {};
    const constants = new Map<string, Tensor>([
      ['w', tensor('float32', [4, 2, 3, 3], randomNumbers('w', 72))],
      ['s', tensor('float32', [4], [1, 2, 0.5, 1.5])],
      ['b', tensor('float32', [4], [0.1, -0.2, 0.3, 0])],
      ['m', tensor('float32', [4], [0, 0.1, -0.1, 0.2])],
      ['v', tensor('float32', [4], [1, 0.5, 2, 1])],
    ]);
    const constant = (name: string, value: Tensor): string => {
      constants.set(name, value);
      return name;
    };
    const limits =
      opset < 11
        ? []
        : [constant('low', tensor('float32', [], [-1])), constant('high', tensor('float32', [], [1]))];
    const parts = opset < 13 ? { split: [2, 2] } : opset < 18 ? {} : { num_outputs: 2 };
    const nodes = [
      node('Conv', ['x', 'w'], ['c'], { pads: [1, 1, 1, 1] }),
      node('BatchNormalization', ['c', 's', 'b', 'm', 'v'], ['n']),
      node('Clip', ['n', ...limits], ['k'], opset < 11 ? { min: minus(1), max: minus(-1) } : {}),
      node('AveragePool', ['k'], ['p'], { kernel_shape: [2, 2], strides: [2, 2] }),
      node('Split', ['p'], ['left', 'right'], { axis: 1, ...parts }),
      node('Mul', ['left', 'right'], ['g']),
      node('ReduceMean', opset < 18 ? ['g'] : ['g', constant('axes', integers([2, 3]))], ['r'], {
        keepdims: 0,
        ...axes,
      }),
      node('Softmax', ['r'], ['y'], { axis: opset < 13 ? 1 : -1 }),
    ];
    return modelBytes(
      { nodes, constants, inputs: [declaration('x', [1, 2, 4, 4])], outputs: [declaration('y', [1, 2])] },
      opset,
      opset < 15 ? 7 : 8,
    );
  }
  const minus = (value: number) => ({ kind: 'float', value: -value }) as const;

  it.each(Array.from({ length: NEWEST_OPSET - OLDEST_OPSET + 1 }, (_, index) => OLDEST_OPSET + index))(
    '%d is read',
    async (opset) => {
      await expectSameAsRuntime(net(opset), [1, 2, 4, 4]);
    },
  );

  it('a normalisation of every place by itself (set 7) is refused', () => {
    const statistics = ['s', 'b', 'm', 'v'].map((name): [string, Tensor] => [
      name,
      tensor('float32', [2], [1, 1]),
    ]);
    const nodes = [node('BatchNormalization', ['x', 's', 'b', 'm', 'v'], ['y'], { spatial: 0 })];
    const graph = { nodes, inputs: [declaration('x', [1, 2])], outputs: [declaration('y', [1, 2])] };
    const bytes = modelBytes({ ...graph, constants: new Map(statistics) }, 7, 4);
    expect(() => buildGradientModel(bytes, plain)).toThrow(/spatial = 0/);
  });

  it('older and newer ones are refused', () => {
    expect(() => buildGradientModel(net(6), plain)).toThrow(/operator set 6; Pathlight reads 7 to 26/);
    expect(() => buildGradientModel(net(27), plain)).toThrow(/operator set 27; Pathlight reads 7 to 26/);
    expect(readModel(net(27)).opset).toBe(27);
  });

  it('newer than that are what ONNX Runtime does not promise to load', async () => {
    await expect(openSession(net(27))).rejects.toThrow(/only \*guarantees\* support/);
  });
});
