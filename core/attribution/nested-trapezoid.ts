/**
 * Nodes that each level adds to those before it. The first is the middle alone, so that the first map costs one gradient; then the
 * two ends make it the trapezoid of 3 nodes, and every further level halves the step: 5, 9, 17 ... Within a level the order is
 * bit-reversed, so that a level half done is spread over the whole path.
 */
export function nodesOfLevel(level: number): number[] {
  if (level === 0) return [0.5];
  if (level === 1) return [0, 1];
  const bits = level - 1;
  const count = 2 ** bits;
  return Array.from({ length: count }, (_, k) => {
    let reversed = 0;
    for (let bit = 0; bit < bits; bit++) reversed |= ((k >> bit) & 1) << (bits - 1 - bit);
    return (reversed + 0.5) / count;
  });
}

/**
 * The nested trapezoid of a path's gradients. Halving the step gives T_new = T_old / 2 + mean(new gradients) / 2, so
 * two sums are all that is kept, however many gradients go in. A level under way is estimated as T_old / 2 + mean(new gradients so
 * far) / 2, whose weights are positive and sum to 1, too. Sums are float64 and taken in the order of the calls.
 */
export class NestedTrapezoid {
  readonly #difference: Float64Array;
  /** Mean gradient of the complete levels. */
  readonly #complete: Float64Array;
  /** Sum of the gradients of the level under way. */
  readonly #added: Float64Array;
  #addedCount = 0;
  #levels = 0;

  /**
   * @param x [elements] end of the path
   * @param baseline [elements] its beginning
   */
  constructor(x: Float32Array, baseline: Float32Array) {
    this.#difference = Float64Array.from(x, (value, i) => value - (baseline[i] ?? 0));
    this.#complete = new Float64Array(x.length);
    this.#added = new Float64Array(x.length);
  }

  /** @param sum [elements] of the gradients of the level's next nodes, `count` of them */
  add(sum: Float32Array, count: number): void {
    for (let i = 0; i < sum.length; i++) this.#added[i] = (this.#added[i] ?? 0) + (sum[i] ?? 0);
    this.#addedCount += count;
  }

  /** @returns the map so far, [elements], a fresh array, and its sum before rounding to float32 */
  estimate(): { map: Float32Array; sum: number } {
    const map = new Float32Array(this.#added.length);
    let sum = 0;
    for (let i = 0; i < map.length; i++) {
      const value = (this.#difference[i] ?? 0) * this.#mean(i);
      map[i] = value;
      sum += value;
    }
    return { map, sum };
  }

  /** Ends the level under way. @returns the relative L2 change that it made to the map */
  completeLevel(): number {
    let change = 0;
    let size = 0;
    for (let i = 0; i < this.#complete.length; i++) {
      const difference = this.#difference[i] ?? 0;
      const mean = this.#mean(i);
      change += (difference * (mean - (this.#complete[i] ?? 0))) ** 2;
      size += (difference * mean) ** 2;
      this.#complete[i] = mean;
    }
    this.#added.fill(0);
    this.#addedCount = 0;
    this.#levels++;
    return change === 0 ? 0 : Math.sqrt(change / size);
  }

  #mean(i: number): number {
    const complete = this.#complete[i] ?? 0;
    if (this.#addedCount === 0) return complete;
    const added = (this.#added[i] ?? 0) / this.#addedCount;
    return this.#levels === 0 ? added : (complete + added) / 2;
  }
}
