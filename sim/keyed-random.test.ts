// Goal: a draw depends on its key and on nothing else, and different seeds are different worlds.
import { describe, expect, test } from "vitest";
import { Dice } from "./dice.ts";
import { KeyedRandom } from "./keyed-random.ts";

function draws(random: KeyedRandom, stream: string): number[] {
  return Array.from({ length: 8 }, (_, i) => random.u32(stream, 1, i));
}

describe("KeyedRandom", () => {
  test("is a function of the seed", () => {
    expect(draws(KeyedRandom.ofSeed(42), "s")).toEqual(draws(KeyedRandom.ofSeed(42), "s"));
  });

  test("tells apart seeds that repeat one another's digits, and large seeds that differ little", () => {
    const seeds = [0, 1, 11, 111, 2, 22, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1, 2 ** 53 - 2];
    const first = new Set(seeds.map((seed) => draws(KeyedRandom.ofSeed(seed), "s").join()));
    expect(first.size).toBe(seeds.length);
  });

  test("refuses what is not a seed", () => {
    for (const seed of [-1, 0.5, 2 ** 53, Number.NaN]) {
      expect(() => KeyedRandom.ofSeed(seed)).toThrow("a seed is");
    }
  });

  test("taking one draw away leaves every other draw as it was", () => {
    const all = KeyedRandom.ofSeed(5);
    const some = KeyedRandom.ofSeed(5);
    all.u32("network", 3, 0);
    all.fork("machine/a").u32("disk", 0, 0);
    expect(draws(all, "disk")).toEqual(draws(some, "disk"));
    expect(all.u32("network", 3, 1)).toBe(some.u32("network", 3, 1));
  });

  test("a fork shares no stream with its origin", () => {
    const random = KeyedRandom.ofSeed(5);
    expect(draws(random.fork("a"), "s")).not.toEqual(draws(random, "s"));
    expect(draws(random.fork("a"), "s")).not.toEqual(draws(random.fork("b"), "s"));
    expect(draws(random.fork("a"), "s")).toEqual(draws(random.fork("a"), "s"));
  });
});

describe("Dice", () => {
  const dice = (): Dice => new Dice(KeyedRandom.ofSeed(9).stream("dice"), 4);

  test("keeps its intervals", () => {
    const rolled = dice();
    for (let i = 0; i < 1_000; i++) {
      expect(rolled.below(3)).toBeLessThan(3);
      const between = rolled.between(-5, 5);
      expect(between >= -5 && between <= 5).toBe(true);
      const skewed = rolled.skewed(3, 1_000);
      expect(skewed >= 3 && skewed <= 1_000).toBe(true);
      expect(rolled.below(2 ** 50)).toBeLessThan(2 ** 50);
    }
    expect(rolled.below(1)).toBe(0);
    expect(rolled.skewed(7, 7)).toBe(7);
  });

  test("reaches every value of a small interval, both ends included", () => {
    const rolled = dice();
    const seen = new Set(Array.from({ length: 500 }, () => rolled.between(10, 19)));
    expect(seen.size).toBe(10);
  });

  test("skewed draws visit every scale", () => {
    const rolled = dice();
    const decades = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < 6_000; i++) {
      const decade = String(rolled.skewed(1, 999_999)).length - 1;
      decades[decade] = (decades[decade] ?? 0) + 1;
    }
    for (const count of decades) expect(count).toBeGreaterThan(500);
  });

  test("a chance is met as often as it says, and takes one draw either way", () => {
    const rolled = dice();
    const hits = Array.from({ length: 10_000 }, () => rolled.chance(1, 4)).filter(Boolean).length;
    expect(hits).toBeGreaterThan(2_200);
    expect(hits).toBeLessThan(2_800);
    const never = dice();
    const always = dice();
    never.chance(0, 5);
    always.chance(5, 5);
    expect(never.u32()).toBe(always.u32());
  });

  test("bytes and picks follow the seed", () => {
    expect(dice().bytes(16)).toEqual(dice().bytes(16));
    expect(["a", "b", "c"]).toContain(dice().pick(["a", "b", "c"]));
    expect(() => dice().pick([])).toThrow("something to choose from");
  });
});
