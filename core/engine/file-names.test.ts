// Goal: what is removed as garbage is what this program named, to the letter.
import { describe, expect, test } from "vitest";
import { walName } from "../wal/segment-name.ts";
import { ownFile } from "./file-names.ts";

describe("file names", () => {
  test.each([
    ["CURRENT", "current", 0],
    ["LOCK", "lock", 0],
    ["LOCK.owner", "lock", 0],
    ["LOCK.takeover", "lock", 0],
    ["LOCK.4711.tmp", "lock", 0],
    ["MODE", "mode", 0],
    ["MANIFEST-000001", "manifest", 1],
    ["wal-000042.log", "wal", 42],
    ["wal-4294967295.log", "wal", 0xffff_ffff],
    ["table-123456.sst", "table", 123456],
    ["CURRENT.tmp", "temp", 0],
    ["MODE.tmp", "mode", 0],
    ["MODE.prev", "mode", 0],
  ])("%s is ours", (name, kind, number) => {
    expect(ownFile(name)).toEqual({ name, kind, number });
  });

  test.each([
    "", "current", "CURRENT~", "CURRENT.bak", "LOCK.tmp", "MODE.tmp~", "MANIFEST-1", "MANIFEST-0000001",
    "MANIFEST-000000",
    "wal-000001.log~", "wal-1.log", "wal-000001", "wal-000001.sst", "wal-4294967296.log", "table-000001.log",
    "table-000001.sst.tmp", "CURRENT.tmp.tmp", "table-000001.sst.bak", ".tmp", "notes.tmp", "core",
    "wal-00001a.log",
  ])("%j is not ours", (name) => {
    expect(ownFile(name)).toBe(null);
  });

  test("the name of a segment is ours", () => {
    for (const number of [1, 999_999, 1_000_000, 0xffff_ffff]) {
      expect(ownFile(walName(number))).toEqual({ name: walName(number), kind: "wal", number });
    }
  });
});
