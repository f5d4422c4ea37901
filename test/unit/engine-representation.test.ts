import { expect, test } from 'vitest';
import { buildGradientModel } from '../../core/autodiff/index.ts';
import { tensor } from '../../core/onnx/tensor.ts';
import { representationModel } from '../../main/engine/representation.ts';
import { declaration, modelBytes, node, openSession } from '../support/onnx-models.ts';

test.each(['N', 2])('representations and distances of three images, in batches of %s', async (batch) => {
  const bytes = modelBytes({
    nodes: [node('MatMul', ['x', 'w'], ['y'])],
    constants: new Map([['w', tensor('float32', [2, 2], [1, 2, 0, -1])]]),
    inputs: [declaration('x', [batch, 2])],
    outputs: [declaration('y', [batch, 2])],
  });
  const ends = { input: 'x', output: 'y', objective: 'distance', activation: 'none' } as const;
  const graph = buildGradientModel(bytes, ends);
  const model = representationModel(await openSession(graph.bytes), graph);
  expect(model).toMatchObject({ shape: [2], size: 2 });
  const points = Float32Array.from([1, 1, 2, 0, 0, 3]);
  expect([...(await model.represent(points, 3))]).toEqual([1, 1, 2, 4, 0, -3]);
  const { distance, gradient } = await model.distance(points, 3, Float32Array.from([0, 0, 2, 4, 1, 0]));
  expect([...distance]).toEqual([2, 0, 10]);
  expect([...gradient]).toEqual([6, -2, 0, 0, -14, 6]);
  // Between batches there is time for what comes in.
  let answered = false;
  setTimeout(() => (answered = true), 1);
  await model.represent(points, 3);
  expect(answered).toBe(true);
});
