// Goal: a store that answers too late is waited for longer, until it is quick again; one that is not there is avoided.
import { expect, test } from "vitest";
import { ManualClock } from "../../net/redis/memory-network.test-support.ts";
import { StoreLiveness } from "./store-liveness.ts";

test("each answer that comes too late doubles the time for the next one, to a limit", () => {
  const liveness = new StoreLiveness(new ManualClock());
  const patience = [1, 2, 3, 4, 5].map(() => {
    const before = liveness.patience(1);
    liveness.failed(1, true);
    return before;
  });
  expect(patience).toEqual([1, 2, 4, 8, 8]);
  expect(liveness.patience(2)).toBe(1);
});

test("what is done in time keeps it, what is done quickly takes it back step by step", () => {
  const liveness = new StoreLiveness(new ManualClock());
  liveness.failed(1, true);
  liveness.failed(1, true);
  liveness.executed(1, false);
  liveness.answered(1);
  expect(liveness.patience(1)).toBe(4);
  liveness.executed(1, true);
  expect(liveness.patience(1)).toBe(2);
  liveness.executed(1, true);
  expect(liveness.patience(1)).toBe(1);
});

test("who refuses connections is no slower for it, and is avoided for a second after the third time", () => {
  const clock = new ManualClock();
  const liveness = new StoreLiveness(clock);
  for (let i = 0; i < 3; i++) liveness.failed(1, false);
  expect([liveness.patience(1), liveness.avoids(1)]).toEqual([1, true]);
  clock.advance(1_001);
  expect(liveness.avoids(1)).toBe(false);
  for (let i = 0; i < 3; i++) liveness.failed(1, false);
  liveness.answered(1);
  expect(liveness.avoids(1)).toBe(false);
});
