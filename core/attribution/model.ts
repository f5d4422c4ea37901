/** The seam between attribution and whatever runs the model: attribution sees scores and gradients, never a runtime. */

/** Which number is explained, of the model's output vector. */
export type Scalar = 'logit' | 'probability' | 'log-probability';

export interface Evaluation {
  /** [count] the explained scalar f of each point. */
  f: Float64Array;
  /** [count, elements] its gradient with respect to each point. */
  gradient: Float32Array;
}

export interface PathSum {
  /** [count] the explained scalar f of each point. */
  f: Float64Array;
  /** [elements] the weighted sum of the points' gradients. */
  gradient: Float32Array;
}

/** Points b + a (x - b) of a straight path, one for each a in `nodes`, and what their gradients weigh in the sum. */
export interface PathPoints {
  /** [elements] each, in the model's input units. */
  x: Float32Array;
  baseline: Float32Array;
  nodes: readonly number[];
  weights: readonly number[];
}

export interface DifferentiableModel {
  /** Shape of one point without the batch axis, for example [1, 224, 224]. */
  readonly shape: readonly number[];
  /**
   * Evaluates the scalar and its gradient.
   * @param points [count, elements] in the model's input units
   */
  evaluate(points: Float32Array, count: number): Promise<Evaluation>;
  /** The same along a path, where the model's runtime can place the points and add up the gradients itself. */
  readonly sumAlong?: (points: PathPoints) => Promise<PathSum>;
}
