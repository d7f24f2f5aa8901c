// Goal: what a configuration entry asks for is applied or refused as a whole, and survives its encoding.
import fc from "fast-check";
import { expect, test } from "vitest";
import { type ConfChange, type ConfOp, changeConf, decodeConfChange, encodeConfChange } from "./conf-change.ts";
import type { ConfState } from "./conf-state.ts";

const three: ConfState = { voters: [1, 2, 3], votersOutgoing: [], learners: [4], learnersNext: [] };

function change(...words: string[]): ConfChange {
  const ops = words.map((word) => {
    const [op = "", peer = ""] = word.split(" ");
    return { op: op as ConfOp, peer: Number(peer) };
  });
  return { ops, leaveJoint: false, context: new Uint8Array(0) };
}

const leave: ConfChange = { ops: [], leaveJoint: true, context: new Uint8Array(0) };

test("one voter's difference is a simple change", () => {
  expect(changeConf(three, change("addVoter 5"))).toEqual({ ...three, voters: [1, 2, 3, 5] });
  expect(changeConf(three, change("promote 4"))).toEqual({ ...three, voters: [1, 2, 3, 4], learners: [] });
  expect(changeConf(three, change("demote 2"))).toEqual({ ...three, voters: [1, 3], learners: [2, 4] });
  expect(changeConf(three, change("remove 4", "addLearner 5"))).toEqual({ ...three, learners: [5] });
});

test("more enters a joint configuration, and leaving it completes the change", () => {
  const joint = changeConf(three, change("demote 1", "remove 2", "promote 4", "addVoter 5"));
  expect(joint).toEqual({ voters: [3, 4, 5], votersOutgoing: [1, 2, 3], learners: [], learnersNext: [1] });
  if (joint === null) return;
  expect(changeConf(joint, change("addVoter 6"))).toBe(null);
  expect(changeConf(joint, leave)).toEqual({ voters: [3, 4, 5], votersOutgoing: [], learners: [1], learnersNext: [] });
});

test.each([
  [change("addVoter 1"), "is one already"],
  [change("addVoter 4"), "a learner is promoted, not added"],
  [change("promote 2"), "is no learner"],
  [change("promote 9"), "is not known"],
  [change("demote 4"), "is no voter"],
  [change("remove 9"), "is not known"],
  [change("remove 1", "remove 2", "remove 3"), "nobody would vote"],
  [change("addLearner 0"), "is nobody"],
  [change(), "asks for nothing"],
  [leave, "is not joint"],
])("refuses %j: %s", (request) => {
  expect(changeConf(three, request)).toBe(null);
});

test("bytes and back", () => {
  const op = fc.constantFrom<ConfOp>("addVoter", "addLearner", "remove", "promote", "demote");
  const ops = fc.array(fc.record({ op, peer: fc.maxSafeNat() }), { maxLength: 5 });
  fc.assert(
    fc.property(ops, fc.boolean(), fc.uint8Array({ maxLength: 9 }), (list, leaveJoint, context) => {
      const request = { ops: list, leaveJoint, context };
      expect(decodeConfChange(encodeConfChange(request))).toEqual(request);
    }),
  );
  expect(decodeConfChange(new Uint8Array(0))).toBe(null);
  expect(decodeConfChange(new Uint8Array([2, 0, 0]))).toBe(null);
  expect(decodeConfChange(new Uint8Array([0, 0, 1, 9, 0, 0, 0, 0, 0, 0, 0, 0]))).toBe(null);
});
