import fc from "fast-check";
import { expect, test } from "vitest";
import { decode, encode } from "../core/bytes/layout.ts";
import { compareKeys } from "../core/bytes/record.ts";
import { confFault, isJoint } from "./conf-state.ts";
import { type EpochCommand, epochAfterCommitMerge, epochAfterPrepareMerge, epochAllows } from "./epoch.ts";
import {
  compareRangeEnds,
  describeRegion,
  type PeerRole,
  rangeContains,
  rangesOverlap,
  type RegionMeta,
  regionLayout,
  regionProblem,
} from "./region.ts";
import { isJointRegion, voterConfiguration } from "./voter-configuration.ts";

// Goal: ranges with infinite ends, the table of epochs, and the configuration that follows from roles.

const none = new Uint8Array(0);

function region(start: Uint8Array, end: Uint8Array, roles: readonly PeerRole[] = ["voter"]): RegionMeta {
  const peers = roles.map((role, i) => ({ peerId: 101 + i, storeId: 1 + i, role }));
  return { id: 7, start, end, epoch: { version: 3, confVer: 2 }, peers };
}

const ends = fc.uint8Array({ maxLength: 2 });

test("two ranges overlap exactly when some key is in both", () => {
  const keys: Uint8Array[] = [none];
  for (let a = 0; a < 4; a++) {
    keys.push(Uint8Array.of(a));
    for (let b = 0; b < 4; b++) keys.push(Uint8Array.of(a, b));
  }
  const bound = fc.constantFrom(...keys.filter((key) => key.length < 2));
  fc.assert(
    fc.property(bound, bound, bound, bound, (a, b, c, d) => {
      const first = region(a, b);
      const second = region(c, d);
      fc.pre(regionProblem(first) === null && regionProblem(second) === null);
      const shared = keys.some((key) => rangeContains(first, key) && rangeContains(second, key));
      expect(rangesOverlap(first, second)).toBe(shared);
    }),
  );
});

test("an empty end is above every key, an empty start below", () => {
  expect(rangeContains(region(none, none), Uint8Array.of(0xff, 0xff))).toBe(true);
  expect(rangeContains(region(none, none), none)).toBe(true);
  expect(rangeContains(region(Uint8Array.of(5), none), Uint8Array.of(4, 9))).toBe(false);
  expect(compareRangeEnds(none, Uint8Array.of(0xff))).toBeGreaterThan(0);
  expect(compareRangeEnds(none, none)).toBe(0);
  fc.assert(
    fc.property(ends, ends, (a, b) => {
      fc.pre(a.length > 0 && b.length > 0);
      expect(Math.sign(compareRangeEnds(a, b))).toBe(Math.sign(compareKeys(a, b)));
    }),
  );
});

test("what each command checks of the epoch", () => {
  const actual = { version: 3, confVer: 2 };
  const otherVersion = [{ version: 2, confVer: 2 }, { version: 4, confVer: 2 }];
  const otherConf = [{ version: 3, confVer: 1 }, { version: 3, confVer: 3 }];
  const table: readonly (readonly [EpochCommand, version: boolean, confVer: boolean])[] = [
    ["data", true, false],
    ["change-peers", false, true],
    ["split", true, true],
    ["prepare-merge", true, true],
    ["commit-merge", true, true],
    ["rollback-merge", true, true],
    ["unfenced", false, false],
  ];
  for (const [command, version, confVer] of table) {
    expect(epochAllows(command, actual, actual)).toBe(true);
    // A newer epoch than ours bounces like an older one.
    for (const asked of otherVersion) expect(epochAllows(command, asked, actual)).toBe(!version);
    for (const asked of otherConf) expect(epochAllows(command, asked, actual)).toBe(!confVer);
  }
});

test("a merged range is above both that it came from", () => {
  const source = epochAfterPrepareMerge({ version: 9, confVer: 4 });
  expect(source).toEqual({ version: 10, confVer: 5 });
  expect(epochAfterCommitMerge(source, { version: 2, confVer: 1 })).toEqual({ version: 11, confVer: 1 });
  expect(epochAfterCommitMerge(source, { version: 20, confVer: 1 })).toEqual({ version: 21, confVer: 1 });
});

test("who votes follows from the roles", () => {
  const simple = region(none, none, ["voter", "learner", "voter"]);
  expect(isJointRegion(simple)).toBe(false);
  expect(voterConfiguration(simple)).toEqual({
    voters: [101, 103], votersOutgoing: [], learners: [102], learnersNext: [],
  });
  const joint = region(none, none, ["voter", "incoming-voter", "demoting-voter", "learner"]);
  expect(isJointRegion(joint)).toBe(true);
  expect(voterConfiguration(joint)).toEqual({
    voters: [101, 102], votersOutgoing: [101, 103], learners: [104], learnersNext: [103],
  });
});

test("what follows from any roles is a configuration, joint exactly when they say so", () => {
  const roles = fc.constantFrom<PeerRole>("voter", "learner", "incoming-voter", "demoting-voter");
  fc.assert(
    fc.property(fc.array(roles, { minLength: 1, maxLength: 6 }), (drawn) => {
      const value = region(none, none, ["voter", ...drawn]);
      const conf = voterConfiguration(value);
      expect(confFault(conf)).toBeNull();
      expect(isJoint(conf)).toBe(isJointRegion(value));
    }),
  );
});

test("a descriptor that makes no sense is named", () => {
  expect(regionProblem(region(none, none))).toBeNull();
  expect(regionProblem({ ...region(none, none), id: 0 })).toMatch(/id/);
  expect(regionProblem(region(Uint8Array.of(2), Uint8Array.of(2)))).toMatch(/empty/);
  expect(regionProblem(region(none, none, []))).toMatch(/no peers/);
  expect(regionProblem(region(none, none, ["learner"]))).toMatch(/votes/);
  const twice = [{ peerId: 1, storeId: 1, role: "voter" as const }, { peerId: 2, storeId: 1, role: "voter" as const }];
  expect(regionProblem({ ...region(none, none), peers: twice })).toMatch(/two of its peers/);
  expect(regionProblem({ ...region(none, none), peers: twice.toReversed() })).toMatch(/sorted/);
  expect(regionProblem({ ...region(none, none), epoch: { version: 1, confVer: 0 } })).toMatch(/epoch/);
});

test("a descriptor survives its bytes", () => {
  const value = region(Uint8Array.of(1), Uint8Array.of(2, 0), ["voter", "learner"]);
  expect(decode(regionLayout, encode(regionLayout, value))).toEqual({ value });
  expect(describeRegion(value)).toBe("7 [hex:01, hex:0200) v3 c2");
  expect(describeRegion(region(none, new TextEncoder().encode("m")))).toBe('7 [-, "m") v3 c2');
});
