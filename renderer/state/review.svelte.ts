/** What is known of one image under one model and target: its prediction, a map a baseline, and how the maps agree. */
import type { AssessmentHeader, Client, MapHeader } from '../../core/contract/calls.ts';
import { toErrorReport, type ErrorReport } from '../../core/contract/errors.ts';
import { overlayLevels } from '../../core/imaging/blend.ts';
import { BASELINES, type BaselineName, type Prediction } from '../../core/contract/result.ts';
import type { BaselineId } from '../../core/attribution/baseline-kinds.ts';
import type { Choice } from '../../core/attribution/choices.ts';
import type { Scalar } from '../../core/attribution/model.ts';
import type { Agreement } from '../../core/metrics/agreement.ts';
import type { Field } from '../viewer/painter.ts';

/** One point of the convergence chart. */
export interface TracePoint {
  evaluations: number;
  /** |gap| over its bound, and the map's change; null where not known yet. 1 is the bound. */
  gapOverBound: number | null;
  mapChange: number | null;
}

export type RunState = 'none' | 'running' | 'converged' | 'not-converged' | 'cancelled' | 'failed';

export interface Subject {
  image: string;
  frame: number;
  model: string;
  /** null: the card's positive label. */
  target: string | null;
  scalar: Scalar;
}

/** The integral from one baseline. */
export class Run {
  readonly baseline: BaselineName;
  state = $state<RunState>('none');
  header = $state.raw<MapHeader | null>(null);
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

  readonly finished = $derived(this.state === 'converged' || this.state === 'not-converged');

  constructor(baseline: BaselineName) {
    this.baseline = baseline;
  }

  begin(): void {
    this.state = 'running';
    this.header = null;
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
    if (header.final) this.state = header.converged ? 'converged' : 'not-converged';
    else this.state = 'running';
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

/** What is asked of main besides the baseline. */
export const METHOD = {
  method: { id: 'integrated-gradients', parameters: {} },
  cohort: null,
  baselineImage: null,
} as const;
export const choiceOf = (id: BaselineName): Choice<BaselineId> => ({ id, parameters: {} });

const ENDED_EARLY = new Error('The computation ended before its final map.');

export class Review {
  readonly subject: Subject;
  readonly runs: Readonly<Record<BaselineName, Run>>;
  prediction = $state.raw<Prediction | null>(null);
  predictionError = $state.raw<ErrorReport | null>(null);
  agreement = $state.raw<Agreement | null>(null);
  comparison = $state<'none' | 'running' | 'done' | 'cancelled' | 'failed'>('none');
  comparisonError = $state.raw<ErrorReport | null>(null);
  /** The baseline under way alone, by Explain. */
  explaining = $state<BaselineName | null>(null);

  readonly busy = $derived(this.explaining !== null || this.comparison === 'running');

  readonly #client: Client;
  #abort = new AbortController();
  /** Of the comparison begun last: only that one may say how it ended. */
  #comparing: AbortSignal | null = null;
  #predicting = false;

  constructor(client: Client, subject: Subject) {
    this.#client = client;
    this.subject = subject;
    const [black, white, grey, blurred] = BASELINES.map((name) => new Run(name));
    if (!black || !white || !grey || !blurred) throw new Error('Four baselines');
    this.runs = { black, white, grey, blurred };
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
  async explain(baseline: BaselineName): Promise<boolean> {
    const { signal } = this.#restart();
    const run = this.runs[baseline];
    run.begin();
    this.explaining = baseline;
    try {
      const request = { ...this.subject, ...METHOD, baseline: choiceOf(baseline) };
      for await (const { header, data } of this.#client.stream('review.explain', request, signal)) {
        if (header.type === 'map') run.accept(header, data ?? new Float32Array());
        else if (header.type === 'assessment') run.assess(header, data ?? new Float32Array());
      }
      run.end(ENDED_EARLY, signal.aborted);
    } catch (thrown) {
      run.end(thrown, signal.aborted);
    } finally {
      if (this.#abort.signal === signal) this.explaining = null;
    }
    return run.finished;
  }

  /** Runs every baseline and measures how far the maps agree. */
  async compare(): Promise<void> {
    const { signal } = this.#restart();
    this.#comparing = signal;
    this.comparison = 'running';
    this.comparisonError = null;
    this.agreement = null;
    // A map that is there stays on the screen until the same map has been computed again.
    const done = BASELINES.filter((name) => this.runs[name].finished);
    for (const name of BASELINES) if (!done.includes(name)) this.runs[name].begin();
    try {
      const request = { ...this.subject, ...METHOD, baselines: BASELINES.map(choiceOf) };
      for await (const { header, data } of this.#client.stream('review.compare', request, signal)) {
        if (this.#comparing !== signal) return;
        if (header.type === 'agreement') {
          this.agreement = header.agreement;
        } else if (header.type === 'assessment') {
          this.#runOf(header.result.baseline)?.assess(header, data ?? new Float32Array());
        } else if (header.type === 'map') {
          const run = this.#runOf(header.baseline?.id ?? null);
          if (run !== undefined && !done.includes(run.baseline))
            run.accept(header, data ?? new Float32Array());
        }
      }
      if (this.#comparing !== signal) return;
      this.comparison = signal.aborted ? 'cancelled' : 'done';
      this.#endUnfinished(ENDED_EARLY, signal.aborted);
    } catch (thrown) {
      if (this.#comparing !== signal) return;
      const report = toErrorReport(thrown);
      const cancelled = signal.aborted || report.kind === 'cancelled';
      this.comparison = cancelled ? 'cancelled' : 'failed';
      if (!cancelled) this.comparisonError = report;
      this.#endUnfinished(thrown, cancelled);
    }
  }

  #runOf(baseline: BaselineId | null): Run | undefined {
    return Object.values(this.runs).find((run) => run.baseline === baseline);
  }

  #endUnfinished(thrown: unknown, cancelled: boolean): void {
    for (const name of BASELINES) {
      const run = this.runs[name];
      if (run.state === 'running' && this.explaining !== name) run.end(thrown, cancelled);
    }
  }

  #restart(): AbortController {
    this.#abort.abort();
    this.#abort = new AbortController();
    return this.#abort;
  }
}
