/**
 * A ResNet-50 and a ViT-B/16 explain end to end, in the engine's own process. Their weights are random, the ResNet sees a small image and
 * the ViT has two of its twelve layers, for the sake of time: npm run -s bench -- gradient explains them whole.
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { EngineClient } from '../../main/engine/client.ts';
import { mapsOf } from '../../main/engine/engine.ts';
import { resnet50, vitB16 } from '../support/classifiers.ts';
import { integralJob } from '../support/integral-job.ts';
import { seededRandom } from '../support/onnx-random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const engine = new EngineClient();
afterAll(() => engine.close());

const classifiers = [
  { id: 'resnet50', shape: [3, 96, 96], build: () => resnet50({ size: 96 }) },
  {
    id: 'resnet50-batch-normalization',
    shape: [3, 64, 64],
    build: () => resnet50({ size: 64, width: 16, batchNormalization: true }),
  },
  { id: 'vit_b_16', shape: [3, 224, 224], build: () => vitB16({ depth: 2 }) },
];

test.each(classifiers)('$id explains, complete within 1 %', async ({ id, shape, build }) => {
  const bytes = build();
  const file = path.join(folder, `${id}.onnx`);
  writeFileSync(file, bytes);
  const model = {
    id,
    file,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    input: { name: 'input', shape },
    output: { name: 'logits', activation: 'softmax' as const },
  };
  const random = seededRandom(id);
  const elements = shape.reduce((product, size) => product * size, 1);
  const x = Float32Array.from({ length: elements }, () => random() * 4 - 2);
  const baseline = new Float32Array(elements);

  const logits = await engine.run(model, x);
  const lowest = logits.indexOf(Math.min(...logits));
  const limits = { mapTolerance: 0.1, maxEvaluations: 129 };
  const job = integralJob({ model, x, baseline, target: lowest, scalar: 'logit', ...limits });
  let last;
  for await (const frame of mapsOf(engine.attribute(job))) last = frame;

  expect(last?.converged).toBe(true);
  expect(last?.fx).toBeCloseTo(logits[lowest] ?? NaN, 4);
  const sum = last?.map.reduce((total, value) => total + value, 0) ?? NaN;
  const difference = (last?.fx ?? NaN) - (last?.fb ?? NaN);
  expect(Math.abs(sum - difference)).toBeLessThanOrEqual(0.011 * Math.max(1, Math.abs(difference)));
});
