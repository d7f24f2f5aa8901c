// Goal: for each key what lies in an upper level is newer than what lies below, and the check finds every exception,
// names the table, and holds a few blocks in memory however many records there are. Method: tables dealt from random
// records level by level, newest first; then one record put where it must not be.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { NokvError } from "../errors.ts";
import { MemoryDisk } from "./memory-disk.test-support.ts";
import { OrderCheck } from "./order-check.ts";
import { compareRecordOrder, type PlainRecord, recordsArbitrary, sortedUnique } from "./records.test-support.ts";
import { directory, smallBlocks, writeTable } from "./tables.test-support.ts";
import type { RangeFragment } from "./range-tombstones.ts";
import { bound, type TableMeta } from "./table-meta.ts";

function check(disk: MemoryDisk, tables: readonly TableMeta[], budgetBytes = 50): NokvError[] {
  const found: NokvError[] = [];
  const made = new OrderCheck(disk, directory, tables, (error) => found.push(error));
  for (let steps = 0; made.step(budgetBytes); steps++) if (steps > 10_000) throw new Error("a check never ends");
  made.close();
  expect(disk.openCount).toBe(0);
  return found;
}

/** `runs`: the newest first; the first two become level 0, the others a level each. */
function tablesOf(disk: MemoryDisk, runs: readonly (readonly PlainRecord[])[]): TableMeta[] {
  return runs.flatMap((run, i) => {
    const level = Math.max(0, i - 1);
    const sorted = [...run].sort(compareRecordOrder);
    if (sorted.length === 0) return [];
    // Below level 0 a run is several tables: cut in the middle, between two keys.
    const middle = sorted.findIndex((record, at) => at * 2 >= sorted.length && !sameKey(record, sorted[at - 1]));
    const parts = level === 0 || middle <= 0 ? [sorted] : [sorted.slice(0, middle), sorted.slice(middle)];
    return parts.map((part, at) => ({ ...writeTable(disk, 100 - 10 * i + at, part), level }));
  });
}

function sameKey(a: PlainRecord, b: PlainRecord | undefined): boolean {
  return b !== undefined && a.family === b.family && a.key.join() === b.key.join();
}

/** Records of each key, newest first, dealt to runs that never go back up. */
function deal(records: readonly PlainRecord[], random: readonly number[]): PlainRecord[][] {
  const runs: PlainRecord[][] = [[], [], [], []];
  let at = 0;
  let run = 0;
  let before: PlainRecord | undefined;
  for (const record of records) {
    if (!sameKey(record, before)) run = 0;
    run = Math.min(3, run + (random[at++ % random.length] ?? 0));
    runs[run]?.push(record);
    before = record;
  }
  return runs;
}

const dealtArbitrary = fc
  .tuple(recordsArbitrary(60), fc.array(fc.nat(2), { minLength: 1, maxLength: 20 }))
  .map(([records, random]) => deal(sortedUnique(records), random));

describe("the order across levels", () => {
  test("is right where newer records lie above older ones", () => {
    fc.assert(
      fc.property(dealtArbitrary, fc.constantFrom(1, 50, 1 << 20), (runs, budget) => {
        const disk = new MemoryDisk();
        expect(check(disk, tablesOf(disk, runs), budget)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  test("is wrong where two records of a key change their places, or one is in two", () => {
    let tried = 0;
    fc.assert(
      fc.property(dealtArbitrary, fc.nat(), fc.boolean(), (runs, draw, twice) => {
        const pairs = crossings(runs);
        const pair = pairs[draw % Math.max(1, pairs.length)];
        if (pair === undefined) return;
        tried++;
        const { upper, lower, newer, older } = pair;
        const wrong = runs.map((run) => [...run]);
        if (twice) wrong[lower]?.push(newer);
        else {
          wrong[upper] = runs[upper]?.map((record) => (record === newer ? older : record)) ?? [];
          wrong[lower] = runs[lower]?.map((record) => (record === older ? newer : record)) ?? [];
        }
        const disk = new MemoryDisk();
        const tables = tablesOf(disk, wrong);
        const found = check(disk, tables);
        expect(found.length).toBeGreaterThan(0);
        for (const error of found) {
          expect(error).toMatchObject({ code: "NOKV_CORRUPTION", message: expect.stringContaining("out of order") });
          expect(tables.some(({ number }) => error.path?.includes(String(number)))).toBe(true);
        }
      }),
      { numRuns: 1_000 },
    );
    expect(tried).toBeGreaterThan(50);
  });

  test("counts range tombstones at the keys of records, of any run", () => {
    const record = (key: number, version: number): PlainRecord => ({
      family: 0, key: Uint8Array.of(key), version, value: Uint8Array.of(1), expiresAtMs: 0,
    });
    const hides = (from: number, until: number, ...versions: number[]): RangeFragment => ({
      start: bound(0, Uint8Array.of(from)), end: bound(0, Uint8Array.of(until)), versions,
    });
    const cases: readonly (readonly [readonly (readonly [PlainRecord[], RangeFragment[]])[], number])[] = [
      [[[[], [hides(1, 9, 20)]], [[record(5, 10)], []]], 0],
      [[[[record(5, 10)], []], [[], [hides(1, 9, 20)]]], 1],
      [[[[record(5, 30)], []], [[], [hides(1, 9, 20)]], [[record(5, 10), record(9, 40)], []]], 0],
      [[[[], [hides(1, 9, 20, 8)]], [[record(5, 10)], []]], 1],
      [[[[], [hides(1, 5, 8)]], [[record(5, 10)], []]], 0],
      [[[[], [hides(4, 6, 30)]], [[], [hides(1, 9, 30)]], [[record(5, 10)], []]], 1],
    ];
    for (const [runs, faults] of cases) {
      const disk = new MemoryDisk();
      const tables = runs.map(([records, ranges], i) => {
        return { ...writeTable(disk, 100 - 10 * i, records, smallBlocks, ranges), level: Math.max(0, i - 1) };
      });
      expect(check(disk, tables)).toHaveLength(faults);
    }
  });

  test("ends with an error where a table cannot be read, and gives everything back", () => {
    const disk = new MemoryDisk();
    const record = (version: number): PlainRecord => ({
      family: 0, key: Uint8Array.of(1), version, value: Uint8Array.of(1), expiresAtMs: 0,
    });
    const tables = [[record(3)], [record(2)], [record(1)]];
    const metas = tablesOf(disk, tables);
    disk.remove(`${directory}/table-000090.sst`);
    expect(() => check(disk, metas)).toThrow("table-000090.sst");
    expect(disk.openCount).toBe(0);
  });
});

interface Crossing {
  readonly upper: number;
  readonly lower: number;
  readonly newer: PlainRecord;
  readonly older: PlainRecord;
}

/** Every two records of one key that lie in different runs. */
function crossings(runs: readonly (readonly PlainRecord[])[]): Crossing[] {
  const placed = runs.flatMap((run, at) => run.map((record) => ({ record, at })));
  return placed.flatMap(({ record: newer, at: upper }) => {
    const below = placed.filter(({ record, at }) => at > upper && sameKey(newer, record));
    return below.map(({ record: older, at: lower }) => ({ upper, lower, newer, older }));
  });
}
