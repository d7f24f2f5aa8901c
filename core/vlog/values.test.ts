// Goal: a job that separates or moves values loses, invents and miscounts none, and whatever is wrong with a value
// file is told with file and offset, never returned. Method: flush and compaction jobs over random records on a
// memory disk, pointers followed, bytes flipped.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NokvError } from "../errors.ts";
import type { CompactionJob, CompactionResult } from "../lsm/compaction-job.ts";
import type { FlushJob, FlushResult } from "../lsm/flush-job.ts";
import { runJob } from "../lsm/jobs.test-support.ts";
import { MemoryDisk } from "../lsm/memory-disk.test-support.ts";
import { Memtable } from "../lsm/memtable.ts";
import {
  arenaFor, type PlainRecord, readRecord, recordsArbitrary, sortedUnique,
} from "../lsm/records.test-support.ts";
import type { TableMeta } from "../lsm/table-meta.ts";
import { directory, openTable, smallBlocks } from "../lsm/tables.test-support.ts";
import { walName } from "../wal/segment-name.ts";
import { type ValueFileMeta, valueFilePath } from "./value-file.ts";
import { ValueFiles } from "./value-files.ts";
import { readPointedFile, pointerAt, valuePointerBytes, writePointer } from "./value-pointer.ts";
import { noValueRules } from "./value-separator.ts";

const keepAll = { pins: [], horizonVersion: 0, nowMs: 0, bottom: false };
const segmentNumber = 7;

interface Flushed {
  readonly disk: MemoryDisk;
  readonly table: TableMeta;
  readonly values: readonly ValueFileMeta[];
}

/** The records as a log segment on the disk, flushed. */
function flush(records: readonly PlainRecord[], thresholdBytes: number, disk = new MemoryDisk()): Flushed {
  const arena = arenaFor(records);
  const memtable = new Memtable(arena.bytes, 1);
  for (const record of records) memtable.add(arena.append(record));
  const segment = disk.open(`${directory}/${walName(segmentNumber)}`, "create");
  segment.write(0, arena.bytes, 0, arena.end);
  segment.close();
  const job: FlushJob = {
    kind: "flush", directory, tableNumber: 4, arena: arena.bytes, offsets: memtable.arrivalOffsets(),
    rangeOffsets: new Uint32Array(0),
    table: smallBlocks, drop: keepAll,
    values: { thresholdBytes, fileNumber: 5, segmentNumber, segmentBytes: arena.end },
  };
  const result = runJob(disk, job, 300) as FlushResult;
  const [table] = result.tables;
  if (table === undefined) throw new Error("records make a table");
  return { disk, table, values: result.values };
}

/** What readers see, and what the pointers add up to. */
function contents({ disk, table, values }: Flushed): { records: PlainRecord[]; refs: string } {
  const files = new ValueFiles(disk, directory, 1);
  files.retain(values);
  const reader = openTable(disk, table);
  const cursor = reader.cursor();
  const counts = new Map<number, [number, number]>();
  const records: PlainRecord[] = [];
  for (cursor.seekFirst(); cursor.valid; cursor.next()) {
    const { bytes, view, offset } = cursor;
    if (view.getUint8(offset + 6) !== 3) {
      records.push(readRecord(bytes, view, offset));
      continue;
    }
    const value = files.read(bytes, view, offset);
    const record = { ...readRecord(bytes, view, offset), value: Uint8Array.from(value) };
    records.push(record);
    const file = readPointedFile(view, pointerAt(view, offset));
    const [count, sum] = counts.get(file) ?? [0, 0];
    counts.set(file, [count + 1, sum + Math.ceil((24 + record.key.length + value.length) / 4) * 4]);
  }
  cursor.release();
  reader.close();
  files.close();
  files.release(values);
  const refs = [...counts].sort(([a], [b]) => a - b).map(([file, [count, sum]]) => `${file}:${count}:${sum}`);
  return { records, refs: refs.join() };
}

function refsOf(table: TableMeta): string {
  return table.valueRefs.map(({ file, records, bytes }) => `${file}:${records}:${bytes}`).join();
}

function bigRecords(count: number, valueBytes: number): PlainRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    family: 0, key: Uint8Array.of(i), version: i + 1, value: new Uint8Array(valueBytes).fill(i + 1), expiresAtMs: 0,
  }));
}

function compact(flushed: Flushed, relocate: readonly number[], thresholdBytes: number, fileBytes = 500): Flushed {
  const { disk, table, values } = flushed;
  const job: CompactionJob = {
    kind: "compaction", directory, inputs: [table], outputLevel: 1, firstTableNumber: 20, tableNumbers: 1,
    tableBytes: 1 << 20, table: smallBlocks, drop: keepAll,
    values: { ...noValueRules, thresholdBytes, files: values, relocate, firstNumber: 30, numbers: 50, fileBytes },
  };
  const result = runJob(disk, job, 300) as CompactionResult;
  const [made] = result.tables;
  if (made === undefined) throw new Error("a table that is rewritten is not empty");
  return { disk, table: made, values: [...values, ...result.values] };
}

describe("separation", () => {
  test("shows the same records, and counts what it separated", () => {
    const kinds = new Set<string>();
    fc.assert(
      fc.property(recordsArbitrary(30), fc.constantFrom(0, 1, 8, 30), (records, threshold) => {
        fc.pre(records.length > 0);
        const flushed = flush(records, threshold);
        const { records: seen, refs } = contents(flushed);
        expect(seen).toEqual(sortedUnique(records));
        expect(refsOf(flushed.table)).toBe(refs);
        for (const file of flushed.values) {
          kinds.add(file.kind);
          expect(flushed.disk.bytesOf(valueFilePath(directory, file)).length).toBe(file.sizeBytes);
          expect(file.separableBytes).toBe(flushed.table.valueRefs[0]?.bytes);
        }
      }),
      { numRuns: 300 },
    );
    expect([...kinds]).toContain("values");
  });

  test("keeps a segment that is mostly values, and copies the values of any other", () => {
    const most = flush(bigRecords(10, 400), 100);
    expect(most.values).toEqual([
      { number: segmentNumber, kind: "log", sizeBytes: 32 + 10 * 428, separableBytes: 10 * 428 },
    ]);
    expect(most.disk.list(directory)).toEqual(["table-000004.sst", walName(segmentNumber)]);
    const small = bigRecords(60, 50).map((record) => ({ ...record, key: Uint8Array.of(9, record.version) }));
    const mixed = flush([...bigRecords(10, 400), ...small].map((record, i) => ({ ...record, version: i + 1 })), 100);
    expect(mixed.values).toMatchObject([{ number: 5, kind: "values", separableBytes: 10 * 428 }]);
    expect(contents(mixed).records).toHaveLength(70);
  });

  test("does not keep a segment for values that the flush drops", () => {
    const records = bigRecords(10, 400).map((record, i) => ({ ...record, key: Uint8Array.of(i % 2) }));
    const disk = new MemoryDisk();
    const arena = arenaFor(records);
    const memtable = new Memtable(arena.bytes, 1);
    for (const record of records) memtable.add(arena.append(record));
    const result = runJob(disk, {
      kind: "flush", directory, tableNumber: 4, arena: arena.bytes, offsets: memtable.arrivalOffsets(),
      rangeOffsets: new Uint32Array(0),
      table: smallBlocks, drop: { ...keepAll, horizonVersion: 10 },
      values: { thresholdBytes: 100, fileNumber: 5, segmentNumber, segmentBytes: arena.end },
    } as FlushJob, 300) as FlushResult;
    expect(result.values).toMatchObject([{ kind: "values", separableBytes: 2 * 428 }]);
  });
});

describe("relocation", () => {
  test("moves values out of the files named, into files of bounded length, and shows the same", () => {
    fc.assert(
      fc.property(recordsArbitrary(40), fc.constantFrom(1, 10), fc.boolean(), (records, threshold, raised) => {
        const before = flush(records.length > 0 ? records : bigRecords(1, 5), threshold);
        const after = compact(before, before.values.map((file) => file.number), raised ? 20 : threshold);
        const { records: seen, refs } = contents(after);
        expect(seen).toEqual(contents(before).records);
        expect(refsOf(after.table)).toBe(refs);
        expect(after.table.valueRefs.map((ref) => ref.file).every((file) => file >= 30)).toBe(true);
        for (const file of after.values.slice(before.values.length)) expect(file.sizeBytes).toBeLessThan(700);
      }),
      { numRuns: 200 },
    );
  });

  test("leaves values of other files where they are", () => {
    const before = flush(bigRecords(5, 400), 100);
    const after = compact(before, [], 100);
    expect(refsOf(after.table)).toBe(refsOf(before.table));
    expect(after.values).toEqual(before.values);
  });

  test("of a damaged value fails, and leaves nothing behind: it never gets a new checksum", () => {
    const before = flush(bigRecords(5, 400), 100);
    const path = `${directory}/${walName(segmentNumber)}`;
    const bytes = before.disk.bytesOf(path);
    bytes[32 + 3 * 428 + 200] = (bytes[32 + 3 * 428 + 200] ?? 0) ^ 1;
    const names = before.disk.list(directory);
    expect(() => compact(before, [segmentNumber], 100)).toThrow(`${path}: offset ${32 + 3 * 428}`);
    expect(before.disk.list(directory)).toEqual(names);
    expect(before.disk.openCount).toBe(0);
  });
});

describe("a pointer", () => {
  test("leads to its own record or to an error that names the place, whatever byte is wrong", () => {
    const flushed = flush(bigRecords(3, 40), 10);
    const file = flushed.values[0];
    if (file === undefined) throw new Error("values were separated");
    const path = valueFilePath(directory, file);
    const bytes = flushed.disk.bytesOf(path);
    // Behind each image of a file of its own stands a checksum that only verification reads.
    const isTrailer = (at: number): boolean => file.kind === "values" && (at - 32) % 72 >= 68;
    for (let at = 0; at < bytes.length; at++) {
      const right = bytes[at] ?? 0;
      if (isTrailer(at)) continue;
      bytes[at] = right ^ 0x10;
      let error: unknown = null;
      try {
        expect(contents(flushed).records).toEqual(bigRecords(3, 40));
      } catch (caught) {
        error = caught;
      }
      bytes[at] = right;
      // The file is sixteen times as dense as it must be to be kept, so every byte behind the header is a value's.
      if (file.kind === "log" && at < 32) continue;
      if (!(error instanceof NokvError)) throw new Error(`byte ${at} of ${path} is read unchecked`);
      expect(error).toMatchObject({ code: "NOKV_CORRUPTION", path });
    }
  });

  test("that damage in flight hits is read again", () => {
    const flushed = flush(bigRecords(3, 40), 10);
    let reads = 0;
    flushed.disk.onRead = (path, _position, filled) => {
      if (path.endsWith(".sst") || ++reads % 3 === 0) return;
      filled[filled.length >> 1] = (filled[filled.length >> 1] ?? 0) ^ 1;
    };
    expect(contents(flushed).records).toEqual(bigRecords(3, 40));
  });

  test("beyond the file, into no file, or into one that is missing is refused", () => {
    const { disk, values } = flush(bigRecords(3, 400), 10);
    const record = new Uint8Array(24 + 1 + valuePointerBytes + 3);
    const view = new DataView(record.buffer);
    view.setUint32(0, valuePointerBytes, true);
    view.setUint16(4, 1, true);
    view.setUint8(6, 3);
    const files = new ValueFiles(disk, directory, 4);
    files.retain(values);
    const read = (file: number, offset: number): unknown => {
      writePointer(view, 25, { file, offset, valueLength: 400, crc: 0 });
      return files.read(record, view, 0);
    };
    expect(() => read(segmentNumber, 10_000)).toThrow("beyond the end");
    expect(() => read(99, 32)).toThrow("does not name");
    expect(() => read(segmentNumber, 36)).toThrow(/another/);
    disk.remove(`${directory}/${walName(segmentNumber)}`);
    files.close();
    expect(() => read(segmentNumber, 32)).toThrow("missing");
    disk.failAfter = 0;
    expect(() => read(segmentNumber, 32)).toThrow(expect.objectContaining({ code: "NOKV_IO" }));
  });
});

describe("value files in use", () => {
  test("are open a bounded number at a time, and removed when nobody holds them", () => {
    const disk = new MemoryDisk();
    const made = Array.from({ length: 4 }, (_, i) => {
      const one = flush(bigRecords(2, 400), 100, new MemoryDisk());
      const meta: ValueFileMeta = { number: 40 + i, kind: "log", sizeBytes: 888, separableBytes: 856 };
      const target = disk.open(valueFilePath(directory, meta), "create");
      const source = one.disk.bytesOf(`${directory}/${walName(segmentNumber)}`);
      target.write(0, source, 0, source.length);
      target.close();
      return meta;
    });
    const files = new ValueFiles(disk, directory, 2);
    files.retain(made);
    files.retain(made.slice(0, 1));
    const record = new Uint8Array(24 + 1 + valuePointerBytes + 3);
    const view = new DataView(record.buffer);
    for (const { number } of [...made, ...made]) {
      writePointer(view, 24, { file: number, offset: 32, valueLength: 400, crc: 0 });
      expect(() => files.read(record, view, 0)).toThrow(/NOKV|offset/);
      expect(files.openCount).toBeLessThanOrEqual(2);
      expect(disk.openCount).toBe(files.openCount);
    }
    files.doom(made[0] as ValueFileMeta);
    files.release(made);
    expect(disk.list(directory)).toHaveLength(4);
    expect(files.lingering).toEqual([made[0]]);
    files.release(made.slice(0, 1));
    expect(disk.list(directory)).toHaveLength(3);
    expect(files.removedCount).toBe(1);
    expect(disk.openCount).toBe(0);
  });
});
