import seedrandom from "seedrandom";
import { assert } from "../core/assert.ts";
import { type StreamKey, draw, scramble } from "../core/bytes/keyed-draw.ts";
import type { Random } from "../core/env/random.ts";

/**
 * Keyed randomness of one run. `seedrandom` turns the seed into a run key, the name of a stream is hashed
 * into it, and a draw mixes that with entity and ordinal. There is no state that a draw could advance.
 */
export class KeyedRandom implements Random {
  readonly #low: number;
  readonly #high: number;
  readonly #streams = new Map<string, StreamKey>();

  private constructor(low: number, high: number) {
    this.#low = low;
    this.#high = high;
  }

  /** `seed` is a safe integer, not negative. */
  static ofSeed(seed: number): KeyedRandom {
    assert(Number.isSafeInteger(seed), "a seed is a safe integer");
    assert(seed >= 0, "a seed is not negative");
    // The terminator matters: seedrandom repeats its text, so "1" and "11" would be the same seed.
    const source = seedrandom(`${seed}.`);
    return new KeyedRandom(source.int32() >>> 0, source.int32() >>> 0);
  }

  /** Another space of streams, as far from this one as another seed. */
  fork(name: string): KeyedRandom {
    const key = this.stream(name);
    return new KeyedRandom(key.high, key.low);
  }

  /** Worth keeping by whoever draws often from one stream. */
  stream(name: string): StreamKey {
    const known = this.#streams.get(name);
    if (known !== undefined) return known;
    let low = this.#low;
    let high = this.#high;
    for (let i = 0; i < name.length; i++) {
      low = scramble(low ^ name.charCodeAt(i));
      high = scramble(high + Math.imul(low, 0x9e37_79b1));
    }
    const key = { low: low >>> 0, high: high >>> 0 };
    this.#streams.set(name, key);
    return key;
  }

  u32(stream: string, entity: number, ordinal: number): number {
    return draw(this.stream(stream), entity, ordinal);
  }
}
