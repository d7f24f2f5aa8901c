/** Keys side by side: a million pieces of memory of their own would be half of what a process is seen to use. */
export class KeySlab {
  #bytes = new Uint8Array(0);
  #used = 0;

  keep(key: Uint8Array): Uint8Array {
    if (this.#used + key.length > this.#bytes.length) {
      this.#bytes = new Uint8Array(2 ** 20);
      this.#used = 0;
    }
    const kept = this.#bytes.subarray(this.#used, this.#used + key.length);
    kept.set(key);
    this.#used += key.length;
    return kept;
  }
}
