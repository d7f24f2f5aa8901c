// Goal: the parts together: while memtables are flushed and compactions run side by side, point reads and
// walks at the present and at every snapshot give what a plain list of all writes gives.
// Method: fast-check drives a small tree: writes, flushes, picks, steps of running jobs, snapshots taken and
// released. Time stands at the newest version.
import fc from "fast-check";
import { expect, test } from "vitest";
import { hashKey } from "../bytes/hash.ts";
import type { JobMachine } from "../env/jobs.ts";
import { ValueFiles } from "../vlog/value-files.ts";
import { noValueRules } from "../vlog/value-separator.ts";
import { BlockCache } from "./block-cache.ts";
import type { CompactionJob, CompactionResult } from "./compaction-job.ts";
import { outputTablesMax, pickCompaction, pickFullCompaction } from "./compaction-picker.ts";
import type { Compaction } from "./compaction-picker.ts";
import { versionEpochMs, versionMs } from "./drop-rules.ts";
import type { FlushJob, FlushResult } from "./flush-job.ts";
import { startJob } from "./job-starter.ts";
import { noFlushValues, runJob, visible } from "./jobs.test-support.ts";
import { ScratchImage } from "./image-buffer.ts";
import { MemoryDisk } from "./memory-disk.test-support.ts";
import { Memtable } from "./memtable.ts";
import { MergingCursor } from "./merging-cursor.ts";
import type { OpenTables } from "./open-tables.ts";
import { TablePool } from "./open-tables.ts";
import { PointBudget } from "./point-index.ts";
import type { PlainRecord } from "./records.test-support.ts";
import { Arena, newestUpTo, readRecord, sortedUnique } from "./records.test-support.ts";
import { tablePath } from "./table-meta.ts";
import type { TableMeta } from "./table-meta.ts";
import { TableReader } from "./table-reader.ts";
import { directory, smallBlocks } from "./tables.test-support.ts";
import type { VersionEdit } from "./version.ts";
import { Version } from "./version.ts";

const tableBytes = 300;
const pickOptions = {
  level0TablesMax: 2, levelBytesBase: 700, levelBytesFactor: 2, valueGarbagePercent: 50, tableBytes,
};
const keysMax = 24;

interface Running {
  readonly compaction: Compaction;
  readonly machine: JobMachine;
}

/** An engine in miniature: no log, no manifest, one thread. */
class Tree {
  readonly disk = new MemoryDisk();
  readonly history: PlainRecord[] = [];
  readonly pins: number[] = [];
  readonly running: Running[] = [];
  readonly #cache = new BlockCache(2000, 256);
  readonly #values = new ValueFiles(this.disk, directory, 4);
  readonly #pool = new TablePool((meta) => this.#open(meta), this.#values);
  /** Room for few pages: they come and go. */
  readonly #points = new PointBudget(3000);
  tables: OpenTables = this.#pool.retain(Version.empty());
  #arena = new Arena(1 << 14);
  #memtable = new Memtable(this.#arena.bytes, 1);
  #nextNumber = 1;
  version = 1;

  get openReaders(): number {
    return this.#pool.openCount;
  }

  write(record: Omit<PlainRecord, "version" | "family">, step: number): void {
    this.version += step;
    const stamped = { ...record, family: 0, version: this.version };
    this.history.push(stamped);
    this.#memtable.add(this.#arena.append(stamped));
  }

  flush(): void {
    const job: FlushJob = {
      kind: "flush", directory, tableNumber: this.#nextNumber++, arena: this.#arena.bytes,
      offsets: this.#memtable.arrivalOffsets(), rangeOffsets: this.#memtable.rangeOffsets(), table: smallBlocks,
      drop: { ...this.#readers(), bottom: this.tables.version.tableCount() === 0 },
      values: noFlushValues,
    };
    const result = runJob(this.disk, job, 500) as FlushResult;
    this.#install({ added: result.tables, removed: [] });
    this.#arena = new Arena(1 << 14);
    this.#memtable = new Memtable(this.#arena.bytes, 1);
  }

  startCompaction(compaction: Compaction | null): void {
    if (compaction === null) return;
    const { inputs, outputLevel } = compaction;
    if (compaction.trivialMove) {
      const moved = inputs.map((table) => ({ ...table, level: outputLevel }));
      this.#install({ added: moved, removed: inputs.map((table) => table.number) });
      return;
    }
    const tableNumbers = outputTablesMax(inputs, tableBytes);
    const job: CompactionJob = {
      kind: "compaction", directory, inputs, outputLevel, firstTableNumber: this.#nextNumber, tableNumbers,
      tableBytes, table: smallBlocks, drop: { ...this.#readers(), bottom: compaction.bottom },
      values: noValueRules,
    };
    this.#nextNumber += tableNumbers;
    this.running.push({ compaction, machine: startJob(this.disk, job, () => {}) });
  }

  pick(): void {
    const running = this.running.map((each) => each.compaction);
    this.startCompaction(pickCompaction(this.tables.version, pickOptions, running));
  }

  stepCompaction(which: number): void {
    const job = this.running[which % Math.max(1, this.running.length)];
    if (job === undefined) return;
    const state = job.machine.step(300);
    if (state === "waiting") this.disk.runCompletions();
    if (state !== "done") return;
    this.running.splice(this.running.indexOf(job), 1);
    const { tables } = job.machine.result as CompactionResult;
    const removed = job.compaction.inputs.map((table) => table.number);
    this.#install({ added: tables, removed });
    for (const number of removed) this.disk.remove(tablePath(directory, number));
  }

  #open(meta: TableMeta): TableReader {
    return TableReader.openAs(this.disk, directory, meta, this.#cache, this.#points);
  }

  find(key: Uint8Array, version: number): PlainRecord | null {
    const offset = this.#memtable.find(0, key, version);
    if (offset >= 0) return readRecord(this.#arena.bytes, this.#arena.view, offset);
    const found = this.tables.find(0, key, version, hashKey(0, key, 0, key.length), new ScratchImage());
    return found === null ? null : readRecord(found.bytes, found.view, found.offset);
  }

  cursor(): MergingCursor {
    return new MergingCursor([this.#memtable.cursor(), ...this.tables.cursors(0, false)]);
  }

  close(): void {
    this.tables.release();
  }

  #readers(): { pins: number[]; horizonVersion: number; nowMs: number } {
    const pins = [...this.pins].sort((a, b) => a - b);
    return { pins, horizonVersion: this.version, nowMs: versionMs(this.version) };
  }

  #install(edit: VersionEdit): void {
    const next = this.tables.version.apply(edit);
    const before = this.tables;
    this.tables = this.#pool.retain(next);
    before.release();
    this.#checkAges(next);
  }

  /** For one key, everything in a level is newer than everything below. */
  #checkAges(version: Version): void {
    const newestBelow = new Map<string, number>();
    for (const level of version.levels.toReversed()) {
      const seen = new Map<string, number>();
      for (const meta of level) this.#noteAges(meta, newestBelow, seen);
      for (const [key, newest] of seen) newestBelow.set(key, newest);
    }
  }

  #noteAges(meta: TableMeta, newestBelow: Map<string, number>, seen: Map<string, number>): void {
    const table = TableReader.openAs(this.disk, directory, meta, this.#cache);
    const cursor = table.cursor();
    for (cursor.seekFirst(); cursor.valid; cursor.next()) {
      const record = readRecord(cursor.bytes, cursor.view, cursor.offset);
      const key = record.key.join();
      expect(record.version).toBeGreaterThan(newestBelow.get(key) ?? 0);
      seen.set(key, Math.max(record.version, seen.get(key) ?? 0));
    }
    table.close();
  }
}

function expectSame(tree: Tree): void {
  const sorted = sortedUnique(tree.history);
  for (const version of [...tree.pins, tree.version]) {
    const instant = versionMs(version);
    const walked = sortedUnique(listOf(tree.cursor()));
    for (let i = 0; i < keysMax; i++) {
      const key = { family: 0, key: Uint8Array.of(i), version: 0, value: null, expiresAtMs: 0 };
      const expected = visible(sorted, key, version, instant);
      const found = tree.find(key.key, version);
      expect(visible(found === null ? [] : [found], key, version, instant)).toBe(expected);
      expect(visible(walked, key, version, instant)).toBe(expected);
      expect(found).toEqual(newestUpTo(walked, 0, key.key, version));
    }
  }
}

function listOf(cursor: MergingCursor): PlainRecord[] {
  const records: PlainRecord[] = [];
  for (cursor.seekLast(); cursor.valid; cursor.prev()) {
    records.push(readRecord(cursor.bytes, cursor.view, cursor.offset));
  }
  return records;
}

const orders = ["flush", "flush", "flush", "pick", "pick", "pick", "pick", "pin", "unpin", "full"] as const;

const stepArbitrary = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      key: fc.nat(keysMax - 1), step: fc.constantFrom(1, 500, 3000),
      value: fc.option(fc.integer({ min: 0, max: 90 }), { freq: 3 }), ttl: fc.option(fc.nat(12), { freq: 2 }),
    }),
  },
  { weight: 4, arbitrary: fc.constantFrom(...orders) },
  { weight: 4, arbitrary: fc.record({ step: fc.nat(3), count: fc.integer({ min: 1, max: 8 }) }) },
);

test("a small tree under all its work reads like a list", () => {
  let compactions = 0;
  let deepest = 0;
  let together = 0;
  fc.assert(
    fc.property(fc.array(stepArbitrary, { minLength: 60, maxLength: 250, size: "max" }), (steps) => {
      const tree = new Tree();
      for (const step of steps) {
        if (step === "flush") tree.flush();
        else if (step === "pick") tree.pick();
        else if (step === "pin") tree.pins.push(tree.version);
        else if (step === "unpin") tree.pins.shift();
        else if (step === "full") {
          if (tree.running.length === 0) tree.startCompaction(pickFullCompaction(tree.tables.version, pickOptions));
        } else if ("count" in step) {
          for (let i = 0; i < step.count; i++) tree.stepCompaction(step.step);
        } else {
          const value = step.value === null ? null : new Uint8Array(step.value).fill(step.key);
          const expires = value !== null && step.ttl !== null;
          const expiresAtMs = expires ? versionMs(tree.version) + (step.ttl ?? 0) : 0;
          tree.write({ key: Uint8Array.of(step.key), value, expiresAtMs }, step.step);
          continue;
        }
        expectSame(tree);
        compactions += tree.running.length;
        together = Math.max(together, tree.running.length);
        deepest = Math.max(deepest, tree.tables.version.deepestLevel());
      }
      while (tree.running.length > 0) tree.stepCompaction(0);
      expectSame(tree);
      expect(tree.openReaders).toBe(tree.tables.version.tableCount());
      expect(tree.disk.list(directory)).toHaveLength(tree.tables.version.tableCount());
      tree.close();
      expect(tree.disk.openCount).toBe(0);
    }),
    { numRuns: 15 },
  );
  expect(versionEpochMs).toBe(Date.UTC(2024, 0, 1));
  expect(compactions).toBeGreaterThan(100);
  expect(deepest).toBeGreaterThan(2);
  expect(together).toBeGreaterThan(0);
});

test("a version in use keeps its tables readable after they are gone", () => {
  const tree = new Tree();
  for (let i = 0; i < 6; i++) {
    tree.write({ key: Uint8Array.of(i), value: Uint8Array.of(i), expiresAtMs: 0 }, 1);
    tree.flush();
  }
  const held = tree.tables.retain();
  const [cursor] = [new MergingCursor(held.cursors(0, false))];
  cursor.seekFirst();
  tree.startCompaction(pickFullCompaction(tree.tables.version, pickOptions));
  while (tree.running.length > 0) tree.stepCompaction(0);
  expect(tree.openReaders).toBe(7);
  expect(listOf(cursor)).toHaveLength(6);
  held.release();
  expect(tree.openReaders).toBe(1);
  expect(() => held.release()).toThrow("as often");
  tree.close();
});
