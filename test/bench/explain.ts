/**
 * npm run -s bench -- explain: what a reader waits for when a sample is explained by the shipped model: the first partial map over one
 * gradient's time, the converged map, and the engine's peak memory. Gradients alone and explanations alternate in one run.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { makeBaseline } from '../../core/attribution/baselines.ts';
import { buildGradientModel } from '../../core/autodiff/index.ts';
import { displayValues } from '../../core/imaging/grayscale.ts';
import { modelInput } from '../../core/imaging/model-input.ts';
import { readFrame } from '../../main/dicom/read.ts';
import { EngineClient } from '../../main/engine/client.ts';
import { mapsOf } from '../../main/engine/engine.ts';
import { differentiableModel } from '../../main/engine/gradient-model.ts';
import { openSession } from '../../main/engine/sessions.ts';
import { shippedCard, shippedModel } from '../support/engine-models.ts';
import { integralJob } from '../support/integral-job.ts';
import { peakMemory } from '../support/process-memory.ts';
import { machine, summarise } from '../support/timing.ts';

const REPEATS = 9;
const TARGET = 1;
const sample = path.resolve(import.meta.dirname, '../../examples/06-pneumonia-cr-jpeg2000.dcm');

const model = shippedModel('pneumonia');
const { input } = shippedCard('pneumonia');
const { frame, grayscale } = await readFrame(sample, 0);
const x = modelInput(displayValues(frame, grayscale), frame.rows, frame.columns, input);
const baseline = makeBaseline('blurred', x, input);

const graph = buildGradientModel(readFileSync(model.file), {
  input: model.input.name,
  output: model.output.name,
  objective: 'logit',
  activation: model.output.activation,
});
const alone = differentiableModel(await openSession(graph.bytes, model.id), graph, TARGET);
const engine = new EngineClient();

async function explain(): Promise<{ firstMap: number; converged: number; evaluations: number }> {
  const start = performance.now();
  let firstMap = NaN;
  let evaluations = 0;
  const job = integralJob({ model, x, baseline, target: TARGET, scalar: 'logit' });
  for await (const map of mapsOf(engine.attribute(job))) {
    if (Number.isNaN(firstMap)) firstMap = performance.now() - start;
    ({ evaluations } = map);
  }
  return { firstMap, converged: performance.now() - start, evaluations };
}

const cold = await explain();
await alone.evaluate(x, 1);
const gradients: number[] = [];
const firstMaps: number[] = [];
const totals: number[] = [];
for (let i = 0; i < REPEATS; i++) {
  const start = performance.now();
  await alone.evaluate(x, 1);
  gradients.push(performance.now() - start);
  const { firstMap, converged } = await explain();
  firstMaps.push(firstMap);
  totals.push(converged);
}
const gradient = summarise(gradients);
const firstMap = summarise(firstMaps);
const converged = summarise(totals);
console.log(
  JSON.stringify(
    {
      bench: 'explain',
      machine: machine(),
      models: [
        {
          id: model.id,
          gradientMs: gradient.median,
          gradientSpreadMs: gradient.spread,
          firstMapMs: firstMap.median,
          firstMapSpreadMs: firstMap.spread,
          ratio: firstMap.median / gradient.median,
          coldFirstMapMs: cold.firstMap,
          convergedMs: converged.median,
          convergedSpreadMs: converged.spread,
          evaluations: cold.evaluations,
          peakMB: peakMemory(engine.pid ?? 0),
          ...(await engine.device()),
        },
      ],
    },
    null,
    1,
  ),
);
await engine.close();
process.exit(0);
