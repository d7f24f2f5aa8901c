import { expect, test } from "vitest";
import { Histogram } from "./histogram.ts";

test("a quantile is within a bucket of the exact one, and the largest value is exact", () => {
  const histogram = new Histogram();
  for (let ns = 1; ns <= 100_000; ns++) histogram.add(ns);
  for (const quantile of [0.5, 0.95, 0.99, 0.999]) {
    const exact = quantile * 100_000;
    expect(Math.abs(histogram.quantile(quantile) / exact - 1)).toBeLessThan(0.04);
  }
  expect(histogram.max).toBe(100_000);
});

test("one slow operation among a thousand shows at the 99.95th percentile only", () => {
  const histogram = new Histogram();
  for (let i = 0; i < 999; i++) histogram.add(1_000);
  histogram.add(5_000_000);
  expect(histogram.quantile(0.99)).toBeLessThan(1_100);
  expect(histogram.quantile(0.9995)).toBeGreaterThan(4_800_000);
});
