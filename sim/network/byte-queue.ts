// HOT: bytes of every simulated connection wait here.
import { assert } from "../../core/assert.ts";

/** First in, first out, in chunks that it owns; taken out in pieces of any length. */
export class ByteQueue {
  readonly #chunks: Uint8Array[] = [];
  #headStart = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Copies `bytes`. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes.slice());
    this.#length += bytes.length;
  }

  /** The next `length` bytes, owned by the caller. */
  take(length: number): Uint8Array {
    assert(length >= 1, "something is taken");
    assert(length <= this.#length, "no more than there is");
    this.#length -= length;
    const head = this.#chunks[0];
    assert(head !== undefined, "a non-empty queue has a chunk");
    const start = this.#headStart;
    if (head.length - start > length) {
      this.#headStart += length;
      return head.subarray(start, this.#headStart);
    }
    if (head.length - start === length) {
      this.#chunks.shift();
      this.#headStart = 0;
      return start === 0 ? head : head.subarray(start);
    }
    const taken = new Uint8Array(length);
    this.#fill(taken);
    return taken;
  }

  clear(): void {
    this.#chunks.length = 0;
    this.#headStart = 0;
    this.#length = 0;
  }

  #fill(taken: Uint8Array): void {
    let at = 0;
    while (at < taken.length) {
      const head = this.#chunks[0];
      assert(head !== undefined, "the length counts the chunks");
      const part = Math.min(head.length - this.#headStart, taken.length - at);
      taken.set(head.subarray(this.#headStart, this.#headStart + part), at);
      at += part;
      this.#headStart += part;
      if (this.#headStart === head.length) {
        this.#chunks.shift();
        this.#headStart = 0;
      }
    }
  }
}
