/**
 * The one way from an image to its explanation, for the window, the command line and the audit: decode, model input,
 * prediction, attribution, lung check, flags.
 */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { type BaselineId, type BaselineKind, baselineKinds } from '../../core/attribution/baseline-kinds.ts';
import { type Choice, completeBaseline, completeMethod, needsOf } from '../../core/attribution/choices.ts';
import { type MethodId, methods } from '../../core/attribution/methods.ts';
import type { Scalar } from '../../core/attribution/model.ts';
import type { Need } from '../../core/attribution/parameters.ts';
import { throwIfCancelled } from '../../core/attribution/path.ts';
import { sumChannels } from '../../core/attribution/sum-channels.ts';
import type {
  AgreementHeader,
  AssessmentHeader,
  Frame,
  MapHeader,
  PreparationHeader,
} from '../../core/contract/calls.ts';
import { type DeviceInfo, type Provider, PROVIDERS } from '../../core/contract/device.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import type {
  Convergence,
  ExplanationResult,
  LungCheck,
  MapSummary,
  Prediction,
} from '../../core/contract/result.ts';
import { displayOfModelInput } from '../../core/imaging/model-input.ts';
import { resizeTriangle } from '../../core/imaging/resample.ts';
import { type Agreement, agreementOf } from '../../core/metrics/agreement.ts';
import { flagsOf } from '../../core/metrics/flags.ts';
import { lungCheck } from '../../core/metrics/lung-check.ts';
import type { AttributionJob, Engine } from '../engine/engine.ts';
import type { ResultKey, ResultStore } from '../store/results.ts';
import { ByteCache, MemoCache } from './byte-cache.ts';
import { type Cohort, gatherCohort } from './cohort.ts';
import { createImages, type FrameOf, type Images } from './images.ts';
import { modelSha256 } from './model-sha256.ts';
import type { ModelCatalogue, UsableModel } from './models.ts';
import { predictionOf, targetOf } from './prediction.ts';
import { attributionEntries } from './result-schema.ts';
import { type ApplicationVersion, codeIdentity } from './root.ts';

export interface ExplanationRequest extends FrameOf {
  model: string;
  /** null: the card's positive label. */
  target: string | null;
  scalar: Scalar;
  method: Choice<MethodId>;
  /** null where the method needs none; there any other is ignored. */
  baseline: Choice<BaselineId> | null;
  /** DICOM to compare with, for methods and baselines that need other images. */
  cohort: { folder: string } | null;
  /** For the baseline `image`. */
  baselineImage: FrameOf | null;
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
  /** [channels, height, width] the baseline, of several the first, in the model's input units; null where there is none. */
  baseline: Float32Array | null;
  /** Of the last level; null of a method without levels. */
  nodes: number | null;
}

/** The attribution's own part: what takes long, and is kept. */
interface Attribution extends Convergence, MapSummary {
  map: Float32Array;
  baseline: Float32Array | null;
  baselineFindings: Readonly<Record<string, number>>[];
  baselineEvaluations: number;
  nodes: number | null;
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

const EXPLANATION_BUDGET = 128 * 2 ** 20;
const LUNGS_BUDGET = 32 * 2 ** 20;
const OUTPUT_BUDGET = 2 ** 20;

const KeptSchema = v.object({
  ...attributionEntries,
  nodes: v.nullable(v.number()),
  seconds: v.number(),
  notes: v.array(v.string()),
  batch: v.number(),
});

/** What was asked for, and what is known of it before other images are looked at. */
interface Started {
  request: ExplanationRequest;
  model: UsableModel;
  input: Float32Array;
  prediction: Prediction;
  target: { label: string; index: number };
  device: DeviceInfo;
  asked: Asked;
  /** The chosen baseline image, and what the model is given of it. */
  own: { of: NonNullable<ExplanationResult['baselineImage']>; input: Float32Array } | null;
  imageSha256: string;
}

/** Everything that an explanation needs before its first gradient. */
interface Prepared extends Started {
  cohort: Cohort | null;
  key: ResultKey;
}

/** A method and a baseline with every parameter, and what they need besides the image. */
interface Asked {
  method: Choice<MethodId>;
  baseline: Choice<BaselineId> | null;
  needs: ReadonlySet<Need>;
}

export class Analysis {
  readonly images: Images = createImages();
  readonly #engine: Engine;
  readonly #models: ModelCatalogue;
  readonly #provider: () => Promise<Provider>;
  readonly #store: ResultStore | null;
  readonly app: ApplicationVersion;
  readonly #code = codeIdentity();
  /** The latest by what was asked for, a cohort by its folder; and what it was made from. */
  readonly #finished = new ByteCache<{ of: string; explanation: Explanation }>(EXPLANATION_BUDGET);
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
  ): AsyncGenerator<Frame<PreparationHeader | MapHeader | AssessmentHeader>, Explanation, undefined> {
    const explanation = yield* this.#maps(request, signal);
    yield assessment(explanation);
    return explanation;
  }

  /** The maps of several baselines, each followed by its assessment, then how far they agree. */
  async *compare(
    request: Omit<ExplanationRequest, 'baseline'>,
    baselines: readonly Choice<BaselineId>[],
    signal?: AbortSignal,
  ): AsyncGenerator<
    Frame<PreparationHeader | MapHeader | AssessmentHeader | AgreementHeader>,
    void,
    undefined
  > {
    const explanations: Explanation[] = [];
    for (const baseline of baselines) {
      const explanation = yield* this.#maps({ ...request, baseline }, signal);
      yield assessment(explanation);
      explanations.push(explanation);
    }
    yield { header: { type: 'agreement', agreement: agreementBetween(explanations) } };
  }

  /** Yields what precedes the maps and the maps on the way to an explanation, or the final one alone where it is known. */
  async *#maps(
    request: ExplanationRequest,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Frame<PreparationHeader | MapHeader>, Explanation, undefined> {
    const prepared = yield* this.#prepare(request, signal);
    throwIfCancelled(signal);
    const name = this.#nameOf(prepared);
    const of = JSON.stringify(prepared.key);
    const finished = this.#finished.get(name);
    const known = finished?.of === of;
    const kept = known ? undefined : this.#kept(prepared);
    const explanation = known
      ? asAskedFor(finished.explanation, prepared, prepared.cohort?.use ?? null)
      : await this.#assess(prepared, kept ?? (yield* this.#attribute(prepared, signal)));
    this.#finished.set(name, { of, explanation }, bytesOf(explanation));
    if (known || kept !== undefined) yield finalMap(explanation, request);
    return explanation;
  }

  /** The latest explanation made of this in this session, or undefined. The folder of a cohort is not looked at again. */
  async finished(request: ExplanationRequest): Promise<Explanation | undefined> {
    const started = await this.#start(request);
    const explanation = this.#finished.get(this.#nameOf(started))?.explanation;
    return explanation && asAskedFor(explanation, started, explanation.result.cohort);
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

  async *#prepare(
    request: ExplanationRequest,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Frame<PreparationHeader>, Prepared, undefined> {
    const started = await this.#start(request);
    const cohort = yield* this.#cohort(started, signal);
    return { ...started, cohort, key: this.#keyOf(started, cohort?.use.images) };
  }

  async #start(request: ExplanationRequest): Promise<Started> {
    const model = await this.#classifier(request.model);
    const { card } = model;
    const asked = askedOf(request, card);
    const [input, imageSha256, device] = await Promise.all([
      this.images.input(request, card.input),
      this.images.sha256(request.image),
      this.#provider().then((provider) => this.#engine.device(provider, model.engine)),
    ]);
    const prediction = predictionOf(card, await this.#output(request, model));
    const target = targetOf(card, request.target, prediction);
    const own = asked.needs.has('image') ? await this.#ownBaseline(request, card) : null;
    return { request, model, input, prediction, target, device, asked, own, imageSha256 };
  }

  /** @param cohort the content of the images compared with, or their folder */
  #keyOf(
    { request, model: { card }, target, device, asked, own, imageSha256 }: Started,
    cohort: readonly string[] | string | undefined,
  ): ResultKey {
    // The self-test's figures say how good the map is, not which map it is.
    const computer = { ...device, selfTest: null };
    return {
      image: imageSha256,
      frame: request.frame,
      model: modelSha256(card),
      parameters: sha256(
        JSON.stringify([
          card.input,
          card.heldInputs,
          card.output,
          card.representation,
          target.index,
          request.scalar,
          asked.method,
          asked.baseline,
          cohort,
          own === null ? null : [own.of.sha256, own.of.frame],
          computer,
          request.transform,
        ]),
      ),
      app: this.#code,
    };
  }

  /** What was asked for. */
  #nameOf(started: Started): string {
    const { asked, request } = started;
    const folder = asked.needs.has('references') ? request.cohort?.folder : undefined;
    return JSON.stringify(this.#keyOf(started, folder));
  }

  async *#cohort(
    { request: { cohort }, model, asked: { needs, baseline }, imageSha256, prediction }: Started,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Frame<PreparationHeader>, Cohort | null, undefined> {
    if (!needs.has('references') || cohort === null) return null;
    const gathering = gatherCohort(
      this.images,
      {
        folder: cohort.folder,
        except: imageSha256,
        contract: model.card.input,
        // What follows the model's representation leads to images that it calls otherwise.
        otherThan: needs.has('representation')
          ? {
              label: prediction.label,
              of: async (image) => predictionOf(model.card, await this.#output(image, model)).label,
            }
          : null,
      },
      signal,
    );
    for (;;) {
      const { done, value } = await gathering.next();
      if (done === true) return value;
      yield { header: { type: 'preparation', step: 'cohort', baseline, ...value } };
    }
  }

  async #ownBaseline(
    { baselineImage }: ExplanationRequest,
    card: ModelCard,
  ): Promise<NonNullable<Prepared['own']> | null> {
    if (baselineImage === null) return null;
    const [input, digest] = await Promise.all([
      this.images.input(baselineImage, card.input),
      this.images.sha256(baselineImage.image),
    ]);
    const { file } = baselineImage.image.entry;
    return { of: { file, frame: baselineImage.frame, sha256: digest }, input };
  }

  async *#attribute(
    prepared: Prepared,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Frame<PreparationHeader | MapHeader>, Attribution, undefined> {
    const { model, input, target, asked, request, device, cohort, own } = prepared;
    const { height, width } = model.card.input;
    const { method, baseline } = asked;
    // TensorFlow.js has chosen by itself.
    const provider = PROVIDERS.find((each) => each === device.provider);
    const job: AttributionJob = {
      model: model.engine,
      ...(provider === undefined ? {} : { provider }),
      x: input,
      input: model.card.input,
      target: target.index,
      scalar: request.scalar,
      method,
      baseline,
      ...(cohort === null ? {} : { references: cohort.references }),
      ...(own === null ? {} : { image: own.input }),
    };
    for await (const event of this.#engine.attribute(job, signal)) {
      if (event.type === 'progress') {
        const { evaluations: done, maxEvaluations: total } = event;
        yield { header: { type: 'preparation', step: 'baseline', baseline, done, total, unreadable: [] } };
        continue;
      }
      const { nodes, final, seconds, secondsLeft, baselines, baselineEvaluations, notes, batch } = event;
      const map = sumChannels(event.map, height * width);
      const state = { ...convergenceOf(event), ...summaryOf(event) };
      const timing = { nodes, final, seconds, secondsLeft };
      const requested = baseline === null ? null : request.baseline;
      yield { header: { type: 'map', baseline: requested, height, width, ...state, ...timing }, data: map };
      if (!final) continue;
      const made = baselines ?? [];
      const attribution = {
        ...state,
        map,
        baseline: made[0]?.image ?? null,
        baselineFindings: made.map(({ findings }) => findings),
        ...{ baselineEvaluations, nodes, seconds, notes, batch },
      };
      this.#keep(prepared, attribution);
      return attribution;
    }
    throw new PathlightError('engine', 'The computation ended before its final map', 'Start it again.');
  }

  /** The map, and behind it the baseline, where there is one. */
  #keep({ key }: Prepared, { map, baseline, ...rest }: Attribution): void {
    const values = new Float32Array(map.length + (baseline?.length ?? 0));
    values.set(map);
    if (baseline !== null) values.set(baseline, map.length);
    this.#store?.put(key, { json: JSON.stringify(rest), map: values });
  }

  #kept({ key, model, asked }: Prepared): Attribution | undefined {
    const stored = this.#store?.get(key);
    if (stored === undefined) return undefined;
    const { channels, height, width } = model.card.input;
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), KeptSchema), stored.json);
    const pixels = height * width;
    const baseline = asked.baseline === null ? null : stored.map.slice(pixels);
    if (!parsed.success || stored.map.length !== pixels + (baseline === null ? 0 : channels * pixels)) {
      return undefined;
    }
    return { ...parsed.output, map: stored.map.slice(0, pixels), baseline };
  }

  async #assess(prepared: Prepared, attribution: Attribution): Promise<Explanation> {
    const { request, model, prediction, target, device, asked, imageSha256, input, cohort, own } = prepared;
    const { card } = model;
    const { height, width } = card.input;
    const { map, baseline, baselineFindings, baselineEvaluations, nodes, seconds, notes, batch } =
      attribution;
    const { method } = asked;
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
      method: method.id,
      quadrature: method.id === 'integrated-gradients' ? 'nested-trapezoid' : null,
      parameters: method.parameters,
      baseline: asked.baseline?.id ?? null,
      baselineParameters: asked.baseline?.parameters ?? {},
      baselineFindings,
      baselineEvaluations,
      cohort: cohort?.use ?? null,
      baselineImage: own?.of ?? null,
      ...convergenceOf(attribution),
      ...summaryOf(attribution),
      device,
      batch,
      lungs: check,
      notes: [...notes, ...(own === null ? [] : sizeNote(request))],
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
      baseline,
      nodes,
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

/** An explanation is known by the content that it is of: other files may hold the same, and other files stand beside them. */
function asAskedFor(
  explanation: Explanation,
  { request, own }: Started,
  cohort: ExplanationResult['cohort'],
): Explanation {
  const { result } = explanation;
  const { file, sopInstanceUid } = request.image.entry;
  const image = { ...result.image, file, sopInstanceUid };
  return { ...explanation, result: { ...result, image, cohort, baselineImage: own?.of ?? null } };
}

/**
 * What is asked for, completed and checked before anything is computed.
 * @throws PathlightError `bad-request`: parameters that do not fit, or something that is needed is missing
 */
export function askedOf(
  {
    method: wanted,
    baseline: start,
    cohort,
    baselineImage,
    scalar,
  }: Omit<ExplanationRequest, 'image' | 'frame'>,
  { input }: Pick<ModelCard, 'input'>,
): Asked {
  const method = completeMethod(wanted, scalar);
  const own = needsOf(method);
  const { name } = methods[method.id];
  if (!own.has('baseline')) {
    checkGiven(own, name, cohort, baselineImage);
    return { method, baseline: null, needs: own };
  }
  if (start === null) {
    throw new PathlightError('bad-request', `${name} needs a baseline`, 'Choose one.');
  }
  const baseline = completeBaseline(start, input);
  const kind: BaselineKind = baselineKinds[baseline.id];
  const needs = own.union(new Set(kind.needs));
  checkGiven(needs, own.has('references') ? name : `The baseline '${kind.name}'`, cohort, baselineImage);
  return { method, baseline, needs };
}

/** Where the chosen baseline image is not of the image's own size. It is not named: reports without the patient hold the notes. */
function sizeNote({ image: { entry }, baselineImage }: ExplanationRequest): string[] {
  const other = baselineImage?.image.entry;
  if (other === undefined || (other.rows === entry.rows && other.columns === entry.columns)) return [];
  return [
    `The baseline image has ${other.columns} × ${other.rows} pixels, the image ${entry.columns} × ${entry.rows}: each is resized to the model's input by itself, and their anatomy is not registered.`,
  ];
}

function checkGiven(
  needs: ReadonlySet<Need>,
  name: string,
  cohort: ExplanationRequest['cohort'],
  baselineImage: FrameOf | null,
): void {
  if (needs.has('references') && cohort === null) {
    const which = needs.has('representation') ? 'images of another class' : 'other images';
    throw new PathlightError(
      'bad-request',
      `${name} needs ${which} to compare with`,
      'Choose a folder of DICOM that holds some.',
    );
  }
  if (needs.has('image') && baselineImage === null) {
    throw new PathlightError('bad-request', `${name} needs an image`, 'Choose one.');
  }
}

/** How far the maps of baselines agree; of a method without baselines there is none. */
export function agreementBetween(explanations: readonly Explanation[]): Agreement {
  return agreementOf(
    explanations.flatMap(({ result: { baseline }, map }) => (baseline === null ? [] : [{ baseline, map }])),
  );
}

/** Runs a generator to its end. */
export async function returned<T>(generator: AsyncGenerator<unknown, T, undefined>): Promise<T> {
  let next = await generator.next();
  while (next.done !== true) next = await generator.next();
  return next.value;
}

function finalMap(
  { result, map, height, width, nodes }: Explanation,
  { baseline }: ExplanationRequest,
): Frame<MapHeader> {
  return {
    header: {
      type: 'map',
      baseline: result.baseline === null ? null : baseline,
      height,
      width,
      ...convergenceOf(result),
      ...summaryOf(result),
      nodes,
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

function summaryOf({ sum, expectedSum, findings, spread, maxEvaluations }: MapSummary): MapSummary {
  return {
    sum,
    expectedSum,
    findings,
    spread: spread === null ? null : { runs: spread.runs, share: spread.share, converged: spread.converged },
    maxEvaluations,
  };
}

function bytesOf({ map, lungs, baseline }: Explanation): number {
  return map.byteLength + (lungs?.probability.byteLength ?? 0) + (baseline?.byteLength ?? 0);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
