// Goal: no duration is counted in a bucket that does not hold it, and quantiles are right to within a bucket.
import fc from "fast-check";
import { expect, test } from "vitest";
import { LatencyHistogram } from "./latency-histogram.ts";

test("a duration lies within its bucket, which is at most a quarter of it wide", () => {
  fc.assert(
    fc.property(fc.nat(2 ** 26 - 1), (us) => {
      const histogram = new LatencyHistogram();
      histogram.record(us);
      const [[end, count] = [-1, 0]] = histogram.buckets();
      expect(count).toBe(1);
      expect(end).toBeGreaterThanOrEqual(us);
      expect(end - us).toBeLessThanOrEqual(Math.max(0, us / 4));
    }),
  );
});

const durations = fc.array(fc.nat(1_000_000), { minLength: 1 });

test("quantiles are those of the sorted durations, to within a bucket", () => {
  fc.assert(
    fc.property(durations, fc.integer({ min: 1, max: 1_000 }), (values, permille) => {
      const histogram = new LatencyHistogram();
      for (const value of values) histogram.record(value);
      const exact = values.toSorted((a, b) => a - b)[Math.ceil((values.length * permille) / 1_000) - 1] ?? 0;
      const told = histogram.quantile(permille);
      expect(told).toBeGreaterThanOrEqual(exact);
      expect(told - exact).toBeLessThanOrEqual(exact / 4);
      expect(histogram.total).toBe(values.length);
    }),
  );
});

test("none, negative ones of a clock that is read twice, and ones beyond every limit", () => {
  const histogram = new LatencyHistogram();
  expect(histogram.quantile(500)).toBe(0);
  histogram.record(-3);
  histogram.record(10 ** 12);
  expect(histogram.buckets()).toEqual([[0, 1], [2 ** 26 - 1, 1]]);
  histogram.reset();
  expect(histogram.buckets()).toEqual([]);
});
