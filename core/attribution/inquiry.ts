/** What every method streams, and how it asks the model. */
import { PathlightError } from '../contract/errors.ts';
import type { Score } from '../metrics/score.ts';
import type { IntegralFrame } from './integrated-gradients.ts';
import type { DifferentiableModel, Evaluation, PathPoints, PathSum } from './model.ts';
import { checkFinite, sumAlong, throwIfCancelled } from './path.ts';

/** A model that may give scores alone, for a fraction of a gradient's cost; where it cannot, a score costs a gradient. */
export interface ScoringModel extends DifferentiableModel {
  /** The explained scalar of each point. */
  score?: Score;
}

/** How a method is to run. */
export interface Run {
  /** The most points evaluated together: bounds the memory, and is what a cancellation waits for. */
  batchSize: number;
  signal?: AbortSignal | undefined;
  /** Whether scores are asked for that nothing but `expectedSum` needs; by default they are. */
  measureSum?: boolean;
}

/** What an integral that stops by itself says of how far it has come. */
export type IntegralState = Pick<
  IntegralFrame,
  'fx' | 'fb' | 'gapRelative' | 'gapBound' | 'mapChange' | 'converged' | 'nodes' | 'secondsLeft'
> & {
  /** Where the two scores differ by less, the gap is held against this, and there is no relative one. */
  differenceFloor: number;
};

/** The state of a map after one batch. */
export interface AttributionFrame {
  /** [elements] signed; [height, width] where the method says so. Nobody writes into it afterwards. */
  map: Float32Array;
  /** Of the map, before rounding to float32. */
  sum: number;
  /** What the sum should equal, in units of the scalar; null while that is not known, and where nothing is promised. */
  expectedSum: number | null;
  /** sum - expectedSum */
  gap: number | null;
  /** Gradients asked for so far, of scores and of representations. */
  evaluations: number;
  /** How many it will be; of a method that stops by itself, at the most. */
  maxEvaluations: number;
  final: boolean;
  /** Numbers that the method found on its way, by name: the noise that it chose, say. */
  findings?: Readonly<Record<string, number>>;
  /** Of a method with a criterion of its own, or one put around it. */
  integral?: IntegralState;
}

export type AttributionStream = AsyncGenerator<AttributionFrame, void, undefined>;

/** Runs a method to its end. */
export async function lastFrame<Frame extends AttributionFrame>(
  stream: AsyncIterable<Frame>,
): Promise<Frame> {
  let last: Frame | null = null;
  for await (const frame of stream) last = frame;
  if (last === null) throw new PathlightError('internal', 'The method ended without a map.');
  return last;
}

/** Asks a model on behalf of one method: counts, stops when cancelled, lets nothing pass that is not finite. */
export class Inquiry {
  readonly model: ScoringModel;
  readonly run: Run;
  #evaluations = 0;

  /** @throws PathlightError `bad-request`: batches of nothing */
  constructor(model: ScoringModel, run: Run) {
    if (!Number.isInteger(run.batchSize) || run.batchSize < 1) {
      throw new PathlightError('bad-request', `A batch holds at least one point, not ${run.batchSize}`);
    }
    this.model = model;
    this.run = run;
  }

  get evaluations(): number {
    return this.#evaluations;
  }

  /** Gradients that a score costs. */
  get scoreCost(): number {
    return this.model.score === undefined ? 1 : 0;
  }

  get measureSum(): boolean {
    return this.run.measureSum ?? true;
  }

  /** Counts gradients that are not asked for here: those of representations. @throws PathlightError `cancelled` */
  count(gradients: number): void {
    throwIfCancelled(this.run.signal);
    this.#evaluations += gradients;
  }

  /**
   * @param points [count, elements]
   * @param place of point k, as `checkFinite` takes it
   * @throws PathlightError `cancelled`; `unsupported`: a score or gradient that is not finite
   */
  async evaluate(points: Float32Array, count: number, place: (k: number) => string): Promise<Evaluation> {
    this.count(count);
    const evaluation = await this.model.evaluate(points, count);
    checkFinite(evaluation, count, place);
    return evaluation;
  }

  /** The weighted sum of gradients along a straight path, which the runtime may take by itself. @throws PathlightError as `evaluate` does */
  async sumAlong(points: PathPoints): Promise<PathSum> {
    this.count(points.nodes.length);
    return sumAlong(this.model, points);
  }

  /**
   * The score of each of `count` points, in batches.
   * @param point [elements] asked for when its turn comes, so that no more than a batch is kept
   * @throws PathlightError as `evaluate` does
   */
  async scores(
    count: number,
    point: (k: number) => ArrayLike<number>,
    place: (k: number) => string,
  ): Promise<number[]> {
    const { batchSize, signal } = this.run;
    const scores: number[] = [];
    for (let start = 0; start < count; start += batchSize) {
      throwIfCancelled(signal);
      const size = Math.min(batchSize, count - start);
      const points = joinPoints(Array.from({ length: size }, (_, k) => point(start + k)));
      const placeInBatch = (k: number): string => place(start + k);
      if (this.model.score === undefined) {
        scores.push(...(await this.evaluate(points, size, placeInBatch)).f);
      } else {
        const f = await this.model.score(points, size);
        checkFinite({ f, gradient: new Float32Array() }, size, placeInBatch);
        scores.push(...f);
      }
    }
    return scores;
  }

  /** The score of one point. @throws PathlightError as `evaluate` does */
  async score(point: ArrayLike<number>, place: string): Promise<number> {
    const [score = NaN] = await this.scores(
      1,
      () => point,
      () => place,
    );
    return score;
  }

  /** A frame of the map so far. */
  frame(
    values: Float64Array,
    expectedSum: number | null,
    maxEvaluations: number,
    final: boolean,
  ): AttributionFrame {
    const sum = values.reduce((total, value) => total + value, 0);
    return {
      map: Float32Array.from(values),
      sum,
      expectedSum,
      gap: expectedSum === null ? null : sum - expectedSum,
      evaluations: this.#evaluations,
      maxEvaluations,
      final,
    };
  }
}

/** @returns [count, elements] */
export function joinPoints(points: readonly ArrayLike<number>[]): Float32Array {
  const elements = points[0]?.length ?? 0;
  const joined = new Float32Array(points.length * elements);
  points.forEach((point, k) => joined.set(point, k * elements));
  return joined;
}
