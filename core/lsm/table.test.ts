// Goal: a table gives back exactly the records it was built from, at every version, in any order, and any
// damage to its bytes is told as NOKV_CORRUPTION, never as a wrong answer.
// Method: fast-check against the sorted list; a flip of every byte of a small table.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codecId } from "../bytes/codec.ts";
import { hashKey } from "../bytes/hash.ts";
import { NokvError } from "../errors.ts";
import { BlockCache } from "./block-cache.ts";
import { ScratchImage } from "./image-buffer.ts";
import { MemoryDisk } from "./memory-disk.test-support.ts";
import { PointBudget } from "./point-index.ts";
import type { PlainRecord } from "./records.test-support.ts";
import {
  firstDifference, keyArbitrary, listBackward, listForward, movesArbitrary, newestUpTo, readRecord,
  recordsArbitrary, sortedUnique,
} from "./records.test-support.ts";
import { seal, tableFooterBytes, tableFormatVersion, tableHeaderBytes } from "./table-format.ts";
import { tablePath } from "./table-meta.ts";
import { TableReader } from "./table-reader.ts";
import { directory, openTable, smallBlocks, writeTable } from "./tables.test-support.ts";

function findIn(table: TableReader, family: number, key: Uint8Array, version: number): PlainRecord | null {
  const found = table.find(family, key, version, hashKey(family, key, 0, key.length), new ScratchImage());
  return found === null ? null : readRecord(found.bytes, found.view, found.offset);
}

function blocksEnd(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - tableFooterBytes + 16, true);
}

function counterRecords(count: number): PlainRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    family: 0,
    key: new TextEncoder().encode(String(i).padStart(16, "0")),
    version: 1000 + (i % 7),
    value: new Uint8Array(50).fill(i),
    expiresAtMs: 0,
  }));
}

function noiseBytes(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed + 1;
  for (let i = 0; i < length; i++) {
    state = Math.imul(state, 0x9e3779b1) + 0x7f4a7c15;
    bytes[i] = (state ^ (state >>> 15)) >>> 8;
  }
  return bytes;
}

const tableArbitrary = recordsArbitrary(60).filter((records) => records.length > 0);
const othersArbitrary = fc.array(keyArbitrary, { maxLength: 5 });
const compressions = ["none", "deflate", "zstd"] as const;
const optionsArbitrary = fc.record({
  blockBytes: fc.constantFrom(1, 64, 200, 16384),
  bloomBitsPerKey: fc.constantFrom(0, 1, 10, 40),
  compression: fc.constantFrom(...compressions),
  pointIndex: fc.boolean(),
});

describe("table round trip", () => {
  test("finds the newest record at every version", () => {
    fc.assert(
      fc.property(
        tableArbitrary, optionsArbitrary, othersArbitrary,
        fc.tuple(fc.constantFrom(0, 600, 1 << 20), fc.constantFrom(0, 1 << 20)),
        (records, options, others, [cacheBytes, pointBytes]) => {
          const disk = new MemoryDisk();
          const sorted = sortedUnique(records);
          const table = openTable(disk, writeTable(disk, 7, sorted, options), cacheBytes, pointBytes);
          const versions = [0, ...new Set(records.map((record) => record.version)), Number.MAX_SAFE_INTEGER];
          for (const key of [...records.map((record) => record.key), ...others]) {
            for (const version of versions) {
              expect(findIn(table, 0, key, version)).toEqual(newestUpTo(sorted, 0, key, version));
            }
          }
          table.close();
          expect(disk.openCount).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("walks both ways, from anywhere, with short reads and writes", () => {
    fc.assert(
      fc.property(tableArbitrary, optionsArbitrary, movesArbitrary, (records, options, moves) => {
        const disk = new MemoryDisk();
        disk.transferBytesMax = 7;
        const sorted = sortedUnique(records);
        const table = openTable(disk, writeTable(disk, 7, sorted, options));
        expect(listForward(table.cursor())).toEqual(sorted);
        expect(listBackward(table.cursor())).toEqual(sorted);
        expect(firstDifference(table.cursor(), sorted, moves)).toBe(null);
      }),
    );
  });

  test("describes itself", () => {
    fc.assert(
      fc.property(tableArbitrary, (records) => {
        const disk = new MemoryDisk();
        const sorted = sortedUnique(records);
        const meta = writeTable(disk, 7, sorted);
        const versions = sorted.map((record) => record.version);
        expect(meta).toEqual({
          level: 0,
          number: 7,
          sizeBytes: disk.bytesOf(tablePath(directory, 7)).length,
          recordCount: sorted.length,
          smallest: Uint8Array.of(sorted[0]?.family ?? 0, ...(sorted[0]?.key ?? [])),
          largest: Uint8Array.of(sorted.at(-1)?.family ?? 0, ...(sorted.at(-1)?.key ?? [])),
          minVersion: Math.min(...versions),
          maxVersion: Math.max(...versions),
          tombstoneCount: sorted.filter((record) => record.value === null).length,
          expiringCount: sorted.filter((record) => record.expiresAtMs !== 0).length,
          codec: 0,
          // Between header and points there are only blocks.
          rawBytes: blocksEnd(disk.bytesOf(tablePath(directory, 7))) - tableHeaderBytes,
          valueRefs: [],
          largestExcluded: false,
          rangeTombstoneCount: 0,
          pointMaxVersion: Math.max(...versions),
          staleAtMs: meta.staleAtMs,
        });
        expect({ ...openTable(disk, meta).properties, level: 0 }).toEqual(meta);
      }),
    );
  });

  test("a record larger than a block gets a block of its own", () => {
    const disk = new MemoryDisk();
    const records = counterRecords(3).map((record) => ({ ...record, value: new Uint8Array(70_000).fill(3) }));
    const table = openTable(disk, writeTable(disk, 7, records, { ...smallBlocks, blockBytes: 4096 }));
    expect(table.blockCount).toBe(3);
    expect(listForward(table.cursor())).toEqual(records);
  });

  test("compression makes the file smaller, and the properties say by how much", () => {
    const disk = new MemoryDisk();
    const plain = writeTable(disk, 7, counterRecords(400), { ...smallBlocks, blockBytes: 4096 });
    expect(plain.codec).toBe(0);
    for (const compression of ["deflate", "zstd"] as const) {
      const packed = writeTable(disk, 8, counterRecords(400), { ...smallBlocks, blockBytes: 4096, compression });
      expect(packed.codec).toBe(codecId[compression]);
      expect(packed.rawBytes).toBe(plain.rawBytes);
      expect(packed.sizeBytes).toBeLessThan(plain.sizeBytes / 3);
      expect(listForward(openTable(disk, packed, 0).cursor())).toEqual(counterRecords(400));
      disk.remove(tablePath(directory, 8));
    }
  });

  test("blocks that do not shrink by an eighth are stored as they are", () => {
    const disk = new MemoryDisk();
    const noise = counterRecords(40).map((record, i) => ({ ...record, value: noiseBytes(i, 500) }));
    const options = { ...smallBlocks, blockBytes: 4096, pointIndex: false };
    const plain = writeTable(disk, 7, noise, options);
    const packed = writeTable(disk, 8, noise, { ...options, compression: "deflate" });
    expect(packed.sizeBytes).toBe(plain.sizeBytes);
    expect(listForward(openTable(disk, packed, 0).cursor())).toEqual(noise);
  });

  test("records out of order are a defect of the caller", () => {
    const disk = new MemoryDisk();
    const [first, second] = counterRecords(2) as [PlainRecord, PlainRecord];
    expect(() => writeTable(disk, 7, [second, first])).toThrow("record order");
    expect(() => writeTable(disk, 8, [first, first])).toThrow("record order");
  });

  test("an absent key costs no block read when the filter says so", () => {
    const disk = new MemoryDisk();
    const cache = new BlockCache(0, 256);
    const meta = writeTable(disk, 7, counterRecords(400));
    const table = TableReader.openAs(disk, directory, meta, cache);
    let absent = 0;
    for (let i = 400; i < 2400; i++) {
      const key = new TextEncoder().encode(`${String(i % 400).padStart(16, "0")}-${i}`);
      if (findIn(table, 0, key, 2000) === null) absent++;
    }
    expect(absent).toBe(2000);
    expect(cache.misses).toBeLessThan(60); // 1 in 100 is expected
  });

  test("stays readable after its file was removed", () => {
    const disk = new MemoryDisk();
    const records = counterRecords(40);
    const table = openTable(disk, writeTable(disk, 7, records), 0);
    disk.remove(tablePath(directory, 7));
    expect(listForward(table.cursor())).toEqual(records);
  });
});

describe("damage", () => {
  const records = sortedUnique(
    counterRecords(12).flatMap((record) => [record, { ...record, version: 5, value: null }]),
  );

  /** What reading everything gives: null when it is right, else the error. */
  function readAll(disk: MemoryDisk): NokvError | null {
    const reader: TableReader[] = [];
    try {
      // By way of the filter, and of the point index.
      for (const points of [null, new PointBudget(4096)]) {
        const table = TableReader.open(disk, tablePath(directory, 7), 7, new BlockCache(4096, 256), points);
        reader.push(table);
        for (const record of records) {
          expect(findIn(table, 0, record.key, record.version)).toEqual(record);
          expect(findIn(table, 0, record.key, 4)).toBe(null);
        }
        expect(listForward(table.cursor())).toEqual(records);
        expect(listBackward(table.cursor())).toEqual(records);
      }
      return null;
    } catch (error) {
      if (error instanceof NokvError) return error;
      throw error;
    } finally {
      for (const table of reader) table.close();
    }
  }

  test.each(compressions)("every flip of every byte is detected and placed: %s", (compression) => {
    const disk = new MemoryDisk();
    writeTable(disk, 7, records, { ...smallBlocks, compression });
    expect(readAll(disk)).toBe(null);
    const bytes = disk.bytesOf(tablePath(directory, 7));
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of [1, 0x80, 0xff]) {
        bytes[at] = (bytes[at] as number) ^ flip;
        const error = readAll(disk);
        expect(error?.code ?? `nothing at byte ${at}`).toBe("NOKV_CORRUPTION");
        expect(error?.path).toBe(tablePath(directory, 7));
        expect(error?.offset).toBeLessThanOrEqual(at);
        bytes[at] = (bytes[at] as number) ^ flip;
      }
    }
    expect(disk.openCount).toBe(0);
  });

  test("every truncation is detected", () => {
    const disk = new MemoryDisk();
    writeTable(disk, 7, records);
    const whole = disk.bytesOf(tablePath(directory, 7)).slice();
    for (let size = 0; size < whole.length; size++) {
      const file = disk.open(tablePath(directory, 7), "write");
      file.truncate(size);
      file.close();
      expect(readAll(disk)?.code).toBe("NOKV_CORRUPTION");
    }
  });

  test("the table of another number, or a missing one, is refused", () => {
    const disk = new MemoryDisk();
    const meta = writeTable(disk, 7, records);
    disk.rename(tablePath(directory, 7), tablePath(directory, 8));
    expect(() => openTable(disk, { ...meta, number: 8 })).toThrow(/NOKV|checksum/);
    expect(() => openTable(disk, meta)).toThrow("missing");
  });

  test("a table that is not the one the manifest describes is refused", () => {
    const disk = new MemoryDisk();
    const meta = writeTable(disk, 7, records);
    expect(() => openTable(disk, { ...meta, recordCount: meta.recordCount + 1 })).toThrow("record count");
    expect(() => openTable(disk, { ...meta, sizeBytes: 1 })).toThrow("size");
    expect(() => openTable(disk, { ...meta, largest: meta.smallest })).toThrow("largest");
    expect(disk.openCount).toBe(0);
  });

  test("a newer format is refused by name, not as damage", () => {
    const disk = new MemoryDisk();
    writeTable(disk, 7, records);
    const header = disk.bytesOf(tablePath(directory, 7)).subarray(0, 32);
    header[8] = tableFormatVersion + 1;
    seal(header, 7, 0);
    const error = readAll(disk);
    expect(error?.code).toBe("NOKV_FORMAT");
    expect(error?.message).toContain(
      `table format ${tableFormatVersion + 1}, this program reads ${tableFormatVersion}`,
    );
  });

  test("a codec that this program does not have is refused by name, not as damage", () => {
    const disk = new MemoryDisk();
    writeTable(disk, 7, records);
    const bytes = disk.bytesOf(tablePath(directory, 7));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const footerAt = bytes.length - tableFooterBytes;
    const propertiesAt = view.getUint32(footerAt + 48, true);
    view.setUint32(propertiesAt + 56, 9, true);
    seal(bytes.subarray(propertiesAt, footerAt), 7, propertiesAt);
    const error = readAll(disk);
    expect(error?.code).toBe("NOKV_FORMAT");
    expect(error?.message).toContain("codec number 9");
  });

  test("damage in flight heals by reading again, three times in all", () => {
    const disk = new MemoryDisk();
    writeTable(disk, 7, records);
    for (const damaged of [1, 2, 3]) {
      const seen = new Map<number, number>();
      disk.onRead = (_path, position, filled): void => {
        const count = (seen.get(position) ?? 0) + 1;
        seen.set(position, count);
        if (count <= damaged) filled[0] = (filled[0] as number) ^ 4;
      };
      expect(readAll(disk)?.code ?? null).toBe(damaged < 3 ? null : "NOKV_CORRUPTION");
    }
  });

  test("a refusal of the machine is NOKV_IO, and nothing is remembered of it", () => {
    const disk = new MemoryDisk();
    const meta = writeTable(disk, 7, records);
    const table = openTable(disk, meta);
    const key = (records[0] as PlainRecord).key;
    for (let calls = 0; calls < 2; calls++) {
      disk.failAfter = calls;
      expect(() => findIn(table, 0, key, 5000)).toThrow(NokvError);
      expect(disk.failAfter).toBe(-1);
    }
    expect(findIn(table, 0, key, 5000)).toEqual(records[0]);
  });

  test.each(compressions)("crafted bytes with right checksums never read out of range: %s", (compression) => {
    const disk = new MemoryDisk();
    writeTable(disk, 7, records, { ...smallBlocks, blockBytes: 4096, compression });
    const bytes = disk.bytesOf(tablePath(directory, 7));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const footerAt = bytes.length - tableFooterBytes;
    // Points, filter, index and properties; no range tombstones. Of the points the directory, and the only page.
    const places = [16, 24, 40, 48].map((field) => view.getUint32(footerAt + field, true));
    const [points = 0, filter = 0] = places;
    const starts = [32, ...places, footerAt, ...(points < filter ? [points + 8] : [])].sort((a, b) => a - b);
    const craftedArbitrary = fc.constantFrom(0, 1, 0x7fffffff, 0xffffffff, 40);
    fc.assert(
      fc.property(fc.nat(starts.length - 1), fc.nat(4096), craftedArbitrary, (part, at, crafted) => {
        const start = starts[part] as number;
        if (start === starts[part + 1]) return;
        const end = starts[part + 1] ?? bytes.length;
        const saved = bytes.slice(start, end);
        const section = bytes.subarray(start, end);
        const word = (at % ((section.length - 4) >>> 2)) * 4;
        new DataView(section.buffer, section.byteOffset).setUint32(word, crafted, true);
        seal(section, 7, start);
        expectSafe(disk);
        section.set(saved);
      }),
      { numRuns: 700 },
    );
  });

  /** Right, wrong or refused, but never out of range and never a defect. */
  function expectSafe(disk: MemoryDisk): void {
    try {
      const points = new PointBudget(4096);
      const table = TableReader.open(disk, tablePath(directory, 7), 7, new BlockCache(4096, 256), points);
      for (const record of records) findIn(table, 0, record.key, record.version);
      const cursor = table.cursor();
      for (const record of records) cursor.seek(record.family, record.key);
      expect(listForward(cursor).length).toBeLessThan(100);
      expect(listBackward(table.cursor()).length).toBeLessThan(100);
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      expect(["NOKV_CORRUPTION", "NOKV_FORMAT"]).toContain(error.code);
    }
  }
});
