/** Which of two words is the low one of a 64 bit integer, on this machine. */
const low = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 0 : 1;

/**
 * A list of unsigned 64 bit integers that are written and read as two words each, and sorted by the machine's own sort:
 * no comparator is called and no bigint is made.
 */
export class WideWords {
  readonly #integers: BigUint64Array;
  /** Integer i is in the words 2 * i + `lowAt` and 2 * i + `highAt`. */
  readonly words: Uint32Array;
  readonly lowAt = low;
  readonly highAt = 1 - low;

  constructor(count: number) {
    this.#integers = new BigUint64Array(count);
    this.words = new Uint32Array(this.#integers.buffer);
  }

  /** Ascending. */
  sort(): void {
    this.#integers.sort();
  }
}
