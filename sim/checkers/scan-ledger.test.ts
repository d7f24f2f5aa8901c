import { expect, test } from "vitest";
import { judgeScanPass } from "./scan-ledger.ts";

// Goal: a pass that misses, doubles or invents a key is told.

const written = new Set(["a", "b", "c"]);

test("a complete pass", () => {
  expect(judgeScanPass(["a", "b"], ["a", "b"], written)).toBeNull();
  expect(judgeScanPass(["a", "b", "c"], ["b"], written)).toBeNull();
  expect(judgeScanPass([], [], written)).toBeNull();
});

test("what a pass may not do", () => {
  expect(judgeScanPass(["a"], ["a", "b"], written)).toMatch(/missed "b"/);
  expect(judgeScanPass(["a", "b", "a"], ["a"], written)).toMatch(/"a" twice/);
  expect(judgeScanPass(["a", "z"], ["a"], written)).toMatch(/"z", which nobody/);
});
