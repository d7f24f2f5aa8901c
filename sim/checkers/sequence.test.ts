import { expect, test } from "vitest";
import { SequenceLedger } from "./sequence.ts";

// Goal: a number given out twice, and one that goes back in real time, are told.

function ledger(grants: readonly (readonly [first: number, count: number, calledUs: number, returnedUs: number])[]): {
  readonly said: readonly (string | null)[];
  readonly end: string | null;
} {
  const all = new SequenceLedger("ts");
  const said = grants.map(([first, count, calledUs, returnedUs]) => all.give({ first, count, calledUs, returnedUs }));
  return { said, end: all.judge() };
}

test("ranges that go up pass, also when concurrent calls return out of order", () => {
  expect(ledger([[1, 3, 0, 1], [4, 1, 2, 3], [900, 2, 4, 5]])).toEqual({ said: [null, null, null], end: null });
  expect(ledger([[5, 5, 0, 9], [1, 4, 0, 9]])).toEqual({ said: [null, null], end: null });
});

test("a number given out twice is told", () => {
  expect(ledger([[1, 3, 0, 9], [3, 1, 0, 9]]).end).toMatch(/ts 3 was given out twice/);
});

test("a number that goes back in real time is told at once", () => {
  expect(ledger([[10, 1, 0, 1], [4, 1, 2, 3]]).said[1]).toMatch(/ts 4 answers a call of 2us, and 10 had been/);
  expect(ledger([[10, 5, 0, 1], [14, 1, 2, 3]]).said[1]).toMatch(/14 had been/);
});

test("a number that is not exact is told", () => {
  expect(ledger([[2 ** 53, 1, 0, 1]]).said[0]).toMatch(/no exact/);
  expect(ledger([[0, 1, 0, 1]]).said[0]).toMatch(/no exact/);
});
