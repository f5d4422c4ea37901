/** Runs a study: every map of the plan of every image and model, measured; what an earlier run has made is taken over. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { baselineKinds } from '../../core/attribution/baseline-kinds.ts';
import { differenceFloor } from '../../core/attribution/convergence.ts';
import { completeMethod, needsOf } from '../../core/attribution/choices.ts';
import { throwIfCancelled } from '../../core/attribution/path.ts';
import { sumChannels } from '../../core/attribution/sum-channels.ts';
import type { DeviceInfo } from '../../core/contract/device.ts';
import { PathlightError, toErrorReport } from '../../core/contract/errors.ts';
import type { RefusedFile } from '../../core/contract/library.ts';
import { readNpy, writeNpy } from '../../core/imaging/npy.ts';
import { completenessGap } from '../../core/metrics/completeness.ts';
import { type Measured, measureMap } from '../../core/metrics/measure.ts';
import { type MetricId, metrics } from '../../core/metrics/metrics.ts';
import type { MethodProbe, Value } from '../../core/metrics/subject.ts';
import { type Analysis, returned } from '../app/analysis.ts';
import { FATAL } from '../app/audit.ts';
import { MemoCache } from '../app/byte-cache.ts';
import { type Candidate, chooseCohort, type Cohort, COHORT_BUDGET } from '../app/cohort.ts';
import type { FrameOf } from '../app/images.ts';
import type { Journal } from '../app/journal.ts';
import type { LibraryImage } from '../app/library.ts';
import { methodProbe } from '../app/method-probe.ts';
import { modelSha256 } from '../app/model-sha256.ts';
import type { UsableModel } from '../app/models.ts';
import { codeIdentity } from '../app/root.ts';
import { writeFilesAtomically } from '../app/write-files.ts';
import { type AttributionJob, type Engine, mapsOf } from '../engine/engine.ts';
import { type Likeness, likenessesOf, stepsOf } from './likeness.ts';
import { oneAhead } from './one-ahead.ts';
import type { Cell } from './plan.ts';
import { Known, keyOf, type Made, type MeasuredValues, type StudyLine } from './record.ts';
import type { StepsRow, StudyMap, StudyRow } from './row.ts';
import { type Questions, type StudiedImage, studiedImage } from './subject.ts';

export interface StudyRequest extends Questions {
  images: readonly LibraryImage[];
  /** The label of an image, '' where it has none. */
  groupOf: (file: string) => string;
  models: readonly UsableModel[];
  cells: readonly Cell[];
  metrics: readonly MetricId[];
  /** Images to compare with, for methods and baselines that do, in the order in which they are taken. */
  cohort: readonly Candidate[];
  journal: Journal<StudyLine>;
  /** Where the maps are kept. */
  mapsFolder: string;
}

/** What a study has come to. `gradients`: of the plan, that this settles. */
export type StudyEvent =
  | { type: 'map'; rows: StudyRow[]; gradients: number; resumed: boolean }
  | { type: 'failed'; failure: RefusedFile; gradients: number }
  | { type: 'note'; text: string }
  /** All maps of one image and model are there. */
  | { type: 'image'; likenesses: Likeness[]; steps: StepsRow[] };

/** A map on its way to being measured; or why there is none. */
type Making =
  | {
      type: 'map';
      studied: StudiedImage;
      cell: Cell;
      job: AttributionJob;
      key: string;
      made: Made;
      resumed: boolean;
      map: Float32Array | null;
    }
  | { type: 'failed'; failure: RefusedFile; gradients: number }
  | { type: 'note'; text: string }
  | { type: 'end'; studied: StudiedImage };

/**
 * Yields what becomes of every map, in the order of images, models and the plan. A map and its values stand on the disk before they are
 * yielded.
 */
export async function* study(
  engine: Engine,
  analysis: Analysis,
  request: StudyRequest,
  signal: AbortSignal,
): AsyncGenerator<StudyEvent, void, undefined> {
  const ending = new AbortController();
  const run = new Run(engine, analysis, request, AbortSignal.any([signal, ending.signal]));
  let maps: StudyMap[] = [];
  for await (const making of oneAhead(run.maps(), () => ending.abort())) {
    if (making.type === 'map') {
      const { rows, failures } = await run.measure(making);
      const map = run.describe(making);
      maps.push(map);
      for (const failure of failures) yield { type: 'failed', failure, gradients: 0 };
      const { cell, resumed } = making;
      yield {
        type: 'map',
        rows: rows.map((row) => ({ ...map, ...row })),
        gradients: cell.gradients,
        resumed,
      };
    } else if (making.type === 'end') {
      const read = ({ map }: StudyMap): Promise<Float32Array> => readMap(path.join(request.mapsFolder, map));
      yield { type: 'image', likenesses: await likenessesOf(maps, read), steps: await stepsOf(maps, read) };
      maps = [];
    } else {
      yield making;
    }
  }
}

class Run {
  readonly #engine: Engine;
  readonly #analysis: Analysis;
  readonly #request: StudyRequest;
  readonly #signal: AbortSignal;
  readonly #known: Known;
  readonly #code = codeIdentity();
  /** Of any class and of another: an image asks for no more than the two. */
  readonly #cohorts = new MemoCache<Cohort>(2 * COHORT_BUDGET, ({ references }) =>
    references.reduce((sum, { byteLength }) => sum + byteLength, 0),
  );

  constructor(engine: Engine, analysis: Analysis, request: StudyRequest, signal: AbortSignal) {
    this.#engine = engine;
    this.#analysis = analysis;
    this.#request = request;
    this.#signal = signal;
    this.#known = new Known(request.journal.entries);
  }

  async *maps(): AsyncGenerator<Making, void, undefined> {
    const { images, models, cells, provider } = this.#request;
    const total = cells.reduce((sum, { gradients }) => sum + gradients, 0);
    const devices = new Map<UsableModel, DeviceInfo>();
    for (const model of models) devices.set(model, await this.#engine.device(provider, model.engine));
    for (const image of images) {
      for (const [model, device] of devices) {
        throwIfCancelled(this.#signal);
        let studied: StudiedImage;
        try {
          studied = await studiedImage(
            this.#engine,
            this.#analysis,
            image,
            model,
            this.#request,
            this.#signal,
          );
        } catch (error) {
          yield { type: 'failed', failure: failureOf(error, image), gradients: total };
          continue;
        }
        if (this.#request.masks !== null && studied.mask === null && model === models[0]) {
          yield { type: 'note', text: `${image.entry.file}: there is no mask` };
        }
        for (const cell of cells) {
          try {
            yield await this.#made(studied, cell, device);
          } catch (error) {
            yield {
              type: 'failed',
              failure: failureOf(error, image, wayOf(cell)),
              gradients: cell.gradients,
            };
          }
        }
        yield { type: 'end', studied };
      }
    }
  }

  async #made(studied: StudiedImage, cell: Cell, device: DeviceInfo): Promise<Making> {
    throwIfCancelled(this.#signal);
    const { model, sha256, x, target } = studied;
    const { scalar, mapsFolder, provider } = this.#request;
    const { card } = model;
    const cohort = await this.#cohort(cell, studied);
    // The self-test's figures say how good the map is, not which map it is.
    const computer = { ...device, selfTest: null };
    const key = keyOf([
      ...[sha256, 0, modelSha256(card), card.input, card.heldInputs, card.output],
      ...[card.representation, card.decision, target.index, scalar],
      ...[cell.method, cell.baseline, cell.parameters, cohort?.use.images ?? []],
      ...[computer, this.#code],
    ]);
    const { parameters, method, baseline } = cell;
    const job: AttributionJob = {
      model: model.engine,
      provider,
      x,
      input: card.input,
      target: target.index,
      scalar,
      method: { id: method, parameters: parameters.method },
      baseline: baseline === null ? null : { id: baseline, parameters: parameters.baseline },
      ...(cohort === null ? {} : { references: cohort.references }),
    };
    const before = this.#known.made(key);
    if (before !== undefined && (await isThere(path.join(mapsFolder, fileOf(key))))) {
      return { type: 'map', studied, cell, job, key, made: before, resumed: true, map: null };
    }
    for await (const frame of mapsOf(this.#engine.attribute(job, this.#signal))) {
      if (!frame.final) continue;
      const { height, width } = card.input;
      const map = sumChannels(frame.map, height * width);
      const { sum, expectedSum, evaluations, baselineEvaluations, seconds } = frame;
      const made: Made = {
        target: target.label,
        prediction: studied.prediction.label,
        probability: studied.prediction.scores[target.label] ?? NaN,
        evaluations: evaluations + baselineEvaluations,
        seconds,
        sum,
        expectedSum,
        gapRelative:
          expectedSum === null
            ? null
            : Math.abs(sum - expectedSum) / Math.max(Math.abs(expectedSum), differenceFloor(scalar)),
      };
      const bytes = writeNpy({ type: 'float32', shape: [height, width], data: map });
      await writeFilesAtomically(mapsFolder, [{ name: fileOf(key), bytes }]);
      await this.#remember({ map: key, made });
      return { type: 'map', studied, cell, job, key, made, resumed: false, map };
    }
    throw new PathlightError('engine', 'The computation ended before its final map', 'Start it again.');
  }

  /** What the image is compared with, chosen as for a single explanation. @returns null where the cell compares with nothing */
  async #cohort(
    { method, baseline, parameters }: Cell,
    { sha256, prediction: { label }, model: { card } }: StudiedImage,
  ): Promise<Cohort | null> {
    const needs = new Set([
      ...needsOf(completeMethod({ id: method, parameters: parameters.method }, this.#request.scalar)),
      ...(baseline === null ? [] : baselineKinds[baseline].needs),
    ]);
    if (!needs.has('references')) return null;
    const { cohort } = this.#request;
    // What follows the model's representation leads to images that it calls otherwise.
    const otherThan = needs.has('representation')
      ? {
          label,
          of: async (image: FrameOf) => (await this.#analysis.predict(image, card.id)).label,
        }
      : null;
    const within = cohort.some((candidate) => candidate.sha256 === sha256);
    const key = JSON.stringify([
      ...(otherThan === null ? [card.input] : [card.id, label]),
      within ? sha256 : null,
    ]);
    return this.#cohorts.get(key, () =>
      returned(
        chooseCohort(
          this.#analysis.images,
          cohort,
          { except: sha256, contract: card.input, otherThan },
          this.#signal,
        ),
      ),
    );
  }

  async #remember(line: StudyLine): Promise<void> {
    await this.#request.journal.append(line);
    this.#known.add(line);
  }

  /** What the metrics say of a map; and those that fail. */
  async measure(
    making: Extract<Making, { type: 'map' }>,
  ): Promise<{ rows: ({ metric: MetricId } & MeasuredValues)[]; failures: RefusedFile[] }> {
    const { studied, cell, job, key, made } = making;
    const context = keyOf(studied.context);
    const rows: ({ metric: MetricId } & MeasuredValues)[] = [];
    const failures: RefusedFile[] = [];
    let { map } = making;
    let probe: MethodProbe | null = null;
    for (const metric of this.#request.metrics) {
      throwIfCancelled(this.#signal);
      try {
        let measured = this.#known.measured(key, context, metric);
        if (measured === undefined) {
          map ??= await readMap(path.join(this.#request.mapsFolder, fileOf(key)));
          if (metrics[metric].needs === 'method') probe ??= await this.#probe(studied, job, map);
          const found =
            metric === 'completeness-gap'
              ? completenessOf(map, made.expectedSum, studied)
              : await measureMap(
                  metric,
                  map,
                  metric === 'ablation-drop' ? await studied.undecided() : studied.subject,
                  probe,
                );
          if (found === null) continue;
          measured = valuesOf(found);
          await this.#remember({ map: key, context, metric, measured });
        }
        rows.push({ metric, ...measured });
      } catch (error) {
        failures.push(failureOf(error, studied.image, `${wayOf(cell)}, ${metrics[metric].name}`));
      }
    }
    return { rows, failures };
  }

  /** The method, to be asked for other images and of other models. */
  async #probe(
    { image, model, subject }: StudiedImage,
    job: AttributionJob,
    map: Float32Array,
  ): Promise<MethodProbe> {
    return methodProbe(this.#engine, job, {
      input: model.card.input,
      displayed: await this.#analysis.images.displayed({ image, frame: 0 }),
      map,
      // The metrics read the model that has forgotten everything.
      stages: 1,
      seed: subject.seed,
      weightsSeed: this.#request.seed,
      signal: this.#signal,
    });
  }

  describe({ studied, cell, key, made }: Extract<Making, { type: 'map' }>): StudyMap {
    const { image, sha256, model, mask } = studied;
    const { file } = image.entry;
    return {
      ...{ image: file, frame: 0, sha256, group: this.#request.groupOf(file), model: model.card.id },
      ...{ method: cell.method, baseline: cell.baseline, steps: cell.steps },
      ...made,
      scalar: this.#request.scalar,
      mask,
      map: fileOf(key),
    };
  }
}

/** The map's name among the maps: its content's, not its patient's. */
function fileOf(key: string): string {
  return `${key.slice(0, 32)}.npy`;
}

/** Completeness is held against what the map's own method promises, which a probe with one baseline for all maps cannot know. */
function completenessOf(
  map: Float32Array,
  expectedSum: number | null,
  { nullMaps, floor }: StudiedImage,
): Measured | null {
  if (expectedSum === null) return null;
  const of = (each: Float32Array): Value => completenessGap(each, expectedSum, 0, floor).relative;
  const { random, edges } = nullMaps();
  return { value: of(map), null: { random: of(random), edges: of(edges) } };
}

/** As a line of the file can say them. */
function valuesOf({ value, null: { random, edges } }: Measured): MeasuredValues {
  const finite = (each: Value): Value => (each === null || Number.isFinite(each) ? each : null);
  return { value: finite(value), random: finite(random), edges: finite(edges) };
}

/** "idgi-ig from black, 8 steps" */
function wayOf({ method, baseline, steps }: Cell): string {
  return `${method}${baseline === null ? '' : ` from ${baseline}`}${steps === null ? '' : `, ${steps} steps`}`;
}

/** @throws what would stop every image */
function failureOf(error: unknown, { entry }: LibraryImage, what = ''): RefusedFile {
  const { kind, message, advice } = toErrorReport(error);
  if (FATAL.has(kind)) throw error;
  return { file: entry.file, reason: what === '' ? message : `${what}: ${message}`, advice };
}

export async function readMap(file: string): Promise<Float32Array> {
  const { data } = readNpy(await readFile(file));
  return Float32Array.from(data as Float32Array);
}

async function isThere(file: string): Promise<boolean> {
  return readMap(file).then(
    () => true,
    () => false,
  );
}
