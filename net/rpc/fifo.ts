// HOT: every frame waits in one of these.
/** First in, first out, without the cost of `shift`. */
export class Fifo<T> {
  #items: (T | null)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  peek(): T | null {
    return this.#items[this.#head] ?? null;
  }

  shift(): T | null {
    const item = this.#items[this.#head];
    if (item === undefined || item === null) return null;
    this.#items[this.#head++] = null;
    if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Keeps what `wanted` says, in order. */
  retain(wanted: (item: T) => boolean): void {
    const kept: (T | null)[] = [];
    for (let i = this.#head; i < this.#items.length; i++) {
      const item = this.#items[i];
      if (item !== undefined && item !== null && wanted(item)) kept.push(item);
    }
    this.#items = kept;
    this.#head = 0;
  }
}
