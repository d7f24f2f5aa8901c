// Goal: every rule of forgetting by example. Method: one key's versions, newest first, and the verdict on
// each.
import { expect, test } from "vitest";
import { DropJudge, versionEpochMs, versionMs } from "./drop-rules.ts";
import type { DropRules } from "./drop-rules.ts";
import { RangeTombstones } from "./range-tombstones.ts";
import type { PlainRecord } from "./records.test-support.ts";
import { arenaFor } from "./records.test-support.ts";

const none = RangeTombstones.of([]);
const presentOnly: DropRules = {
  pins: [], horizonVersion: Number.MAX_SAFE_INTEGER, nowMs: versionEpochMs + 10, bottom: false,
};

function value(version: number, expiryMs = 0): PlainRecord {
  const expiresAtMs = expiryMs === 0 ? 0 : versionEpochMs + expiryMs;
  return { family: 0, key: Uint8Array.of(1), version, value: Uint8Array.of(7), expiresAtMs };
}

function four(...versions: readonly number[]): PlainRecord[] {
  return versions.map((version) => value(version));
}

function tombstone(version: number): PlainRecord {
  return { ...value(version), value: null };
}

const late = 9 * 4096;
const early = 2 * 4096;

test.each<[string, PlainRecord[], Partial<DropRules>, string]>([
  ["the newest stays, what it supersedes goes", [value(9), value(8), tombstone(7)], {}, "keep drop drop"],
  ["a pin keeps its newest", [value(9), value(6), value(5)], { pins: [7] }, "keep keep drop"],
  ["a pin at a version reads that version", [value(9), value(6), value(5)], { pins: [6] }, "keep keep drop"],
  ["a pin at the next newer does not read the older", [value(9), value(6)], { pins: [9] }, "keep drop"],
  ["versions between pins collapse", four(9, 6, 5, 4), { pins: [4, 8] }, "keep keep drop keep"],
  ["above the horizon all stay", four(9, 6, 3, 2), { horizonVersion: 5 }, "keep keep keep drop"],
  ["a tombstone stays above older levels", [tombstone(9), value(8)], {}, "keep drop"],
  ["a tombstone goes at the bottom", [tombstone(9), value(8)], { bottom: true }, "drop drop"],
  ["but not while a pin reads below", [tombstone(9), value(8)], { bottom: true, pins: [8] }, "keep keep"],
  ["a pin above it does not hold it", [tombstone(9), value(8)], { bottom: true, pins: [9] }, "drop drop"],
  ["nor above the horizon", [tombstone(9), value(8)], { bottom: true, horizonVersion: 8 }, "keep keep"],
  ["an expired value hides what is older", [value(9, 10), value(8)], {}, "bury drop"],
  ["and goes at the bottom", [value(9, 10), value(8)], { bottom: true }, "drop drop"],
  ["a value is live until its expiry", [value(9, 11)], {}, "keep"],
  ["a pin judges expiry at its own instant", [value(early, 10), value(1)], { pins: [late] }, "keep drop"],
  ["the first pin that reads decides", [value(early, 5)], { pins: [early, late] }, "keep"],
  ["expired for every pin that reads", [value(early, 5)], { pins: [late] }, "bury"],
  ["superseded, expired for its pin", [value(late + 9), value(early, 9)], { pins: [late] }, "keep bury"],
])("%s", (_title, records, rules, expected) => {
  const judge = new DropJudge({ ...presentOnly, ...rules }, none);
  const arena = arenaFor(records);
  const verdicts = records.map((record) => judge.judge(arena.bytes, arena.view, arena.append(record)));
  expect(verdicts.join(" ")).toBe(expected);
});

test("keys are judged apart", () => {
  const second = { ...value(4), key: Uint8Array.of(2) };
  const records = [value(5), second, { ...second, version: 3, family: 1 }];
  const judge = new DropJudge(presentOnly, none);
  const arena = arenaFor(records);
  for (const record of records) {
    expect(judge.judge(arena.bytes, arena.view, arena.append(record))).toBe("keep");
  }
});

test("pins out of order and versions out of order are defects of the caller", () => {
  expect(() => new DropJudge({ ...presentOnly, pins: [2, 1] }, none)).toThrow("sorted");
  const judge = new DropJudge(presentOnly, none);
  const arena = arenaFor([value(5), value(5)]);
  judge.judge(arena.bytes, arena.view, arena.append(value(5)));
  expect(() => judge.judge(arena.bytes, arena.view, arena.append(value(5)))).toThrow("newest first");
});

test("a version names its millisecond", () => {
  expect(versionMs(0)).toBe(Date.UTC(2024, 0, 1));
  expect(versionMs(4095)).toBe(versionEpochMs);
  expect(versionMs(4096)).toBe(versionEpochMs + 1);
});
