// Goal: a flush leaves one durable table in which every reader still finds what it found in the memtable, and
// after a failure nothing. Method: fast-check; every call of the disk made to fail in turn.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DiskError } from "../env/disk.ts";
import type { DropRules } from "./drop-rules.ts";
import type { FlushJob, FlushResult } from "./flush-job.ts";
import {
  dropRulesArbitrary, firstSeenDifference, noFlushValues, readPoints, runJob, timedRecordsArbitrary,
} from "./jobs.test-support.ts";
import { startJob } from "./job-starter.ts";
import { MemoryDisk } from "./memory-disk.test-support.ts";
import { Memtable } from "./memtable.ts";
import type { PlainRecord } from "./records.test-support.ts";
import { arenaFor, listForward, sortedUnique } from "./records.test-support.ts";
import { directory, openTable, smallBlocks } from "./tables.test-support.ts";

const budgetArbitrary = fc.integer({ min: 1, max: 500 });
const keepAll: DropRules = { pins: [], horizonVersion: 0, nowMs: 0, bottom: false };

function flushOf(records: readonly PlainRecord[], drop: DropRules, sorted = false): FlushJob {
  const arena = arenaFor(records);
  const memtable = new Memtable(arena.bytes, 1);
  for (const record of records) memtable.add(arena.append(record));
  const offsets = sorted ? memtable.sortedOffsets() : memtable.arrivalOffsets();
  const rangeOffsets = memtable.rangeOffsets();
  return {
    kind: "flush", directory, tableNumber: 4, arena: arena.bytes, offsets, rangeOffsets, table: smallBlocks, drop,
    values: noFlushValues,
  };
}

function contents(disk: MemoryDisk, result: FlushResult): PlainRecord[] {
  expect(result.tables.length).toBeLessThanOrEqual(1);
  return result.tables.flatMap((table) => {
    const reader = openTable(disk, table);
    const records = listForward(reader.cursor());
    reader.close();
    return records;
  });
}

describe("flush", () => {
  test("keeps everything while everybody may read", () => {
    fc.assert(
      fc.property(timedRecordsArbitrary, budgetArbitrary, fc.boolean(), (records, budget, sorted) => {
        const disk = new MemoryDisk();
        const result = runJob(disk, flushOf(records, keepAll, sorted), budget) as FlushResult;
        expect(contents(disk, result)).toEqual(sortedUnique(records));
        expect(disk.openCount).toBe(0);
        expect(disk.list(directory)).toEqual(records.length > 0 ? ["table-000004.sst"] : []);
      }),
    );
  });

  test("nobody can tell what was dropped", () => {
    fc.assert(
      fc.property(timedRecordsArbitrary, dropRulesArbitrary, fc.boolean(), (records, rules, bottom) => {
        const disk = new MemoryDisk();
        const result = runJob(disk, flushOf(records, { ...rules, bottom }), 1000) as FlushResult;
        const after = contents(disk, result);
        const before = sortedUnique(records);
        expect(firstSeenDifference(before, after, readPoints(rules, before))).toBe(null);
      }),
      { numRuns: 300 },
    );
  });

  test("a failure at any call leaves no file and no handle", () => {
    const records = Array.from({ length: 900 }, (_, i) => ({
      family: 0, key: Uint8Array.of(i >>> 8, i & 255), version: i + 1, value: new Uint8Array(40), expiresAtMs: 0,
    }));
    let failures = 0;
    for (let call = 0; ; call++) {
      const disk = new MemoryDisk();
      disk.failAfter = call;
      disk.failCode = "ENOSPC";
      let error: unknown = null;
      try {
        runJob(disk, flushOf(records, keepAll), 100);
      } catch (caught) {
        error = caught;
      }
      if (error === null) {
        // A failure that nobody noticed would have been used up.
        expect(disk.failAfter).toBeGreaterThanOrEqual(0);
        break;
      }
      failures++;
      expect(error).toBeInstanceOf(DiskError);
      disk.runCompletions();
      expect(disk.list(directory)).toEqual([]);
      expect(disk.openCount).toBe(0);
    }
    expect(failures).toBeGreaterThan(10);
  });

  test("is done only after the content is durable, and leaves the directory to its owner", () => {
    const disk = new MemoryDisk();
    const calls: string[] = [];
    const original = disk.complete.bind(disk);
    disk.complete = (operation, path, done): void => {
      calls.push(`${operation} ${path}`);
      original(operation, path, done);
    };
    const record = { family: 0, key: Uint8Array.of(1), version: 1, value: null, expiresAtMs: 0 };
    runJob(disk, flushOf([record], keepAll), 100);
    expect(calls).toEqual([`sync ${directory}/table-000004.sst`]);
  });

  test("a step that comes too early waits on", () => {
    const disk = new MemoryDisk();
    const record = { family: 0, key: Uint8Array.of(1), version: 1, value: null, expiresAtMs: 0 };
    let wakes = 0;
    const machine = startJob(disk, flushOf([record], keepAll), () => wakes++);
    for (let early = 0; early < 4; early++) {
      const state = machine.step(100);
      if (early > 1) expect(state).toBe("waiting");
      expect(machine.result).toBe(null);
    }
    disk.runCompletions();
    expect(machine.step(100)).toBe("done");
    expect(wakes).toBe(1);
  });

  test("takes the file of nobody else", () => {
    const disk = new MemoryDisk();
    disk.open(`${directory}/table-000004.sst`, "create").close();
    const record = { family: 0, key: Uint8Array.of(1), version: 1, value: null, expiresAtMs: 0 };
    expect(() => runJob(disk, flushOf([record], keepAll), 100)).toThrow("EEXIST");
    expect(disk.list(directory)).toEqual(["table-000004.sst"]);
  });
});
