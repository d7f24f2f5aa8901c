// HOT: each proposal and each applied entry passes one.
import type { LogIndex } from "./entry.ts";

/** Bytes of entries that some later event settles, in order of their index. */
export class ByteBacklog {
  bytes = 0;
  readonly #lasts: LogIndex[] = [];
  readonly #sizes: number[] = [];
  #head = 0;

  add(last: LogIndex, bytes: number): void {
    this.#lasts.push(last);
    this.#sizes.push(bytes);
    this.bytes += bytes;
  }

  settleTo(index: LogIndex): void {
    while (this.#head < this.#lasts.length && (this.#lasts[this.#head] as LogIndex) <= index) {
      this.bytes -= this.#sizes[this.#head] as number;
      this.#head++;
    }
    if (this.#head === this.#lasts.length) this.reset();
    else if (this.#head >= 1024 && this.#head * 2 > this.#lasts.length) {
      this.#lasts.splice(0, this.#head);
      this.#sizes.splice(0, this.#head);
      this.#head = 0;
    }
  }

  reset(): void {
    this.#lasts.length = 0;
    this.#sizes.length = 0;
    this.#head = 0;
    this.bytes = 0;
  }
}
