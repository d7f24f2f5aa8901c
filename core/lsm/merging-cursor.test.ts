// Goal: several sources walk as one sorted list without duplicates, the newest source winning, in any mix of
// directions. Method: fast-check against the sorted union; sources are memtables, tables and whole levels.
import fc from "fast-check";
import { expect, test } from "vitest";
import { LevelCursor } from "./level-cursor.ts";
import { MemoryDisk } from "./memory-disk.test-support.ts";
import { Memtable } from "./memtable.ts";
import { MergingCursor } from "./merging-cursor.ts";
import type { RecordCursor } from "./record-cursor.ts";
import type { Move, PlainRecord } from "./records.test-support.ts";
import {
  arenaFor, compareKeyOrder, firstDifference, listBackward, listForward, movesArbitrary, recordsArbitrary,
  sortedUnique,
} from "./records.test-support.ts";
import type { TableReader } from "./table-reader.ts";
import { openTable, writeTable } from "./tables.test-support.ts";

const kinds = ["memtable", "table", "level"] as const;

function cursorOver(
  disk: MemoryDisk,
  number: number,
  records: readonly PlainRecord[],
  kind: string,
): RecordCursor {
  if (kind === "memtable") {
    const arena = arenaFor(records);
    const table = new Memtable(arena.bytes, 1);
    for (const record of [...records].sort((a, b) => a.version - b.version)) table.add(arena.append(record));
    return table.cursor();
  }
  if (records.length === 0) return cursorOver(disk, number, records, "memtable");
  if (kind === "table") return openTable(disk, writeTable(disk, number, records)).cursor();
  return new LevelCursor(levelOf(disk, number, records));
}

/** About four keys per table. */
function levelOf(disk: MemoryDisk, number: number, records: readonly PlainRecord[]): TableReader[] {
  const readers: TableReader[] = [];
  let start = 0;
  let keys = 0;
  for (let i = 1; i <= records.length; i++) {
    const [before, after] = [records[i - 1], records[i]];
    const sameKey = before !== undefined && after !== undefined && compareKeyOrder(before, after) === 0;
    if (sameKey) continue;
    keys++;
    if (keys % 4 !== 0 && i < records.length) continue;
    readers.push(openTable(disk, writeTable(disk, number * 100 + readers.length, records.slice(start, i))));
    start = i;
  }
  return readers;
}

const sourcesArbitrary = fc.array(
  fc.record({ kind: fc.constantFrom(...kinds), picks: fc.array(fc.nat(39), { maxLength: 25 }) }),
  { maxLength: 5 },
);

/** Records of one pool dealt to the sources, so that many have the same (family, key, version) twice. */
function deal(
  pool: readonly PlainRecord[],
  sources: readonly { readonly kind: string; readonly picks: readonly number[] }[],
): { cursor: MergingCursor; union: PlainRecord[] } {
  const disk = new MemoryDisk();
  const cursors: RecordCursor[] = [];
  const oldestFirst: PlainRecord[] = [];
  for (const [i, { kind, picks }] of sources.entries()) {
    const chosen = picks.flatMap((pick) => pool[pick] ?? []);
    const marked = chosen.map((record) => ({ ...record, value: Uint8Array.of(i) }));
    const records = sortedUnique(marked);
    cursors.push(cursorOver(disk, i + 1, records, kind));
    oldestFirst.unshift(...records);
  }
  return { cursor: new MergingCursor(cursors), union: sortedUnique(oldestFirst) };
}

test("walks the union forwards and backwards", () => {
  fc.assert(
    fc.property(recordsArbitrary(40), sourcesArbitrary, (pool, sources) => {
      const { cursor, union } = deal(pool, sources);
      expect(listForward(cursor)).toEqual(union);
      expect(listBackward(cursor)).toEqual(union);
    }),
    { numRuns: 200 },
  );
});

test("turns round anywhere", () => {
  fc.assert(
    fc.property(recordsArbitrary(40), sourcesArbitrary, movesArbitrary, (pool, sources, moves) => {
      const { cursor, union } = deal(pool, sources);
      expect(firstDifference(cursor, union, moves)).toBe(null);
    }),
    { numRuns: 400 },
  );
});

test("a duplicate in every source is shown once, from the first, whichever way it is reached", () => {
  const record = (key: number): PlainRecord => ({
    family: 0, key: Uint8Array.of(key), version: 9, value: Uint8Array.of(0), expiresAtMs: 0,
  });
  const pool = [record(1), record(2), record(3)];
  const all = kinds.map((kind) => ({ kind, picks: [0, 1, 2] }));
  const { cursor, union } = deal(pool, all);
  expect(union.map((shown) => shown.value)).toEqual([Uint8Array.of(0), Uint8Array.of(0), Uint8Array.of(0)]);
  const zigzag: Move[] = ["first", "next", "prev", "next", "next", "prev", "prev", "next", "next", "next"];
  expect(firstDifference(cursor, union, zigzag)).toBe(null);
  expect(cursor.valid).toBe(false);
});

test("moving a cursor that is not valid is a defect of the caller", () => {
  const { cursor } = deal([], []);
  cursor.seekFirst();
  expect(cursor.valid).toBe(false);
  expect(() => cursor.next()).toThrow("valid");
  expect(() => cursor.prev()).toThrow("valid");
});
