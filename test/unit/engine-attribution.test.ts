/** Every method and every baseline in the engine's own process, held against the same run in this one. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import {
  BASELINE_IDS,
  type BaselineId,
  type BaselineKind,
  baselineKinds,
} from '../../core/attribution/baseline-kinds.ts';
import { METHOD_IDS, methods } from '../../core/attribution/methods.ts';
import { explainedScalar } from '../../core/attribution/explained-scalar.ts';
import { buildGradientModel, representationLayer } from '../../core/autodiff/index.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { randomisedModels } from '../../core/onnx/randomise.ts';
import { attribute, type Seams } from '../../main/engine/attribute.ts';
import type { EngineProcess } from '../../main/app/app-interface.ts';
import { EngineClient } from '../../main/engine/client.ts';
import {
  type AttributionJob,
  type EngineAttribution,
  type EngineModel,
  mapsOf,
} from '../../main/engine/engine.ts';
import { entropyModel } from '../../main/engine/entropy.ts';
import { differentiableModel } from '../../main/engine/gradient-model.ts';
import { withOnnxModel } from '../../main/engine/onnx-models.ts';
import type { FromEngine } from '../../main/engine/protocol.ts';
import { representationModel } from '../../main/engine/representation.ts';
import { forkEngine } from '../../main/engine/spawn.ts';
import { quick } from '../support/attribution-tasks.ts';
import { distance } from '../support/distance.ts';
import { declaration, drawnWeights, modelBytes, node, openSession } from '../support/onnx-models.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const engine = new EngineClient();
afterAll(() => engine.close());
afterEach(() => vi.restoreAllMocks());

const side = 12;
const weights = drawnWeights(3);
/** Smooth, so that no unit's sign hangs on the last bit of a sum. */
const bytes = modelBytes({
  nodes: [
    node('Conv', ['image', 'kernels'], ['c'], { pads: [1, 1, 1, 1], strides: [2, 2] }),
    node('Tanh', ['c'], ['t']),
    node('Flatten', ['t'], ['features']),
    node('Gemm', ['features', 'layer', 'bias'], ['logits']),
  ],
  inputs: [declaration('image', ['N', 1, side, side])],
  outputs: [declaration('logits', ['N', 2])],
  constants: new Map([
    ['kernels', weights([4, 1, 3, 3], 0.5)],
    ['layer', weights([144, 2], 0.2)],
    ['bias', weights([2], 1)],
  ]),
});
const file = path.join(temporaryFolder(), 'model.onnx');
writeFileSync(file, bytes);
const model: EngineModel = {
  id: 'tiny',
  file,
  sha256: createHash('sha256').update(bytes).digest('hex'),
  input: { name: 'image', shape: [1, side, side] },
  output: { name: 'logits', activation: 'softmax' },
};
const picture = (seed: number): Float32Array =>
  normalNumbers(side * side, randomSource(seed)).map((value) => Math.max(-2, Math.min(2, value)));
const base: AttributionJob = {
  model,
  x: picture(1),
  input: { channels: 1, height: side, width: side, mean: 0.5, std: 0.25 },
  target: 1,
  scalar: 'logit',
  method: { id: 'integrated-gradients-fixed', parameters: { nodes: 6 } },
  baseline: { id: 'black', parameters: {} },
  references: [picture(2), picture(3)],
  image: picture(4),
};

/** What the engine's process gives: the last map. */
async function fromEngine(job: AttributionJob): Promise<EngineAttribution> {
  return last(await Array.fromAsync(mapsOf(engine.attribute(job))));
}

function last(frames: readonly EngineAttribution[]): EngineAttribution {
  const frame = frames.at(-1);
  if (frame === undefined) throw new Error('no map came');
  return frame;
}

/** The same in this process, on sessions of its own. */
async function here(job: AttributionJob, of = bytes): Promise<EngineAttribution> {
  const ends = { input: 'image', output: 'logits', activation: 'softmax' } as const;
  const open = async (options: Parameters<typeof buildGradientModel>[1]) => {
    const graph = buildGradientModel(of, options);
    return { session: await openSession(graph.bytes), graph };
  };
  const scored = await open({ ...ends, objective: job.scalar });
  const entropy = await open({ ...ends, objective: 'negative-entropy' });
  const distances = await open({ ...ends, output: representationLayer(of, 'logits'), objective: 'distance' });
  const differentiable = differentiableModel(scored.session, scored.graph, job.target);
  const seams: Seams = {
    model: {
      ...differentiable,
      score: async (points, count) => (await differentiable.evaluate(points, count)).f,
    },
    batchSize: 3,
    notes: [],
    entropy: entropyModel(entropy.session, entropy.graph, 'softmax'),
    representation: representationModel(distances.session, distances.graph),
  };
  return last(await Array.fromAsync(mapsOf(attribute(job, seams, new AbortController().signal))));
}

describe.each(METHOD_IDS)('%s', (id) => {
  const job: AttributionJob = { ...base, method: { id, parameters: quick[id] } };

  test('is the same map as in this process, with what it should sum to', async () => {
    const [there, own] = [await fromEngine(job), await here(job)];
    expect(distance(there.map, own.map)).toBeLessThan(1e-4);
    expect(there.sum).toBeCloseTo(own.sum, 4);
    expect(there.expectedSum === null).toBe(own.expectedSum === null);
    if (there.expectedSum !== null) expect(there.expectedSum).toBeCloseTo(own.expectedSum ?? NaN, 4);
    expect(there.evaluations).toBe(own.evaluations);
    expect(there).toMatchObject({ final: true, secondsLeft: 0 });
    const hasCriterion = ['integrated-gradients'].includes(id);
    expect(there.converged !== null).toBe(hasCriterion);
    expect((await fromEngine(job)).map).toEqual(there.map);
  });

  test('explains a probability', async () => {
    const probability: AttributionJob = { ...job, scalar: 'probability' };
    expect(distance((await fromEngine(probability)).map, (await here(probability)).map)).toBeLessThan(1e-4);
  });

  test('refuses a parameter that it does not have, by name', async () => {
    const wrong = { ...job, method: { id, parameters: { ...quick[id], flavour: 3 } } };
    await expect(engine.attribute(wrong).next()).rejects.toMatchObject({
      kind: 'bad-request',
      message: expect.stringContaining(`There is no parameter 'flavour'; ${methods[id].name} has `) as string,
    });
  });
});

const quickBaselines: Readonly<Partial<Record<BaselineId, Record<string, unknown>>>> = {
  uniform: { count: 3, seed: 7 },
  gaussian: { count: 3, seed: 7 },
  'maximum-entropy': { steps: 5 },
  counterfactual: { steps: 5, step: 0.25 },
};

test.each(BASELINE_IDS)(
  'from the baseline %s: the same pictures and the same map as in this process',
  async (id) => {
    const parameters = quickBaselines[id] ?? {};
    const job: AttributionJob = { ...base, baseline: { id, parameters } };
    const [there, own] = [await fromEngine(job), await here(job)];
    const [made, expected] = [there.baselines ?? [], own.baselines ?? []];
    expect(made.length).toBeGreaterThan(0);
    expect(made.length).toBe(expected.length);
    for (const [k, baseline] of expected.entries()) {
      expect(distance(made[k]?.image ?? [], baseline.image)).toBeLessThan(1e-4);
      expect(Object.keys(made[k]?.findings ?? {})).toEqual(Object.keys(baseline.findings));
    }
    expect(distance(there.map, own.map)).toBeLessThan(1e-4);
    const kind: BaselineKind = baselineKinds[id];
    expect((there.spread?.runs ?? 1) > 1).toBe(kind.several);
    expect(there.baselineEvaluations > 0).toBe(['maximum-entropy', 'counterfactual'].includes(id));
  },
);

test('a baseline that takes gradients says how far it has come before the first map', async () => {
  const events = await Array.fromAsync(
    engine.attribute({ ...base, baseline: { id: 'counterfactual', parameters: { steps: 5, step: 0.25 } } }),
  );
  const progress = events.filter(({ type }) => type === 'progress');
  expect(events.slice(0, progress.length)).toEqual(progress);
  expect(progress.at(-1)).toEqual({ type: 'progress', evaluations: 10, maxEvaluations: 10 });
});

test('a method that needs no baseline gets none', async () => {
  const frame = await fromEngine({ ...base, method: { id: 'gradient', parameters: {} } });
  expect(frame).toMatchObject({ baselines: [], expectedSum: null, fx: null });
});

test('convergence is that of all runs, around whatever method', async () => {
  const inner = { method: 'integrated-gradients', parameters: { maxEvaluations: 65 } };
  const method = { id: 'smoothgrad' as const, parameters: { samples: 3, deviation: 0.05, around: inner } };
  expect(await fromEngine({ ...base, method })).toMatchObject({
    converged: true,
    spread: { runs: 3, converged: 3 },
  });
  const hopeless = { ...inner, parameters: { maxEvaluations: 5, gapTolerance: 0, mapTolerance: 0 } };
  const around = { ...method, parameters: { ...method.parameters, around: hopeless } };
  expect(await fromEngine({ ...base, method: around })).toMatchObject({
    converged: false,
    spread: { converged: 0 },
  });
});

test('an integral that stops by itself says nothing of the time left before two levels are compared', async () => {
  const method = { id: 'integrated-gradients', parameters: {} } as const;
  const frames = await Array.fromAsync(mapsOf(engine.attribute({ ...base, method })));
  const first = frames.filter(({ mapChange }) => mapChange === null);
  expect(first.length).toBeGreaterThan(1);
  expect(first.every(({ secondsLeft }) => secondsLeft === null)).toBe(true);
});

describe('what is missing or does not fit is named', () => {
  const bare: AttributionJob = { ...base };
  delete bare.references;
  delete bare.image;
  test.each([
    [
      'a cohort',
      { method: { id: 'expected-gradients', parameters: {} } },
      /Expected gradients needs: at least one reference image/,
    ],
    [
      'images of another class',
      { method: { id: 'ig2', parameters: {} } },
      /IG2 needs: at least one reference image/,
    ],
    [
      'a cohort of the baseline',
      { baseline: { id: 'cohort-mean', parameters: {} } },
      /Mean of a cohort needs: at least one reference/,
    ],
    ['an image', { baseline: { id: 'image', parameters: {} } }, /An image of your own needs: an image/],
    ['any baseline', { baseline: null }, /fixed rule needs: a baseline/],
    [
      'a parameter of a baseline',
      { baseline: { id: 'uniform', parameters: { count: 0 } } },
      /Uniform noise: count is a whole number from 1 to /,
    ],
    [
      'a parameter of a method beneath',
      { method: { id: 'xrai', parameters: { around: { method: 'ig2', parameters: { steps: 0 } } } } },
      /IG2: steps is a whole number from 1 to /,
    ],
  ] as const)('%s', async (_, changed, message) => {
    await expect(engine.attribute({ ...bare, ...changed }).next()).rejects.toMatchObject({
      kind: 'bad-request',
      message: expect.stringMatching(message) as string,
    });
  });

  test('a representation that the card names, and the model does not have', async () => {
    const job: AttributionJob = {
      ...base,
      model: { ...model, representation: 'nix' },
      method: { id: 'ig2', parameters: quick.ig2 },
    };
    await expect(engine.attribute(job).next()).rejects.toMatchObject({
      message: expect.stringContaining('"nix"') as string,
    });
    const named = { ...job, model: { ...model, representation: 'features' } };
    expect((await fromEngine(named)).map).toEqual((await fromEngine({ ...job, model })).map);
  });
});

/** An engine, and what its process sends of its first request, whether anybody still listens or not. */
function overheard(): {
  engine: EngineClient;
  sent: { evaluations: number; error: string | null };
} {
  const sent: { evaluations: number; error: string | null } = { evaluations: 0, error: null };
  const spawn = (): EngineProcess => {
    const process = forkEngine();
    const onMessage: EngineProcess['onMessage'] = (listener) => {
      process.onMessage((message) => {
        const { id, ...reply } = message as FromEngine;
        if (id === 1 && 'item' in reply) sent.evaluations = reply.item.evaluations;
        if (id === 1 && 'error' in reply) sent.error = reply.error.kind;
        listener(message);
      });
    };
    return { ...process, onMessage };
  };
  return { engine: new EngineClient(spawn), sent };
}

test.each([
  ['a method', { method: { id: 'smoothgrad', parameters: { samples: 4096 } } }],
  ['a baseline', { baseline: { id: 'maximum-entropy', parameters: { steps: 10_000, rate: 1e-9 } } }],
] as const)('%s is cancelled on its way, and the next job gets its turn', async (_, endless) => {
  const { engine, sent } = overheard();
  const cancellation = new AbortController();
  const read = async (): Promise<void> => {
    for await (const { evaluations } of engine.attribute({ ...base, ...endless }, cancellation.signal)) {
      if (evaluations >= 3) cancellation.abort();
    }
  };
  await expect(read()).rejects.toMatchObject({ kind: 'cancelled' });
  expect((await Array.fromAsync(engine.attribute(base))).at(-1)).toMatchObject({ final: true });
  await engine.close();
  // The engine itself stopped, and did not go on for nobody.
  expect(sent.error).toBe('cancelled');
  expect(sent.evaluations).toBeLessThan(4000);
});

test.each([
  ['before its graph is made', 0],
  ['before its graph is opened', 1],
  ['before batches are timed', 2],
  ['while batches are timed', 5],
])('a job that is cancelled %s ends there', async (_, checks) => {
  const prepared = path.join(path.dirname(file), `prepared-${checks}`);
  let left = checks;
  const signal = Object.defineProperty(new AbortController().signal, 'aborted', { get: () => left-- <= 0 });
  const job: AttributionJob = { ...base, scalar: 'probability' };
  const work = vi.fn<() => Promise<void>>();
  await expect(withOnnxModel(job, new Set(), prepared, signal, work)).rejects.toMatchObject({
    kind: 'cancelled',
  });
  expect(work).not.toHaveBeenCalled();
  const descriptions = existsSync(prepared)
    ? readdirSync(prepared).filter((name) => name.endsWith('.json'))
    : [];
  expect(descriptions).toHaveLength(checks === 0 ? 0 : 1);
  for (const name of descriptions) {
    expect(JSON.parse(readFileSync(path.join(prepared, name), 'utf8'))).toMatchObject({ batch: null });
  }
});

describe('weights drawn anew', () => {
  test('give the map of the randomised model, the same from the same seed', async () => {
    const job: AttributionJob = { ...base, randomised: { layers: 2, seed: 5 } };
    const randomised = [...randomisedModels(bytes, 5)][1]?.bytes();
    const there = await fromEngine(job);
    expect(distance(there.map, (await here(job, randomised)).map)).toBeLessThan(1e-4);
    expect((await fromEngine(job)).map).toEqual(there.map);
    expect(distance(there.map, (await fromEngine(base)).map)).toBeGreaterThan(0.1);
  });

  test('are let go with the job', async () => {
    const onCpu = await openSession(bytes);
    const release = vi.spyOn(Object.getPrototypeOf(onCpu) as typeof onCpu, 'release');
    const job: AttributionJob = { ...base, randomised: { layers: 2, seed: 5 } };
    const { signal } = new AbortController();
    let scores: ArrayLike<number> = [];
    await withOnnxModel(job, new Set(), null, signal, async ({ model }) => {
      scores = (await model.score?.(base.x, 1)) ?? scores;
      expect(release).not.toHaveBeenCalled();
    });
    expect(scores).toHaveLength(1);
    // Of its scores, and of its gradients.
    expect(release).toHaveBeenCalledTimes(2);
  });

  test('of more layers than there are, is refused', async () => {
    const job = { ...base, randomised: { layers: 3, seed: 5 } };
    await expect(engine.attribute(job).next()).rejects.toMatchObject({
      message: expect.stringContaining('has 2 layers') as string,
    });
  });
});

test('many points are run in batches, each as alone', async () => {
  const points = [1, 2, 3, 4, 5, 6].map(picture);
  const together = await engine.run(model, Float32Array.from(points.flatMap((point) => [...point])), 6);
  expect(together).toHaveLength(12);
  for (const [k, point] of points.entries()) {
    const alone = await engine.run(model, point);
    alone.forEach((value, label) => expect(together[2 * k + label]).toBeCloseTo(value, 5));
    const [other = NaN, logit = NaN] = alone;
    expect(explainedScalar(alone, 1, 'probability', 'softmax')).toBeCloseTo(
      1 / (1 + Math.exp(other - logit)),
      6,
    );
  }
});
