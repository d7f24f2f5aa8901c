import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { figure, groups, ratioToBestPeer, renderReport } from "./report.ts";
import { resultsOf, sample } from "./results.test-support.ts";
import { newestResults, readResults, spreadIn, spreadOf, writeResults } from "./results.ts";

const three = (engine: string, work: string, values: readonly number[]) =>
  values.map((value, round) => sample(engine, work, round, value));
const results = resultsOf([
  ...three("nokv", "A", [300, 100, 200]),
  ...three("lmdb", "A", [50, 40, 60]),
  ...three("rocksdb", "A", [20, 80, 10]),
  ...three("lmdb", "B", [5, 5, 5]),
]);
const [ycsb] = groups;

test("the median is a measured value, the lower one of two", () => {
  expect(spreadOf([])).toBeNull();
  expect(spreadOf([3, 1])).toEqual({ median: 1, min: 1, max: 3, count: 2 });
  expect(spreadIn(results, "nokv", "A", "perSecond")).toEqual({ median: 200, min: 100, max: 300, count: 3 });
});

test("the ratio is to the peer whose median is best, in either direction", () => {
  if (ycsb === undefined) throw new Error("there are groups");
  expect(ratioToBestPeer(results, ycsb, "A")).toEqual({ ratio: 4, peer: "lmdb" });
  const lower = { ...ycsb, metric: "maxMs", lowerIsBetter: true };
  expect(ratioToBestPeer(results, lower, "A")).toEqual({ ratio: 4, peer: "lmdb" });
  expect(ratioToBestPeer(results, ycsb, "B")).toBeNull();
});

test("the report has a row per work with medians, ranges, the ratio and what was asked", () => {
  const report = renderReport(results);
  expect(report).toContain("| A | 200 (100–300) | 50 (40–60) | 20 (10–80) | 4.00 (lmdb) | ≥ 3 |");
  expect(report).not.toContain("large values");
  expect(figure(1_234_567.8)).toBe("1,234,568");
  expect(figure(0.012_345)).toBe("0.0123");
});

test("results are read back as they were written, one sample per line, and the newest is found", () => {
  const directory = mkdtempSync(join(tmpdir(), "nokv-results-"));
  expect(newestResults(directory)).toBeNull();
  writeResults(join(directory, "a.json"), results);
  writeResults(join(directory, "b.json"), { ...results, date: "2026-11-21T120000" });
  expect(newestResults(directory)).toBe(join(directory, "a.json"));
  expect(readResults(join(directory, "a.json"))).toEqual(
    JSON.parse(JSON.stringify(results, (_key, value: unknown) => (typeof value === "number" ? round4(value) : value))),
  );
  rmSync(directory, { recursive: true });
});

function round4(value: number): number {
  return Number(value.toPrecision(Number.isInteger(value) ? 16 : 4));
}
