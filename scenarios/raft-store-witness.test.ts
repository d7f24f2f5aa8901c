import { expect, test } from "vitest";
import { HistoryHash } from "../raft/store/history-hash.ts";
import { type Court, StoreWitness } from "./raft-store-witness.ts";

class Failed extends Error {}

/** A run whose verdict is thrown as `oracle: message`. */
class TestCourt implements Court {
  nowUs = 0;

  fail(oracle: string, message: string): never {
    throw new Failed(`${oracle}: ${message}`);
  }
}

function entry(index: number, operation: number, term = 1) {
  return { index, term, operation, data: new Uint8Array(0), proposal: 0, stale: false };
}

test("replicas that apply the same, at times of their own, agree", () => {
  const court = new TestCourt();
  const witness = new StoreWitness(court);
  court.nowUs = 10;
  witness.applies("a", 1, 1, entry(5, 100));
  court.nowUs = 20;
  witness.applies("b", 1, 1, entry(5, 100));
  witness.applies("a", 1, 2, entry(7, 101));
  witness.hashed("a", 1, 7, new HistoryHash(1, 2));
  witness.hashed("b", 1, 7, new HistoryHash(1, 2));
  witness.refused(102, "busy");
  witness.acknowledged(1, 2, 1);
  witness.leads("b", 1, 2, 2);
  expect(witness.find(100)).toEqual({ region: 1, index: 5, firstUs: 10, stale: false });
  expect(witness.find(102)).toBeNull();
});

const wrongs: readonly (readonly [string, RegExp, (witness: StoreWitness) => void])[] = [
  ["another entry at a place", /^history: b/, (witness) => witness.applies("b", 1, 1, entry(5, 101))],
  ["the entry of another term", /^history: b/, (witness) => witness.applies("b", 1, 1, entry(5, 100, 2))],
  ["the entry elsewhere in the log", /^history: b/, (witness) => witness.applies("b", 1, 1, entry(6, 100))],
  ["an entry left out", /^history: b/, (witness) => witness.applies("b", 1, 3, entry(9, 103))],
  ["an entry twice", /^twice: operation 100/, (witness) => witness.applies("b", 1, 2, entry(6, 100))],
  [
    "a refused operation that is applied",
    /^definite: b/,
    (witness) => {
      witness.refused(200, "not-leader");
      witness.applies("b", 1, 2, entry(6, 200));
    },
  ],
  ["an applied operation that is refused", /^definite: operation 100/, (witness) => witness.refused(100, "busy")],
  [
    "another hash at a place",
    /^history-hash: at 5/,
    (witness) => {
      witness.hashed("a", 1, 5, new HistoryHash(1, 2));
      witness.hashed("b", 1, 5, new HistoryHash(1, 3));
    },
  ],
  [
    "a leader without what was acknowledged",
    /^lead: b leads region 1 in 3 with 0 entries/,
    (witness) => {
      witness.acknowledged(1, 1, 2);
      witness.leads("b", 1, 3, 0);
    },
  ],
];

test.each(wrongs)("is told: %s", (_, told, happen) => {
  const witness = new StoreWitness(new TestCourt());
  witness.applies("a", 1, 1, entry(5, 100));
  expect(() => happen(witness)).toThrow(told);
});
