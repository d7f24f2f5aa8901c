// Goal: the map of clusters' classic mistakes, and what is said of its planted bugs, stays true.
// Method: every planted bug that is named exists, every mistake of 1 to 102 is there, none without a word.
import { expect, test } from "vitest";
import { classicMistakes } from "./classic-mistakes.ts";
import { findings } from "./findings.ts";
import { mutants } from "./index.ts";

const names: ReadonlySet<string> = new Set(mutants.map(({ name }) => name));
/** Every planted bug that a note names, too. */
const inNotes = /`([a-z0-9]+(?:-[a-z0-9]+)+)`/g;

test("every planted bug that the map names exists", () => {
  const missing = classicMistakes.flatMap(({ id, planted = [], note = "" }) => {
    const noted = [...note.matchAll(inNotes)].map(([, name = ""]) => name);
    return [...planted, ...noted].filter((name) => !names.has(name)).map((name) => `${id}: ${name}`);
  });
  expect(missing).toEqual([]);
  expect([...findings.keys()].filter((name) => !names.has(name))).toEqual([]);
});

test("every mistake is there, with something planted, a gap that says so, or a reason", () => {
  expect(classicMistakes.map(({ id }) => id)).toEqual(Array.from({ length: 102 }, (_, i) => i + 1));
  const wrong = classicMistakes.filter(({ planted = [], note = "", absent }) => {
    if (absent !== undefined) return planted.length > 0 || note !== "" || absent.split(" ").length !== 2;
    return planted.length === 0 && !note.startsWith("Nothing planted");
  });
  expect(wrong.map(({ id }) => id)).toEqual([]);
  expect(classicMistakes.filter(({ subtle }) => subtle === true).length).toBe(20);
  const doubled = classicMistakes.filter(({ planted = [] }) => new Set(planted).size !== planted.length);
  expect(doubled).toEqual([]);
});
