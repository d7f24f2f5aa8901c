// Goal: from whatever a crash left, the next step is the first whose outcome is missing.
// Method: descriptors and journals by hand, one row per state.
import { expect, test } from "vitest";
import type { PeerRole, RegionMeta } from "../../raft/region.ts";
import type { TargetProgress } from "./expand-journal.ts";
import { nextExpandStep } from "./expand-step.ts";

const wish = { stores: [2, 3], allowTwo: false };

/** Peer 10 s lives on store s. */
function regionOf(roles: Readonly<Record<number, PeerRole>>): RegionMeta {
  const peers = Object.entries(roles).map(([storeId, role]) => {
    return { peerId: Number(storeId) * 10, storeId: Number(storeId), role };
  });
  const empty = new Uint8Array(0);
  return { id: 1, start: empty, end: empty, epoch: { version: 1, confVer: 1 }, peers };
}

function entry(storeId: number, step: TargetProgress["step"], peerId = storeId * 10): TargetProgress {
  return { regionId: 1, storeId, peerId, step };
}

const reserved = [entry(2, "reserved"), entry(3, "reserved")];
const added = [entry(2, "added"), entry(3, "added")];

test("the first step whose outcome is missing", () => {
  const alone = regionOf({ 1: "voter" });
  const facts = { journal: [], verified: [] };
  expect(nextExpandStep(alone, wish, facts)).toEqual({ kind: "reserve", stores: [2, 3] });
  expect(nextExpandStep(alone, wish, { ...facts, journal: reserved.slice(0, 1) })).toEqual({
    kind: "reserve", stores: [3],
  });
  expect(nextExpandStep(alone, wish, { ...facts, journal: reserved })).toEqual({
    kind: "add", change: { op: "addLearner", peerId: 20, storeId: 2 },
  });
  const one = regionOf({ 1: "voter", 2: "learner" });
  expect(nextExpandStep(one, wish, { ...facts, journal: reserved })).toEqual({
    kind: "note", entries: [entry(2, "added")],
  });
  expect(nextExpandStep(one, wish, { ...facts, journal: [entry(2, "added"), entry(3, "reserved")] })).toMatchObject({
    kind: "add", change: { op: "addLearner", storeId: 3 },
  });
  const both = regionOf({ 1: "voter", 2: "learner", 3: "learner" });
  expect(nextExpandStep(both, wish, { journal: added, verified: [20] })).toMatchObject({
    kind: "verify", peers: [{ storeId: 3 }],
  });
  expect(nextExpandStep(both, wish, { journal: added, verified: [20, 30] })).toMatchObject({
    kind: "promote", changes: [{ op: "promote", peerId: 20 }, { op: "promote", peerId: 30 }],
  });
  const joint = regionOf({ 1: "voter", 2: "incoming-voter", 3: "incoming-voter" });
  expect(nextExpandStep(joint, wish, { journal: added, verified: [] })).toMatchObject({ kind: "wait" });
  const three = regionOf({ 1: "voter", 2: "voter", 3: "voter" });
  expect(nextExpandStep(three, wish, { journal: added, verified: [] })).toEqual({ kind: "settle" });
});

test("an id that was used, or is burnt, is not used again", () => {
  const alone = regionOf({ 1: "voter" });
  for (const step of ["added", "aborting", "done"] as const) {
    const journal = [entry(2, step), entry(3, "reserved")];
    expect(nextExpandStep(alone, wish, { journal, verified: [] })).toEqual({ kind: "reserve", stores: [2] });
  }
});

test("a peer that somebody else brought is taken as it is", () => {
  const region = regionOf({ 1: "voter", 2: "learner", 3: "voter" });
  const journal = [entry(2, "reserved", 99)];
  expect(nextExpandStep(region, wish, { journal, verified: [] })).toEqual({ kind: "note", entries: added });
});

test("two voters are refused unless they are wanted", () => {
  const region = regionOf({ 1: "voter" });
  const facts = { journal: [], verified: [] };
  expect(nextExpandStep(region, { stores: [2], allowTwo: false }, facts)).toMatchObject({ kind: "refuse" });
  expect(nextExpandStep(region, { stores: [2], allowTwo: true }, facts)).toMatchObject({ kind: "reserve" });
  expect(nextExpandStep(regionOf({ 1: "voter", 2: "voter" }), { stores: [3], allowTwo: false }, facts)).toMatchObject({
    kind: "reserve",
  });
});
