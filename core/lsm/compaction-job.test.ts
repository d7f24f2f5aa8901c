// Goal: whoever may read sees the same before and after a compaction; outputs are disjoint, whole by key and
// described truly; damage in an input stops the job; a failure leaves no trace.
// Method: fast-check deals a history to levels by age, oldest deepest, and compares every reader's view.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DiskError } from "../env/disk.ts";
import { NokvError } from "../errors.ts";
import { noValueRules } from "../vlog/value-separator.ts";
import type { CompactionJob, CompactionResult } from "./compaction-job.ts";
import { outputTablesMax } from "./compaction-picker.ts";
import type { DropRules } from "./drop-rules.ts";
import {
  dropRulesArbitrary, firstSeenDifference, readPoints, runJob, sameKey, timedRecordsArbitrary,
} from "./jobs.test-support.ts";
import { MemoryDisk } from "./memory-disk.test-support.ts";
import type { PlainRecord } from "./records.test-support.ts";
import { listForward, sortedUnique } from "./records.test-support.ts";
import { tablePath } from "./table-meta.ts";
import type { TableMeta } from "./table-meta.ts";
import { directory, openTable, smallBlocks, writeTable } from "./tables.test-support.ts";
import { Version } from "./version.ts";

const everyoneReads = { pins: [], horizonVersion: 0, nowMs: 0 };

/** Cuts `history` into ages at `cuts`: the oldest goes to level 2, then level 1, the rest to level 0. */
function deal(disk: MemoryDisk, history: readonly PlainRecord[], cuts: readonly number[]): TableMeta[] {
  const borders = [0, ...cuts.map((cut) => cut % (history.length + 1)).sort((a, b) => a - b), history.length];
  const tables: TableMeta[] = [];
  for (let age = 0; age + 1 < borders.length; age++) {
    const records = sortedUnique(history.slice(borders[age], borders[age + 1]));
    if (records.length === 0) continue;
    const level = Math.max(0, 2 - age);
    tables.push({ ...writeTable(disk, age + 1, records), level });
  }
  return tables;
}

function jobOf(inputs: readonly TableMeta[], drop: DropRules, tableBytes = 1 << 20): CompactionJob {
  return {
    kind: "compaction", directory, inputs, outputLevel: 2, firstTableNumber: 100,
    tableNumbers: outputTablesMax(inputs, tableBytes), tableBytes, table: smallBlocks, drop, values: noValueRules,
  };
}

function contentsOf(disk: MemoryDisk, tables: readonly TableMeta[]): PlainRecord[] {
  return tables.flatMap((table) => {
    const reader = openTable(disk, table);
    const records = listForward(reader.cursor());
    reader.close();
    return records;
  });
}

const settingsArbitrary = fc.record({ bottom: fc.boolean(), tableBytes: fc.integer({ min: 1, max: 2000 }) });
const cutsArbitrary = fc.array(fc.nat(40), { minLength: 1, maxLength: 4 });

describe("compaction", () => {
  test("nobody can tell, with older records below or at the bottom", () => {
    fc.assert(
      fc.property(
        timedRecordsArbitrary, cutsArbitrary, dropRulesArbitrary, settingsArbitrary,
        (history, cuts, rules, { bottom, tableBytes }) => {
          const disk = new MemoryDisk();
          const below = bottom ? 0 : Math.min(cuts[0] ?? 0, history.length);
          const inputs = deal(disk, history.slice(below), cuts);
          if (inputs.length === 0) return;
          const job = jobOf(inputs, { ...rules, bottom }, tableBytes);
          const result = runJob(disk, job, 300) as CompactionResult;
          const older = history.slice(0, below);
          const before = sortedUnique(history);
          const after = sortedUnique([...older, ...contentsOf(disk, result.tables)]);
          expect(firstSeenDifference(before, after, readPoints(rules, before))).toBe(null);
          expect(disk.openCount).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("outputs are disjoint, sorted, whole by key, of reserved numbers and durable by name", () => {
    fc.assert(
      fc.property(timedRecordsArbitrary, cutsArbitrary, settingsArbitrary, (history, cuts, settings) => {
        const { tableBytes } = settings;
        const disk = new MemoryDisk();
        const inputs = deal(disk, history, cuts);
        if (inputs.length === 0) return;
        const job = jobOf(inputs, { ...everyoneReads, bottom: true }, tableBytes);
        const { tables } = runJob(disk, job, 300) as CompactionResult;
        Version.of(tables).check();
        expect(contentsOf(disk, tables)).toEqual(sortedUnique(history));
        for (const [i, table] of tables.entries()) expect(table.number).toBe(100 + i);
        expect(tables.length).toBeLessThanOrEqual(job.tableNumbers);
        const expected = [...inputs, ...tables].map((table) => tablePath("", table.number).slice(1)).sort();
        expect(disk.list(directory)).toEqual(expected);
      }),
    );
  });

  test("without snapshots one record per key is left, at the bottom no tombstone and nothing expired", () => {
    fc.assert(
      fc.property(timedRecordsArbitrary, cutsArbitrary, fc.boolean(), (history, cuts, bottom) => {
        const disk = new MemoryDisk();
        const inputs = deal(disk, history, cuts);
        if (inputs.length === 0) return;
        const nowMs = 1_704_067_200_000 + 10;
        const drop = { pins: [], horizonVersion: Number.MAX_SAFE_INTEGER, nowMs, bottom };
        const { tables } = runJob(disk, jobOf(inputs, drop), 300) as CompactionResult;
        const left = contentsOf(disk, tables);
        for (const [i, record] of left.entries()) {
          const next = left[i + 1];
          expect(next !== undefined && sameKey(record, next)).toBe(false);
          const expired = record.expiresAtMs !== 0 && record.expiresAtMs <= nowMs;
          expect(expired).toBe(false);
          if (bottom) expect(record.value).not.toBe(null);
        }
      }),
    );
  });

  test("when the reserved numbers are used up, the last table takes the rest", () => {
    const records = Array.from({ length: 20 }, (_, i) => ({
      family: 0, key: Uint8Array.of(i), version: i + 1, value: new Uint8Array(60), expiresAtMs: 0,
    }));
    const disk = new MemoryDisk();
    const job = jobOf([writeTable(disk, 1, records)], { ...everyoneReads, bottom: true }, 200);
    const { tables } = runJob(disk, { ...job, tableNumbers: 2 } as CompactionJob, 300) as CompactionResult;
    expect(tables.map((table) => table.number)).toEqual([100, 101]);
    expect(contentsOf(disk, tables)).toEqual(records);
  });

  test("a record that two sources have survives once, from the newer one", () => {
    const disk = new MemoryDisk();
    const record = (mark: number): PlainRecord => ({
      family: 0, key: Uint8Array.of(1), version: 5, value: Uint8Array.of(mark), expiresAtMs: 0,
    });
    const older = { ...writeTable(disk, 1, [record(1)]), level: 1 };
    const newer = [2, 3].map((number) => writeTable(disk, number, [record(number)]));
    const drop = { ...everyoneReads, bottom: false };
    const { tables } = runJob(disk, jobOf([older, ...newer], drop), 300) as CompactionResult;
    expect(contentsOf(disk, tables)).toEqual([record(3)]);
  });

  test("damage in an input stops the job and nothing is written", () => {
    const records = Array.from({ length: 20 }, (_, i) => ({
      family: 0, key: Uint8Array.of(i), version: i + 1, value: new Uint8Array(60).fill(i), expiresAtMs: 0,
    }));
    const disk = new MemoryDisk();
    const inputs = [writeTable(disk, 1, records.slice(0, 12)), writeTable(disk, 2, records.slice(8))];
    const names = disk.list(directory);
    const bytes = disk.bytesOf(tablePath(directory, 2));
    for (let at = 0; at < bytes.length; at += 3) {
      bytes[at] = (bytes[at] as number) ^ 0x10;
      let error: unknown = null;
      try {
        const drop = { ...everyoneReads, bottom: true };
        const result = runJob(disk, jobOf(inputs, drop, 300), 200) as CompactionResult;
        expect(contentsOf(disk, result.tables)).toEqual(records);
        for (const table of result.tables) disk.remove(tablePath(directory, table.number));
      } catch (caught) {
        error = caught;
      }
      const unused = bytes.length - at > 64 && error === null; // only the filter is not read here
      if (!unused) expect(error instanceof NokvError ? error.code : error).toBe("NOKV_CORRUPTION");
      expect(disk.list(directory)).toEqual(names);
      expect(disk.openCount).toBe(0);
      bytes[at] = (bytes[at] as number) ^ 0x10;
    }
  });

  test("a failure at any call leaves the inputs alone and no file of its own", () => {
    const records = Array.from({ length: 20 }, (_, i) => ({
      family: 0, key: Uint8Array.of(i), version: i + 1, value: new Uint8Array(60).fill(i), expiresAtMs: 0,
    }));
    let failures = 0;
    let healed = 0;
    for (let call = 0; ; call++) {
      const disk = new MemoryDisk();
      const inputs = [writeTable(disk, 1, records.slice(0, 12)), writeTable(disk, 2, records.slice(8))];
      disk.failAfter = call;
      let error: unknown = null;
      try {
        runJob(disk, jobOf(inputs, { ...everyoneReads, bottom: true }, 300), 200);
      } catch (caught) {
        error = caught;
      }
      if (error === null && disk.failAfter >= 0) break;
      if (error === null) {
        // Only a read ahead that fails is no failure of the job: what was needed of it was read again.
        healed++;
        continue;
      }
      failures++;
      const code = error instanceof NokvError ? error.code : "";
      expect(error instanceof DiskError || code === "NOKV_IO").toBe(true);
      disk.runCompletions();
      expect(disk.list(directory)).toEqual(["table-000001.sst", "table-000002.sst"]);
      expect(disk.openCount).toBe(0);
    }
    expect(failures).toBeGreaterThan(20);
    expect(healed).toBe(2);
  });
});
