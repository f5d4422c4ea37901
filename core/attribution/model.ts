/** The seam between attribution and whatever runs the model: attribution sees scores and gradients, never a runtime. */

/** Which number is explained, of the model's output vector. */
export type Scalar = 'logit' | 'probability' | 'log-probability';

export interface Evaluation {
  /** [count] the explained scalar f of each point. */
  f: Float64Array;
  /** [count, elements] its gradient with respect to each point. */
  gradient: Float32Array;
}

export interface DifferentiableModel {
  /** Shape of one point without the batch axis, for example [1, 224, 224]. */
  readonly shape: readonly number[];
  /**
   * Evaluates the scalar and its gradient.
   * @param points [count, elements] in the model's input units
   */
  evaluate(points: Float32Array, count: number): Promise<Evaluation>;
}
