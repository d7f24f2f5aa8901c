// Goal: majorities are what the definition says, and two that decide one after the other share a voter.
// Method: brute force over all subsets of up to seven voters, and over random legal chains of configurations.
import fc from "fast-check";
import { expect, test } from "vitest";
import { type ConfOp, changeConf } from "./conf-change.ts";
import { type ConfState, isJoint, transitionFault } from "./conf-state.ts";
import { jointVote, majorityValue, majorityVote, unbounded } from "./quorum.ts";
import { Tracker } from "./tracker.ts";

const votersMax = 7;
const limits = { inflightMessagesMax: 4, inflightBytesMax: 1_000 };

/** Straight from the definition: the largest value that more than half have reached. */
function reachedByMajority(values: readonly number[]): number {
  if (values.length === 0) return unbounded;
  const reached = values.filter((value) => values.filter((other) => other >= value).length * 2 > values.length);
  return Math.max(...reached);
}

test("a majority's value is the largest that more than half have reached", () => {
  const lists = fc.array(fc.nat(9), { maxLength: votersMax });
  fc.assert(
    fc.property(lists, (values) => {
      expect(majorityValue([...values, 99, 99], values.length)).toBe(reachedByMajority(values));
    }),
    { numRuns: 2_000 },
  );
});

test("a vote is won by more than half, and lost when that can not be reached", () => {
  for (let voters = 1; voters <= votersMax; voters++) {
    for (let yes = 0; yes <= voters; yes++) {
      for (let no = 0; no + yes <= voters; no++) {
        const silent = voters - yes - no;
        const expected = yes * 2 > voters ? "won" : (yes + silent) * 2 > voters ? "pending" : "lost";
        expect([voters, yes, no, majorityVote(voters, yes, no)]).toEqual([voters, yes, no, expected]);
      }
    }
  }
  expect(majorityVote(0, 0, 0)).toBe("won");
});

test("a joint vote needs both halves", () => {
  expect(jointVote("won", "won")).toBe("won");
  expect(jointVote("won", "pending")).toBe("pending");
  expect(jointVote("lost", "pending")).toBe("lost");
  expect(jointVote("won", "lost")).toBe("lost");
});

/** Subsets of peers 1 to 7 as bit masks, of which `conf` says that they decide. */
function deciding(conf: ConfState): number[] {
  const wins = (voters: readonly number[], mask: number): boolean =>
    voters.length === 0 || voters.filter((peer) => (mask >> peer) & 1).length * 2 > voters.length;
  return Array.from({ length: 1 << votersMax }, (_, at) => at << 1).filter(
    (mask) => wins(conf.voters, mask) && wins(conf.votersOutgoing, mask),
  );
}

const ops: readonly ConfOp[] = ["addVoter", "addLearner", "remove", "promote", "demote"];
const operation = fc.record({ op: fc.constantFrom(...ops), peer: fc.integer({ min: 1, max: votersMax }) });
const changes = fc.array(fc.array(operation, { minLength: 1, maxLength: 3 }), { maxLength: 12 });
const first: ConfState = { voters: [1, 2, 3], votersOutgoing: [], learners: [], learnersNext: [] };
const context = new Uint8Array(0);

/** The configurations that a leader would go through, leaving each joint one before the next change. */
function chainOf(requests: readonly (readonly { op: ConfOp; peer: number }[])[]): ConfState[] {
  const chain = [first];
  let conf = first;
  const go = (next: ConfState | null): void => {
    if (next === null) return;
    chain.push(next);
    conf = next;
  };
  for (const request of requests) {
    go(changeConf(conf, { ops: request, leaveJoint: false, context }));
    if (isJoint(conf)) go(changeConf(conf, { ops: [], leaveJoint: true, context }));
  }
  return chain;
}

test("consecutive configurations share a voter in any two majorities", () => {
  let joint = 0;
  fc.assert(
    fc.property(changes, (requests) => {
      const chain = chainOf(requests);
      for (let at = 1; at < chain.length; at++) {
        const before = chain[at - 1] ?? first;
        const after = chain[at] ?? first;
        expect(transitionFault(before, after)).toBe(null);
        if (isJoint(after)) joint++;
        const olds = deciding(before);
        for (const mask of deciding(after)) expect(olds.every((old) => (old & mask) !== 0)).toBe(true);
      }
    }),
    { numRuns: 300, seed: 7 },
  );
  expect(joint).toBeGreaterThan(10);
});

test("a transition that lets two majorities miss each other is refused", () => {
  const conf = (voters: number[], votersOutgoing: number[] = []): ConfState => ({
    voters,
    votersOutgoing,
    learners: [],
    learnersNext: [],
  });
  expect(transitionFault(conf([1, 2, 3]), conf([1, 4, 5]))).toMatch(/one voter/);
  expect(transitionFault(conf([1, 2, 3]), conf([3, 4, 5], [1, 2]))).toMatch(/outgoing half/);
  expect(transitionFault(conf([3, 4, 5], [1, 2, 3]), conf([1, 2, 3]))).toMatch(/incoming voters/);
  expect(transitionFault(conf([3, 4, 5], [1, 2, 3]), conf([3, 4, 6], [3, 4, 5]))).toMatch(/left before/);
  expect(transitionFault(conf([1]), conf([]))).toMatch(/has a voter/);
  expect(transitionFault(conf([1, 2]), { ...conf([1, 2]), learners: [2] })).toMatch(/no voter/);
});

test("the tracker commits and elects by the same majorities", () => {
  const members = fc.record({
    voters: fc.uniqueArray(fc.integer({ min: 1, max: votersMax }), { minLength: 1, maxLength: 5 }),
    outgoing: fc.uniqueArray(fc.integer({ min: 1, max: votersMax }), { maxLength: 5 }),
    matches: fc.array(fc.nat(9), { minLength: votersMax, maxLength: votersMax }),
    mask: fc.nat((1 << votersMax) - 1),
  });
  fc.assert(
    fc.property(members, ({ voters, outgoing, matches, mask }) => {
      const byId = (a: number, b: number): number => a - b;
      const conf = {
        voters: voters.toSorted(byId),
        votersOutgoing: outgoing.toSorted(byId),
        learners: Array.from({ length: votersMax }, (_, at) => at + 1).filter(
          (peer) => !voters.includes(peer) && !outgoing.includes(peer),
        ),
        learnersNext: [],
      };
      const tracker = new Tracker(conf, limits);
      for (const member of tracker.members) {
        member.match = matches[member.id - 1] ?? 0;
        member.ballot = (mask >> (member.id - 1)) & 1 ? "granted" : "refused";
      }
      const valuesOf = (peers: readonly number[]): number[] => peers.map((peer) => matches[peer - 1] ?? 0);
      const expected = Math.min(reachedByMajority(valuesOf(voters)), reachedByMajority(valuesOf(outgoing)));
      expect(tracker.committed()).toBe(expected);
      expect(tracker.tally()).toBe(deciding(conf).includes(mask << 1) ? "won" : "lost");
    }),
    { numRuns: 500 },
  );
});
