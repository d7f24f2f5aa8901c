// HOT: each append to a follower enters and leaves it.
import type { LogIndex } from "./entry.ts";

/** Appends that one follower has not acknowledged yet: what bounds how far a leader runs ahead. */
export class Inflights {
  count = 0;
  bytes = 0;
  readonly #countMax: number;
  readonly #bytesMax: number;
  readonly #lasts: LogIndex[] = [];
  readonly #sizes: number[] = [];
  #head = 0;

  constructor(countMax: number, bytesMax: number) {
    this.#countMax = countMax;
    this.#bytesMax = bytesMax;
  }

  full(): boolean {
    return this.count >= this.#countMax || this.bytes >= this.#bytesMax;
  }

  /** An append whose last entry is `last`. */
  add(last: LogIndex, bytes: number): void {
    this.#lasts.push(last);
    this.#sizes.push(bytes);
    this.count++;
    this.bytes += bytes;
  }

  /** Everything up to `index` arrived. */
  freeTo(index: LogIndex): void {
    while (this.count > 0 && (this.#lasts[this.#head] as LogIndex) <= index) {
      this.bytes -= this.#sizes[this.#head] as number;
      this.#head++;
      this.count--;
    }
    if (this.count === 0) this.reset();
    else if (this.#head > this.#countMax) {
      this.#lasts.splice(0, this.#head);
      this.#sizes.splice(0, this.#head);
      this.#head = 0;
    }
  }

  reset(): void {
    this.#lasts.length = 0;
    this.#sizes.length = 0;
    this.#head = 0;
    this.count = 0;
    this.bytes = 0;
  }

  /** The sum over the window, anew; for `check`. */
  sumBytes(): number {
    let sum = 0;
    for (let at = this.#head; at < this.#sizes.length; at++) sum += this.#sizes[at] as number;
    return sum;
  }
}
