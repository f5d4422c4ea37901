/** The seam of methods that follow what a model makes of an image: distances between representations, and their gradients. */
export interface RepresentationModel {
  /** Shape of one point without the batch axis. */
  readonly shape: readonly number[];
  /** Values of one representation, such as the last linear layer's input. */
  readonly size: number;
  /** @param points [count, elements] @returns [count, size] */
  represent(points: Float32Array, count: number): Promise<Float32Array>;
  /**
   * The squared distance |r(z) - target|^2 of each point's representation from its own target, and its gradient.
   * @param points [count, elements] in the model's input units
   * @param targets [count, size]
   */
  distance(
    points: Float32Array,
    count: number,
    targets: Float32Array,
  ): Promise<{
    /** [count] */
    distance: Float64Array;
    /** [count, elements] */
    gradient: Float32Array;
  }>;
}
