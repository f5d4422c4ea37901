/**
 * How many points of a path are evaluated together. The last bits of a result depend on it, so it is either a function of the model alone
 * (`usualBatch`) or measured once and kept with the prepared graph (`measureBatch`).
 */
import type { DifferentiableModel } from '../../core/attribution/model.ts';
import { sumAlong, throwIfCancelled } from '../../core/attribution/path.ts';
import type { Cost } from '../../core/autodiff/index.ts';

interface Graph {
  readonly batch: 'dynamic' | number;
  readonly cost: Cost;
}

/** What the values of a batch may take, as estimated: two points of a DenseNet-121 at 224 x 224. */
const memoryBudget = 128 * 2 ** 20;
const candidates = [1, 2, 4, 8];
/** Of the best time a point; a smaller batch that comes so close takes less memory, and a cancellation waits less. */
const tolerance = 1.05;
const repeats = 3;

function largestBatch({ batch, cost }: Graph): number {
  // A graph of a fixed batch is run as often as it takes.
  if (batch !== 'dynamic') return batch;
  return Math.max(1, Math.floor(memoryBudget / Math.max(1, cost.perImage)));
}

/** Without a measurement: on two cores a point takes about the same time in batches of 1 to 8. */
export function usualBatch(graph: Graph): number {
  const largest = largestBatch(graph);
  return graph.batch === 'dynamic' ? Math.min(4, largest) : largest;
}

/**
 * Times batches within the memory budget, each warm, and takes the smallest of those that are as good as the best.
 * @param x [elements] any image
 * @throws PathlightError `cancelled`
 */
export async function measureBatch(
  model: DifferentiableModel,
  graph: Graph,
  x: Float32Array,
  signal?: AbortSignal,
): Promise<number> {
  const allowed = candidates.filter((batch) => batch <= largestBatch(graph));
  if (allowed.length < 2 || graph.batch !== 'dynamic') return largestBatch(graph);
  const baseline = new Float32Array(x.length);
  const times: { batch: number; time: number }[] = [];
  for (const batch of allowed) {
    const nodes = Array.from({ length: batch }, (_, k) => (k + 0.5) / batch);
    const points = { x, baseline, nodes, weights: nodes.map(() => 1) };
    let least = Infinity;
    for (let repeat = 0; repeat <= repeats; repeat++) {
      throwIfCancelled(signal);
      const start = performance.now();
      await sumAlong(model, points);
      // The first run of a size takes its memory, too.
      if (repeat > 0) least = Math.min(least, performance.now() - start);
    }
    times.push({ batch, time: least / batch });
  }
  const best = Math.min(...times.map(({ time }) => time));
  return times.find(({ time }) => time <= tolerance * best)?.batch ?? 1;
}
