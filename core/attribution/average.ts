/**
 * A method run again and again on noise, or from several baselines, and what the maps have in common. Keeps two sums, whatever the number
 * of runs.
 */
import type { AttributionFrame, AttributionStream, IntegralState } from './inquiry.ts';
import { mean } from './noise.ts';

/**
 * - `mean`: SmoothGrad (Smilkov et al. 2017), and the map over random baselines.
 * - `mean-square`: SmoothGrad-squared (Hooker et al. 2019).
 * - `variance`: VarGrad (Adebayo et al. 2018), of the population; by Welford's recurrence, so that it never falls below 0.
 */
export type Statistic = 'mean' | 'mean-square' | 'variance';

/** The mean of maps, and how far apart they are. */
export interface AveragedFrame extends AttributionFrame {
  runs: number;
  /** [elements] standard deviation over the runs, of the population. */
  deviation: Float32Array;
  /** How far a run's map is from the mean, root mean square, as a share of the mean's L2 norm; null where that is 0. */
  spread: number | null;
  /** How many of the runs have converged; null where they have no criterion for it. */
  convergedRuns: number | null;
}

/** The runs so far: the mean of their maps, and the summed squares of what differs from it. */
interface Sums {
  runs: number;
  mean: Float64Array;
  squares: Float64Array;
}

/**
 * The statistic of the runs so far, after every run, and with the progress within the next; within the first, that of the map under way.
 * The sum of a mean should equal the mean of what the runs' sums should equal; squares and variances promise nothing.
 * @param runs at least 1
 * @param start begins run k
 */
export async function* averageRuns(
  runs: number,
  statistic: Statistic,
  start: (k: number) => AttributionStream,
): AsyncGenerator<AveragedFrame, void, undefined> {
  let sums: Sums | null = null;
  let expected: number | null = 0;
  let shown: Summary | null = null;
  let evaluations = 0;
  let limit = 0;
  const integrals: IntegralState[] = [];
  const startedAt = performance.now();
  for (let k = 0; k < runs; k++) {
    for await (const frame of start(k)) {
      const final = frame.final && k === runs - 1;
      const progress = {
        evaluations: evaluations + frame.evaluations,
        // How many it may still be; at the end, what the runs together might have taken.
        maxEvaluations: final
          ? limit + frame.maxEvaluations
          : evaluations +
            (frame.final ? frame.evaluations : frame.maxEvaluations) +
            (runs - 1 - k) * frame.maxEvaluations,
        final,
      };
      if (frame.final) {
        sums = addRun(sums, frame.map);
        expected = expected === null || frame.expectedSum === null ? null : expected + frame.expectedSum;
        shown = summarise(sums, statistic, expected);
        evaluations += frame.evaluations;
        limit += frame.maxEvaluations;
        if (frame.integral !== undefined) integrals.push(frame.integral);
      }
      const summary = shown ?? summarise(addRun(null, frame.map), statistic, null);
      const secondsLeft = (): number | null => {
        if (final) return 0;
        if (integrals.length === 0) return null;
        // A run is taken to need what those before it needed: it may stop long before its limit.
        const expectedEvaluations = (evaluations / integrals.length) * runs;
        const each = (performance.now() - startedAt) / 1000 / progress.evaluations;
        return each * Math.max(0, expectedEvaluations - progress.evaluations);
      };
      const state = combined(integrals, summary) ?? frame.integral;
      const convergedRuns =
        state === undefined ? null : integrals.filter(({ converged }) => converged).length;
      const integral =
        state === undefined
          ? {}
          : { integral: { ...state, converged: convergedRuns === runs, secondsLeft: secondsLeft() } };
      yield { ...summary, ...progress, convergedRuns, ...integral };
    }
  }
}

/** What the complete runs' integrals come to together. */
function combined(
  integrals: readonly IntegralState[],
  { gap, expectedSum }: Summary,
): Omit<IntegralState, 'converged' | 'secondsLeft'> | undefined {
  if (integrals.length === 0) return undefined;
  const all = (key: 'fx' | 'fb' | 'gapBound' | 'mapChange'): number[] | null => {
    const values = integrals.map((integral) => integral[key]);
    return values.every((value) => value !== null) ? values : null;
  };
  const over = (values: number[] | null, summary: (values: number[]) => number): number | null =>
    values === null ? null : summary(values);
  const differenceFloor = Math.max(...integrals.map((integral) => integral.differenceFloor));
  return {
    fx: over(all('fx'), mean),
    fb: over(all('fb'), mean),
    gapRelative:
      gap === null || expectedSum === null || Math.abs(expectedSum) < differenceFloor
        ? null
        : Math.abs(gap / expectedSum),
    // The gap of a mean is no larger than the mean of the gaps.
    gapBound: expectedSum === null ? null : over(all('gapBound'), mean),
    mapChange: over(all('mapChange'), (values) => Math.max(...values)),
    nodes: Math.max(...integrals.map(({ nodes }) => nodes)),
    differenceFloor,
  };
}

/** Welford's recurrence, in place. */
function addRun(sums: Sums | null, map: Float32Array): Sums {
  if (sums === null) return { runs: 1, mean: Float64Array.from(map), squares: new Float64Array(map.length) };
  const { mean, squares } = sums;
  const runs = sums.runs + 1;
  for (let i = 0; i < mean.length; i++) {
    const value = map[i] ?? 0;
    const before = mean[i] ?? 0;
    const after = before + (value - before) / runs;
    mean[i] = after;
    squares[i] = (squares[i] ?? 0) + (value - before) * (value - after);
  }
  return { runs, mean, squares };
}

type Summary = Omit<AveragedFrame, 'evaluations' | 'maxEvaluations' | 'final' | 'convergedRuns'>;

/** @param expected sum over the runs of what their sums should equal */
function summarise({ runs, mean, squares }: Sums, statistic: Statistic, expected: number | null): Summary {
  const variance = squares.map((value) => value / runs);
  const values =
    statistic === 'mean'
      ? mean
      : statistic === 'variance'
        ? variance
        : variance.map((value, i) => value + (mean[i] ?? 0) ** 2);
  const total = (numbers: Float64Array): number => numbers.reduce((sum, value) => sum + value, 0);
  const sum = total(values);
  const expectedSum = statistic !== 'mean' || expected === null ? null : expected / runs;
  const norm = Math.sqrt(total(mean.map((value) => value * value)));
  return {
    map: Float32Array.from(values),
    sum,
    expectedSum,
    gap: expectedSum === null ? null : sum - expectedSum,
    runs,
    deviation: Float32Array.from(variance, Math.sqrt),
    spread: norm === 0 ? null : Math.sqrt(total(variance)) / norm,
  };
}
