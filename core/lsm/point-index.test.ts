// Goal: a point read takes one record from the disk and no block, is told of damage, and never hides a version;
// the index stays within its budget whatever is asked for.
// Method: tables on a memory disk that counts reads and damages them; budgets for all, some and none of the pages.
import { describe, expect, test } from "vitest";
import { hashKey } from "../bytes/hash.ts";
import { recordHeaderBytes } from "../bytes/record.ts";
import { NokvError } from "../errors.ts";
import { BlockCache } from "./block-cache.ts";
import { ScratchImage } from "./image-buffer.ts";
import { MemoryDisk } from "./memory-disk.test-support.ts";
import { PointBudget } from "./point-index.ts";
import { pointPageOf } from "./point-page.ts";
import { type PlainRecord, readRecord } from "./records.test-support.ts";
import { tablePath } from "./table-meta.ts";
import { TableReader } from "./table-reader.ts";
import { directory, smallBlocks, writeTable } from "./tables.test-support.ts";

const path = tablePath(directory, 7);
const keyOf = (i: number): Uint8Array => new TextEncoder().encode(`key${String(i).padStart(8, "0")}`);

function records(count: number, valueBytes = 40): PlainRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    family: 0, key: keyOf(i), version: 100 + i, value: new Uint8Array(valueBytes).fill(i), expiresAtMs: 0,
  }));
}

function open(disk: MemoryDisk, content: readonly PlainRecord[], budget: PointBudget, number = 7): TableReader {
  const meta = writeTable(disk, number, content, smallBlocks);
  return TableReader.openAs(disk, directory, meta, new BlockCache(0, 256), budget);
}

function find(table: TableReader, key: Uint8Array, version = Number.MAX_SAFE_INTEGER): PlainRecord | null {
  const found = table.find(0, key, version, hashKey(0, key, 0, key.length), new ScratchImage());
  return found === null ? null : readRecord(found.bytes, found.view, found.offset);
}

describe("point reads", () => {
  test("one read per record found, none for a key that is not there", () => {
    const disk = new MemoryDisk();
    const content = records(5000);
    const budget = new PointBudget(1 << 20);
    const table = open(disk, content, budget);
    for (const record of content) expect(find(table, record.key)).toEqual(record);
    expect(budget.loads).toBe(5);
    let before = disk.readCount;
    for (const record of content) find(table, record.key);
    expect(disk.readCount - before).toBe(5000);
    before = disk.readCount;
    for (let i = 5000; i < 10_000; i++) expect(find(table, keyOf(i))).toBe(null);
    // Sixteen bits of the hash are compared before a record is read.
    expect(disk.readCount - before).toBeLessThan(10);
    table.close();
    expect(budget.usedBytes).toBe(0);
    expect(disk.openCount).toBe(0);
  });

  test("older versions stand behind the newest, which has the point", () => {
    const disk = new MemoryDisk();
    const versions = [9, 7, 5].map((version) => ({ ...(records(1)[0] as PlainRecord), version }));
    const table = open(disk, versions, new PointBudget(1 << 20));
    const shown = [10, 9, 8, 7, 6, 5, 4].map((version) => find(table, keyOf(0), version)?.version ?? null);
    expect(shown).toEqual([9, 9, 7, 7, 5, 5, null]);
  });

  test("a record too long for its point is found through its block", () => {
    const disk = new MemoryDisk();
    const content = [...records(1, 300_000), ...records(3).slice(1)];
    const table = open(disk, content, new PointBudget(1 << 20));
    for (const record of content) expect(find(table, record.key)).toEqual(record);
  });

  test("damage in flight heals; at rest it names file and offset", () => {
    const disk = new MemoryDisk();
    const content = records(10);
    const table = open(disk, content, new PointBudget(1 << 20));
    find(table, keyOf(0));
    let left = 2;
    disk.onRead = (_path, _position, filled) => {
      if (left-- > 0) filled[recordHeaderBytes + 12] = (filled[recordHeaderBytes + 12] as number) ^ 1;
    };
    expect(find(table, keyOf(0))).toEqual(content[0]);
    disk.onRead = null;
    const bytes = disk.bytesOf(path);
    // The first record of the first block.
    const at = 32 + recordHeaderBytes + 12;
    bytes[at] = (bytes[at] as number) ^ 1;
    expect(failure(() => find(table, keyOf(0)))).toMatchObject({ code: "NOKV_CORRUPTION", path, offset: 32 });
    expect(find(table, keyOf(9))).toEqual(content[9]);
  });

  test("the right bytes of another place are refused", () => {
    const disk = new MemoryDisk();
    const table = open(disk, records(2), new PointBudget(1 << 20));
    find(table, keyOf(0));
    const other = disk.bytesOf(path).slice(32, 32 + 76);
    disk.onRead = (_path, position, filled) => {
      if (position !== 32) filled.set(other.subarray(0, filled.length));
    };
    expect(failure(() => find(table, keyOf(1)))?.code).toBe("NOKV_CORRUPTION");
  });

  test("the section itself is verified when it is read", () => {
    const disk = new MemoryDisk();
    writeTable(disk, 7, records(10), smallBlocks);
    const pristine = disk.bytesOf(path).slice();
    const view = new DataView(pristine.buffer, pristine.length - 96);
    const [start, end] = [view.getUint32(16, true), view.getUint32(24, true)];
    expect(end - start).toBeGreaterThan(256);
    for (let at = start; at < end; at += 7) {
      const bytes = disk.bytesOf(path);
      bytes.set(pristine);
      bytes[at] = (bytes[at] as number) ^ 0x10;
      const table = TableReader.open(disk, path, 7, new BlockCache(0, 256), new PointBudget(1 << 20));
      expect(failure(() => find(table, keyOf(0)))?.code).toBe("NOKV_CORRUPTION");
      table.close();
    }
  });

  test("pages beyond the budget come and go, and answers do not depend on it", () => {
    const disk = new MemoryDisk();
    const content = records(6000);
    for (const budgetBytes of [0, 500, 15_000, 40_000, 1 << 20]) {
      const budget = new PointBudget(budgetBytes);
      disk.files.clear();
      const table = open(disk, content, budget);
      for (let i = 0; i < 6000; i++) {
        const at = (i * 7919) % 6100;
        expect(find(table, keyOf(at))).toEqual(content[at] ?? null);
        expect(budget.usedBytes).toBeLessThanOrEqual(budgetBytes);
      }
      if (budgetBytes === 40_000) expect(budget.evictions).toBeGreaterThan(10);
      // One exchange in 32 reads: no thrashing.
      expect(budget.loads).toBeLessThan(6000 / 32 + 10);
      table.close();
      expect(budget.usedBytes).toBe(0);
    }
  });
});

test("every hash has its page", () => {
  for (const pages of [1, 2, 3, 1000, 1 << 20]) {
    for (const hash of [0, 1, -1, 0x7fff_ffff, -0x8000_0000]) {
      expect(pointPageOf(hash, pages)).toBeGreaterThanOrEqual(0);
      expect(pointPageOf(hash, pages)).toBeLessThan(pages);
    }
  }
});

function failure(action: () => unknown): NokvError | null {
  try {
    action();
    return null;
  } catch (error) {
    if (error instanceof NokvError) return error;
    throw error;
  }
}
