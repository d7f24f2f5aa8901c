// Goal: what covers a key at a version, against a plain list. Method: random tombstones, nested and touching,
// asked at every edge and beside it.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareKeys } from "../bytes/record.ts";
import { keptRanges, type DropRules } from "./drop-rules.ts";
import { RangeList } from "./range-list.ts";
import { decodeRanges, encodeRanges } from "./range-section.ts";
import {
  clipFragments, countVersions, familyEnd, RangeTombstones, type RangeFragment, type RangeTombstone,
} from "./range-tombstones.ts";
import { RangeWalk } from "./range-walk.ts";
import { arenaFor, type PlainRecord } from "./records.test-support.ts";
import { bound } from "./table-meta.ts";

const keyArbitrary = fc.uint8Array({ maxLength: 2, max: 4 });

const tombstonesArbitrary: fc.Arbitrary<RangeTombstone[]> = fc
  .array(
    fc.record({
      family: fc.constantFrom(0, 0, 1),
      ends: fc.tuple(keyArbitrary, keyArbitrary),
      open: fc.constantFrom(false, false, false, true),
      step: fc.constantFrom(0, 1, 1, 5),
    }),
    { maxLength: 12 },
  )
  .map((drawn) => {
    let version = 1;
    return drawn.flatMap(({ family, ends, open, step }) => {
      version += step;
      const [start, end] = [...ends].sort(compareKeys);
      if (start === undefined || end === undefined || (!open && compareKeys(start, end) === 0)) return [];
      return [{ start: bound(family, start), end: open ? familyEnd(family) : bound(family, end), version }];
    });
  });

const keys: readonly Uint8Array[] = [0, 1].flatMap((family) =>
  [[], [0], [0, 0], [1], [1, 4], [2], [2, 2], [3], [3, 1], [4], [4, 4], [4, 4, 0]].map((key) =>
    bound(family, Uint8Array.from(key)),
  ),
);

function covering(tombstones: readonly RangeTombstone[], key: Uint8Array): number[] {
  return tombstones
    .filter(({ start, end }) => compareKeys(start, key) <= 0 && compareKeys(key, end) < 0)
    .map(({ version }) => version);
}

function coverOf(tombstones: readonly RangeTombstone[], key: Uint8Array, atVersion: number): number {
  return Math.max(0, ...covering(tombstones, key).filter((version) => version <= atVersion));
}

function recordOf(key: Uint8Array): PlainRecord {
  return { family: key[0] ?? 0, key: key.slice(1), version: 1, value: null, expiresAtMs: 0 };
}

describe("a set of range tombstones", () => {
  test("covers as the plain list does, at every version and from below", () => {
    fc.assert(
      fc.property(tombstonesArbitrary, fc.nat(30), (tombstones, version) => {
        const set = RangeTombstones.of(tombstones);
        expect(set.count).toBe(tombstones.length);
        const arena = arenaFor(keys.map(recordOf));
        let hint = -1;
        for (const key of keys) {
          expect(set.cover(key[0] ?? 0, key.subarray(1), version)).toBe(coverOf(tombstones, key, version));
          hint = set.intervalOf(arena.bytes, arena.view, arena.append(recordOf(key)), hint);
          const above = covering(tombstones, key).filter((other) => other > version);
          expect(set.leastAbove(hint, version)).toBe(Math.min(...above));
        }
      }),
    );
  });

  test("a memtable's list gives the same in whatever order reads and adds come", () => {
    fc.assert(
      fc.property(tombstonesArbitrary, fc.array(fc.boolean()), fc.nat(30), (tombstones, looks, version) => {
        const list = new RangeList();
        for (const [at, tombstone] of tombstones.entries()) {
          list.add(tombstone);
          if (looks[at] === true) list.sets();
        }
        expect(list.sets().length).toBeLessThanOrEqual(5);
        for (const key of keys) {
          expect(list.cover(key[0] ?? 0, key.subarray(1), version)).toBe(coverOf(tombstones, key, version));
        }
      }),
    );
  });

  test("a walk in any order agrees, and its stretch has one answer", () => {
    const orders = fc.shuffledSubarray([...keys]);
    fc.assert(
      fc.property(tombstonesArbitrary, tombstonesArbitrary, orders, fc.nat(30), (one, other, order, version) => {
        const walk = new RangeWalk([RangeTombstones.of(one), RangeTombstones.of(other)], version);
        const arena = arenaFor(order.map(recordOf));
        for (const key of order) {
          const cover = walk.coverOf(arena.bytes, arena.view, arena.append(recordOf(key)));
          expect(cover).toBe(coverOf([...one, ...other], key, version));
          for (const near of keys) {
            if (walk.from !== null && compareKeys(near, walk.from) < 0) continue;
            if (walk.until !== null && compareKeys(near, walk.until) >= 0) continue;
            expect(coverOf([...one, ...other], near, version)).toBe(cover);
          }
        }
      }),
    );
  });

  test("knows when it hides a whole range", () => {
    const versions = fc.tuple(fc.nat(9), fc.nat(30));
    const places = fc.tuple(fc.nat(23), fc.nat(23));
    fc.assert(
      fc.property(tombstonesArbitrary, versions, places, (tombstones, [version, at], [a, b]) => {
        const [smallest, largest] = [keys[Math.min(a, b)] as Uint8Array, keys[Math.max(a, b)] as Uint8Array];
        const span = { smallest, largest, largestExcluded: false };
        if (!RangeTombstones.of(tombstones).hidesAll(span, version, at)) return;
        for (const key of keys.slice(Math.min(a, b), Math.max(a, b) + 1)) {
          expect(coverOf(tombstones, key, at)).toBeGreaterThan(version);
        }
      }),
    );
    const whole = { start: bound(0, Uint8Array.of()), end: familyEnd(0), version: 5 };
    const span = { smallest: bound(0, Uint8Array.of(1)), largest: bound(0, Uint8Array.of(9)), largestExcluded: false };
    expect(RangeTombstones.of([whole]).hidesAll(span, 4, 5)).toBe(true);
    expect(RangeTombstones.of([whole]).hidesAll(span, 4, 4)).toBe(false);
    expect(RangeTombstones.of([whole]).hidesAll(span, 5, 9)).toBe(false);
  });

  test("n nested ranges do not take n squared", () => {
    const nested = Array.from({ length: 4096 }, (_, i) => ({
      start: bound(0, Uint8Array.of()), end: bound(0, Uint8Array.of(1 + (i >>> 8), i & 0xff)), version: i + 1,
    }));
    const set = RangeTombstones.of(nested);
    expect(set.cover(0, Uint8Array.of(0), 1000)).toBe(1000);
    const rules = { pins: [], horizonVersion: 4096, nowMs: 0, bottom: false };
    expect(countVersions(keptRanges(set, rules))).toBe(1);
  });
});

const rulesArbitrary: fc.Arbitrary<DropRules> = fc.record({
  pins: fc.uniqueArray(fc.nat(30), { maxLength: 3 }).map((pins) => pins.sort((a, b) => a - b)),
  horizonVersion: fc.nat(40),
  nowMs: fc.constant(0),
  bottom: fc.constant(false),
});

describe("what is kept", () => {
  test("nobody who may still read can tell", () => {
    fc.assert(
      fc.property(tombstonesArbitrary, rulesArbitrary, (tombstones, rules) => {
        const kept = RangeTombstones.ofFragments(keptRanges(RangeTombstones.of(tombstones), rules));
        const later = Array.from({ length: 12 }, (_, i) => rules.horizonVersion + i);
        for (const version of [...rules.pins, ...later]) {
          for (const key of keys) {
            const before = coverOf(tombstones, key, version);
            expect(kept.cover(key[0] ?? 0, key.subarray(1), version)).toBe(before);
          }
        }
      }),
    );
  });

  test("fragments are disjoint, ascending and come through the section and any cut", () => {
    fc.assert(
      fc.property(tombstonesArbitrary, rulesArbitrary, fc.nat(23), (tombstones, rules, cutAt) => {
        const fragments = keptRanges(RangeTombstones.of(tombstones), rules);
        expect(decodeRanges(encodeRanges(fragments, 3, 64), "t", 64)).toEqual(fragments);
        const cut = keys[cutAt] as Uint8Array;
        const parts = [...clipFragments(fragments, null, cut), ...clipFragments(fragments, cut, null)];
        for (const key of keys) {
          for (const version of [5, 30]) {
            expect(coverIn(parts, key, version)).toBe(coverIn(fragments, key, version));
          }
        }
      }),
    );
  });

  test("at the bottom nothing is kept that everybody sees", () => {
    const tombstone = { start: bound(0, Uint8Array.of(1)), end: bound(0, Uint8Array.of(2)), version: 5 };
    const rules = { pins: [], horizonVersion: 9, nowMs: 0, bottom: true };
    const set = RangeTombstones.of([tombstone]);
    expect(keptRanges(set, rules)).toEqual([]);
    expect(keptRanges(set, { ...rules, pins: [5] })).toEqual([]);
    expect(keptRanges(set, { ...rules, pins: [4] })).toHaveLength(1);
    expect(keptRanges(set, { ...rules, horizonVersion: 4 })).toHaveLength(1);
    expect(keptRanges(set, { ...rules, bottom: false })).toHaveLength(1);
  });
});

function coverIn(fragments: readonly RangeFragment[], key: Uint8Array, version: number): number {
  const inside = fragments.filter(({ start, end }) => compareKeys(start, key) <= 0 && compareKeys(key, end) < 0);
  expect(inside.length).toBeLessThanOrEqual(1);
  return inside[0]?.versions.find((each) => each <= version) ?? 0;
}

test.each<[string, (fragment: RangeFragment) => RangeFragment[]]>([
  ["overlap", (fragment) => [fragment, fragment]],
  ["a reversed range", ({ start, end, versions }) => [{ start: end, end: start, versions }]],
  ["no version", (fragment) => [{ ...fragment, versions: [] }]],
  ["versions that go up", (fragment) => [{ ...fragment, versions: [4, 5] }]],
])("a section with %s is refused", (_title, craft) => {
  const good = { start: bound(0, Uint8Array.of(1)), end: bound(0, Uint8Array.of(2)), versions: [5, 4] };
  expect(() => decodeRanges(encodeRanges(craft(good), 3, 0), "t", 0)).toThrow("out of order");
  expect(() => decodeRanges(encodeRanges([good], 3, 0).subarray(0, 20), "t", 0)).toThrow("cut off");
});
