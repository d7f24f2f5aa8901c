// Goal: the map of clusters' mistakes counts what is planted and found, and hides no gap.
// Method: one row of each kind, with a whole measurement, a single one, a miss and none.
import { expect, test } from "vitest";
import type { ClassicMistake } from "../../sim/mutants/classic-mistake.ts";
import { classicMistakesTable } from "./classic-mistakes-table.ts";
import type { MutantResult } from "./mutant-run.ts";

const measured = {
  results: new Map([["a", { name: "a", verdict: "killed", seeds: 7 } as MutantResult]]),
  findings: new Map([
    ["a", { found: false, seeds: "90" }],
    ["b", { found: false, seeds: "30" }],
    ["d", { found: true, seeds: "" }],
  ]),
};

const mistakes: readonly ClassicMistake[] = [
  { id: 1, subtle: true, what: "One.", planted: ["a", "c"] },
  { id: 2, what: "Two.", planted: ["b", "c"] },
  { id: 3, what: "Three.", note: "Nothing planted." },
  { id: 4, subtle: true, what: "Four.", absent: "no fours" },
  { id: 5, what: "Five.", planted: ["c"] },
  { id: 6, subtle: true, what: "Six.", planted: ["d"] },
];

test("counts, seeds, gaps and what can not be made", () => {
  const text = classicMistakesTable(mistakes, measured);
  expect(text).toContain("Of 6 mistakes that clusters are known for, 5 can be made here. 4 of these are\n");
  expect(text).toContain("planted, and of 2 a planted bug was found.");
  expect(text).toContain("(★), 2\ncan be made, 2 are planted, 2 found. For 1 every planted bug that was\n");
  expect(text).toContain("for 1 no measurement is kept. Nothing is planted for 3.");
  expect(text).toContain("| 1 ★ | One. | `a` (7), `c` (not measured) |  |");
  expect(text).toContain("| 2 | Two. | `b` (**not found** in 30), `c` (not measured) |  |");
  expect(text).toContain("| 3 | Three. | **none** | Nothing planted. |");
  expect(text).toContain("| 4 ★ | Four. | no fours |");
  expect(text).toContain("| 6 ★ | Six. | `d` (found) |  |");
});
