/** What the engine's process asks of models in ONNX form. Their sessions are kept while they are in use, and a few longer. */
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import type { Need } from '../../core/attribution/parameters.ts';
import { throwIfCancelled } from '../../core/attribution/path.ts';
import { buildForwardModel, representationLayer } from '../../core/autodiff/index.ts';
import type { Objective } from '../../core/autodiff/objective.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import type { Seams } from './attribute.ts';
import { measureBatch, usualBatch } from './batch.ts';
import { betweenBatches, inBatches } from './between-batches.ts';
import type { AttributionJob, EngineModel } from './engine.ts';
import { entropyModel } from './entropy.ts';
import { differentiableModel } from './gradient-model.ts';
import { refuseMixedImages } from './mixed-images.ts';
import { type CheckedModel, readCheckedModel } from './model-file.ts';
import { type GraphDescription, openPrepared, prepareGraph } from './prepared-graphs.ts';
import { readRandomised } from './randomised.ts';
import { representationModel } from './representation.ts';
import { scoreOf } from './score.ts';
import { describeDevice, floats, openSession, runSession, Sessions } from './sessions.ts';

interface Forward {
  session: InferenceSession;
  /** Points of one run. */
  batch: 'dynamic' | number;
}

interface Gradients {
  session: InferenceSession;
  graph: GraphDescription;
  batchSize: number;
}

/** Points of a run of a model that takes any number: more at once take no less time each on few cores, and more memory. */
const forwardBatch = 4;

/** How models are read, and what is open of them. */
interface Weights {
  read: (model: EngineModel) => Promise<CheckedModel>;
  forward: Sessions<Forward>;
  gradients: Sessions<Gradients>;
}

function weights(read: Weights['read']): Weights {
  return {
    read,
    forward: new Sessions(4, ({ session }) => session.release()),
    gradients: new Sessions(2, ({ session }) => session.release()),
  };
}

const trained = weights(readCheckedModel);

/** Everything on which what a model computes depends. */
export function keyOf(model: EngineModel): string {
  const { sha256, externalData, input, output, heldInputs } = model;
  return JSON.stringify([sha256, externalData, input, output, heldInputs]);
}

/**
 * @param points [count, elements]
 * @returns [count, labels] the raw output of each point
 * @throws PathlightError as reading, building and running the model say
 */
export async function runOnnx(
  model: EngineModel,
  points: Float32Array,
  count: number,
  { read, forward }: Weights = trained,
): Promise<Float32Array> {
  const open = async (): Promise<Forward> => {
    const { bytes, ends } = await read(model);
    const { bytes: source, batch } = buildForwardModel(bytes, ends);
    return { session: await openSession(source, `model ${model.id}`), batch };
  };
  const { name, shape } = model.input;
  return forward.use(keyOf(model), open, ({ session, batch }) =>
    inBatches(points, count, batch === 'dynamic' ? forwardBatch : batch, async (own, part) => {
      const size = batch === 'dynamic' ? part : batch;
      // A model of a fixed batch gets exactly that, the rest of it filled with zeros.
      const filled = part === size ? own : new Float32Array(size * (own.length / part));
      if (filled !== own) filled.set(own);
      const feeds = { [name]: new Tensor('float32', filled, [size, ...shape]) };
      const output = floats(await runSession(session, feeds, [model.output.name]), model.output.name);
      return output.subarray(0, (output.length / size) * part);
    }),
  );
}

/**
 * Opens what a job needs of its model, and keeps it open until `work` ends.
 * @param folder of prepared graphs; null: none
 * @throws PathlightError `cancelled`; as reading, building and opening the model say
 */
export async function withOnnxModel(
  job: AttributionJob,
  needs: ReadonlySet<Need>,
  folder: string | null,
  signal: AbortSignal,
  work: (seams: Seams) => Promise<void>,
): Promise<void> {
  if (job.randomised === undefined) return withWeights(trained, job, needs, folder, signal, work);
  const drawn = weights(readRandomised(job.randomised));
  try {
    await withWeights(drawn, job, needs, null, signal, work);
  } finally {
    await drawn.forward.close();
    await drawn.gradients.close();
  }
}

async function withWeights(
  of: Weights,
  job: AttributionJob,
  needs: ReadonlySet<Need>,
  folder: string | null,
  signal: AbortSignal,
  work: (seams: Seams) => Promise<void>,
): Promise<void> {
  const { model, scalar, target } = job;
  const { activation } = model.output;
  const use = (
    objective: Objective,
    model: EngineModel,
    withGraph: (gradients: Gradients) => Promise<void>,
  ): Promise<void> =>
    of.gradients.use(
      JSON.stringify([job.provider ?? 'cpu', keyOf(model), objective]),
      () => openGradients(of.read, job, model, objective, folder, signal),
      withGraph,
    );
  const score = scoreOf(job, (points, count) => runOnnx(model, points, count, of));
  const withRepresentation = async (seams: Seams): Promise<void> => {
    if (!needs.has('representation')) return work(seams);
    const representing = await representationOf(model);
    return use('distance', representing, ({ session, graph }) =>
      work({ ...seams, representation: representationModel(session, graph) }),
    );
  };
  const withEntropy = (seams: Seams): Promise<void> => {
    if (!needs.has('entropy')) return withRepresentation(seams);
    return use('negative-entropy', model, ({ session, graph }) =>
      withRepresentation({ ...seams, entropy: entropyModel(session, graph, activation) }),
    );
  };
  await use(scalar, model, ({ session, graph, batchSize }) =>
    withEntropy({
      model: { ...differentiableModel(session, graph, target), score },
      batchSize,
      notes: graph.notes,
    }),
  );
}

/** The model that ends at its representation: the value that its card names, or the last linear layer's input. */
async function representationOf(model: EngineModel): Promise<EngineModel> {
  const { representation, output } = model;
  if (representation !== undefined) return { ...model, output: { ...output, name: representation } };
  const { bytes, ends } = await readCheckedModel(model);
  const name = representationLayer(bytes, ends.output, ends.externalFiles);
  return { ...model, output: { ...output, name } };
}

async function openGradients(
  read: Weights['read'],
  { x, target, provider = 'cpu', randomised }: AttributionJob,
  model: EngineModel,
  objective: Objective,
  folder: string | null,
  signal: AbortSignal,
): Promise<Gradients> {
  /** Time for a cancellation to be read, before the next step keeps the thread for seconds. */
  const goOn = async (): Promise<void> => {
    await betweenBatches();
    throwIfCancelled(signal);
  };
  const device = await describeDevice(provider);
  await goOn();
  const prepared = await prepareGraph(model, objective, { folder, device }, read);
  await goOn();
  const session = await openPrepared(prepared, `the gradient graph of model ${model.id}`, provider);
  const { graph, batch, keepBatch } = prepared;
  try {
    await goOn();
    // Baselines are looked for a point at a time.
    const alone = graph.path === null;
    if (alone || randomised !== undefined || batch !== null) {
      return { session, graph, batchSize: batch ?? usualBatch(graph) };
    }
    const differentiable = differentiableModel(session, graph, target);
    await refuseMixedImages(differentiable);
    if (folder === null) return { session, graph, batchSize: usualBatch(graph) };
    const measured = await measureBatch(differentiable, graph, x, signal);
    await keepBatch(measured);
    return { session, graph, batchSize: measured };
  } catch (error) {
    await session.release();
    throw error;
  }
}

/** @throws PathlightError `bad-request` */
export function checkSize(model: EngineModel, points: Float32Array, count: number): void {
  const elements = model.input.shape.reduce((product, size) => product * size, 1);
  if (points.length !== count * elements) {
    throw new PathlightError(
      'bad-request',
      `Model ${model.id} takes ${model.input.shape.join(' x ')} values, not ${points.length / count}.`,
    );
  }
}
