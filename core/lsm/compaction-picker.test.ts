// Goal: applying what the picker asks for, alone or several at once, keeps the invariants of a version,
// never lets two compactions meet, and comes to rest with every level within its bound.
// Method: fast-check over random trees; a compaction is simulated on metadata alone.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareKeys } from "../bytes/record.ts";
import type { Compaction, PickOptions } from "./compaction-picker.ts";
import {
  levelScore, outputTablesMax, pickCompaction, pickFullCompaction, runsOf,
} from "./compaction-picker.ts";
import { rangesOverlap } from "./table-meta.ts";
import type { ValueFileMeta } from "../vlog/value-file.ts";
import type { TableMeta } from "./table-meta.ts";
import { levelsMax, Version } from "./version.ts";

// oxlint-disable-next-line max-params
function meta(number: number, level: number, from: number, to: number, sizeBytes = 100): TableMeta {
  return {
    number, level, sizeBytes, recordCount: 10,
    smallest: Uint8Array.of(0, from), largest: Uint8Array.of(0, to),
    minVersion: number, maxVersion: number, tombstoneCount: number % 3, expiringCount: 0, codec: 0, rawBytes: 0,
    valueRefs: [],
    largestExcluded: false, rangeTombstoneCount: 0, pointMaxVersion: number, staleAtMs: 0,
  };
}

const options: PickOptions = {
  level0TablesMax: 3, levelBytesBase: 500, levelBytesFactor: 2, valueGarbagePercent: 50, tableBytes: 100,
};

const levelZeroArbitrary = fc.array(fc.tuple(fc.nat(255), fc.nat(60)), { maxLength: 12 });
const gapsArbitrary = fc.array(
  fc.tuple(fc.integer({ min: 1, max: 20 }), fc.nat(10), fc.integer({ min: 1, max: 300 })),
  { maxLength: 15 },
);

/** A valid version: level 0 at random, levels below with gaps between their tables. */
const versionArbitrary: fc.Arbitrary<Version> = fc
  .tuple(levelZeroArbitrary, fc.array(gapsArbitrary, { maxLength: 4 }))
  .map(([levelZero, below]) => {
    const tables: TableMeta[] = [];
    let number = 1;
    for (const [i, gaps] of below.entries()) {
      let at = 0;
      for (const [gap, width, size] of gaps) {
        if (at + gap + width > 255) break;
        tables.push(meta(number++, i + 1, at + gap, at + gap + width, size));
        at += gap + width;
      }
    }
    for (const [from, width] of levelZero) tables.push(meta(number++, 0, from, Math.min(255, from + width)));
    return Version.of(tables);
  });

/** The tables a compaction would leave: the union of its inputs, cut at the inputs' borders. */
function outputsOf(compaction: Compaction, firstNumber: number): TableMeta[] {
  const { inputs, outputLevel } = compaction;
  const borders = inputs.flatMap((table) => [table.smallest[1] ?? 0, table.largest[1] ?? 0]);
  const points = [...new Set(borders)].sort((a, b) => a - b);
  const total = inputs.reduce((sum, table) => sum + table.sizeBytes, 0);
  const count = Math.max(1, Math.min(Math.floor(points.length / 2), Math.floor(total / 100)));
  return Array.from({ length: count }, (_, i) => {
    const from = points[Math.floor((i * points.length) / count)] ?? 0;
    const to = points[Math.floor(((i + 1) * points.length) / count) - 1] ?? 0;
    return meta(firstNumber + i, outputLevel, from, to, Math.floor(total / count));
  });
}

function finish(version: Version, compaction: Compaction, firstNumber: number): Version {
  const removed = compaction.inputs.map((table) => table.number);
  const moved = compaction.inputs.map((table) => ({ ...table, level: compaction.outputLevel }));
  const added = compaction.trivialMove ? moved : outputsOf(compaction, firstNumber);
  return version.apply({ added, removed });
}

function bytesOf(version: Version): number {
  return version.tables().reduce((sum, table) => sum + table.sizeBytes, 0);
}

/** What must hold of every pick. */
function expectSound(version: Version, compaction: Compaction, running: readonly Compaction[]): void {
  const { level, outputLevel, inputs } = compaction;
  expect(outputLevel).toBe(level + 1);
  const chosen = new Set(inputs.map((table) => table.number));
  expect(chosen.size).toBe(inputs.length);
  for (const table of version.level(outputLevel)) {
    const overlaps = rangesOverlap(table, compaction);
    expect(chosen.has(table.number)).toBe(overlaps);
  }
  for (const left of version.level(0).filter((table) => level === 0 && !chosen.has(table.number))) {
    for (const taken of inputs.filter((table) => table.level === 0)) {
      expect(rangesOverlap(left, taken)).toBe(false);
    }
  }
  const below = version.levels.slice(outputLevel + 1).flat();
  const overlapped = below.some((table) => rangesOverlap(table, compaction));
  expect(compaction.bottom).toBe(!overlapped);
  if (compaction.trivialMove) expect(inputs).toHaveLength(1);
  for (const other of running) {
    expect(other.inputs.some((table) => chosen.has(table.number))).toBe(false);
    const shareLevel = other.level <= outputLevel && level <= other.outputLevel;
    if (shareLevel) expect(rangesOverlap(other, compaction)).toBe(false);
  }
}

describe("picking", () => {
  test("one at a time: comes to rest within the bounds", () => {
    fc.assert(
      fc.property(versionArbitrary, (start) => {
        let version = start;
        let number = 1000;
        for (let steps = 0; ; steps++) {
          expect(steps).toBeLessThan(2000);
          const compaction = pickCompaction(version, options);
          if (compaction === null) break;
          expectSound(version, compaction, []);
          version = finish(version, compaction, number);
          number += 100;
        }
        for (let level = 0; level < levelsMax - 1; level++) {
          expect(levelScore(level, version.level(level), options)).toBeLessThan(100);
        }
        expect(bytesOf(version)).toBeLessThanOrEqual(bytesOf(start));
      }),
    );
  });

  test("several at once, finishing in any order while tables are flushed", () => {
    const stepArbitrary = fc.oneof(
      fc.constant("pick" as const),
      fc.record({ finish: fc.nat(3) }),
      fc.record({ from: fc.nat(255), width: fc.nat(60) }),
    );
    fc.assert(
      fc.property(versionArbitrary, fc.array(stepArbitrary, { maxLength: 60 }), (start, steps) => {
        let version = start;
        let number = 1000;
        const running: Compaction[] = [];
        for (const step of steps) {
          number += 100;
          if (step === "pick") {
            const compaction = pickCompaction(version, options, running);
            if (compaction === null) continue;
            expectSound(version, compaction, running);
            running.push(compaction);
          } else if ("finish" in step) {
            const [done] = running.splice(step.finish % Math.max(1, running.length), 1);
            if (done !== undefined) version = finish(version, done, number);
          } else {
            const added = [meta(number, 0, step.from, Math.min(255, step.from + step.width))];
            version = version.apply({ added, removed: [] });
          }
        }
        for (const compaction of running) version = finish(version, compaction, (number += 100));
        expect(version.tableCount()).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 300 },
    );
  });

  test("names its reason and takes the table that waited longest", () => {
    const wide = [meta(5, 1, 0, 9, 300), meta(3, 1, 20, 29, 300), meta(4, 1, 40, 49, 300)];
    const bySize = pickCompaction(Version.of(wide), options);
    expect(bySize?.reason).toBe("level-size");
    expect(bySize?.inputs.map((table) => table.number)).toEqual([3]);
    expect(bySize?.trivialMove).toBe(true);
    const many = [meta(1, 0, 0, 9), meta(2, 0, 5, 20), meta(3, 0, 90, 99)];
    const byCount = pickCompaction(Version.of(many), options);
    expect(byCount?.reason).toBe("level-0-count");
    expect(byCount?.inputs.map((table) => table.number)).toEqual([2, 1]);
    expect(pickCompaction(Version.of([meta(1, 0, 0, 9), meta(2, 0, 5, 20)]), options)).toBe(null);
    expect(pickCompaction(Version.empty(), options)).toBe(null);
  });

  test("a table with tombstones is not just moved to the bottom", () => {
    const tables = [meta(4, 0, 0, 9), meta(6, 0, 20, 29), meta(9, 0, 40, 49)];
    const compaction = pickCompaction(Version.of(tables), options);
    expect(compaction?.inputs.map((table) => table.number)).toEqual([4]);
    expect(compaction?.bottom).toBe(true);
    expect(compaction?.trivialMove).toBe(false);
    const above = pickCompaction(Version.of([...tables, meta(1, 2, 5, 6)]), options);
    expect(above?.trivialMove).toBe(true);
  });

  test("brings neighbours along when that costs nothing below", () => {
    const upper = [meta(2, 1, 0, 4), meta(3, 1, 5, 9), meta(4, 1, 30, 39, 400)];
    const compaction = pickCompaction(Version.of([...upper, meta(1, 2, 3, 12)]), options);
    expect(compaction?.inputs.map((table) => table.number)).toEqual([2, 3, 1]);
    const costly = [...upper, meta(1, 2, 3, 7), meta(5, 2, 9, 20)];
    expect(pickCompaction(Version.of(costly), options)?.inputs.map((table) => table.number)).toEqual([2, 1]);
  });
});

test("the full compaction takes everything to the deepest level in use", () => {
  expect(pickFullCompaction(Version.empty(), options)).toBe(null);
  const tables = [meta(7, 0, 0, 9), meta(6, 0, 3, 4), meta(2, 1, 5, 6), meta(3, 1, 1, 2), meta(1, 3, 0, 99)];
  const compaction = pickFullCompaction(Version.of(tables), options);
  expect(compaction?.outputLevel).toBe(3);
  expect(compaction?.bottom).toBe(true);
  expect(compaction?.inputs).toHaveLength(5);
  const runs = runsOf(compaction?.inputs ?? []);
  expect(runs.map((run) => run.map((table) => table.number))).toEqual([[7], [6], [3, 2], [1]]);
  expect(pickFullCompaction(Version.of([meta(1, 0, 0, 9)]), options)?.outputLevel).toBe(1);
  expect(outputTablesMax(tables, 200)).toBe(3);
  const keys = tables.map((table) => table.smallest).sort(compareKeys);
  expect(compaction?.smallest).toEqual(keys[0]);
});

describe("garbage in value files", () => {
  const file = (number: number): ValueFileMeta => ({ number, kind: "values", sizeBytes: 1032, separableBytes: 1000 });
  const pointing = (table: TableMeta, ...refs: [number, number][]): TableMeta => ({
    ...table, tombstoneCount: 0, valueRefs: refs.map(([at, bytes]) => ({ file: at, records: 1, bytes })),
  });

  test("is collected from a table where it stands, the worst file first", () => {
    const upper = pointing(meta(12, 1, 0, 9), [2, 400]);
    const lower = pointing(meta(13, 2, 5, 6), [3, 300], [4, 900]);
    const version = Version.of([upper, lower], [file(2), file(3), file(4)]);
    const first = pickCompaction(version, options);
    expect(first).toMatchObject({ reason: "value-garbage", level: 2, outputLevel: 2, bottom: true, relocate: [3] });
    expect(first?.inputs).toEqual([lower]);
    const second = pickCompaction(version, options, [], new Set([3]));
    expect(second).toMatchObject({ level: 1, outputLevel: 1, bottom: false, relocate: [2] });
    expect(pickCompaction(version, options, [], new Set([2, 3]))).toBe(null);
    expect(pickCompaction(version, options, first === null ? [] : [first])?.inputs).toEqual([upper]);
    expect(pickCompaction(version, { ...options, valueGarbagePercent: 71 })).toBe(null);
  });

  test("of level 0 goes down with what it must take along, and is never moved as it is", () => {
    const newer = pointing(meta(12, 0, 0, 9), [2, 100]);
    const older = pointing(meta(11, 0, 5, 20), [2, 100]);
    const compaction = pickCompaction(Version.of([newer, older], [file(2)]), options);
    expect(compaction).toMatchObject({ level: 0, outputLevel: 1, trivialMove: false, relocate: [2] });
    expect(compaction?.inputs).toEqual([newer, older]);
  });

  test("waits for a level that is fuller, and leaves its file by any merge that passes", () => {
    const tables = [13, 14, 15, 16, 17, 18].map((number) => pointing(meta(number, 0, 0, 9), [number - 11, 400]));
    const files = tables.map((table) => file(table.number - 11));
    const merge = pickCompaction(Version.of(tables, files), options);
    expect(merge).toMatchObject({ reason: "level-0-count", relocate: [2] });
    expect(pickFullCompaction(Version.of(tables, files), options)?.relocate).toEqual([2]);
    const wide = pickFullCompaction(Version.of(tables, files), { ...options, tableBytes: 200 });
    expect(wide?.relocate).toEqual([2, 3]);
  });
});
