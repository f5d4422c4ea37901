/** Whether a device computes what the CPU computes: the same points of the same model on both. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import * as v from 'valibot';
import { buildGradientModel, type GradientModel, type GradientOptions } from '../../core/autodiff/index.ts';
import type { Provider, SelfTest } from '../../core/contract/device.ts';
import { PathlightError, toErrorReport } from '../../core/contract/errors.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { floats, openSession, runSession } from './sessions.ts';

/**
 * What a device may be off by. Two correct devices differ by how they round float32 sums: 1e-7 to 1e-6 on the nets of the
 * tests, more in deep ones, where a ReLU near 0 falls to the other side here and there. One that computes in TensorFloat-32
 * or half precision, with 10 bits of 23, is off by some percent, a wrong kernel by more. docs/gpu.md has the figures.
 */
const tolerance = 1e-3;

/** Points where the graph takes any number: more than one, so that a kernel that mixes images up shows. */
const pointsAtOnce = 2;

/** The figure of a refusal stands in its message. */
export function refusal(name: string, test: SelfTest, model: string): PathlightError | null {
  // Whatever is not a number fails.
  if (test.error <= test.tolerance && test.p99 <= test.tolerance) return null;
  return new PathlightError(
    'device-refused',
    `${name} computes other numbers than the CPU for ${model}: they differ by ${percent(test.error)} (99 % of the gradient by less than ${percent(test.p99)} of its greatest), where ${percent(test.tolerance)} is allowed`,
    'Compute on the CPU. A newer driver may help.',
  );
}

function percent(share: number): string {
  return `${(100 * share).toPrecision(2)} %`;
}

/**
 * Runs the gradient graph at random points, with random weights of the outputs, on the CPU and on the device.
 * @param model an ONNX file
 * @param options its ends, and what is explained of it
 * @returns the figures, whatever they are
 * @throws PathlightError `device-refused` where the device cannot run the graph; what a model throws that cannot be explained
 */
export async function selfTest(
  provider: Provider,
  model: Uint8Array,
  options: GradientOptions,
): Promise<SelfTest> {
  const usual = buildGradientModel(model, options);
  const onCpu = await openSession(usual.bytes, 'the gradient graph');
  const expected = await runAndRelease(onCpu, usual);
  const forDevice = buildGradientModel(model, { ...options, kernels: 'gpu' });
  const folder = await mkdtemp(path.join(os.tmpdir(), 'pathlight-device-'));
  try {
    const session = await openSession(forDevice.bytes, 'the gradient graph', {
      provider,
      profile: path.join(folder, 'run'),
    });
    const given = await runAndRelease(session, forDevice);
    return { ...compared(expected, given), tolerance, ...(await placement(folder)) };
  } catch (error) {
    throw new PathlightError(
      'device-refused',
      `${provider} cannot compute this gradient: ${toErrorReport(error).message}`,
      'Compute on the CPU.',
      { cause: error },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Answer {
  outputs: Float32Array;
  gradient: Float32Array;
}

async function runAndRelease(session: InferenceSession, graph: GradientModel): Promise<Answer> {
  try {
    const images = graph.batch === 'dynamic' ? pointsAtOnce : graph.batch;
    const elements = graph.inputShape.reduce((product, size) => product * size, 1);
    const random = randomSource(1);
    const points = normalNumbers(images * elements, random);
    const weights = normalNumbers(images * graph.outputCount, random);
    const results = await runSession(
      session,
      {
        [graph.inputName]: new Tensor('float32', points, [images, ...graph.inputShape]),
        [graph.seedName]: new Tensor('float32', weights, [images, graph.outputCount]),
      },
      [graph.outputName, graph.gradientName],
    );
    session.endProfiling();
    return { outputs: floats(results, graph.outputName), gradient: floats(results, graph.gradientName) };
  } finally {
    await session.release();
  }
}

function compared(expected: Answer, given: Answer): Pick<SelfTest, 'error' | 'p99'> {
  const apart = expected.gradient.map((value, at) => Math.abs(value - (given.gradient[at] ?? NaN))).sort();
  const greatest = expected.gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return {
    error: Math.max(distance(expected.outputs, given.outputs), distance(expected.gradient, given.gradient)),
    p99: (apart[Math.floor(0.99 * (apart.length - 1))] ?? NaN) / greatest,
  };
}

/** |b - a| / |a|; not a number where a is 0 everywhere, which is no test. */
function distance(a: Float32Array, b: Float32Array): number {
  let [difference, size] = [0, 0];
  a.forEach((value, at) => {
    difference += (value - (b[at] ?? NaN)) ** 2;
    size += value ** 2;
  });
  return Math.sqrt(difference / size);
}

const EventSchema = v.object({
  cat: v.literal('Node'),
  name: v.pipe(v.string(), v.endsWith('_kernel_time')),
  args: v.object({ provider: v.string() }),
});

/** Where the nodes of one run were executed, from the profile that ONNX Runtime wrote. */
async function placement(folder: string): Promise<Pick<SelfTest, 'nodes' | 'fallbackNodes'>> {
  const [file = ''] = await readdir(folder);
  const events = v.parse(
    v.pipe(v.string(), v.parseJson(), v.array(v.unknown())),
    await readFile(path.join(folder, file), 'utf8'),
  );
  const nodes = events.filter((event) => v.is(EventSchema, event));
  return {
    nodes: nodes.length,
    fallbackNodes: nodes.filter(({ args }) => args.provider === 'CPUExecutionProvider').length,
  };
}
