/**
 * npm run -s bench -- gradient [MODEL.onnx …]: time of a gradient over the time of a forward pass, per image, at the best batch size.
 * Forward and gradient runs alternate, so that a noisy machine disturbs both alike; medians with the interquartile range.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as ort from 'onnxruntime-node';
import { buildGradientModel } from '../../core/autodiff/index.ts';
import { machine, summarise, type Timing } from '../support/timing.ts';

const root = path.resolve(import.meta.dirname, '../..');
const golden = path.resolve(root, '../shared/golden');
const REPEATS = 7;
const BATCHES = [1, 2, 4, 8];

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
  return [...shipped, ...others].filter(({ file }) => existsSync(file));
}

async function measure(id: string, file: string, threads: number): Promise<object> {
  const options = { executionProviders: ['cpu'], intraOpNumThreads: threads };
  const bytes = readFileSync(file);
  const plainStart = performance.now();
  const plain = await ort.InferenceSession.create(bytes, options);
  const plainLoadMs = performance.now() - plainStart;
  const inputName = plain.inputNames[0] ?? '';
  const outputName = plain.outputNames[0] ?? '';
  const start = performance.now();
  const graph = buildGradientModel(bytes, {
    input: inputName,
    output: outputName,
    objective: 'logit',
    activation: 'none',
  });
  const gradient = await ort.InferenceSession.create(graph.bytes, options);
  const loadMs = performance.now() - start;
  const elements = graph.inputShape.reduce((product, size) => product * size, 1);

  let best: { batch: number; forward: Timing; gradient: Timing } | undefined;
  for (const batch of graph.batch === 'dynamic' ? BATCHES : [graph.batch]) {
    const values = Float32Array.from({ length: batch * elements }, (_, i) => Math.sin(i * 0.37));
    const image = new ort.Tensor('float32', values, [batch, ...graph.inputShape]);
    const first = await plain.run({ [inputName]: image });
    const width = first[outputName]?.dims[1] ?? 1;
    const seedValues = new Float32Array(batch * width);
    for (let n = 0; n < batch; n++) seedValues[n * width] = 1;
    const seed = new ort.Tensor('float32', seedValues, [batch, width]);
    const runForward = (): Promise<unknown> => plain.run({ [inputName]: image });
    const runGradient = (): Promise<unknown> =>
      gradient.run({ [graph.inputName]: image, [graph.seedName]: seed });
    await runGradient();
    const forwards: number[] = [];
    const gradients: number[] = [];
    for (let i = 0; i < REPEATS; i++) {
      forwards.push((await timed(runForward)) / batch);
      gradients.push((await timed(runGradient)) / batch);
    }
    const result = { batch, forward: summarise(forwards), gradient: summarise(gradients) };
    if (best === undefined || result.gradient.median < best.gradient.median) best = result;
  }
  await plain.release();
  await gradient.release();
  if (best === undefined) throw new Error(`${id}: nothing measured`);
  return {
    id,
    forwardMs: best.forward.median,
    forwardSpreadMs: best.forward.spread,
    gradientMs: best.gradient.median,
    gradientSpreadMs: best.gradient.spread,
    ratio: best.gradient.median / best.forward.median,
    batch: best.batch,
    peakMB: process.resourceUsage().maxRSS / 1024,
    plainLoadMs,
    loadMs,
    provider: 'cpu',
    threads,
  };
}

const [option, ...rest] = process.argv.slice(2);
if (option === '--only') {
  const [id = '', file = ''] = rest;
  console.log(JSON.stringify(await measure(id, file, os.availableParallelism())));
} else {
  const named = process.argv.slice(2).map((file) => ({ id: path.basename(file, '.onnx'), file }));
  // Each in a process of its own, so that the peak memory is the model's own.
  const models = (named.length > 0 ? named : defaultModels()).map(({ id, file }): unknown =>
    JSON.parse(
      execFileSync(process.execPath, [import.meta.filename, '--only', id, file], { encoding: 'utf8' }),
    ),
  );
  console.log(JSON.stringify({ bench: 'gradient', machine: machine(), models }, null, 1));
}
