import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compact, niceAbove, renderBars, renderLine } from "./chart.ts";
import { drawCharts } from "./chart-files.ts";
import { resultsOf, sample } from "./results.test-support.ts";

test("every bar is labelled, longest for the largest value, and text is escaped", () => {
  const bar = { min: 1, max: 1, own: false };
  const svg = renderBars({
    title: "a < b & c",
    subtitle: "more is better",
    unit: "per second",
    panels: [
      {
        title: "load",
        bars: [
          { ...bar, label: "one", value: 100, min: 90, max: 200, own: true },
          { ...bar, label: "two", value: 50, min: 50, max: 50 },
        ],
      },
    ],
  });
  expect(svg).toContain("a &lt; b &amp; c");
  expect(svg).toContain(">one</text>");
  const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map((match) => Number(match[1]));
  expect(widths[0]).toBeCloseTo(2 * (widths[1] ?? 0), 0);
  expect(svg.match(/class="range"/g)).toHaveLength(1);
  expect(svg).toContain("prefers-color-scheme: dark");
});

test("a line has a point per second below a round top", () => {
  const svg = renderLine({ title: "fill", subtitle: "", unit: "puts per second", values: [1_000, 3_200, 2_000] });
  expect(/points="([^"]*)"/.exec(svg)?.[1]?.split(" ")).toHaveLength(3);
  expect(svg).toContain(">5 k</text>");
  expect([0.9, 1, 1.2, 2.2, 4, 7].map((value) => niceAbove(value))).toEqual([1, 1, 2, 2.5, 5, 10]);
  expect([0.5, 999, 1_234, 1_234_567].map(compact)).toEqual(["0.5", "999", "1.23 k", "1.23 M"]);
});

test("charts are drawn from results, one file for what has figures", () => {
  const directory = mkdtempSync(join(tmpdir(), "nokv-charts-"));
  const fill = { ...sample("nokv", "fill", 0, 5), perSecond: [10, 20, 30] };
  const samples = [sample("nokv", "A", 0, 300_000), sample("lmdb", "A", 0, 80_000), fill];
  const paths = drawCharts(resultsOf(samples), directory);
  expect(paths.map((path) => path.split("/").at(-1))).toEqual(["ycsb.svg", "fill.svg"]);
  expect(readFileSync(join(directory, "ycsb.svg"), "utf8")).toContain(">300 k</text>");
  rmSync(directory, { recursive: true });
});
