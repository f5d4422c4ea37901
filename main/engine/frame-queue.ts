/** Frames between a process that makes them and a reader that may be slower: the newest are kept, the last one always. */
export class FrameQueue<T> implements AsyncIterableIterator<T, undefined> {
  readonly #limit: number;
  readonly #frames: T[] = [];
  #ended: { error?: Error } | null = null;
  #wake: (() => void) | null = null;

  /** @param limit frames held for a slow reader; beyond it the oldest is dropped */
  constructor(limit: number) {
    this.#limit = limit;
  }

  push(frame: T): void {
    if (this.#ended !== null) return;
    this.#frames.push(frame);
    if (this.#frames.length > this.#limit) this.#frames.shift();
    this.#wake?.();
  }

  /** No more frames; with an error, reading them ends with it. */
  end(error?: Error): void {
    this.#ended ??= error === undefined ? {} : { error };
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) return { done: false, value: frame };
      if (this.#ended?.error !== undefined) throw this.#ended.error;
      if (this.#ended !== null) return { done: true, value: undefined };
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
