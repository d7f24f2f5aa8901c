// Goal: the map of the original system's storage bugs stays true.
// Method: every planted bug that it names exists, every one of S1 to S31 is there, none without a word.
import { expect, test } from "vitest";
import { mutants } from "./index.ts";
import { originalBugs } from "./original-bugs.ts";

test("every planted bug that the map names exists", () => {
  const names = new Set(mutants.map(({ name }) => name));
  const missing = originalBugs.flatMap(({ id, planted }) => {
    return planted.filter((name) => !names.has(name)).map((name) => `${id}: ${name}`);
  });
  expect(missing).toEqual([]);
});

test("every bug of the original is there, with something planted or a reason", () => {
  expect(originalBugs.map(({ id }) => id)).toEqual(Array.from({ length: 31 }, (_, i) => `S${i + 1}`));
  const silent = originalBugs.filter(({ planted, note }) => planted.length === 0 && note === "");
  expect(silent).toEqual([]);
});
