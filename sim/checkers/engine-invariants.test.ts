import { expect, test } from "vitest";
import type { EngineStats } from "../../core/engine/stats.ts";
import { judgeDirectory, judgeStats } from "./engine-invariants.ts";

// Goal: a file too many or too few is told, and so are statistics that cannot be true.

const stats = {
  tablesPerLevel: [1, 2],
  tableBytesPerLevel: [100, 300],
  immutableMemtables: 1,
  walSpares: 1,
  visibleVersion: 5,
  pendingVersion: 6,
  openIterators: 1,
  openSnapshots: 2,
  stallMs: 7,
  longestStallMs: 7,
  slowdowns: 1,
  slowdownMs: 3,
  unslowedStalls: 0,
  pressure: 0,
  pressureCause: "none",
  valueFiles: 2,
  valueFilesLingering: 1,
  valueSegments: 1,
} as unknown as EngineStats;
const held = { iterators: 1, snapshots: 2 };

const right = [
  "CURRENT",
  "LOCK",
  "MANIFEST-000004",
  "table-000001.sst",
  "table-000002.sst",
  "table-000003.sst",
  "spare-000003.log",
  "wal-000005.log",
  "wal-000006.log",
  "value-000007.vlog",
  "value-000008.vlog",
  "wal-000009.log",
];

test("the directory holds what the engine knows, and nothing else", () => {
  expect(judgeDirectory(right, stats)).toBeNull();
  for (const name of right) {
    expect([name, judgeDirectory(right.filter((other) => other !== name), stats)]).not.toEqual([name, null]);
  }
  const extras = [
    "table-000009.sst", "wal-000009.log", "spare-000009.log", "MANIFEST-000009", "CURRENT.tmp", "stranger",
  ];
  for (const name of extras) {
    expect([name, judgeDirectory([...right, name], stats)]).not.toEqual([name, null]);
  }
});

test("statistics that can be true", () => {
  expect(judgeStats(stats, held)).toBeNull();
});

test("statistics that cannot", () => {
  const wrong: readonly Partial<EngineStats>[] = [
    { tablesPerLevel: [1, -2] },
    { tablesPerLevel: [1] },
    { tablesPerLevel: [0, 2] },
    { tableBytesPerLevel: [0, 300] },
    { immutableMemtables: 0.5 },
    { visibleVersion: 7 },
    { openIterators: 0 },
    { longestStallMs: 8 },
    { slowdowns: 0 },
    { unslowedStalls: 1 },
    { pressure: 1 },
    { openSnapshots: 3 },
  ];
  for (const change of wrong) {
    expect([change, judgeStats({ ...stats, ...change }, held)]).not.toEqual([change, null]);
  }
});
