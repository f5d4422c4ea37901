/**
 * npm run -s bench -- gradient [MODEL.onnx …]: what a gradient costs over a forward pass, each at the batch that suits it best, and what
 * opening a model and explaining it takes. Forward and gradient runs alternate in blocks, so that a noisy machine disturbs both alike; medians
 * with the interquartile range. Every model in a process of its own; its memory is that of the engine's process while it explains.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import { readModel } from '../../core/onnx/file.ts';
import { EngineClient } from '../../main/engine/client.ts';
import { type EngineModel, mapsOf } from '../../main/engine/engine.ts';
import { readCheckedModel } from '../../main/engine/model-file.ts';
import { openPrepared, type PreparedGraph, prepareGraph } from '../../main/engine/prepared-graphs.ts';
import { describeDevice, openSession } from '../../main/engine/sessions.ts';
import { resnet50, vitB16 } from '../support/classifiers.ts';
import { integralJob } from '../support/integral-job.ts';
import { peakMemory } from '../support/process-memory.ts';
import { machine, summarise, type Timing } from '../support/timing.ts';

const root = path.resolve(import.meta.dirname, '../..');
const golden = path.resolve(root, '../shared/golden');
/** Forward and gradient runs in turn, several of each: at single ones the threads of the one session hold up the other. */
const BLOCKS = 3;
const REPEATS = 5;
const LOADS = 3;
const BATCHES = [1, 2, 4, 8];

/** Those that are not files are built, with random weights. */
const built: Readonly<Record<string, () => Uint8Array>> = { resnet50, vit_b16: vitB16 };

async function timed(task: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await task();
  return performance.now() - start;
}

function defaultModels(): { id: string; file: string }[] {
  const shipped = ['pneumonia'].map((id) => ({ id, file: path.join(root, 'models', id, 'model.onnx') }));
  const others = ['xrv_densenet121', 'mobilenet_v2', 'efficientnet_b0'].map((id) => ({
    id,
    file: path.join(golden, id, 'model.onnx'),
  }));
  const made = Object.keys(built).map((id) => ({ id, file: '' }));
  return [...[...shipped, ...others].filter(({ file }) => existsSync(file)), ...made];
}

function engineModel(id: string, file: string): EngineModel {
  const bytes = readFileSync(file);
  const { inputs, outputs } = readModel(bytes).graph;
  const shape = inputs[0]?.shape?.slice(1).map(Number) ?? [];
  return {
    id,
    file,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    input: { name: inputs[0]?.name ?? '', shape },
    output: { name: outputs[0]?.name ?? '', activation: 'none' },
  };
}

async function openPlain(model: EngineModel): Promise<InferenceSession> {
  return openSession((await readCheckedModel(model)).bytes, model.id);
}

const device = await describeDevice('cpu');

function prepare(model: EngineModel, folder: string | null): Promise<PreparedGraph> {
  return prepareGraph(model, 'logit', { folder, device });
}

async function openGradient(model: EngineModel, folder: string | null): Promise<InferenceSession> {
  return openPrepared(await prepare(model, folder), model.id, 'cpu');
}

/** Milliseconds to open a model: as it is, differentiated anew, and from the prepared graph. */
async function loads(model: EngineModel, folder: string): Promise<object> {
  const open = async (task: () => Promise<InferenceSession>): Promise<number> => {
    let session: InferenceSession | undefined;
    const time = await timed(async () => (session = await task()));
    await session?.release();
    return time;
  };
  await open(() => openGradient(model, folder));
  const [plain, anew, prepared]: number[][] = [[], [], []];
  for (let i = 0; i < LOADS; i++) {
    plain?.push(await open(() => openPlain(model)));
    anew?.push(await open(() => openGradient(model, null)));
    prepared?.push(await open(() => openGradient(model, folder)));
  }
  const [plainLoadMs, firstLoadMs, loadMs] = [plain, anew, prepared].map(
    (times) => summarise(times ?? []).median,
  );
  return { plainLoadMs, firstLoadMs, loadMs };
}

function best(timings: ReadonlyMap<number, Timing>): { batch: number; timing: Timing } {
  const [first, ...rest] = [...timings].map(([batch, timing]) => ({ batch, timing }));
  if (first === undefined) throw new Error('nothing was measured');
  return rest.reduce((least, next) => (next.timing.median < least.timing.median ? next : least), first);
}

async function measure(id: string, given: string): Promise<object> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pathlight-bench-'));
  try {
    const file = given === '' ? path.join(folder, 'model.onnx') : given;
    if (given === '') writeFileSync(file, built[id]?.() ?? '');
    const model = engineModel(id, file);
    const memory = await memoryOf(model, path.join(folder, 'engine'));
    const opened = await loads(model, path.join(folder, 'prepared'));

    const prepared = await prepare(model, path.join(folder, 'prepared'));
    const { graph } = prepared;
    const { path: names } = graph;
    if (names === null) throw new Error('the graph has no path');
    const [plain, gradient] = [await openPlain(model), await openPrepared(prepared, id, 'cpu')];
    const elements = graph.inputShape.reduce((product, size) => product * size, 1);
    const wave = (images: number): Tensor =>
      new Tensor(
        'float32',
        Float32Array.from({ length: images * elements }, (_, i) => Math.sin(i * 0.37)),
        [images, ...graph.inputShape],
      );
    const forwards = new Map<number, Timing>();
    const gradients = new Map<number, Timing>();
    for (const batch of graph.batch === 'dynamic' ? BATCHES : [graph.batch]) {
      const images = wave(batch);
      const each = (value: (k: number) => number): Tensor =>
        new Tensor(
          'float32',
          Float32Array.from({ length: batch }, (_, k) => value(k)),
          [batch],
        );
      const seed = new Float32Array(batch * graph.outputCount);
      for (let k = 0; k < batch; k++) seed[k * graph.outputCount] = 1;
      const feeds = {
        [names.imageName]: wave(1),
        [names.baselineName]: new Tensor('float32', new Float32Array(elements), [1, ...graph.inputShape]),
        [names.alphasName]: each((k) => (k + 0.5) / batch),
        [names.weightsName]: each(() => 1),
        [graph.seedName]: new Tensor('float32', seed, [batch, graph.outputCount]),
      };
      const runForward = (): Promise<unknown> => plain.run({ [model.input.name]: images });
      const runGradient = (): Promise<unknown> => gradient.run(feeds, [graph.scalarName, names.sumName]);
      const times: [number[], number[]] = [[], []];
      for (let block = 0; block < BLOCKS; block++) {
        for (const [kind, run] of [runForward, runGradient].entries()) {
          // The first run takes the memory of its size, or finds the threads of the other session still awake.
          for (let i = 0; i <= REPEATS; i++) {
            const time = (await timed(run)) / batch;
            if (i > 0) times[kind]?.push(time);
          }
        }
      }
      forwards.set(batch, summarise(times[0]));
      gradients.set(batch, summarise(times[1]));
    }
    await plain.release();
    await gradient.release();
    const [forward, full] = [best(forwards), best(gradients)];
    return {
      id,
      forwardMs: forward.timing.median,
      forwardSpreadMs: forward.timing.spread,
      forwardBatch: forward.batch,
      gradientMs: full.timing.median,
      gradientSpreadMs: full.timing.spread,
      ratio: full.timing.median / forward.timing.median,
      batch: full.batch,
      byBatch: [...gradients].map(([batch, { median }]) => ({
        batch,
        forwardMs: forwards.get(batch)?.median,
        gradientMs: median,
      })),
      ...memory,
      ...opened,
      provider: device.provider,
      threads: device.threads,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of the engine's process, which scores and explains: when it differentiates the model itself, and when it finds the prepared graph. */
async function memoryOf(model: EngineModel, folder: string): Promise<object> {
  const elements = model.input.shape.reduce((product, size) => product * size, 1);
  const x = Float32Array.from({ length: elements }, (_, i) => Math.sin(i * 0.37));
  const tolerances = { gapTolerance: 1e-9, mapTolerance: 1e-9, maxEvaluations: 9 };
  const peaks: (number | null)[] = [];
  for (let start = 0; start < 2; start++) {
    const engine = new EngineClient(undefined, folder);
    await engine.run(model, x);
    const ends = { x, baseline: new Float32Array(elements), target: 0, scalar: 'logit' as const };
    const job = integralJob({ model, ...ends, ...tolerances });
    for await (const map of mapsOf(engine.attribute(job))) if (map.final) break;
    peaks.push(peakMemory(engine.pid ?? 0));
    await engine.close();
  }
  return { firstPeakMB: peaks[0], peakMB: peaks[1] };
}

const [option, ...rest] = process.argv.slice(2);
if (option === '--only') {
  const [id = '', file = ''] = rest;
  console.log(JSON.stringify(await measure(id, file)));
} else {
  const named = process.argv.slice(2).map((file) => ({ id: path.basename(file, '.onnx'), file }));
  const models = (named.length > 0 ? named : defaultModels()).map(({ id, file }): unknown =>
    JSON.parse(
      execFileSync(process.execPath, [import.meta.filename, '--only', id, file], { encoding: 'utf8' }),
    ),
  );
  console.log(JSON.stringify({ bench: 'gradient', machine: machine(), models }, null, 1));
}
