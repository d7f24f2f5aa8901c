// Goal: what is dead goes although no level is over its bound, and then there is rest. Method: random trees with
// random shares of tombstones, range tombstones and expired values, compacted in miniature until nothing is due.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Compaction, PickOptions } from "./compaction-picker.ts";
import { pickCompaction } from "./compaction-picker.ts";
import { hiddenTables, pickPressure, type Readers } from "./compaction-pressure.ts";
import { versionEpochMs, versionMs } from "./drop-rules.ts";
import { RangeTombstones } from "./range-tombstones.ts";
import { rangesOverlap } from "./table-meta.ts";
import type { TableMeta } from "./table-meta.ts";
import { levelsMax, Version } from "./version.ts";

const options: PickOptions = {
  level0TablesMax: 3, levelBytesBase: 5000, levelBytesFactor: 2, valueGarbagePercent: 50, tableBytes: 100,
};
const present: Readers = { firstPin: Infinity, horizonVersion: 1000, nowMs: versionEpochMs + 100 };

// oxlint-disable-next-line max-params
function meta(number: number, level: number, from: number, to: number, rest: Partial<TableMeta> = {}): TableMeta {
  return {
    number, level, sizeBytes: 100, recordCount: 10,
    smallest: Uint8Array.of(0, from), largest: Uint8Array.of(0, to), largestExcluded: false,
    minVersion: number, maxVersion: number, pointMaxVersion: number, tombstoneCount: 0, expiringCount: 0,
    rangeTombstoneCount: 0, staleAtMs: 0, codec: 0, rawBytes: 0, valueRefs: [], ...rest,
  };
}

const deadArbitrary = fc.record({
  tombstoneCount: fc.constantFrom(0, 0, 1, 5, 10),
  rangeTombstoneCount: fc.constantFrom(0, 0, 0, 1, 20),
  staleAtMs: fc.constantFrom(0, 0, 50, 99, 500).map((ms) => (ms === 0 ? 0 : versionEpochMs + ms)),
});

const versionArbitrary: fc.Arbitrary<Version> = fc
  .array(fc.tuple(fc.nat(levelsMax - 1), fc.nat(9), fc.nat(2), deadArbitrary), { maxLength: 20 })
  .map((drawn) => {
    let version = Version.empty();
    for (const [at, [level, from, width, dead]] of drawn.entries()) {
      const table = meta(at + 1, level, from * 10, from * 10 + width * 5, dead);
      const taken = version.level(level).some(({ smallest, largest }) => {
        return (smallest[1] ?? 0) <= from * 10 + width * 5 && from * 10 <= (largest[1] ?? 0);
      });
      if (level === 0 || !taken) version = version.apply({ added: [table], removed: [] });
    }
    return version;
  });

const readersArbitrary: fc.Arbitrary<Readers> = fc.record({
  firstPin: fc.constantFrom(Infinity, 0, 5, 12, 900_000),
  horizonVersion: fc.constantFrom(1000, 1_000_000),
  nowMs: fc.constant(present.nowMs),
});

/** What a merge leaves, in one table: no dead records at the bottom if nobody sees below, all of them elsewhere. */
function finish(version: Version, compaction: Compaction, number: number, readers: Readers): Version {
  const { inputs, outputLevel, smallest, largest, largestExcluded, bottom } = compaction;
  const removed = inputs.map((table) => table.number);
  if (compaction.trivialMove) {
    return version.apply({ added: inputs.map((table) => ({ ...table, level: outputLevel })), removed });
  }
  const sum = (count: (table: TableMeta) => number): number => inputs.reduce((all, table) => all + count(table), 0);
  const maxVersion = Math.max(...inputs.map((table) => table.maxVersion));
  const goes = bottom && maxVersion <= Math.min(readers.firstPin, readers.horizonVersion);
  const judgedMs = Math.min(readers.nowMs, readers.firstPin === Infinity ? Infinity : versionMs(readers.firstPin));
  const expired = sum((table) => (table.staleAtMs !== 0 && table.staleAtMs <= judgedMs ? 3 : 0));
  const live = Math.max(1, sum((table) => table.recordCount - table.tombstoneCount) - expired);
  const tombstoneCount = goes ? 0 : sum((table) => table.tombstoneCount) + expired;
  const staleAtMs = Math.max(0, ...inputs.map((table) => (table.staleAtMs > judgedMs ? table.staleAtMs : 0)));
  const made = meta(number, outputLevel, 0, 0, {
    smallest, largest, largestExcluded, tombstoneCount, staleAtMs,
    rangeTombstoneCount: goes ? 0 : sum((table) => table.rangeTombstoneCount),
    recordCount: live + tombstoneCount, sizeBytes: sum((table) => table.sizeBytes),
    minVersion: Math.min(...inputs.map((table) => table.minVersion)), maxVersion, pointMaxVersion: maxVersion,
  });
  return version.apply({ added: [made], removed });
}

describe("pressure of dead records", () => {
  test("comes to rest after a bounded number of merges, whoever reads", () => {
    fc.assert(
      fc.property(versionArbitrary, readersArbitrary, (start, readers) => {
        let version = start;
        const mostSteps = (start.tableCount() + 1) * (levelsMax + 2);
        for (let steps = 0; ; steps++) {
          expect(steps).toBeLessThanOrEqual(mostSteps);
          const compaction = pickCompaction(version, options) ?? pickPressure(version, options, readers).compaction;
          if (compaction === null) break;
          version = finish(version, compaction, 1000 + steps, readers);
        }
        if (readers.firstPin !== Infinity) return;
        for (const table of version.tables()) {
          const below = version.levels.slice(table.level + 1).flat();
          if (!below.some((other) => rangesOverlap(other, table))) expect(table.rangeTombstoneCount).toBe(0);
          expect(table.tombstoneCount * 2).toBeLessThan(table.recordCount);
          expect(table.staleAtMs === 0 || table.staleAtMs > readers.nowMs).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("goes down where something older may lie below, and is rewritten in place where nothing does", () => {
    const dead = meta(5, 1, 0, 9, { tombstoneCount: 6 });
    const down = pickPressure(Version.of([dead, meta(1, 3, 5, 6)]), options, present).compaction;
    expect(down).toMatchObject({ reason: "dead-records", level: 1, outputLevel: 2, bottom: false });
    const inPlace = pickPressure(Version.of([dead]), options, present).compaction;
    expect(inPlace).toMatchObject({ reason: "dead-records", level: 1, outputLevel: 1, bottom: true });
    expect(pickPressure(Version.of([{ ...dead, tombstoneCount: 4 }]), options, present).compaction).toBe(null);
    const one = pickPressure(Version.of([{ ...dead, tombstoneCount: 0, rangeTombstoneCount: 1 }]), options, present);
    expect(one.compaction?.outputLevel).toBe(1);
  });

  test("waits for snapshots only where it would change nothing", () => {
    const version = Version.of([meta(5, 1, 0, 9, { tombstoneCount: 6 })]);
    const pinned = pickPressure(version, options, { ...present, firstPin: 4 });
    expect(pinned).toMatchObject({ compaction: null, waitsForPins: true });
    expect(pickPressure(version, options, { ...present, firstPin: 5 }).compaction).not.toBe(null);
  });

  test("tells when the next table becomes stale", () => {
    const stale = meta(5, 1, 0, 9, { staleAtMs: present.nowMs + 7 });
    const version = Version.of([stale, meta(6, 1, 20, 29, { staleAtMs: present.nowMs + 3 })]);
    expect(pickPressure(version, options, present)).toEqual({
      compaction: null, waitsForPins: false, staleAtMs: present.nowMs + 3,
    });
    const later = pickPressure(version, options, { ...present, nowMs: present.nowMs + 3 });
    expect(later.compaction?.inputs.map((table) => table.number)).toEqual([6]);
    expect(later.staleAtMs).toBe(present.nowMs + 7);
  });
});

test("hidden tables are those that newer range tombstones cover for everybody", () => {
  const ranges = RangeTombstones.of([{ start: Uint8Array.of(0, 10), end: Uint8Array.of(0, 50), version: 20 }]);
  const inside = meta(3, 2, 10, 49);
  const others = [
    meta(4, 1, 9, 12), meta(5, 1, 40, 50), meta(30, 1, 20, 25), meta(6, 1, 30, 35, { rangeTombstoneCount: 1 }),
  ];
  const version = Version.of([inside, ...others]);
  const numbers = (pins: number[], horizon = 100): number[] =>
    hiddenTables(version, ranges, pins, horizon).map((table) => table.number);
  expect(numbers([])).toEqual([3]);
  expect(numbers([2, 20, 30])).toEqual([3]);
  expect(numbers([3])).toEqual([]);
  expect(numbers([19])).toEqual([]);
  expect(numbers([], 19)).toEqual([]);
});
