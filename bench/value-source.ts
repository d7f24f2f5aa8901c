import { Xorshift } from "./xorshift.ts";

/** Random values, made inside the timed operation as the original does. */
export class ValueSource {
  readonly #random: Xorshift;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;

  constructor(seed: number, valueBytes: number) {
    this.#random = new Xorshift(seed);
    this.#words = new Uint32Array(Math.ceil(valueBytes / 4));
    this.#bytes = new Uint8Array(this.#words.buffer, 0, valueBytes);
  }

  /** Valid until the next call: a store copies what it keeps. */
  next(): Uint8Array {
    this.#random.fill(this.#words);
    return this.#bytes;
  }
}
