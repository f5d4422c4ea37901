/** One job of attribution: its baselines made, then its method run, on whatever answers for the model. */
import type { AveragedFrame } from '../../core/attribution/average.ts';
import { type Baseline, type BaselineKind, baselineKinds } from '../../core/attribution/baseline-kinds.ts';
import { completeBaseline, completeMethod, needsOf } from '../../core/attribution/choices.ts';
import type { AttributionFrame, Run, ScoringModel } from '../../core/attribution/inquiry.ts';
import type { EntropyModel } from '../../core/attribution/maximum-entropy.ts';
import { explain, explainOverBaselines, type Task } from '../../core/attribution/methods.ts';
import type { Need } from '../../core/attribution/parameters.ts';
import { throwIfCancelled } from '../../core/attribution/path.ts';
import type { RepresentationModel } from '../../core/attribution/representation.ts';
import type { AttributionEvent, AttributionJob, EngineAttribution } from './engine.ts';

/** What answers for the model of a job. */
export interface Seams {
  model: ScoringModel;
  /** Points evaluated together. */
  batchSize: number;
  /** What readers of the results should know of how the model was read. */
  notes: readonly string[];
  entropy?: EntropyModel;
  representation?: RepresentationModel;
}

/** The seams that a job needs besides the model. @throws PathlightError `bad-request`: parameters that do not fit */
export function seamsFor({ method, baseline, scalar, input }: AttributionJob): ReadonlySet<Need> {
  const needs = needsOf(completeMethod(method, scalar));
  if (!needs.has('baseline') || baseline === null) return needs;
  const kind: BaselineKind = baselineKinds[completeBaseline(baseline, input).id];
  return needs.union(new Set(kind.needs));
}

/**
 * @yields how far the baselines have come, where they take gradients; then the map after every batch, the last with `final: true`
 * @throws PathlightError `bad-request`: parameters that do not fit, or something that the method or the baseline needs is missing;
 *   `unsupported`: a score or gradient that is not finite; `cancelled`
 */
export async function* attribute(
  job: AttributionJob,
  { model, batchSize, notes, entropy, representation }: Seams,
  signal: AbortSignal,
): AsyncGenerator<AttributionEvent, void, undefined> {
  const { x, input, references, image, measureSum = true } = job;
  const method = completeMethod(job.method, job.scalar);
  const run: Run = { batchSize, signal, measureSum };
  const start = performance.now();
  const given = {
    ...(references === undefined ? {} : { references }),
    ...(representation === undefined ? {} : { representation }),
  };

  const baselines: Baseline[] = [];
  let baselineEvaluations = 0;
  if (job.baseline !== null && needsOf(method).has('baseline')) {
    const { id, parameters } = completeBaseline(job.baseline, input);
    const kind: BaselineKind = baselineKinds[id];
    const own = { ...(image === undefined ? {} : { image }), ...(entropy === undefined ? {} : { entropy }) };
    for await (const event of kind.make({ x, input, ...given, ...own }, parameters, run)) {
      throwIfCancelled(signal);
      if (event.type === 'baseline') baselines.push(event.baseline);
      else {
        baselineEvaluations = event.evaluations;
        yield event;
      }
    }
  }

  const task: Task = { model, x, input, ...given };
  const [first] = baselines;
  const frames: AsyncIterable<AttributionFrame | AveragedFrame> =
    baselines.length > 1
      ? explainOverBaselines(
          method.id,
          task,
          method.parameters,
          baselines.map((baseline) => baseline.image),
          run,
        )
      : explain(
          method.id,
          first === undefined ? task : { ...task, baseline: first.image },
          method.parameters,
          run,
        );
  const left = timeLeft();
  for await (const frame of frames) {
    const { map, sum, expectedSum, gap, evaluations, maxEvaluations, final, findings = {}, integral } = frame;
    const event: EngineAttribution = {
      type: 'map',
      map,
      sum,
      expectedSum,
      gap,
      evaluations,
      maxEvaluations,
      final,
      findings,
      fx: null,
      fb: null,
      gapRelative: null,
      gapBound: null,
      mapChange: null,
      converged: null,
      nodes: null,
      ...integral,
      secondsLeft: integral === undefined ? left(frame) : integral.secondsLeft,
      seconds: (performance.now() - start) / 1000,
      notes,
      batch: batchSize,
      baselineEvaluations,
      baselines: final ? baselines : null,
      spread: spreadOf(frame),
    };
    yield event;
  }
}

/** Of a method that makes all of its evaluations: the seconds that those still to come take, at the pace since the first frame. */
function timeLeft(): (frame: AttributionFrame) => number | null {
  let first: { at: number; evaluations: number } | null = null;
  return ({ evaluations, maxEvaluations, final }) => {
    if (final) return 0;
    const now = performance.now();
    first ??= { at: now, evaluations };
    if (evaluations === first.evaluations) return null;
    const each = (now - first.at) / 1000 / (evaluations - first.evaluations);
    return each * Math.max(0, maxEvaluations - evaluations);
  };
}

function spreadOf(frame: AttributionFrame | AveragedFrame): EngineAttribution['spread'] {
  if (!('deviation' in frame) || frame.runs < 2) return null;
  const { runs, spread, convergedRuns, final, deviation } = frame;
  return { runs, share: spread, converged: convergedRuns, deviation: final ? deviation : null };
}
