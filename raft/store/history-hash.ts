/**
 * What all replicas of a region agree on: a running hash of every applied entry and its effects. Two lanes of 32 bits
 * (multiply and xor-shift, constants of MurmurHash3's finalizer).
 */
export class HistoryHash {
  high: number;
  low: number;

  constructor(high = 0, low = 0) {
    this.high = high;
    this.low = low;
  }

  /** A safe integer of at least 0. */
  number(value: number): void {
    this.#mix(value >>> 0);
    this.#mix(Math.floor(value / 0x1_0000_0000));
  }

  bytes(bytes: Uint8Array): void {
    this.#mix(bytes.length);
    let word = 0;
    for (let i = 0; i < bytes.length; i++) {
      word = (word << 8) | (bytes[i] as number);
      if ((i & 3) === 3) {
        this.#mix(word);
        word = 0;
      }
    }
    this.#mix(word);
  }

  #mix(word: number): void {
    let low = Math.imul(this.low ^ word, 0x85eb_ca6b);
    low = (low ^ (low >>> 13)) + this.high;
    let high = Math.imul(this.high ^ low, 0xc2b2_ae35);
    high ^= high >>> 16;
    this.low = low >>> 0;
    this.high = high >>> 0;
  }
}
