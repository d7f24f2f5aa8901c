// Goal: draws of neighbouring keys look unrelated. Method: counting, over bits and buckets, with wide
// margins.
import { describe, expect, test } from "vitest";
import { draw, scramble } from "./keyed-draw.ts";

const key = { low: 0x1234_5678, high: 0x9abc_def0 };
const other = { low: 1, high: 2 };

/** Pearson's statistic of how `draws` values fall into `buckets`. Expected: about `buckets`. */
function chiSquare(buckets: number, draws: number, next: (i: number) => number): number {
  const counts = Array.from({ length: buckets }, () => 0);
  for (let i = 0; i < draws; i++) {
    const bucket = next(i) % buckets;
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  const expected = draws / buckets;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe("draw", () => {
  test.each([
    ["ordinals", (i: number) => draw(key, 7, i)],
    ["entities", (i: number) => draw(key, i, 0)],
    ["entities and ordinals together", (i: number) => draw(key, i, i)],
    ["large ordinals", (i: number) => draw(key, 1, 2 ** 40 + i)],
    ["large entities", (i: number) => draw(key, 2 ** 40 + i, 1)],
    ["steps of a large power of two", (i: number) => draw(key, 1, i * 2 ** 32)],
    ["the high bits", (i: number) => draw(key, 3, i) >>> 24],
    ["differences of neighbours", (i: number) => (draw(key, 3, i) ^ draw(key, 3, i + 1)) >>> 0],
    ["differences of entities", (i: number) => (draw(key, i, 5) ^ draw(key, i + 1, 5)) >>> 0],
    ["two streams against each other", (i: number) => (draw(key, 1, i) ^ draw(other, 1, i)) >>> 0],
  ])("is uniform over %s", (_, next) => {
    // 255 degrees of freedom: mean 255, standard deviation 22.6; both limits are seven deviations away.
    const statistic = chiSquare(256, 100_000, next);
    expect(statistic).toBeGreaterThan(100);
    expect(statistic).toBeLessThan(415);
  });

  test("flips half of the bits when one bit of any input flips", () => {
    const inputs = [
      (i: number, bit: number) => draw(key, i, 2 ** bit),
      (i: number, bit: number) => draw(key, i + 2 ** bit * 1_024, 9),
      (i: number, bit: number) => draw({ low: (key.low ^ (1 << bit)) >>> 0, high: key.high }, i, 9),
    ];
    const bases = [
      (i: number) => draw(key, i, 0),
      (i: number) => draw(key, i, 9),
      (i: number) => draw(key, i, 9),
    ];
    for (const [which, flipped] of inputs.entries()) {
      for (let bit = 0; bit < 31; bit++) {
        let bits = 0;
        for (let i = 0; i < 500; i++) bits += popCount(flipped(i, bit) ^ (bases[which]?.(i) ?? 0));
        expect(bits / 500).toBeGreaterThan(14.5);
        expect(bits / 500).toBeLessThan(17.5);
      }
    }
  });

  test("scramble is a permutation: no two of many inputs meet", () => {
    const seen = new Set<number>();
    for (let i = 0; i < 50_000; i++) seen.add(scramble(i * 85_899) >>> 0);
    expect(seen.size).toBe(50_000);
  });
});

function popCount(value: number): number {
  let count = 0;
  for (let rest = value >>> 0; rest !== 0; rest &= rest - 1) count++;
  return count;
}
