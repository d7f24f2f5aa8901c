// Goal: a proposal ends as what it is: applied where index and term are its own, refused only where that is certain.
// Method: the situations of a log that leaders take over, one by one.
import { expect, test } from "vitest";
import { Proposals } from "./proposals.ts";

function placed(...places: readonly (readonly [index: number, term: number])[]): {
  proposals: Proposals;
  dropped: string[];
  take: (index: number, term: number) => number;
} {
  const proposals = new Proposals();
  const dropped: string[] = [];
  const drop = (proposal: number, why: string): void => void dropped.push(`${proposal} ${why}`);
  places.forEach(([index, term], i) => proposals.placed(index, term, i + 1, drop));
  return { proposals, dropped, take: (index, term) => proposals.take(index, term, drop) };
}

test("an entry is the proposal that got its place in its term", () => {
  const { dropped, take, proposals } = placed([5, 2], [6, 2], [7, 2]);
  expect([take(4, 2), take(5, 2), take(6, 2), take(7, 2)]).toEqual([0, 1, 2, 3]);
  expect([dropped, proposals.count]).toEqual([[], 0]);
});

test("another leader's entry in its place ends it, and those behind it", () => {
  const { dropped, take } = placed([5, 2], [6, 2], [9, 2]);
  expect(take(5, 3)).toBe(0);
  expect(dropped).toEqual(["1 not-leader", "2 not-leader", "3 not-leader"]);
});

test("an entry of an earlier term says nothing about those behind it", () => {
  const { dropped, take } = placed([5, 3], [6, 3]);
  expect(take(4, 2)).toBe(0);
  expect([take(5, 3), dropped]).toEqual([1, []]);
});

test("what this peer's own log lost may be in others': nobody knows", () => {
  const { dropped, take } = placed([5, 2], [6, 2], [5, 4]);
  expect(dropped).toEqual(["2 unknown", "1 unknown"]);
  expect(take(5, 4)).toBe(3);
});

test("what is given up is unknown", () => {
  const { proposals, dropped } = placed([5, 2], [6, 2]);
  proposals.giveUp((proposal, why) => void dropped.push(`${proposal} ${why}`));
  expect(dropped).toEqual(["1 unknown", "2 unknown"]);
  expect(proposals.count).toBe(0);
});
