/** Randomised models are run by ONNX Runtime: they must open, answer otherwise than the trained one, and keep the weights' values. */
import { describe, expect, test } from 'vitest';
import { readModel } from '../../core/onnx/file.ts';
import { type RandomisedModel, randomisedModels } from '../../core/onnx/randomise.ts';
import { integers, scalar, type Tensor, tensor } from '../../core/onnx/tensor.ts';
import { declaration, floatTensor, modelBytes, node, numbers, openSession } from '../support/onnx-models.ts';
import { seededRandom } from '../support/onnx-random.ts';

const random = seededRandom('randomise');
const weights = (...shape: number[]): Tensor =>
  tensor(
    'float32',
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random() - 0.5),
  );
/** A stem with its normalisation, two layers of one shape that share their bias, and a head; with a pad and a scale that were not learnt. */
const network = modelBytes({
  inputs: [declaration('image', ['N', 2, 6, 6])],
  outputs: [declaration('logits', ['N', 3])],
  nodes: [
    node('Mul', ['image', 'two'], ['scaled']),
    node('Pad', ['scaled', 'pads', 'padding'], ['padded']),
    node('Conv', ['padded', 'stem', 'stem bias'], ['a']),
    node('BatchNormalization', ['a', 'gain', 'shift', 'mean', 'variance'], ['b']),
    node('Relu', ['b'], ['c']),
    node('Identity', ['bias'], ['same bias']),
    node('Conv', ['c', 'first', 'bias'], ['d']),
    node('Relu', ['d'], ['e']),
    node('Conv', ['e', 'second', 'same bias'], ['f']),
    node('ReduceMean', ['f'], ['g'], { axes: [2, 3], keepdims: 0 }),
    node('Transpose', ['head'], ['turned head'], { perm: [1, 0] }),
    node('Gemm', ['g', 'turned head', 'head bias'], ['logits']),
  ],
  constants: new Map<string, Tensor>([
    ['two', scalar('float32', 2)],
    ['pads', integers([0, 0, 1, 1, 0, 0, 1, 1])],
    ['padding', scalar('float32', 0)],
    ['stem', weights(4, 2, 3, 3)],
    ['stem bias', weights(4)],
    ['gain', weights(4)],
    ['shift', weights(4)],
    ['mean', weights(4)],
    ['variance', tensor('float32', [4], [0.5, 1, 2, 3])],
    ['first', weights(4, 4, 3, 3)],
    ['second', weights(4, 4, 3, 3)],
    ['bias', weights(4)],
    ['head', weights(3, 4)],
    ['head bias', weights(3)],
  ]),
});

interface Written extends Omit<RandomisedModel, 'bytes'> {
  bytes: Uint8Array;
}
/** Written after the last step: what one step wrote must not depend on later ones. */
const cascadeOf = (model: Uint8Array, seed?: number): Written[] =>
  [...randomisedModels(model, seed)].map((step) => ({ ...step, bytes: step.bytes() }));
const steps = cascadeOf(network);
const names = ['Gemm:logits', 'Conv:f', 'Conv:d', 'Conv:a'];

/** The constants that each node reads, through Identity and Transpose, too. */
function inputsOf({ bytes }: { bytes: Uint8Array }): ReadonlyMap<string, readonly (Tensor | undefined)[]> {
  const { nodes, constants } = readModel(bytes).graph;
  const read = (name: string): Tensor | undefined => {
    const maker = nodes.find(({ outputs }) => outputs.includes(name));
    const moves = maker?.operator === 'Identity' || maker?.operator === 'Transpose';
    return constants.get(name) ?? (moves ? read(maker.inputs[0] ?? '') : undefined);
  };
  return new Map(nodes.map(({ name, inputs }) => [name, inputs.map(read)]));
}
const data = (model: { bytes: Uint8Array }, name: string, place: number): number[] => [
  ...(inputsOf(model).get(name)?.[place]?.data ?? []),
];
const trained = { bytes: network };
const sorted = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b);

async function run(model: Uint8Array): Promise<Float64Array> {
  const session = await openSession(model);
  const pixels = seededRandom('image');
  const image = Float32Array.from({ length: 72 }, pixels);
  const results = await session.run({ image: floatTensor('float32', image, [1, 2, 6, 6]) });
  await session.release();
  return numbers(results['logits']);
}

describe('cascading randomisation of the weights', () => {
  test('goes from the last layer to the first, each model keeping the changes before it', () => {
    expect(steps.map(({ layer, randomised, layers }) => [layer, randomised, layers])).toEqual(
      names.map((name, k) => [name, k + 1, 4]),
    );
    const places = names.map((name) => [name, 1] as const);
    steps.forEach((step, k) => {
      places.forEach(([name, place], at) => {
        const now = data(step, name, place);
        if (at > k) expect(now).toEqual(data(trained, name, place));
        else {
          expect(now).not.toEqual(data(trained, name, place));
          expect(now).toEqual(data(steps[at] ?? trained, name, place));
        }
      });
    });
  });

  test('keeps the values of every tensor, and so their distribution; variances stay positive', () => {
    const last = steps.at(-1) ?? trained;
    for (const [name, tensors] of inputsOf(trained)) {
      tensors.forEach((value, place) => {
        if (value === undefined) return;
        expect(sorted(data(last, name, place)), `${name} ${place}`).toEqual(sorted([...value.data]));
      });
    }
    const normalisation = 'BatchNormalization:b';
    const variances = data(last, normalisation, 4);
    expect(sorted(variances)).toEqual([0.5, 1, 2, 3]);
    // The normalisation belongs to the convolution before it: untouched until then.
    expect(data(steps[2] ?? trained, normalisation, 1)).toEqual(data(trained, normalisation, 1));
    expect(data(last, normalisation, 1)).not.toEqual(data(trained, normalisation, 1));
  });

  test('leaves alone what was not learnt: pads, a scale of one element', () => {
    const last = steps.at(-1) ?? trained;
    expect(data(last, 'Pad:padded', 1)).toEqual([0, 0, 1, 1, 0, 0, 1, 1]);
    expect(data(last, 'Mul:scaled', 1)).toEqual([2]);
  });

  test('a bias that two layers share is changed in each with its own layer only', () => {
    const shared = data(trained, 'Conv:d', 2);
    expect(data(steps[1] ?? trained, 'Conv:d', 2)).toEqual(shared);
    expect(sorted(data(steps[1] ?? trained, 'Conv:f', 2))).toEqual(sorted(shared));
  });

  test('two layers of one shape are not permuted alike, as a generator seeded anew for each would do', () => {
    const equal = tensor(
      'float32',
      [4, 4, 3, 3],
      Float32Array.from({ length: 144 }, (_, i) => i),
    );
    const { graph } = readModel(network);
    const twins = modelBytes({
      ...graph,
      constants: new Map([...graph.constants, ['first', equal], ['second', equal]]),
    });
    const last = cascadeOf(twins).at(-1) ?? trained;
    expect(data(last, 'Conv:d', 1)).not.toEqual(data(last, 'Conv:f', 1));
  });

  test('is that of the seed', () => {
    const bytes = (seed: number): Uint8Array[] => cascadeOf(network, seed).map((step) => step.bytes);
    expect(bytes(1)).toEqual(steps.map((step) => step.bytes));
    expect(bytes(2)).not.toEqual(bytes(1));
  });

  test('every model opens in ONNX Runtime and answers otherwise than the one before', async () => {
    let before = await run(network);
    for (const { bytes } of steps) {
      const now = await run(bytes);
      expect(now.every(Number.isFinite)).toBe(true);
      expect(now).not.toEqual(before);
      before = now;
    }
  });

  test('a model without weights is refused', () => {
    const bytes = modelBytes({
      inputs: [declaration('image', ['N', 2])],
      outputs: [declaration('y', ['N', 2])],
      nodes: [node('Relu', ['image'], ['y'])],
    });
    expect(() => [...randomisedModels(bytes)]).toThrow('no layer whose weights');
  });
});
