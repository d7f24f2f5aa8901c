// Goal: a version refuses every edit that would break what readers and compactions rely on.
import { describe, expect, test } from "vitest";
import type { ValueFileMeta } from "../vlog/value-file.ts";
import type { TableMeta } from "./table-meta.ts";
import { Version } from "./version.ts";

function meta(number: number, level: number, from: number, to: number): TableMeta {
  return {
    number, level, sizeBytes: 100, recordCount: 10,
    smallest: Uint8Array.of(0, from), largest: Uint8Array.of(0, to),
    minVersion: 1, maxVersion: 9, tombstoneCount: 0, expiringCount: 0, codec: 0, rawBytes: 0,
    valueRefs: [],
    largestExcluded: false, rangeTombstoneCount: 0, pointMaxVersion: 9, staleAtMs: 0,
  };
}

describe("version", () => {
  test("orders level 0 newest first and the others by key, whatever the order of edits", () => {
    const version = Version.of([meta(3, 0, 0, 9), meta(8, 0, 0, 9), meta(5, 1, 7, 9), meta(4, 1, 0, 3)]);
    expect(version.level(0).map((table) => table.number)).toEqual([8, 3]);
    expect(version.level(1).map((table) => table.number)).toEqual([4, 5]);
    expect(version.tableCount()).toBe(4);
    expect(version.levelBytes(1)).toBe(200);
    expect(version.deepestLevel()).toBe(1);
    expect(Version.empty().deepestLevel()).toBe(0);
  });

  test("is not changed by an edit", () => {
    const before = Version.of([meta(1, 0, 0, 9)]);
    const after = before.apply({ added: [meta(2, 1, 0, 9)], removed: [1] });
    expect(before.tables().map((table) => table.number)).toEqual([1]);
    expect(after.tables().map((table) => table.number)).toEqual([2]);
  });

  test("moves a table to another level", () => {
    const version = Version.of([meta(1, 0, 0, 9)]);
    const moved = version.apply({ added: [{ ...meta(1, 0, 0, 9), level: 1 }], removed: [1] });
    expect(moved.level(0)).toEqual([]);
    expect(moved.level(1)).toHaveLength(1);
  });

  test.each([
    ["disjoint", [meta(2, 1, 4, 6)], []],
    ["disjoint", [meta(2, 1, 9, 12)], []],
    ["one level", [meta(1, 2, 0, 9)], []],
    ["that are there", [], [77]],
    ["once", [], [1, 1]],
    ["level exists", [meta(2, 7, 0, 9)], []],
    ["range is not reversed", [meta(2, 0, 9, 0)], []],
    ["versions are not reversed", [{ ...meta(2, 0, 0, 9), minVersion: 10 }], []],
  ])("refuses an edit: %s", (reason, added, removed) => {
    const version = Version.of([meta(1, 1, 0, 9)]);
    expect(() => version.apply({ added, removed })).toThrow(reason);
  });
});

test("a value file is in a version exactly as long as a table points into it", () => {
  const refs = [{ file: 5, records: 2, bytes: 60 }];
  const values: ValueFileMeta[] = [{ number: 5, kind: "log", sizeBytes: 200, separableBytes: 100 }];
  const version = Version.of([{ ...meta(8, 0, 0, 9), valueRefs: refs }], values);
  expect(version.values).toEqual([{ file: values[0], liveRecords: 2, liveBytes: 60 }]);
  const moved = version.apply({ added: [{ ...meta(8, 1, 0, 9), valueRefs: refs }], removed: [8] });
  expect(moved.valueFiles()).toEqual(values);
  expect(version.apply({ added: [meta(9, 1, 0, 9)], removed: [8] }).valueFiles()).toEqual([]);
  const more = { ...meta(9, 1, 0, 9), valueRefs: refs };
  expect(() => version.apply({ added: [more], removed: [] })).toThrow("no more than");
  expect(() => Version.of([more])).toThrow("are there");
  expect(() => version.apply({ added: [], removed: [], valuesAdded: values })).toThrow("added once");
});
