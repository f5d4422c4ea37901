/** Whether a device computes what the CPU computes: the same points of the same model on both. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import * as v from 'valibot';
import { buildGradientModel, type GradientModel, type GradientOptions } from '../../core/autodiff/index.ts';
import type { Provider, DeviceTest } from '../../core/contract/device.ts';
import { PathlightError, toErrorReport } from '../../core/contract/errors.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { floats, openSession, runSession } from './sessions.ts';

/**
 * How far the gradient of a device may be from the CPU's at half of the points. Two correct devices round their sums
 * differently, and where a ReLU is that near to 0 it falls to the other side: the CPU itself, given another order of the same
 * sums, is off by up to 0.3 % in DenseNet-121 (docs/gpu.md has the figures).
 */
const tolerance = 1e-2;
/**
 * At the best of the points, where no ReLU does, and of the outputs, which hardly feel it, nothing but rounding is left: 1e-7
 * to 1e-6. A kernel that is wrong, or that rounds to 10 bits, is far above this at every point.
 */
const roundingTolerance = 1e-3;

const points = 6;
/** Where the graph takes any number: more than one, so that a kernel that mixes images up shows. */
const pointsAtOnce = 2;

/** The figures of a refusal stand in its message. */
export function refusal(name: string, test: DeviceTest, model: string): PathlightError | null {
  // Whatever is not a number fails.
  if (test.error <= test.tolerance && test.rounding <= test.roundingTolerance) return null;
  const figures =
    `they differ by ${percent(test.error)} (at most ${percent(test.tolerance)} is allowed), ` +
    `where they agree best by ${percent(test.rounding)} (at most ${percent(test.roundingTolerance)})`;
  return new PathlightError(
    'device-refused',
    `${name} computes other numbers than the CPU for ${model}: ${figures}`,
    'Compute on the CPU. A newer driver may help.',
  );
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
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
): Promise<DeviceTest> {
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
    return { ...compared(expected, given), tolerance, roundingTolerance, ...(await placement(folder)) };
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

/** At each point. */
interface Answer {
  outputs: Float32Array;
  gradient: Float32Array;
}

async function runAndRelease(session: InferenceSession, graph: GradientModel): Promise<Answer[]> {
  try {
    const batch = graph.batch === 'dynamic' ? pointsAtOnce : graph.batch;
    const elements = graph.inputShape.reduce((product, size) => product * size, 1);
    const labels = graph.outputCount;
    const random = randomSource(1);
    const answers: Answer[] = [];
    while (answers.length < points) {
      const results = await runSession(
        session,
        {
          [graph.inputName]: new Tensor('float32', normalNumbers(batch * elements, random), [
            batch,
            ...graph.inputShape,
          ]),
          [graph.seedName]: new Tensor('float32', normalNumbers(batch * labels, random), [batch, labels]),
        },
        [graph.outputName, graph.gradientName],
      );
      const outputs = floats(results, graph.outputName);
      const gradient = floats(results, graph.gradientName);
      for (let at = 0; at < batch; at++) {
        answers.push({
          outputs: outputs.slice(at * labels, (at + 1) * labels),
          gradient: gradient.slice(at * elements, (at + 1) * elements),
        });
      }
    }
    session.endProfiling();
    return answers;
  } finally {
    await session.release();
  }
}

function compared(
  expected: readonly Answer[],
  given: readonly Answer[],
): Pick<DeviceTest, 'error' | 'rounding'> {
  const distances = (of: keyof Answer): number[] =>
    expected.map((answer, at) => distance(answer[of], given[at]?.[of] ?? new Float32Array()));
  const gradients = distances('gradient').sort((a, b) => a - b);
  return {
    // A single one that is not a number makes it none.
    error: gradients.every(Number.isFinite) ? (gradients[gradients.length >> 1] ?? NaN) : NaN,
    rounding: Math.max(Math.min(...gradients), ...distances('outputs')),
  };
}

/** |b - a| / |a|; 0 where both are 0 everywhere. */
function distance(a: Float32Array, b: Float32Array): number {
  let [difference, size] = [0, 0];
  a.forEach((value, at) => {
    difference += (value - (b[at] ?? NaN)) ** 2;
    size += value ** 2;
  });
  return difference === 0 ? 0 : Math.sqrt(difference / size);
}

const EventSchema = v.object({
  cat: v.literal('Node'),
  name: v.pipe(v.string(), v.endsWith('_kernel_time')),
  args: v.object({ provider: v.string(), node_index: v.string() }),
});

/** Where the nodes were executed, each counted once, from the profile that ONNX Runtime wrote of all runs. */
async function placement(folder: string): Promise<Pick<DeviceTest, 'nodes' | 'fallbackNodes'>> {
  const [file = ''] = await readdir(folder);
  const events = v.parse(
    v.pipe(v.string(), v.parseJson(), v.array(v.unknown())),
    await readFile(path.join(folder, file), 'utf8'),
  );
  const providers = new Map(
    events
      .filter((event) => v.is(EventSchema, event))
      .map(({ name, args }) => [`${args.node_index} ${name}`, args.provider]),
  );
  return {
    nodes: providers.size,
    fallbackNodes: [...providers.values()].filter((provider) => provider === 'CPUExecutionProvider').length,
  };
}
