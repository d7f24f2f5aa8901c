// Goal: the documents say of the planted bugs what was measured, no more and no less.
// Method: a few results of two topics, one of them not measured and one not found.
import { expect, test } from "vitest";
import type { Mutant } from "../../sim/mutants/mutant.ts";
import { overview, plantedBugsDocument, renewed } from "./mutant-report.ts";
import type { MutantResult } from "./mutant-run.ts";

function mutant(name: string): Mutant {
  return { name, file: "core/a.ts", find: "a", replace: "b", oracles: ["any"], scenario: null, why: `${name} hurts` };
}

function result(name: string, seeds: number, oracle: string | null): MutantResult {
  const verdict = oracle === null ? "survived" : "killed";
  const rest = { file: "core/a.ts", expected: true, scenario: null, firstSeed: seeds, message: "", why: "" };
  return { name, seeds, oracle, verdict, cpuSeconds: seeds / 2, ...rest };
}

const planted = {
  topics: [
    { topic: "reads", mutants: [mutant("a"), mutant("b"), mutant("c")] },
    { topic: "writes", mutants: [mutant("d"), mutant("e")] },
  ],
  results: [result("a", 3, "model"), result("b", 9, "model"), result("c", 1, "stuck"), result("d", 100, null)],
};

test("topics have their counts, median, hardest and oracles", () => {
  const text = overview(planted);
  expect(text).toContain("3 of 4 planted bugs are found, in 57 CPU-seconds together.");
  expect(text).toContain("no more than 3 seeds, nine tenths no more than 9, the hardest 9.");
  expect(text).toContain("Not found within the budget: `d` (100 seeds).");
  expect(text).toContain("Planted since and not measured here: 1.");
  expect(text).toContain("| reads | 3 | 3 | 3 | b | 9 | 7 | model 2, stuck 1 |");
  expect(text).toContain("| writes | 1 | 0 | 0 |  |  | 50 |  |");
});

test("only what stands between the marks is renewed", () => {
  const document = "before\n<!-- begin: planted bugs -->\nold\n<!-- end: planted bugs -->\nafter\n";
  const text = renewed(document, planted) ?? "";
  expect(text.startsWith("before\n<!-- begin: planted bugs -->\n\n3 of 4")).toBe(true);
  expect(text.endsWith("\n<!-- end: planted bugs -->\nafter\n")).toBe(true);
  expect(text).not.toContain("old");
  expect(renewed(text, planted)).toBe(text);
  expect(renewed("no marks", planted)).toBeNull();
});

test("the full list names every planted bug, every one of the original's and every mistake of clusters", () => {
  const text = plantedBugsDocument(planted);
  expect(text).toContain("| b | b hurts | model | 9 | 4.5 |");
  expect(text).toContain("| d | d hurts | **not found** | 100 | 50.0 |");
  expect(text).toContain("| e | e hurts | not measured | |  |");
  expect(text).toContain("| S31 |");
  expect(text).toContain("| 102 |");
});
