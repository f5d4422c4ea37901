/**
 * npm run -s bench -- methods: what every method takes on a sample by the shipped classifier, at its defaults, over Integrated Gradients in the same
 * run. Methods take turns, so that a busy moment falls on all alike. The references are three samples of the other class.
 */
import path from 'node:path';
import { METHOD_IDS, type MethodId } from '../../core/attribution/methods.ts';
import { displayValues } from '../../core/imaging/grayscale.ts';
import { modelInput } from '../../core/imaging/model-input.ts';
import { readFrame } from '../../main/dicom/read.ts';
import { EngineClient } from '../../main/engine/client.ts';
import { type EngineAttribution, mapsOf } from '../../main/engine/engine.ts';
import { shippedCard, shippedModel } from '../support/engine-models.ts';
import { machine, summarise } from '../support/timing.ts';

const ROUNDS = 3;
const TARGET = 1;
const SAMPLE = '06-pneumonia-cr-jpeg2000.dcm';
/** The samples that the model calls otherwise and that hold no marker. */
const REFERENCES = ['01-normal-dx.dcm', '02-normal-cr-monochrome1.dcm', '03-normal-dx-rle.dcm'];

const model = shippedModel('pneumonia');
const { input } = shippedCard('pneumonia');
const folder = path.resolve(import.meta.dirname, '../../examples');

async function inputOf(name: string): Promise<Float32Array> {
  const { frame, grayscale } = await readFrame(path.join(folder, name), 0);
  return modelInput(displayValues(frame, grayscale), frame.rows, frame.columns, input);
}

const x = await inputOf(SAMPLE);
const references = await Promise.all(REFERENCES.map(inputOf));
const engine = new EngineClient();

async function run(id: MethodId): Promise<{ milliseconds: number; last: EngineAttribution }> {
  const start = performance.now();
  let last: EngineAttribution | null = null;
  const job = {
    model,
    x,
    input,
    target: TARGET,
    scalar: 'logit',
    method: { id, parameters: {} },
    baseline: { id: 'blurred', parameters: {} },
    references,
  } as const;
  for await (const map of mapsOf(engine.attribute(job))) last = map;
  if (last === null) throw new Error(`${id} gave no map`);
  return { milliseconds: performance.now() - start, last };
}

await run('integrated-gradients');
const times = new Map<MethodId, number[]>(METHOD_IDS.map((id) => [id, []]));
const maps = new Map<MethodId, EngineAttribution>();
for (let round = 0; round < ROUNDS; round++) {
  for (const [id, taken] of times) {
    const { milliseconds, last } = await run(id);
    taken.push(milliseconds);
    maps.set(id, last);
  }
}
const plain = summarise(times.get('integrated-gradients') ?? []).median;
console.log(
  JSON.stringify(
    {
      bench: 'methods',
      machine: machine(),
      model: model.id,
      methods: METHOD_IDS.map((id) => {
        const { median, spread } = summarise(times.get(id) ?? []);
        const map = maps.get(id);
        return {
          id,
          evaluations: map?.evaluations,
          ms: median,
          spreadMs: spread,
          overIntegratedGradients: median / plain,
          msPerEvaluation: median / (map?.evaluations ?? NaN),
          sum: map?.sum,
          expectedSum: map?.expectedSum,
        };
      }),
    },
    null,
    1,
  ),
);
await engine.close();
process.exit(0);
