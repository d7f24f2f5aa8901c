// HOT: every key and value that is handed out is copied here.

/** Copies up to this length share a slab; longer ones get memory of their own. */
const sharedBytesMax = 2048;
const slabBytes = 16 * 1024;

/**
 * Copies for callers to own. Short ones are cut from a slab, several times cheaper than memory of their own; so a
 * short copy that is kept keeps its slab, as with Node's own pool of small buffers.
 */
export class ByteSlab {
  #slab: Uint8Array = new Uint8Array(0);
  #used = 0;

  copy(source: Uint8Array, start: number, length: number): Uint8Array {
    if (length > sharedBytesMax) return source.slice(start, start + length);
    if (this.#used + length > this.#slab.length) {
      this.#slab = new Uint8Array(slabBytes);
      this.#used = 0;
    }
    const copy = this.#slab.subarray(this.#used, this.#used + length);
    copy.set(source.subarray(start, start + length));
    this.#used += length;
    return copy;
  }
}
