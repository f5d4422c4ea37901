/** What was made lately, up to a budget of bytes; the longest-unused goes first. */
export class ByteCache<V> {
  readonly #budget: number;
  /** A Map keeps the order of insertion: taking out and putting in again moves an item to the young end. */
  readonly #items = new Map<string, { value: V; bytes: number }>();
  #bytes = 0;

  constructor(budget: number) {
    this.#budget = budget;
  }

  get(key: string): V | undefined {
    const item = this.#items.get(key);
    if (item === undefined) return undefined;
    this.#items.delete(key);
    this.#items.set(key, item);
    return item.value;
  }

  /** Keeps the value, even one larger than the budget: it is in use now. */
  set(key: string, value: V, bytes: number): void {
    this.delete(key);
    this.#items.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const old of this.#items.keys()) {
      if (this.#bytes <= this.#budget || old === key) break;
      this.delete(old);
    }
  }

  delete(key: string): void {
    this.#bytes -= this.#items.get(key)?.bytes ?? 0;
    this.#items.delete(key);
  }
}

/** What is made asynchronously, once for all who ask meanwhile and later. A failure is not kept. */
export class MemoCache<V> {
  readonly #made: ByteCache<V>;
  readonly #underWay = new Map<string, Promise<V>>();
  readonly #bytesOf: (value: V) => number;

  constructor(budget: number, bytesOf: (value: V) => number) {
    this.#made = new ByteCache(budget);
    this.#bytesOf = bytesOf;
  }

  async get(key: string, make: () => Promise<V>): Promise<V> {
    const made = this.#made.get(key);
    if (made !== undefined) return made;
    const before = this.#underWay.get(key);
    if (before !== undefined) return before;
    const making = make();
    this.#underWay.set(key, making);
    try {
      const value = await making;
      this.#made.set(key, value, this.#bytesOf(value));
      return value;
    } finally {
      this.#underWay.delete(key);
    }
  }
}
