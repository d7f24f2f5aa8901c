// HOT: every value that is returned is copied here.
import { assert } from "../assert.ts";

const slabBytes = 128 * 1024;
/** Longer copies get memory of their own: one kept value must not hold a slab that is mostly its neighbours'. */
const sharedBytesMax = 16 * 1024;

/**
 * Copies of byte ranges, cut from larger pieces of memory as Node.js cuts small `Buffer`s: an allocation for each
 * costs several times as much as the copy, and `slice` of shared memory goes byte by byte. Copies never overlap
 * and are never written again; they may share one `ArrayBuffer`.
 */
export class ByteSlab {
  #bytes = new Uint8Array(0);
  #used = 0;

  /** A copy of `source[start, end)` that belongs to the caller. */
  copy(source: Uint8Array, start: number, end: number): Uint8Array {
    assert(start <= end, "a range does not end before it starts");
    const length = end - start;
    if (length > sharedBytesMax) {
      const own = new Uint8Array(length);
      own.set(source.subarray(start, end));
      return own;
    }
    if (this.#used + length > this.#bytes.length) {
      this.#bytes = new Uint8Array(slabBytes);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used = at + length;
    this.#bytes.set(source.subarray(start, end), at);
    return new Uint8Array(this.#bytes.buffer, at, length);
  }
}
