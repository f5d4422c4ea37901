/**
 * A method of explanation as the metrics that question it ask it (core/metrics/subject.ts): the same method on other images, with more
 * steps, and of models that have forgotten what they learnt. The engine does the explaining, by the very job that made the map.
 */
import { inputRange } from '../../core/attribution/baseline-kinds.ts';
import { completeMethod, type Parameters } from '../../core/attribution/choices.ts';
import { saysEqualEnds } from '../../core/attribution/path.ts';
import { sumChannels } from '../../core/attribution/sum-channels.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import { modelInput } from '../../core/imaging/model-input.ts';
import type { RandomisedMap } from '../../core/metrics/randomisation.ts';
import type { Explain } from '../../core/metrics/sensitivity.ts';
import type { MethodProbe } from '../../core/metrics/subject.ts';
import { randomisedModels } from '../../core/onnx/randomise.ts';
import { encodeJpeg } from '../dicom/codecs/encode-jpeg.ts';
import { decodeJpeg } from '../dicom/codecs/jpeg.ts';
import { type AttributionJob, type Engine, type EngineAttribution, mapsOf } from '../engine/engine.ts';
import { readCheckedModel } from '../engine/model-file.ts';
import type { Displayed } from './images.ts';

export interface ProbeOptions {
  /** How the model takes a picture. */
  input: ModelCard['input'];
  /** What the job's image was made of; null: it is not encoded anew. */
  displayed: Displayed | null;
  /** [pixels] what the method has made of the job's image, where that is known: it is not made again. */
  map?: Float32Array;
  /** Of the JPEG, 1 to 100; by default 75, the reproducibility study's. */
  quality?: number;
  /**
   * How many models a cascade has: spread evenly over the layers, the last of them with every layer randomised. Each is a gradient graph to
   * build. By default 5; the metrics read the last alone.
   */
  stages?: number;
  /** Of the noise. */
  seed: number;
  /** Of the randomised weights; by default `seed`. One for all images has them explained by the same models, which stay open meanwhile. */
  weightsSeed?: number;
  signal?: AbortSignal;
}

/**
 * @param job that made the map; its image is the probe's
 * @returns rejects as reading the model does; `unsupported` where the picture cannot be encoded. `finer` is null for a method without
 *   steps, `randomised` for a model in TensorFlow.js form
 */
export async function methodProbe(
  engine: Engine,
  job: AttributionJob,
  { input, displayed, map, quality = 75, stages = 5, seed, weightsSeed = seed, signal }: ProbeOptions,
): Promise<MethodProbe> {
  const { x } = job;
  const pixels = input.height * input.width;
  const { lowest, highest } = inputRange(input);
  const attributed = async (of: AttributionJob): Promise<EngineAttribution> => {
    for await (const frame of mapsOf(engine.attribute({ ...of, measureSum: false }, signal))) {
      if (frame.final) return frame;
    }
    throw new PathlightError('engine', 'The computation ended before its final map', 'Start it again.');
  };
  const mapOf = (of: AttributionJob): ReturnType<Explain> =>
    orNone(async () => sumChannels((await attributed(of)).map, pixels));

  return {
    x,
    range: [lowest.reduce((a, b) => Math.min(a, b)), highest.reduce((a, b) => Math.max(a, b))],
    explain: once((of) => (of === x && map !== undefined ? Promise.resolve(map) : mapOf({ ...job, x: of }))),
    finer: finerOf(job, attributed, mapOf),
    reencoded: displayed === null ? null : await reencoded(displayed, input, quality),
    randomised: isOnnx(job) ? () => cascadeOf(job, mapOf, stages, weightsSeed) : null,
    seed,
    ...(signal === undefined ? {} : { signal }),
  };
}

/** null where a changed image or model meets its own baseline, as one made for an undecided model may be. */
async function orNone<T>(explain: () => Promise<T>): Promise<T | null> {
  try {
    return await explain();
  } catch (error) {
    if (saysEqualEnds(error)) return null;
    throw error;
  }
}

/** Explains an image once, as long as it is at hand: several metrics ask for the same ones. A failure is not kept. */
function once(explain: Explain): Explain {
  const known = new WeakMap<Float32Array, ReturnType<Explain>>();
  return (x) => {
    const map = known.get(x) ?? explain(x);
    known.set(x, map);
    map.catch(() => known.delete(x));
    return map;
  };
}

function isOnnx({ model: { format = 'onnx' } }: AttributionJob): boolean {
  return format === 'onnx';
}

/** The same method with twice the steps; null where it has none, or may not have so many. */
function finerOf(
  job: AttributionJob,
  attributed: (of: AttributionJob) => Promise<EngineAttribution>,
  mapOf: (of: AttributionJob) => ReturnType<Explain>,
): Explain | null {
  const { id, parameters } = completeMethod(job.method, job.scalar);
  if (id === 'integrated-gradients') {
    // It stops by itself: twice the steps is the level after the one that it stopped at.
    return async (x) => {
      const { nodes } = await attributed({ ...job, x });
      if (nodes === null)
        throw new PathlightError('internal', 'An integral did not say how many nodes it took');
      const finer = { rule: 'trapezoid', nodes: 2 * nodes - 1 };
      return mapOf({ ...job, x, method: { id: 'integrated-gradients-fixed', parameters: finer } });
    };
  }
  const doubled = twiceTheSteps(parameters);
  if (doubled === null) return null;
  const method = { id, parameters: doubled };
  try {
    completeMethod(method, job.scalar);
  } catch (error) {
    if (error instanceof PathlightError && error.kind === 'bad-request') return null;
    throw error;
  }
  return (x) => mapOf({ ...job, x, method });
}

/** Intervals between nodes, steps along a path, draws: whatever a method calls what it takes more of to be finer. */
function twiceTheSteps(parameters: Parameters): Parameters | null {
  const { nodes } = parameters;
  if (typeof nodes === 'number') return { ...parameters, nodes: 2 * nodes - 1 };
  for (const name of ['steps', 'samples', 'roots'] as const) {
    const value = parameters[name];
    if (typeof value === 'number') return { ...parameters, [name]: 2 * value };
  }
  return null;
}

/** The displayed picture in 8 bits, through JPEG and back, as the model takes it. */
async function reencoded(
  { display, rows, columns }: Displayed,
  input: ModelCard['input'],
  quality: number,
): Promise<Float32Array> {
  const grey = Uint8Array.from(display, (value) => Math.round(255 * Math.min(1, Math.max(0, value))));
  const bytes = await encodeJpeg(grey, rows, columns, quality);
  const decoded = await decodeJpeg(bytes, { rows, columns });
  return modelInput(
    Float32Array.from(decoded, (value) => value / 255),
    rows,
    columns,
    input,
  );
}

async function* cascadeOf(
  job: AttributionJob,
  mapOf: (of: AttributionJob) => ReturnType<Explain>,
  stages: number,
  seed: number,
): AsyncGenerator<RandomisedMap, void, undefined> {
  const { bytes, ends } = await readCheckedModel(job.model);
  const names = Array.from(randomisedModels(bytes, seed, ends.externalFiles), ({ layer }) => layer);
  for (const layers of evenDepths(names.length, stages)) {
    const map = await mapOf({ ...job, randomised: { layers, seed } });
    yield { layer: names[layers - 1] ?? '', map };
  }
}

/** Numbers of layers from 1 to all of them, evenly; of one stage, all. */
function evenDepths(layers: number, stages: number): number[] {
  const count = Math.min(layers, stages);
  return Array.from({ length: count }, (_, i) =>
    count === 1 ? layers : Math.round(1 + (i * (layers - 1)) / (count - 1)),
  );
}
