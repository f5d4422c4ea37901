import { PathlightError } from '../contract/errors.ts';
import type { Convergence } from '../contract/result.ts';
import { evaluationsLeft, excess, type Excess, type Tolerances } from './convergence.ts';
import type { DifferentiableModel } from './model.ts';
import { NestedTrapezoid, nodesOfLevel } from './nested-trapezoid.ts';
import { checkEnds, sumAlong, throwIfCancelled } from './path.ts';

export interface IntegrationOptions extends Tolerances {
  /** The most gradients that may be evaluated, at least 5; the integral stops at the last level that fits. */
  maxEvaluations: number;
  /** The most points evaluated together: bounds the memory, and is what a cancellation waits for. */
  batchSize: number;
}

/** The state of the integral after one batch. */
export interface IntegralFrame extends Convergence {
  /** [elements] signed attributions so far; a fresh array in every frame. */
  map: Float32Array;
  /** Nodes of the level under way. */
  nodes: number;
  maxEvaluations: number;
  /** The last frame: converged, or at the limit. */
  final: boolean;
  /** Since the start. */
  seconds: number;
  /** Estimate of the seconds to convergence (or to the limit); null before there is a basis for one. */
  secondsLeft: number | null;
}

/** The first level whose step is half that of another trapezoid (5 nodes against 3): before it there is no map change. */
const firstHalvedLevel = 2;

/**
 * Integrated Gradients by the nested (dyadic) trapezoid (Sundararajan et al. 2017): (x - b) times the mean gradient on
 * the straight path from b to x. The same evaluations give the same bits.
 *
 * Stops when, at a complete level of at least 5 nodes, |gap| <= gapTolerance * max(|f(x) - f(b)|, differenceFloor) and the map's
 * relative L2 change since the level before is at most mapTolerance; or at the last level within maxEvaluations, then not converged.
 *
 * @param x [elements] the image, in the model's input units
 * @param baseline [elements]
 * @yields the state after every batch; the last one has `final: true`
 * @throws PathlightError `bad-request`: ends that do not fit the model, are equal or not finite; `unsupported`: a score or gradient
 *   that is not finite; `cancelled`
 */
export async function* integratedGradients(
  model: DifferentiableModel,
  x: Float32Array,
  baseline: Float32Array,
  options: IntegrationOptions,
  signal?: AbortSignal,
): AsyncGenerator<IntegralFrame, void, undefined> {
  const { gapTolerance, mapTolerance, differenceFloor, maxEvaluations, batchSize } = options;
  if (maxEvaluations < 5 || batchSize < 1) {
    throw new PathlightError(
      'bad-request',
      'The integral needs at least 5 evaluations, and batches of at least 1',
    );
  }
  checkEnds(model, x, baseline);

  const start = performance.now();
  let firstMapAt = start;
  const trapezoid = new NestedTrapezoid(x, baseline);
  const excesses: Excess[] = [];
  let fx: number | null = null;
  let fb: number | null = null;
  let mapChange: number | null = null;
  let evaluations = 0;

  for (let level = 0; ; level++) {
    const nodes = nodesOfLevel(level);
    const nodesBefore = evaluations;
    const nodesAfter = nodesBefore + nodes.length;
    while (evaluations < nodesAfter) {
      throwIfCancelled(signal);
      const batch = nodes.slice(evaluations - nodesBefore, evaluations - nodesBefore + batchSize);
      const weights = batch.map(() => 1);
      const { f, gradient } = await sumAlong(model, { x, baseline, nodes: batch, weights });
      for (const [k, node] of batch.entries()) {
        if (node === 0) fb = f[k] ?? null;
        if (node === 1) fx = f[k] ?? null;
      }
      trapezoid.add(gradient, batch.length);
      evaluations += batch.length;

      const { map, sum } = trapezoid.estimate();
      const measures = completeness(sum, fx, fb, gapTolerance, differenceFloor);
      const levelDone = evaluations === nodesAfter;
      let converged = false;
      if (levelDone) {
        const change = trapezoid.completeLevel();
        if (level >= firstHalvedLevel && measures.gap !== null && measures.gapBound !== null) {
          mapChange = change;
          converged = Math.abs(measures.gap) <= measures.gapBound && change <= mapTolerance;
          excesses.push({
            gap: excess(Math.abs(measures.gap), measures.gapBound),
            map: excess(change, mapTolerance),
          });
        }
      }
      const final =
        levelDone && level >= firstHalvedLevel && (converged || 2 * nodesAfter - 1 > maxEvaluations);

      const now = performance.now();
      if (evaluations === 1) firstMapAt = now;
      const left = evaluationsLeft(excesses, levelDone ? nodesAfter : nodesBefore, maxEvaluations);
      const doneSince = levelDone ? 0 : evaluations - nodesBefore;
      const secondsLeft =
        left === null
          ? null
          : (Math.max(0, left - doneSince) * (now - firstMapAt)) / 1000 / Math.max(1, evaluations - 1);
      yield {
        map,
        fx,
        fb,
        ...measures,
        mapChange,
        evaluations,
        converged,
        nodes: nodesAfter,
        maxEvaluations,
        final,
        seconds: (now - start) / 1000,
        secondsLeft: final ? 0 : secondsLeft,
      };
      if (final) return;
    }
  }
}

/** The completeness gap of a map with this sum, as `Convergence` defines its three figures. */
function completeness(
  sum: number,
  fx: number | null,
  fb: number | null,
  gapTolerance: number,
  differenceFloor: number,
): Pick<Convergence, 'gap' | 'gapRelative' | 'gapBound'> {
  if (fx === null || fb === null) return { gap: null, gapRelative: null, gapBound: null };
  const difference = Math.abs(fx - fb);
  const gap = sum - (fx - fb);
  return {
    gap,
    gapRelative: difference < differenceFloor ? null : Math.abs(gap) / difference,
    gapBound: gapTolerance * Math.max(difference, differenceFloor),
  };
}
