// Goal: an edit that contradicts what was before is refused, each in its own words.
import { describe, expect, test } from "vitest";
import { bound, type TableMeta } from "../lsm/table-meta.ts";
import type { ValueFileMeta } from "../vlog/value-file.ts";
import type { ManifestEdit } from "./edit.ts";
import { ManifestState } from "./state.ts";

const text = new TextEncoder();

// oxlint-disable-next-line max-params
function table(number: number, level: number, from: string, to: string, versions = [1, 5]): TableMeta {
  return {
    number, level, sizeBytes: 100, recordCount: 2, tombstoneCount: 0, expiringCount: 0, codec: 0, rawBytes: 0,
    valueRefs: [],
    smallest: bound(0, text.encode(from)),
    largest: bound(0, text.encode(to)),
    minVersion: versions[0] ?? 0,
    maxVersion: versions[1] ?? 0,
    largestExcluded: false, rangeTombstoneCount: 0, pointMaxVersion: versions[1] ?? 0, staleAtMs: 0,
  };
}

const base: ManifestEdit = {
  kind: "base", logNumber: 5, nextFile: 20, lastVersion: 100, closedBytes: 0, listed: [5, 7], removed: [],
  added: [table(3, 1, "a", "m"), table(4, 1, "n", "z")], valuesRemoved: [], valuesAdded: [], gate: null,
};
const change: ManifestEdit = { ...base, kind: "change", listed: [], added: [] };

function afterBase(edit: Partial<ManifestEdit>): string | null {
  const state = new ManifestState();
  expect(state.apply(base)).toBe(null);
  return state.apply({ ...change, ...edit }) ?? state.overlap();
}

describe("manifest state", () => {
  test("is the sum of its edits, and its base says the same in one", () => {
    const state = new ManifestState();
    state.apply(base);
    state.apply({
      ...change, logNumber: 7, nextFile: 30, lastVersion: 200,
      listed: [9], removed: [3], added: [table(21, 0, "b", "c")],
    });
    expect(state).toMatchObject({ logNumber: 7, nextFile: 30, lastVersion: 200, listed: [7, 9] });
    expect(state.tablesInOrder().map(({ number }) => number)).toEqual([4, 21]);
    const again = new ManifestState();
    expect(again.apply(state.base())).toBe(null);
    expect(again).toEqual(state);
  });

  test("a table changes its level in one edit", () => {
    expect(afterBase({ removed: [3], added: [table(3, 2, "a", "m")] })).toBe(null);
  });

  test.each<[string, Partial<ManifestEdit>, string]>([
    ["a second base", { kind: "base" }, "a second base"],
    ["no next file", { nextFile: 0 }, "the next file number goes back"],
    ["an older next file", { nextFile: 19 }, "the next file number goes back"],
    ["an older last version", { lastVersion: 99 }, "the last version goes back"],
    ["an older log number", { logNumber: 4 }, "the log number goes back"],
    ["a segment listed twice", { listed: [7] }, "WAL segment 7 is listed out of order"],
    ["a segment that is obsolete", { logNumber: 9, listed: [8] }, "WAL segment 8 is out of range"],
    ["a segment nobody named", { listed: [20] }, "WAL segment 20 is out of range"],
    ["an unknown table removed", { removed: [9] }, "table 9 is removed but was never added"],
    ["a table added twice", { added: [table(3, 0, "a", "b")] }, "table 3 is added twice"],
    ["a table nobody named", { added: [table(20, 0, "a", "b")] }, "table 20 is out of range"],
    ["an impossible level", { added: [table(8, 7, "a", "b")] }, "table 8 is on impossible level 7"],
    ["keys reversed", { added: [table(8, 0, "b", "a")] }, "table 8 ends before it begins"],
    ["versions reversed", { added: [table(8, 0, "a", "b", [5, 4])] }, "the versions of table 8 are reversed"],
    [
      "versions of the future",
      { added: [table(8, 0, "a", "b", [5, 101])] },
      "table 8 holds versions not given out yet",
    ],
    ["tables that overlap", { added: [table(8, 1, "m", "n")] }, "tables 3 and 8 of level 1 overlap"],
  ])("%s is refused", (_, edit, problem) => {
    expect(afterBase(edit)).toBe(problem);
  });

  test("a change without a base is refused", () => {
    expect(new ManifestState().apply(change)).toBe("the first edit is not a base");
  });
});

test("value files are exactly those that tables point into", () => {
  const file: ValueFileMeta = { number: 2, kind: "log", sizeBytes: 200, separableBytes: 100 };
  const pointing = { ...table(21, 0, "b", "c"), valueRefs: [{ file: 2, records: 1, bytes: 100 }] };
  const after = (edit: Partial<ManifestEdit>): string | null => {
    const state = new ManifestState();
    state.apply(base);
    return state.apply({ ...change, nextFile: 30, ...edit }) ?? state.valueProblem();
  };
  expect(after({ added: [pointing], valuesAdded: [file] })).toBe(null);
  expect(after({ added: [pointing] })).toMatch("unknown");
  expect(after({ valuesAdded: [file] })).toMatch("no table");
  expect(after({ added: [pointing], valuesAdded: [{ ...file, separableBytes: 99 }] })).toMatch("more than");
  expect(after({ added: [pointing], valuesAdded: [{ ...file, number: 5 }] })).toMatch("log in use");
  expect(after({ added: [pointing], valuesAdded: [file, file] })).toMatch("twice");
  expect(after({ valuesRemoved: [2] })).toMatch("never added");
});
