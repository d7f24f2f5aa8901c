// Goal: the memtable finds and walks exactly what a sorted array of the same records holds.
// Method: fast-check against that array; walks started early must not see what is added later.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Memtable } from "./memtable.ts";
import type { Move, PlainRecord } from "./records.test-support.ts";
import {
  arenaFor, compareRecordOrder, firstDifference, keyArbitrary, listBackward, listForward, movesArbitrary,
  newestUpTo, readRecord, recordsArbitrary, sortedUnique,
} from "./records.test-support.ts";

function tableOf(records: readonly PlainRecord[]): Memtable {
  const arena = arenaFor(records);
  const table = new Memtable(arena.bytes, 1);
  for (const record of records) table.add(arena.append(record));
  return table;
}

function counterKey(n: number): Uint8Array {
  return new TextEncoder().encode(String(n).padStart(16, "0"));
}

function plain(key: Uint8Array, version: number): PlainRecord {
  return { family: 0, key, version, value: Uint8Array.of(version & 0xff), expiresAtMs: 0 };
}

describe("memtable", () => {
  test("finds the newest record up to a version", () => {
    fc.assert(
      fc.property(recordsArbitrary(60), fc.array(keyArbitrary, { maxLength: 5 }), (records, others) => {
        const table = tableOf(records);
        const sorted = sortedUnique(records);
        expect(table.count).toBe(sorted.length);
        const versions = [0, ...new Set(records.map((record) => record.version)), Number.MAX_SAFE_INTEGER];
        const keys = [...records.map((record) => record.key), ...others];
        for (const key of keys) {
          for (const version of versions) {
            const offset = table.find(0, key, version);
            const found = offset < 0 ? null : readRecord(table.arena, table.view, offset);
            expect(found).toEqual(newestUpTo(sorted, 0, key, version));
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  test("walks in record order, both ways, from anywhere", () => {
    fc.assert(
      fc.property(recordsArbitrary(80), movesArbitrary, (records, moves) => {
        const table = tableOf(records);
        const sorted = sortedUnique(records);
        expect(listForward(table.cursor())).toEqual(sorted);
        expect(listBackward(table.cursor())).toEqual(sorted);
        expect(firstDifference(table.cursor(), sorted, moves)).toBe(null);
      }),
    );
  });

  test("a walk does not see later records and is not disturbed by them", () => {
    fc.assert(
      fc.property(recordsArbitrary(80), fc.nat(80), fc.nat(7), (records, cut, step) => {
        const arena = arenaFor(records);
        const table = new Memtable(arena.bytes, 1);
        const batchEnds = records.map((record, i) => record.version !== records[i + 1]?.version);
        let early = 0;
        const wanted = Math.min(cut, records.length);
        while (early < wanted || (early > 0 && batchEnds[early - 1] === false)) early++;
        for (const record of records.slice(0, early)) table.add(arena.append(record));
        const cursor = table.cursor();
        cursor.seekFirst();
        const walked: PlainRecord[] = [];
        for (let i = early; i < records.length; i++) {
          table.add(arena.append(records[i] as PlainRecord));
          if (batchEnds[i] !== true || i % (step + 1) !== 0) continue;
          expect(listForward(table.cursor())).toEqual(sortedUnique(records.slice(0, i + 1)));
          if (!cursor.valid) continue;
          walked.push(readRecord(cursor.bytes, cursor.view, cursor.offset));
          cursor.next();
        }
        expect(walked).toEqual(sortedUnique(records.slice(0, early)).slice(0, walked.length));
        expect(listBackward(cursor)).toEqual(sortedUnique(records.slice(0, early)));
      }),
      { numRuns: 60 },
    );
  });

  test("grows far beyond what was expected and keeps its order when scans and writes alternate", () => {
    const records: PlainRecord[] = [];
    for (let i = 0; i < 20_000; i++) records.push(plain(counterKey((i * 7919) % 15_000), i + 1));
    const arena = arenaFor(records);
    const table = new Memtable(arena.bytes, 1);
    for (const [i, record] of records.entries()) {
      table.add(arena.append(record));
      // The last walk but one leaves a base, the records after it a tail.
      if (i % 500 === 0 || i === 19_900) table.cursor();
    }
    expect(table.count).toBe(20_000);
    expect(table.minVersion).toBe(1);
    expect(table.maxVersion).toBe(20_000);
    const sorted = [...records].sort(compareRecordOrder);
    expect(listForward(table.cursor())).toEqual(sorted);
    expect(listBackward(table.cursor())).toEqual(sorted);
    const wander: Move[] = [];
    for (let i = 0; i < 300; i++) {
      const turn = i % 3 === 0 ? "prev" : "next";
      wander.push({ family: 0, key: counterKey((i * 6151) % 15_100) }, turn, "prev", "prev", turn, "next");
    }
    expect(firstDifference(table.cursor(), sorted, wander)).toBe(null);
    const offsets = table.sortedOffsets();
    expect(Array.from(offsets, (offset) => readRecord(table.arena, table.view, offset))).toEqual(sorted);
    for (let i = 0; i < 15_000; i += 97) expect(table.find(0, counterKey(i), 20_000)).toBeGreaterThan(0);
    expect(table.find(0, counterKey(15_000), 20_000)).toBe(-1);
    expect(table.find(1, counterKey(3), 20_000)).toBe(-1);
  });

  test("the last write of a batch wins, also after somebody has walked", () => {
    const arena = arenaFor([plain(counterKey(1), 1), plain(counterKey(1), 1), plain(counterKey(2), 1)]);
    const table = new Memtable(arena.bytes, 4);
    table.add(arena.append(plain(counterKey(1), 1)));
    table.add(arena.append(plain(counterKey(2), 1)));
    expect(listForward(table.cursor())).toHaveLength(2);
    const last = { ...plain(counterKey(1), 1), value: Uint8Array.of(77) };
    table.add(arena.append(last));
    expect(table.count).toBe(2);
    expect(listForward(table.cursor())[0]).toEqual(last);
    expect(readRecord(table.arena, table.view, table.find(0, counterKey(1), 1))).toEqual(last);
    expect(table.arrivalOffsets().toSorted()).toEqual(table.sortedOffsets().toSorted());
  });

  test("a version that goes back is a defect of the caller", () => {
    const arena = arenaFor([plain(counterKey(1), 1), plain(counterKey(1), 2)]);
    const table = new Memtable(arena.bytes, 4);
    table.add(arena.append(plain(counterKey(1), 2)));
    const offset = arena.append(plain(counterKey(1), 1));
    expect(() => table.add(offset)).toThrow("in order");
  });
});
