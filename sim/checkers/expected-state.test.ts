import fc from "fast-check";
import { expect, test } from "vitest";
import type { ModelEntry, ScanBounds, SeenEntry } from "./expected-state.ts";
import { exactly, judgeGet, judgeScan } from "./expected-state.ts";

// Goal: a scan or a read passes only if it is what the state says, with just the room that lifetimes leave.
// Method: hand-made deviations; and for random states, the right answer passes while every single
// alteration of it fails.

const now = exactly(1_000);
const state = new Map<string, ModelEntry>([
  ["a", { value: "1", expiresAtMs: 0 }],
  ["b", { value: "2", expiresAtMs: 1_500 }],
  ["c", { value: "3", expiresAtMs: 900 }],
  ["d", { value: "4", expiresAtMs: 0 }],
]);
const a = { key: "a", value: "1", expiresAtMs: 0 };
const b = { key: "b", value: "2", expiresAtMs: 1_500 };
const c = { key: "c", value: "3", expiresAtMs: 900 };
const d = { key: "d", value: "4", expiresAtMs: 0 };

test("gets", () => {
  expect(judgeGet(state, "a", { value: "1" }, now)).toBeNull();
  expect(judgeGet(state, "a", { value: "2" }, now)).toMatch(/expected "1"/);
  expect(judgeGet(state, "a", null, now)).toMatch(/reads as nothing/);
  expect(judgeGet(state, "z", null, now)).toBeNull();
  expect(judgeGet(state, "z", { value: "1" }, now)).toMatch(/expected nothing/);
  expect(judgeGet(state, "b", { value: "2" }, now)).toBeNull();
  expect(judgeGet(state, "b", null, now)).toMatch(/until 1500ms/);
  expect(judgeGet(state, "c", null, now)).toBeNull();
  expect(judgeGet(state, "c", { value: "3" }, now)).toMatch(/outlived/);
});

test("a lifetime may be over or not within the instant's bounds, and stays over", () => {
  const around = { earliestMs: 1_400, latestMs: 1_600, highestMs: 1_600 };
  expect(judgeGet(state, "b", null, around)).toBeNull();
  expect(judgeGet(state, "b", { value: "2" }, around)).toBeNull();
  const wentBack = { earliestMs: 1_000, latestMs: 1_000, highestMs: 2_000 };
  expect(judgeGet(state, "b", null, wentBack)).toBeNull();
  expect(judgeGet(state, "b", { value: "2" }, wentBack)).toBeNull();
  expect(judgeGet(state, "a", null, wentBack)).not.toBeNull();
});

test("scans", () => {
  const scans: readonly (readonly [ScanBounds, readonly SeenEntry[], boolean])[] = [
    [{}, [a, b, d], true],
    [{}, [a, b], false],
    [{}, [b, d], false],
    [{}, [b, a, d], false],
    [{}, [a, b, c, d], false],
    [{}, [a, a, b, d], false],
    [{}, [a, b, d, { key: "e", value: "5", expiresAtMs: 0 }], false],
    [{}, [a, { ...b, expiresAtMs: 1_501 }, d], false],
    [{ reverse: true }, [d, b, a], true],
    [{ reverse: true }, [a, b, d], false],
    [{ limit: 2 }, [a, b], true],
    [{ limit: 2 }, [a, b, d], false],
    [{ limit: 2, reverse: true }, [d, b], true],
    [{ limit: 0 }, [], true],
    [{ gt: "a" }, [b, d], true],
    [{ gte: "a", lt: "d" }, [a, b], true],
    [{ gt: "a", lte: "d" }, [b, d], true],
    [{ gt: "a", lte: "d" }, [a, b, d], false],
    [{ gt: "x", lt: "b" }, [], true],
  ];
  for (const [bounds, seen, good] of scans) {
    expect([bounds, judgeScan(state, bounds, seen, now) === null]).toEqual([bounds, good]);
  }
});

test("a limit with lifetimes in doubt accepts each of the possible answers", () => {
  const around = { earliestMs: 1_400, latestMs: 1_600, highestMs: 1_600 };
  expect(judgeScan(state, { limit: 2 }, [a, b], around)).toBeNull();
  expect(judgeScan(state, { limit: 2 }, [a, d], around)).toBeNull();
  expect(judgeScan(state, { limit: 2 }, [b, d], around)).not.toBeNull();
  expect(judgeScan(state, { limit: 2 }, [a], around)).not.toBeNull();
});

test("any single alteration of a right answer is told", () => {
  const key = fc.string({ unit: fc.constantFrom("\x00", "a", "\xff"), maxLength: 3 });
  const keys = fc.uniqueArray(key, { minLength: 1, maxLength: 8 });
  const property = fc.property(keys, fc.nat(7), fc.boolean(), (names, pick, reverse) => {
    const held = new Map(names.map((name, i) => [name, { value: `v${i}`, expiresAtMs: 0 }]));
    const right = [...held].map(([name, entry]) => ({ key: name, ...entry }));
    right.sort((x, y) => (x.key < y.key ? -1 : 1));
    if (reverse) right.reverse();
    const altered = pick % right.length;
    expect(judgeScan(held, { reverse }, right, now)).toBeNull();
    expect(judgeScan(held, { reverse }, right.toSpliced(altered, 1), now)).not.toBeNull();
    const wrong = { key: right[altered]?.key ?? "", value: "other", expiresAtMs: 0 };
    expect(judgeScan(held, { reverse }, right.toSpliced(altered, 1, wrong), now)).not.toBeNull();
    if (right.length > 1) {
      expect(judgeScan(held, { reverse }, right.toReversed(), now)).not.toBeNull();
    }
  });
  fc.assert(property, { numRuns: 500 });
});
