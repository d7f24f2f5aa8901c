// Goal: no way of two groups on three stores breaks a merge: every state is visited, and every mistake is found.
// Method: all interleavings within stated bounds, breadth first, with the product's own decisions (merge-rules.ts).
// `nokv explore` visits more.
import { describe, expect, test } from "vitest";
import { epochAfterCommitMerge } from "../../raft/epoch.ts";
import { fateOf, moveOf } from "../../raft/store/merge-rules.ts";
import { type Exploration, explore } from "./explorer.ts";
import { type MergeRules, mergeRules } from "./merge-logs.ts";
import { type MergeBounds, MergeModel } from "./merge-model.ts";

const none: MergeBounds = {
  merges: 1,
  removals: 0,
  sourceRemovals: 0,
  splits: 0,
  crashes: false,
  snapshots: true,
};

function visit(bounds: Partial<MergeBounds>, rules: Partial<MergeRules> = {}): Exploration {
  return explore(new MergeModel({ ...mergeRules, ...rules }, { ...none, ...bounds }), 200_000);
}

describe("every state is visited, and none is wrong", () => {
  test.each([
    { bounds: { crashes: true }, states: 5_049 },
    { bounds: { removals: 1 }, states: 12_404 },
    { bounds: { splits: 1 }, states: 3_744 },
    { bounds: { sourceRemovals: 1 }, states: 4_759 },
    { bounds: { merges: 2 }, states: 31_461 },
  ])("with $bounds", ({ bounds, states }) => {
    expect(visit(bounds)).toMatchObject({ isComplete: true, fault: null, states });
  });
});

/** What the exploration says of a broken rule. */
function faultOf(bounds: Partial<MergeBounds>, rules: Partial<MergeRules>): string {
  return visit(bounds, rules).fault?.what ?? "nothing";
}

describe("mistakes that are found", () => {
  test("a rollback because it takes long", () => {
    const moveOfHasty: MergeRules["moveOf"] = (source, sight) => (sight.isLate ? "rollback" : moveOf(source, sight));
    expect(faultOf({}, { moveOf: moveOfHasty })).toBe("a merge that was rolled back is committed");
  });

  test("a majority that is frozen", () => {
    const moveOfMany: MergeRules["moveOf"] = (source, sight) =>
      sight.fate === "open" && sight.frozen.size >= 2 ? "commit" : moveOf(source, sight);
    expect(faultOf({}, { moveOf: moveOfMany })).toBe("a merge is committed that a replica does not know of");
  });

  test("a target that takes its source whatever has happened to it since", () => {
    const mergedByAnyone: MergeRules["mergedBy"] = (target, _isMerging, _asked, { source }) => ({
      ...target,
      start: source.start,
      epoch: epochAfterCommitMerge(source.epoch, target.epoch),
    });
    expect(faultOf({}, { mergedBy: mergedByAnyone })).toBe(
      "a merge is committed that a replica does not know of",
    );
  });

  test("a peer that calls itself frozen and may forget it", () => {
    expect(faultOf({ crashes: true }, { reportsDurable: false })).toBe(
      "a merge is committed that a replica does not know of",
    );
  });

  test("evidence that does not look whether the target moved by the merge itself", () => {
    const fateOfAnything: MergeRules["fateOf"] = (source, merge, target) =>
      fateOf(source, merge, target) === "open" ? "open" : "never";
    expect(faultOf({}, { fateOf: fateOfAnything })).not.toBe("nothing");
  });

  test("a replica of the source that goes before its target's has taken what it holds", () => {
    expect(faultOf({}, { isOrphan: (fate) => fate === "merged" })).toBe(
      "store 2 takes over a source that is not frozen there",
    );
  });

  test("a replica of the source that stays where no target is left", () => {
    expect(faultOf({ removals: 1 }, { isOrphan: () => false })).toBe("no way leads to an end from here");
  });

  test("peers of a frozen source that may change", () => {
    expect(faultOf({ sourceRemovals: 1 }, { keepsPeers: false })).toBe(
      "store 1 takes over a source that is not frozen there",
    );
  });
});
