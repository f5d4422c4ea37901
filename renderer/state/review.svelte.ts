/** What is known of one image under one model, target and method: its prediction, a map a baseline, and how the maps agree. */
import type { AssessmentHeader, Client, MapHeader, PreparationHeader } from '../../core/contract/calls.ts';
import { toErrorReport, type ErrorReport } from '../../core/contract/errors.ts';
import { overlayLevels } from '../../core/imaging/blend.ts';
import type { Prediction } from '../../core/contract/result.ts';
import type { BaselineId } from '../../core/attribution/baseline-kinds.ts';
import { type Choice, completeMethod, mapScale, type MapScale } from '../../core/attribution/choices.ts';
import type { MethodId } from '../../core/attribution/methods.ts';
import type { Scalar } from '../../core/attribution/model.ts';
import type { Agreement } from '../../core/metrics/agreement.ts';
import type { Field } from '../viewer/painter.ts';
import type { OwnImage } from './question.svelte.ts';

/** One point of the convergence chart. */
export interface TracePoint {
  evaluations: number;
  /** |gap| over its bound, and the map's change; null where not known yet. 1 is the bound. */
  gapOverBound: number | null;
  mapChange: number | null;
}

/** `complete`: done, by a method that has no criterion to meet. */
export type RunState =
  'none' | 'running' | 'converged' | 'not-converged' | 'complete' | 'cancelled' | 'failed';

export interface Subject {
  image: string;
  frame: number;
  model: string;
  /** null: the card's positive label. */
  target: string | null;
  scalar: Scalar;
  method: Choice<MethodId>;
  cohort: { folder: string } | null;
  baselineImage: OwnImage | null;
}

/** The map from one baseline; null: of a method that takes none. */
export class Run {
  readonly baseline: Choice<BaselineId> | null;
  readonly method: Choice<MethodId>;
  /** What the map's values are. */
  readonly mapScale: MapScale;
  state = $state<RunState>('none');
  header = $state.raw<MapHeader | null>(null);
  /** What is made ready before the first map; null where there is nothing, and once it has come. */
  preparation = $state.raw<PreparationHeader | null>(null);
  map = $state.raw<Field | null>(null);
  /**
   * The map that the colour range is taken from. A running integral settles in ever smaller steps, and a range that followed
   * each of them would make the whole picture flicker: a new map sets the scale only where it would change it by more than a
   * sixth. The final map always does, so that screen and report agree.
   */
  scale = $state.raw<Float32Array | null>(null);
  trace = $state.raw<readonly TracePoint[]>([]);
  assessment = $state.raw<AssessmentHeader | null>(null);
  /** Lung probability; null without a lungs model. */
  lungs = $state.raw<Field | null>(null);
  error = $state.raw<ErrorReport | null>(null);

  #levels: TracePoint[] = [];

  readonly finished = $derived(
    this.state === 'converged' || this.state === 'not-converged' || this.state === 'complete',
  );

  constructor({ method, scalar }: Subject, baseline: Choice<BaselineId> | null) {
    this.method = method;
    this.baseline = baseline;
    this.mapScale = mapScale(completeMethod(method, scalar), scalar);
  }

  begin(): void {
    this.state = 'running';
    this.header = null;
    this.preparation = null;
    this.trace = [];
    this.#levels = [];
    this.assessment = null;
    this.error = null;
    this.map = null;
    this.scale = null;
    this.lungs = null;
  }

  accept(header: MapHeader, data: Float32Array): void {
    this.header = header;
    this.preparation = null;
    this.map = { data, height: header.height, width: header.width };
    if (header.final || this.#changesScale(data)) this.scale = data;
    const point: TracePoint = {
      evaluations: header.evaluations,
      gapOverBound: header.gap === null || !header.gapBound ? null : Math.abs(header.gap) / header.gapBound,
      mapChange: header.mapChange,
    };
    this.trace = [...this.#levels, point];
    // Within a level the nodes lie unevenly, and the gap says little: a level that is done stays, the rest is the live end.
    if (header.evaluations === header.nodes) this.#levels.push(point);
    if (!header.final) this.state = 'running';
    else if (header.converged === null) this.state = 'complete';
    else this.state = header.converged ? 'converged' : 'not-converged';
  }

  #changesScale(data: Float32Array): boolean {
    if (this.scale === null) return true;
    const [before, now] = [this.scale, data].map((map) => overlayLevels([map], 1).range);
    return before === undefined || now === undefined || Math.abs(now - before) * 6 > before;
  }

  assess(header: AssessmentHeader, data: Float32Array): void {
    this.assessment = header;
    this.lungs = data.length > 0 ? { data, height: header.height, width: header.width } : null;
  }

  /** The run ended before its final map. What came so far stays. */
  end(thrown: unknown, cancelled: boolean): void {
    if (this.finished) return;
    const report = toErrorReport(thrown);
    if (cancelled || report.kind === 'cancelled') {
      this.state = this.map === null ? 'none' : 'cancelled';
      return;
    }
    this.state = 'failed';
    this.error = report;
  }
}

const ENDED_EARLY = new Error('The computation ended before its final map.');

export class Review {
  readonly subject: Subject;
  /** One a baseline that was asked for, the latest question's in `asked`. */
  #runs: readonly Run[] = [];
  asked = $state.raw<readonly Run[]>([]);
  prediction = $state.raw<Prediction | null>(null);
  predictionError = $state.raw<ErrorReport | null>(null);
  agreement = $state.raw<Agreement | null>(null);
  comparison = $state<'none' | 'running' | 'done' | 'cancelled' | 'failed'>('none');
  comparisonError = $state.raw<ErrorReport | null>(null);
  /** The baseline under way alone, by Explain. */
  explaining = $state.raw<Run | null>(null);

  readonly busy = $derived(this.explaining !== null || this.comparison === 'running');

  readonly #client: Client;
  #abort = new AbortController();
  /** Of the comparison begun last: only that one may say how it ended. */
  #comparing: AbortSignal | null = null;
  #predicting = false;

  constructor(client: Client, subject: Subject) {
    this.#client = client;
    this.subject = subject;
  }

  /** The runs of these baselines, those that there are kept: another set is not yet compared. */
  ask(baselines: readonly (Choice<BaselineId> | null)[]): void {
    const runs = baselines.map((baseline) => this.#find(baseline) ?? new Run(this.subject, baseline));
    if (runs.length === this.asked.length && runs.every((run, i) => run === this.asked[i])) return;
    this.#runs = [...this.#runs, ...runs.filter((run) => !this.#runs.includes(run))];
    this.asked = runs;
    if (this.comparison === 'running') this.cancel();
    this.comparison = 'none';
    this.comparisonError = null;
    this.agreement = null;
  }

  #find(baseline: Choice<BaselineId> | null): Run | undefined {
    const key = JSON.stringify(baseline);
    return this.#runs.find((run) => JSON.stringify(run.baseline) === key);
  }

  runOf(baseline: Choice<BaselineId> | null): Run | null {
    return this.asked.find((run) => run.baseline?.id === baseline?.id) ?? null;
  }

  /** The score is the image's and the model's, not the method's. */
  know({ subject: { image, frame, model }, prediction }: Review): void {
    const own = this.subject;
    if (own.image === image && own.frame === frame && own.model === model) this.prediction ??= prediction;
  }

  async predict(): Promise<void> {
    if (this.prediction !== null || this.#predicting) return;
    this.#predicting = true;
    this.predictionError = null;
    const { image, frame, model } = this.subject;
    try {
      this.prediction = await this.#client.call('review.predict', { image, frame, model });
    } catch (thrown) {
      this.predictionError = toErrorReport(thrown);
    } finally {
      this.#predicting = false;
    }
  }

  /** Ends what is under way. */
  cancel(): void {
    this.#abort.abort();
  }

  /** @returns whether the final map came */
  async explain(run: Run): Promise<boolean> {
    const { signal } = this.#restart();
    run.begin();
    this.explaining = run;
    try {
      const request = { ...this.subject, baseline: run.baseline };
      for await (const { header, data } of this.#client.stream('review.explain', request, signal)) {
        if (header.type === 'map') run.accept(header, data ?? new Float32Array());
        else if (header.type === 'assessment') run.assess(header, data ?? new Float32Array());
        else run.preparation = header;
      }
      run.end(ENDED_EARLY, signal.aborted);
    } catch (thrown) {
      run.end(thrown, signal.aborted);
    } finally {
      if (this.#abort.signal === signal) this.explaining = null;
    }
    return run.finished;
  }

  /** Runs every baseline that is asked for, and measures how far the maps agree. */
  async compare(): Promise<void> {
    const { signal } = this.#restart();
    const runs = this.asked;
    const baselines = runs.flatMap(({ baseline }) => (baseline === null ? [] : [baseline]));
    this.#comparing = signal;
    this.comparison = 'running';
    this.comparisonError = null;
    this.agreement = null;
    // A map that is there stays on the screen until the same map has been computed again.
    const done = runs.filter(({ finished }) => finished);
    for (const run of runs) if (!done.includes(run)) run.begin();
    /** They come one after the other, each with its assessment at the end. */
    let at = 0;
    const endUnfinished = (thrown: unknown, cancelled: boolean): void => {
      for (const run of runs) {
        if (run.state !== 'running' || this.explaining === run) continue;
        // Those whose turn has not come have not failed.
        run.end(thrown, cancelled || run !== runs[at]);
      }
    };
    const end = (state: Review['comparison'], report: ErrorReport | null = null): void => {
      // Of a set that is no longer asked for, the next one is not to say how it ended.
      if (this.asked !== runs) return;
      this.comparison = state;
      this.comparisonError = report;
    };
    try {
      const request = { ...this.subject, baselines };
      for await (const { header, data = new Float32Array() } of this.#client.stream(
        'review.compare',
        request,
        signal,
      )) {
        if (this.#comparing !== signal) return;
        const run = runs[at];
        if (header.type === 'agreement') this.agreement = header.agreement;
        else if (header.type === 'assessment') {
          run?.assess(header, data);
          at += 1;
        } else if (run !== undefined && !done.includes(run)) {
          if (header.type === 'map') run.accept(header, data);
          else run.preparation = header;
        }
      }
      if (this.#comparing !== signal) return;
      end(signal.aborted ? 'cancelled' : 'done');
      endUnfinished(ENDED_EARLY, signal.aborted);
    } catch (thrown) {
      if (this.#comparing !== signal) return;
      const report = toErrorReport(thrown);
      const cancelled = signal.aborted || report.kind === 'cancelled';
      end(cancelled ? 'cancelled' : 'failed', cancelled ? null : report);
      endUnfinished(thrown, cancelled);
    }
  }

  #restart(): AbortController {
    this.#abort.abort();
    this.#abort = new AbortController();
    return this.#abort;
  }
}
