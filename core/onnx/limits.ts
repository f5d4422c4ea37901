/** What bounds the work that a small file can ask for. */
import { PathlightError } from '../contract/errors.ts';

/**
 * Large classifiers have some 5,000. ONNX Runtime's time to open a graph can grow with the square of its nodes (a chain of 4,000 takes it
 * 17 s with its gradient), so that a small hostile file would keep the engine busy for hours.
 */
const MOST_NODES = 10_000;

/** Counts a graph's nodes while it is read, its functions are written out, or its loops unrolled. */
export class NodeCount {
  #nodes = 0;

  /** @throws PathlightError too-large */
  add(nodes: number): void {
    this.#nodes += nodes;
    if (this.#nodes > MOST_NODES) {
      throw new PathlightError(
        'too-large',
        `The model's graph has ${this.#nodes} nodes or more; Pathlight opens at most ${MOST_NODES}.`,
        'Simplify the model with its exporter, or use a smaller one.',
      );
    }
  }
}
