// Goal: what a walk shows does not depend on how far it reads ahead, how short the reads are, how small the cache
// is, or what other cursors do in between; and damage is told exactly when the walk gets there.
// Method: fast-check against the sorted list, over a table of small blocks; every record is looked at again after
// one more move, as the contract of a cursor allows.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NokvError } from "../errors.ts";
import { BlockCache } from "./block-cache.ts";
import { LevelCursor } from "./level-cursor.ts";
import { MemoryDisk } from "./memory-disk.test-support.ts";
import type { RecordCursor } from "./record-cursor.ts";
import type { PlainRecord } from "./records.test-support.ts";
import {
  currentRecord, firstDifference, movesArbitrary, readRecord, recordsArbitrary, sortedUnique,
} from "./records.test-support.ts";
import { tablePath } from "./table-meta.ts";
import { TableReader } from "./table-reader.ts";
import { directory, smallBlocks, writeTable } from "./tables.test-support.ts";

const settingsArbitrary = fc.record({
  cacheBytes: fc.constantFrom(0, 700, 2_000, 5_000, 100_000),
  frameBytes: fc.constantFrom(16, 256, 4_096),
  transferBytesMax: fc.constantFrom(7, 100, 1 << 20),
  bytes: fc.constantFrom(0, 300, 1_000, 100_000),
  backward: fc.boolean(),
});

function counterRecords(count: number): PlainRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    family: 0,
    key: new TextEncoder().encode(String(i).padStart(6, "0")),
    version: 1 + i,
    value: new Uint8Array(40).fill(i),
    expiresAtMs: 0,
  }));
}

/** Two tables. */
function levelOf(disk: MemoryDisk, records: readonly PlainRecord[], cache: BlockCache): TableReader[] {
  const middle = Math.ceil(records.length / 2);
  const halves = [records.slice(0, middle), records.slice(middle)].filter((half) => half.length > 0);
  return halves.map((half, i) => {
    return TableReader.openAs(disk, directory, writeTable(disk, 1 + i, half), cache);
  });
}

/** Walks to the end and checks each record where it was shown, and again after the move that followed. */
function checkLent(cursor: RecordCursor, sorted: readonly PlainRecord[], backward: boolean): void {
  const expected = backward ? sorted.toReversed() : sorted;
  if (backward) cursor.seekLast();
  else cursor.seekFirst();
  for (const record of expected) {
    const { bytes, view, offset } = cursor;
    expect(currentRecord(cursor)).toEqual(record);
    if (backward) cursor.prev();
    else cursor.next();
    expect(readRecord(bytes, view, offset)).toEqual(record);
  }
  expect(cursor.valid).toBe(false);
}

describe("reading ahead", () => {
  test("changes nothing of what is shown", () => {
    // One key per record, so that the tables of a level do not share one.
    const keyed = recordsArbitrary(60).map((records) => {
      const sorted = sortedUnique(records.map((record) => ({ ...record, family: 0 })));
      return sorted.filter((record, i) => i === 0 || String(record.key) !== String(sorted[i - 1]?.key));
    });
    const some = keyed.filter((records) => records.length > 0);
    fc.assert(
      fc.property(some, settingsArbitrary, movesArbitrary, (sorted, settings, moves) => {
        const disk = new MemoryDisk();
        disk.transferBytesMax = settings.transferBytesMax;
        const cache = new BlockCache(settings.cacheBytes, settings.frameBytes);
        const cursor = new LevelCursor(levelOf(disk, sorted, cache));
        cursor.expect(settings);
        expect(firstDifference(cursor, sorted, moves)).toBe(null);
        checkLent(cursor, sorted, settings.backward);
        cursor.release();
        expect(cache.pinCount).toBe(0);
      }),
    );
  });

  test("cursors that share a small cache do not disturb each other", () => {
    const sorted = counterRecords(80);
    const stepsArbitrary = fc.array(fc.nat(3), { maxLength: 200 });
    fc.assert(
      fc.property(stepsArbitrary, settingsArbitrary, (steps, settings) => {
        const disk = new MemoryDisk();
        const cache = new BlockCache(settings.cacheBytes, settings.frameBytes);
        const readers = levelOf(disk, sorted, cache);
        const cursors = [0, 1, 2, 3].map(() => new LevelCursor(readers));
        const at = cursors.map(() => 0);
        for (const cursor of cursors) {
          cursor.expect(settings);
          cursor.seekFirst();
        }
        for (const which of steps) {
          const cursor = cursors[which] as LevelCursor;
          if (!cursor.valid) continue;
          cursor.next();
          at[which] = (at[which] ?? 0) + 1;
          for (const [i, each] of cursors.entries()) {
            if (each.valid) expect(currentRecord(each)).toEqual(sorted[at[i] ?? 0]);
          }
        }
        for (const cursor of cursors) cursor.release();
        expect(cache.pinCount).toBe(0);
      }),
      { numRuns: 40 },
    );
  });

  test("damage is told when the walk gets there, and not before", () => {
    const sorted = counterRecords(40);
    const meta = writeTable(new MemoryDisk(), 1, sorted);
    fc.assert(
      fc.property(fc.nat(meta.sizeBytes - 1), settingsArbitrary, (position, settings) => {
        const disk = new MemoryDisk();
        writeTable(disk, 1, sorted);
        const cache = new BlockCache(settings.cacheBytes, settings.frameBytes);
        const reader = TableReader.openAs(disk, directory, meta, cache);
        const file = disk.bytesOf(tablePath(directory, 1));
        file[position] = (file[position] ?? 0) ^ 0x10;
        const cursor = reader.cursor();
        cursor.expect({ ...settings, backward: false });
        const shown: PlainRecord[] = [];
        let code = "";
        try {
          for (cursor.seekFirst(); cursor.valid; cursor.next()) shown.push(currentRecord(cursor));
        } catch (error) {
          if (!(error instanceof NokvError)) throw error;
          code = error.code;
        }
        expect(shown).toEqual(sorted.slice(0, shown.length));
        // Every record of the blocks before the damaged one was shown; those parts behind the blocks are not read.
        const inBlocks = shown.length < sorted.length;
        expect(code).toBe(inBlocks ? "NOKV_CORRUPTION" : "");
        if (inBlocks) expect(reader.blocks.cachedAt(damagedBlock(reader, position))).toBe(null);
      }),
      { numRuns: 60 },
    );
  });

  test("a read ahead that the machine refuses is no failure of the scan", () => {
    const sorted = counterRecords(40);
    const disk = new MemoryDisk();
    const meta = writeTable(disk, 1, sorted, smallBlocks);
    const cache = new BlockCache(100_000, 256);
    const reader = TableReader.openAs(disk, directory, meta, cache);
    const cursor = reader.cursor();
    cursor.expect({ bytes: 100_000, backward: false });
    disk.failAfter = 0;
    cursor.seekFirst();
    expect(currentRecord(cursor)).toEqual(sorted[0]);
  });
});

/** The block that holds byte `position` of the file. */
function damagedBlock(reader: TableReader, position: number): number {
  for (let i = reader.blockCount - 1; i > 0; i--) {
    if (reader.blocks.offset(i) <= position) return i;
  }
  return 0;
}
