import { expect, test } from "vitest";
import type { EngineStats } from "../core/engine/stats.ts";
import { judgeDirectory } from "./engine-directory.ts";

// Goal: a file too many or too few is told.

const stats = { tablesPerLevel: [1, 2], immutableMemtables: 1 } as unknown as EngineStats;
const right = [
  "CURRENT",
  "LOCK",
  "MANIFEST-000004",
  "table-000001.sst",
  "table-000002.sst",
  "table-000003.sst",
  "wal-000005.log",
  "wal-000006.log",
];

test("what the engine knows, and nothing else", () => {
  expect(judgeDirectory(right, stats)).toBeNull();
  for (const name of right) {
    expect([name, judgeDirectory(right.filter((other) => other !== name), stats)]).not.toEqual([name, null]);
  }
  const extras = ["table-000009.sst", "wal-000009.log", "MANIFEST-000009", "CURRENT.tmp", "stranger"];
  for (const name of extras) {
    expect([name, judgeDirectory([...right, name], stats)]).not.toEqual([name, null]);
  }
});
