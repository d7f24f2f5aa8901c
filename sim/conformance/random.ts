import { assert } from "../../core/assert.ts";
import type { Random } from "../../core/env/random.ts";

/**
 * One promise of `core/env/random.ts`, checked by what a caller can see. Throws AssertionError when broken.
 */
export interface RandomCase {
  readonly name: string;
  readonly run: (random: Random) => void;
}

const large = [0, 1, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0001, Number.MAX_SAFE_INTEGER];

export const randomCases: readonly RandomCase[] = [
  {
    name: "a draw is an unsigned 32-bit integer",
    run: (random) => {
      for (let i = 0; i < 2_000; i++) {
        const value = random.u32("stream", i % 7, i);
        assert(Number.isInteger(value), "an integer");
        assert(value >= 0 && value < 0x1_0000_0000, "within 32 bits");
      }
    },
  },
  {
    name: "the same key gives the same draw, whatever was drawn in between",
    run: (random) => {
      const before = [0, 1, 2, 3].map((i) => random.u32("a", 5, i));
      for (let i = 0; i < 100; i++) random.u32("b", i, 0);
      const after = [3, 2, 1, 0].map((i) => random.u32("a", 5, i)).toReversed();
      assert(before.join() === after.join(), "a draw depends on its key alone");
    },
  },
  {
    name: "stream, entity and ordinal all count, with all their bits",
    run: (random) => {
      const seen = new Set<number>();
      for (const entity of large) {
        for (const ordinal of large) seen.add(random.u32("s", entity, ordinal));
      }
      for (const stream of ["", "t", "tt", "s/", "S"]) seen.add(random.u32(stream, 0, 0));
      // 41 draws of 32 bits: a chance meeting is a matter of one in five million.
      assert(seen.size === large.length ** 2 + 5, "different keys give different draws");
    },
  },
  {
    name: "draws are spread evenly over high and low bits",
    run: (random) => {
      const high = Array.from({ length: 16 }, () => 0);
      const low = Array.from({ length: 16 }, () => 0);
      const draws = 16_000;
      for (let i = 0; i < draws; i++) {
        const value = random.u32("even", 1, i);
        high[value >>> 28] = (high[value >>> 28] ?? 0) + 1;
        low[value & 15] = (low[value & 15] ?? 0) + 1;
      }
      // 1,000 expected in each; six standard deviations are about 190.
      for (const count of [...high, ...low]) assert(count > 800 && count < 1_200, "no value is preferred");
    },
  },
];
