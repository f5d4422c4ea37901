/**
 * The one way from an image to its explanation, for the window, the command line and the audit: decode, model input,
 * prediction, Integrated Gradients, lung check, flags.
 */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { blurSigma } from '../../core/attribution/baselines.ts';
import type { Scalar } from '../../core/attribution/model.ts';
import { sumChannels } from '../../core/attribution/sum-channels.ts';
import type { AgreementHeader, AssessmentHeader, Frame, MapHeader } from '../../core/contract/calls.ts';
import { type DeviceInfo, type Provider, PROVIDERS } from '../../core/contract/device.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import type {
  BaselineName,
  Convergence,
  ExplanationResult,
  LungCheck,
  Prediction,
} from '../../core/contract/result.ts';
import { displayOfModelInput } from '../../core/imaging/model-input.ts';
import { resizeTriangle } from '../../core/imaging/resample.ts';
import { type Agreement, agreementOf } from '../../core/metrics/agreement.ts';
import { flagsOf } from '../../core/metrics/flags.ts';
import { lungCheck } from '../../core/metrics/lung-check.ts';
import { type Engine, mapsOf } from '../engine/engine.ts';
import type { ResultKey, ResultStore } from '../store/results.ts';
import { ByteCache, MemoCache } from './byte-cache.ts';
import { createImages, type FrameOf, type Images } from './images.ts';
import { modelSha256 } from './model-sha256.ts';
import type { ModelCatalogue, UsableModel } from './models.ts';
import { predictionOf, targetOf } from './prediction.ts';
import { type ApplicationVersion, codeIdentity } from './root.ts';

export interface ExplanationRequest extends FrameOf {
  model: string;
  /** null: the card's positive label. */
  target: string | null;
  scalar: Scalar;
  baseline: BaselineName;
}

/** A finished explanation: the result, and the arrays that stand beside it. */
export interface Explanation {
  result: ExplanationResult;
  /** [height, width] attribution, channels summed, signed, in units of the scalar. */
  map: Float32Array;
  height: number;
  width: number;
  /** [height, width] lung probability; null without a lungs model. */
  lungs: { card: ModelCard; probability: Float32Array } | null;
}

/** The integral's own part: what takes long, and is kept. */
interface Integral extends Convergence {
  map: Float32Array;
  seconds: number;
  notes: readonly string[];
  batch: number;
}

export interface AnalysisOptions {
  engine: Engine;
  models: ModelCatalogue;
  /** What gradients are computed on; asked anew for each explanation. By default the CPU. */
  provider?: () => Promise<Provider>;
  /** null: nothing is kept from one session to the next. */
  store: ResultStore | null;
  app: ApplicationVersion;
}

/** The defaults: when a map counts as converged, and when to give up. */
const TOLERANCES = { gapTolerance: 0.01, mapTolerance: 0.05, maxEvaluations: 513 } as const;

const EXPLANATION_BUDGET = 128 * 2 ** 20;
const LUNGS_BUDGET = 32 * 2 ** 20;
const OUTPUT_BUDGET = 2 ** 20;

const KeptSchema = v.object({
  fx: v.nullable(v.number()),
  fb: v.nullable(v.number()),
  gap: v.nullable(v.number()),
  gapRelative: v.nullable(v.number()),
  gapBound: v.nullable(v.number()),
  mapChange: v.nullable(v.number()),
  evaluations: v.number(),
  converged: v.boolean(),
  seconds: v.number(),
  notes: v.array(v.string()),
  batch: v.number(),
});

/** Everything that an explanation needs before its first gradient. */
interface Prepared {
  request: ExplanationRequest;
  model: UsableModel;
  input: Float32Array;
  prediction: Prediction;
  target: { label: string; index: number };
  device: DeviceInfo;
  parameters: ExplanationResult['parameters'];
  imageSha256: string;
  key: ResultKey;
}

export class Analysis {
  readonly images: Images = createImages();
  readonly #engine: Engine;
  readonly #models: ModelCatalogue;
  readonly #provider: () => Promise<Provider>;
  readonly #store: ResultStore | null;
  readonly app: ApplicationVersion;
  readonly #code = codeIdentity();
  readonly #finished = new ByteCache<Explanation>(EXPLANATION_BUDGET);
  readonly #outputs = new MemoCache<Float32Array>(OUTPUT_BUDGET, (output) => output.byteLength);
  readonly #lungs = new MemoCache<Float32Array>(LUNGS_BUDGET, (probability) => probability.byteLength);

  constructor({ engine, models, provider, store, app }: AnalysisOptions) {
    this.#provider = provider ?? (() => Promise.resolve('cpu'));
    this.#engine = engine;
    this.#models = models;
    this.#store = store;
    this.app = app;
  }

  async predict(of: FrameOf, model: string): Promise<Prediction> {
    const usable = await this.#classifier(model);
    return predictionOf(usable.card, await this.#output(of, usable));
  }

  /**
   * Yields the map after every batch, then the assessment. An explanation that was finished before, in this session or,
   * with a store, in an earlier one, is yielded at once as its final map and its assessment.
   */
  async *explain(
    request: ExplanationRequest,
    signal?: AbortSignal,
  ): AsyncGenerator<Frame<MapHeader | AssessmentHeader>, Explanation, undefined> {
    const explanation = yield* this.#maps(request, signal);
    yield assessment(explanation);
    return explanation;
  }

  /** The maps of several baselines, each followed by its assessment, then how far they agree. */
  async *compare(
    request: Omit<ExplanationRequest, 'baseline'>,
    baselines: readonly BaselineName[],
    signal?: AbortSignal,
  ): AsyncGenerator<Frame<MapHeader | AssessmentHeader | AgreementHeader>, void, undefined> {
    const explanations: Explanation[] = [];
    for (const baseline of baselines) {
      const explanation = yield* this.#maps({ ...request, baseline }, signal);
      yield assessment(explanation);
      explanations.push(explanation);
    }
    yield { header: { type: 'agreement', agreement: agreementBetween(explanations) } };
  }

  /** Yields the maps on the way to an explanation, or the final one alone where it is known. */
  async *#maps(
    request: ExplanationRequest,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Frame<MapHeader>, Explanation, undefined> {
    const prepared = await this.#prepare(request);
    throwIfCancelled(signal);
    const name = nameOf(prepared.key);
    const finished = this.#finished.get(name);
    if (finished !== undefined) {
      const own = ofFile(finished, request);
      yield finalMap(own);
      return own;
    }
    const kept = this.#kept(prepared);
    const integral = kept ?? (yield* this.#integrate(prepared, signal));
    const explanation = await this.#assess(prepared, integral);
    this.#finished.set(name, explanation, bytesOf(explanation));
    if (kept !== undefined) yield finalMap(explanation);
    return explanation;
  }

  /** An explanation made before in this session, or undefined. */
  async finished(request: ExplanationRequest): Promise<Explanation | undefined> {
    const finished = this.#finished.get(nameOf((await this.#prepare(request)).key));
    return finished && ofFile(finished, request);
  }

  /** Decodes ahead of need; what goes wrong shows when the image's turn comes. */
  prefetch(of: FrameOf, contract: ModelCard['input']): void {
    this.images.input(of, contract).catch(() => undefined);
  }

  async #classifier(id: string): Promise<UsableModel> {
    const model = await this.#models.find(id);
    if (model.card.task === 'classification') return model;
    throw new PathlightError(
      'bad-request',
      `The model '${id}' draws regions: it has no score to explain`,
      'Choose a classification model.',
    );
  }

  async #output(of: FrameOf, { card, engine }: UsableModel): Promise<Float32Array> {
    const key = `${await this.images.identity(of)} ${JSON.stringify(card.input)} ${modelSha256(card)}`;
    return this.#outputs.get(key, async () =>
      this.#engine.run(engine, await this.images.input(of, card.input)),
    );
  }

  async #prepare(request: ExplanationRequest): Promise<Prepared> {
    const model = await this.#classifier(request.model);
    const { card } = model;
    const [input, imageSha256, device] = await Promise.all([
      this.images.input(request, card.input),
      this.images.sha256(request.image),
      this.#provider().then((provider) => this.#engine.device(provider, model.engine)),
    ]);
    const prediction = predictionOf(card, await this.#output(request, model));
    const target = targetOf(card, request.target, prediction);
    const parameters = parametersOf(card, request.baseline);
    const { scalar, baseline, frame, transform } = request;
    // The self-test's figures say how good the map is, not which map it is.
    const computer = { ...device, selfTest: null };
    const key: ResultKey = {
      image: imageSha256,
      frame,
      model: modelSha256(card),
      parameters: sha256(
        JSON.stringify([
          card.input,
          card.heldInputs,
          card.output,
          target.index,
          scalar,
          baseline,
          parameters,
          computer,
          transform,
        ]),
      ),
      app: this.#code,
    };
    return { request, model, input, prediction, target, device, parameters, imageSha256, key };
  }

  async *#integrate(
    prepared: Prepared,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Frame<MapHeader>, Integral, undefined> {
    const { model, input, target, parameters, request, device } = prepared;
    const { gapTolerance, mapTolerance, maxEvaluations } = parameters;
    const { height, width } = model.card.input;
    // TensorFlow.js has chosen by itself.
    const provider = PROVIDERS.find((each) => each === device.provider);
    const job = {
      model: model.engine,
      ...(provider === undefined ? {} : { provider }),
      x: input,
      input: model.card.input,
      target: target.index,
      scalar: request.scalar,
      method: {
        id: 'integrated-gradients' as const,
        parameters: { gapTolerance, mapTolerance, maxEvaluations },
      },
      baseline: { id: request.baseline, parameters: {} },
    };
    for await (const { map, notes, batch, ...frame } of mapsOf(this.#engine.attribute(job, signal))) {
      const { evaluations, final, seconds, secondsLeft } = frame;
      const convergence = convergenceOf({ ...frame, converged: frame.converged ?? false });
      const nodes = frame.nodes ?? evaluations;
      const state = {
        ...convergence,
        nodes,
        maxEvaluations: frame.maxEvaluations,
        final,
        seconds,
        secondsLeft,
      };
      const summed = sumChannels(map, height * width);
      yield { header: { type: 'map', baseline: request.baseline, height, width, ...state }, data: summed };
      if (!state.final) continue;
      const integral = { ...convergence, map: summed, seconds, notes, batch };
      this.#keep(prepared, integral);
      return integral;
    }
    throw new PathlightError('engine', 'The computation ended before its final map', 'Start it again.');
  }

  #keep({ key }: Prepared, { map, ...rest }: Integral): void {
    this.#store?.put(key, { json: JSON.stringify(rest), map });
  }

  #kept({ key, model }: Prepared): Integral | undefined {
    const stored = this.#store?.get(key);
    if (stored === undefined) return undefined;
    const { height, width } = model.card.input;
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), KeptSchema), stored.json);
    if (!parsed.success || stored.map.length !== height * width) return undefined;
    return { ...parsed.output, map: stored.map };
  }

  async #assess(prepared: Prepared, integral: Integral): Promise<Explanation> {
    const { request, model, prediction, target, device, parameters, imageSha256, input } = prepared;
    const { card } = model;
    const { height, width } = card.input;
    const { map, seconds, notes, batch } = integral;
    const lungs = await this.lungs(request, height, width);
    const check: LungCheck | null =
      lungs === null
        ? null
        : {
            ...lungCheck(map, lungs.probability, displayOfModelInput(input, card.input), height, width),
            model: { id: lungs.card.id, sha256: modelSha256(lungs.card) },
          };
    const { entry } = request.image;
    const facts: Omit<ExplanationResult, 'flags'> = {
      image: {
        file: entry.file,
        frame: request.frame,
        sopInstanceUid: entry.sopInstanceUid,
        sha256: imageSha256,
      },
      model: { id: card.id, sha256: modelSha256(card) },
      prediction,
      target: target.label,
      scalar: request.scalar,
      method: 'integrated-gradients',
      quadrature: 'nested-trapezoid',
      baseline: request.baseline,
      parameters,
      ...convergenceOf(integral),
      device,
      batch,
      lungs: check,
      notes: [...notes],
      seconds,
      app: this.app,
    };
    return {
      result: {
        ...facts,
        flags: flagsOf(facts, {
          map,
          height,
          width,
          lungs: lungs?.probability ?? null,
          modality: { image: entry.modality, card: card.input.modalities },
          imageWarnings: entry.warnings,
          givesLogits: card.output.activation !== 'none',
        }),
      },
      map,
      height,
      width,
      lungs,
    };
  }

  /** Lung probability of the frame at the given size; null where no segmentation model knows lungs. */
  async lungs(
    of: FrameOf,
    height: number,
    width: number,
  ): Promise<{ card: ModelCard; probability: Float32Array } | null> {
    const model = await this.#models.lungs();
    if (model === undefined) return null;
    const { card, engine } = model;
    const key = `${await this.images.identity(of)} ${modelSha256(card)}`;
    const own = await this.#lungs.get(key, async () => {
      const output = await this.#engine.run(engine, await this.images.input(of, card.input));
      if (output.length !== card.input.height * card.input.width) {
        throw new PathlightError(
          'model-refused',
          `The model '${card.id}' gives ${output.length} numbers; expected one a pixel of its input`,
          'Use a model whose output has the size of its input.',
        );
      }
      return card.output.activation === 'sigmoid'
        ? output.map((logit) => 1 / (1 + Math.exp(-logit)))
        : output;
    });
    return { card, probability: resizeTriangle(own, card.input.height, card.input.width, height, width) };
  }
}

/** An explanation is known by the content that it is of: another file may hold the same. */
function ofFile(explanation: Explanation, { image: { entry } }: ExplanationRequest): Explanation {
  const { result } = explanation;
  const image = { ...result.image, file: entry.file, sopInstanceUid: entry.sopInstanceUid };
  return { ...explanation, result: { ...result, image } };
}

export function parametersOf(card: ModelCard, baseline: BaselineName): ExplanationResult['parameters'] {
  return { ...TOLERANCES, blurSigma: baseline === 'blurred' ? blurSigma(card.input) : null };
}

export function agreementBetween(explanations: readonly Explanation[]): Agreement {
  return agreementOf(explanations.map(({ result, map }) => ({ baseline: result.baseline, map })));
}

function finalMap({ result, map, height, width }: Explanation): Frame<MapHeader> {
  return {
    header: {
      type: 'map',
      baseline: result.baseline,
      height,
      width,
      ...convergenceOf(result),
      nodes: result.evaluations,
      maxEvaluations: result.parameters.maxEvaluations,
      final: true,
      seconds: result.seconds,
      secondsLeft: 0,
    },
    data: map,
  };
}

function assessment({ result, height, width, lungs }: Explanation): Frame<AssessmentHeader> {
  return {
    header: { type: 'assessment', height, width, lungs: result.lungs, flags: result.flags, result },
    data: lungs?.probability ?? new Float32Array(),
  };
}

/** The named fields alone, whatever else the object holds. */
function convergenceOf(state: Convergence): Convergence {
  const { fx, fb, gap, gapRelative, gapBound, mapChange, evaluations, converged } = state;
  return { fx, fb, gap, gapRelative, gapBound, mapChange, evaluations, converged };
}

function bytesOf({ map, lungs }: Explanation): number {
  return map.byteLength + (lungs?.probability.byteLength ?? 0);
}

function nameOf(key: ResultKey): string {
  return JSON.stringify(key);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new PathlightError('cancelled', 'Cancelled');
}
