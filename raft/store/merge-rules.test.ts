// Goal: which regions may be merged, and what a later descriptor of the target tells of a merge.
// Method: descriptors by hand. All interleavings are in sim/explore/merge-model.test.ts.
import { describe, expect, test } from "vitest";
import type { RegionMeta } from "../region.ts";
import { coversSource, fateOf, frozenBy, mergeProblem, mergedBy, moveOf, thawedBy } from "./merge-rules.ts";
import type { MergeState } from "./merge-state.ts";

const text = new TextEncoder();

function region(id: number, start: string, end: string, version = 1): RegionMeta {
  const peers = [1, 2, 3].map((storeId) => ({ peerId: id * 10 + storeId, storeId, role: "voter" as const }));
  return { id, start: text.encode(start), end: text.encode(end), epoch: { version, confVer: 1 }, peers };
}

const left = region(1, "a", "m");
const right = region(2, "m", "");
const frozen = { ...left, epoch: { version: 2, confVer: 2 } };
const merge: MergeState = { target: right, freezeIndex: 9, high: 1, low: 2 };
const commit = { source: frozen, freezeIndex: 9, high: 1, low: 2 };

describe("which regions are merged", () => {
  test("a region and its right neighbour, the last one of all included", () => {
    expect(mergeProblem(left, right)).toBeNull();
    expect(mergeProblem(right, left)).toMatch(/is the last one/);
    expect(mergeProblem(left, region(3, "n", "z"))).toMatch(/does not begin where/);
  });

  test("the last region does not end where the first begins", () => {
    expect(mergeProblem(region(1, "m", ""), region(2, "", "m"))).toMatch(/is the last one/);
  });

  test("the same stores hold them, and everybody votes", () => {
    const moved = { ...right, peers: right.peers.map((peer) => ({ ...peer, storeId: peer.storeId + 1 })) };
    expect(mergeProblem(left, moved)).toMatch(/no peer on store 1/);
    expect(mergeProblem(left, { ...right, peers: right.peers.slice(1) })).toMatch(/same number/);
    const peers = left.peers.map((peer) => (peer.storeId === 2 ? { ...peer, role: "learner" as const } : peer));
    expect(mergeProblem({ ...left, peers }, right)).toMatch(/peer 12 of region 1 is no voter/);
  });
});

describe("what entries do", () => {
  test("a freeze is for the region as it was asked, and once", () => {
    expect(frozenBy(left, false, left.epoch, { target: right })).toMatchObject({ epoch: { version: 2, confVer: 2 } });
    expect(frozenBy(left, true, left.epoch, { target: right })).toMatch(/already/);
    expect(frozenBy(left, false, { version: 2, confVer: 1 }, { target: right })).toMatch(/changed since/);
  });

  test("a target takes its source at the very epoch that the merge was made for", () => {
    expect(mergedBy(right, false, right.epoch, commit)).toMatchObject({ start: left.start, epoch: { version: 3 } });
    expect(mergedBy({ ...right, epoch: { version: 2, confVer: 1 } }, false, right.epoch, commit)).toMatch(/changed/);
    expect(mergedBy({ ...right, epoch: { version: 1, confVer: 2 } }, false, right.epoch, commit)).toMatch(/changed/);
    expect(mergedBy(right, true, right.epoch, commit)).toMatch(/merged itself/);
  });

  test("only the freeze that is there is taken back", () => {
    expect(thawedBy(frozen, merge, frozen.epoch, { freezeIndex: 9 })).toMatchObject({ epoch: { version: 3 } });
    expect(thawedBy(frozen, merge, frozen.epoch, { freezeIndex: 8 })).toMatch(/not frozen by that entry/);
    expect(thawedBy(left, null, left.epoch, { freezeIndex: 9 })).toMatch(/not frozen/);
  });
});

describe("what the target tells", () => {
  const after = (start: string, version: number): RegionMeta => region(2, start, "", version);

  test("nothing at its old epoch, and nothing by another region", () => {
    expect(fateOf(frozen, merge, right)).toBe("open");
    expect(fateOf(frozen, merge, region(3, "a", "z", 7))).toBe("open");
  });

  test("by its start, whatever happened to it since", () => {
    expect(fateOf(frozen, merge, after("a", 3))).toBe("merged");
    expect(fateOf(frozen, merge, after("", 9))).toBe("merged");
    expect(fateOf(frozen, merge, after("m", 2))).toBe("never");
    expect(fateOf(frozen, merge, { ...right, epoch: { version: 1, confVer: 2 } })).toBe("never");
  });

  test("a snapshot with the merge in it may come over the source, no other may", () => {
    expect(coversSource(after("a", 3), frozen, merge)).toBe(true);
    expect(coversSource(after("m", 2), frozen, merge)).toBe(false);
    expect(coversSource(region(3, "a", "m", 9), frozen, merge)).toBe(false);
  });
});

test("the source's leader waits for all, gives up late, and takes back with evidence only", () => {
  const all = new Set([11, 12, 13]);
  expect(moveOf(frozen, { frozen: new Set([11, 12]), fate: "open", isLate: false })).toBe("ask");
  expect(moveOf(frozen, { frozen: new Set([11, 12]), fate: "open", isLate: true })).toBe("bump");
  expect(moveOf(frozen, { frozen: all, fate: "open", isLate: true })).toBe("commit");
  expect(moveOf(frozen, { frozen: all, fate: "never", isLate: false })).toBe("rollback");
  expect(moveOf(frozen, { frozen: all, fate: "merged", isLate: true })).toBe("over");
});
