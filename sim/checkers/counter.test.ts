import { expect, test } from "vitest";
import { CounterLedger } from "./counter.ts";

// Goal: a lost, doubled or invented increment is told, and so is a reply out of order.

function counter(replies: readonly (readonly [number, number, number])[], unknown = 0): CounterLedger {
  const ledger = new CounterLedger("hits");
  for (const [value, calledUs, returnedUs] of replies) {
    ledger.acknowledge(value, calledUs, returnedUs);
  }
  for (let i = 0; i < unknown; i++) ledger.giveUp();
  return ledger;
}

test("exact counts pass", () => {
  expect(counter([]).judge(0)).toBeNull();
  expect(counter([[1, 0, 1], [2, 2, 3]]).judge(2)).toBeNull();
  expect(counter([[2, 0, 9], [1, 0, 9]]).judge(2)).toBeNull();
  expect(counter([[1, 0, 1], [3, 2, 3]], 1).judge(3)).toBeNull();
  expect(counter([[1, 0, 1]], 2).judge(3)).toBeNull();
});

test("a lost acknowledged increment fails", () => {
  expect(counter([[1, 0, 1], [2, 2, 3]]).judge(1)).toMatch(/ends at 1, expected 2/);
});

test("an increment too many fails", () => {
  expect(counter([[1, 0, 1]]).judge(2)).toMatch(/expected 1 /);
  expect(counter([[1, 0, 1]], 1).judge(3)).toMatch(/expected 1 to 2/);
});

test("the same reply twice fails", () => {
  expect(counter([[1, 0, 1], [1, 2, 3]]).judge(2)).toMatch(/replied 1 twice/);
});

test("a reply that no count explains fails", () => {
  expect(counter([[5, 0, 1]]).judge(1)).toMatch(/at most 1/);
  expect(counter([[0, 0, 1]]).judge(1)).toMatch(/replied 0/);
});

test("replies that go back in real time fail", () => {
  expect(counter([[2, 0, 1], [1, 2, 3]]).judge(2)).toMatch(/went back/);
  expect(counter([[3, 0, 1], [1, 0, 9], [2, 4, 9]]).judge(3)).toMatch(/went back/);
});
