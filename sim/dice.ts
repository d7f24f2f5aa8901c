import { assert } from "../core/assert.ts";
import { type StreamKey, draw } from "../core/bytes/keyed-draw.ts";

/**
 * A sequence of draws of one (stream, entity). Each draw is keyed by its ordinal alone, so draws of another
 * stream or entity never move these.
 */
export class Dice {
  readonly #key: StreamKey;
  readonly #entity: number;
  #ordinal = 0;

  constructor(key: StreamKey, entity: number) {
    this.#key = key;
    this.#entity = entity;
  }

  /** An integer in [0, 2^32). */
  u32(): number {
    return draw(this.#key, this.#entity, this.#ordinal++);
  }

  /** An integer in [0, n). */
  below(n: number): number {
    assert(n >= 1, "something to choose from");
    if (n <= 0x1_0000_0000) return this.u32() % n;
    return ((this.u32() & 0x1f_ffff) * 0x1_0000_0000 + this.u32()) % n;
  }

  /** An integer in [low, high], both included. */
  between(low: number, high: number): number {
    assert(low <= high, "an interval has its ends in order");
    return low + this.below(high - low + 1);
  }

  /**
   * An integer in [low, high], low >= 1, heavy-tailed: each power of two in the interval is about as likely
   * as any other. For sizes, gaps and rates of which nobody knows the interesting scale.
   */
  skewed(low: number, high: number): number {
    assert(low >= 1, "a logarithm needs a positive number");
    assert(low <= high, "an interval has its ends in order");
    const exponentLow = exponentOf(low);
    const exponentHigh = exponentOf(high);
    const power = 2 ** this.between(exponentLow, exponentHigh);
    return Math.min(high, Math.max(low, power + this.below(power)));
  }

  /** True `numerator` times out of `denominator`. Takes one draw, whatever the answer. */
  chance(numerator: number, denominator: number): boolean {
    return this.below(denominator) < numerator;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    assert(item !== undefined, "an index below the length");
    return item;
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.u32() & 0xff;
    return bytes;
  }
}

/** The largest e with 2^e <= value; exact for safe integers, unlike a logarithm. */
function exponentOf(value: number): number {
  let exponent = 0;
  for (let rest = value; rest >= 2; rest = Math.floor(rest / 2)) exponent++;
  return exponent;
}
