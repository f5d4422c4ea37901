import { Tensor } from 'onnxruntime-node';
import { buildGradientModel, checkSupport } from '../../core/autodiff/index.ts';
import type { Provider } from '../../core/contract/device.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import type { GradientMeasurement } from './engine.ts';
import { readExternalFiles, readModelFile } from './model-file.ts';
import { refusal, selfTest } from './self-test.ts';
import { openSession, runSession } from './sessions.ts';

/** The first run allocates and compiles, and does not count. */
const runs = 4;

/**
 * What one gradient of a model takes on a device: the graph is built, opened, and run on random numbers. A device other than the CPU has
 * passed its self-test on the model before.
 * @param file path of an ONNX file that can be explained: its first output by its first input
 * @throws PathlightError `device-refused` with the figures; what building, opening or running the graph throws
 */
export async function measureGradient(file: string, provider: Provider): Promise<GradientMeasurement> {
  const bytes = await readModelFile(file);
  const externalFiles = await readExternalFiles(file, bytes);
  const { inputs, outputs } = checkSupport(bytes, { externalFiles });
  const options = {
    input: inputs[0]?.name ?? '',
    output: outputs[0]?.name ?? '',
    externalFiles,
    elementType: 'float32',
    objective: 'logit',
    activation: 'none',
  } as const;
  const test = provider === 'cpu' ? null : await selfTest(provider, bytes, options);
  const refused = test === null ? null : refusal(provider, test, 'this model');
  if (refused !== null) throw refused;

  const began = performance.now();
  const graph = buildGradientModel(bytes, { ...options, kernels: provider === 'cpu' ? 'cpu' : 'gpu' });
  const session = await openSession(graph.bytes, 'the gradient graph', { provider });
  const openMs = performance.now() - began;
  try {
    const batch = graph.batch === 'dynamic' ? 1 : graph.batch;
    const elements = graph.inputShape.reduce((product, size) => product * size, 1);
    const image = normalNumbers(batch * elements, randomSource(1));
    const seed = new Float32Array(batch * graph.outputCount).fill(1);
    const feeds = {
      [graph.inputName]: new Tensor('float32', image, [batch, ...graph.inputShape]),
      [graph.seedName]: new Tensor('float32', seed, [batch, graph.outputCount]),
    };
    const times: number[] = [];
    for (let run = 0; run < runs; run++) {
      const start = performance.now();
      await runSession(session, feeds, [graph.scalarName, graph.gradientName]);
      times.push((performance.now() - start) / batch);
    }
    const warm = times.slice(1).sort((a, b) => a - b);
    const gradientMs = warm[warm.length >> 1];
    if (gradientMs === undefined) throw new PathlightError('internal', 'Nothing was measured.');
    const peakMB = process.resourceUsage().maxRSS / 1024;
    return { provider, openMs, gradientMs, selfTest: test, peakMB, cost: graph.cost };
  } finally {
    await session.release();
  }
}
