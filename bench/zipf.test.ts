import { expect, test } from "vitest";
import { Xorshift } from "./xorshift.ts";
import { Zipf } from "./zipf.ts";

// Goal: the law of Go's rand.Zipf with the original's parameters. Method: shares of the first ranks among many
// seeded draws against P(k) = (1 + k)^-s / sum.

const draws = 200_000;

function counted(max: number, below: number): Map<number, number> {
  const random = new Xorshift(1);
  const zipf = new Zipf(() => random.float(), 1.01, 1, max);
  const counts = new Map<number, number>();
  for (let i = 0; i < draws; i++) {
    const k = zipf.nextBelow(below);
    counts.set(k, (counts.get(k) ?? 0) + 1);
  }
  return counts;
}

test("the first ranks come as often as the law says", () => {
  const max = 9_999;
  let sum = 0;
  for (let k = 0; k <= max; k++) sum += (1 + k) ** -1.01;
  const counts = counted(max, max + 1);
  for (const k of [0, 1, 2, 5, 9]) {
    const expected = ((1 + k) ** -1.01 / sum) * draws;
    expect(Math.abs((counts.get(k) ?? 0) - expected)).toBeLessThan(6 * Math.sqrt(expected));
  }
});

test("the original's parameters give the measured skew: about 7.4 % for the hottest, 21.5 % for ten", () => {
  const counts = counted(3_000_000, 1_000_000);
  const share = (first: number): number => {
    let count = 0;
    for (let k = 0; k < first; k++) count += counts.get(k) ?? 0;
    return count / draws;
  };
  expect(share(1)).toBeCloseTo(0.074, 2);
  expect(share(10)).toBeCloseTo(0.215, 2);
  expect(share(1_000)).toBeCloseTo(0.54, 1);
});

test("ranks at or above the number of records are drawn again", () => {
  for (const k of counted(1_000_000, 10).keys()) expect(k).toBeLessThan(10);
});
