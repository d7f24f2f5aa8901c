// Goal: an epoch of a store ends with its silence, its return and its restart, and with nothing else.
import { expect, test } from "vitest";
import { StoreLiveness } from "./store-liveness.ts";

test("silence, return and another incarnation are epochs of their own", () => {
  const liveness = new StoreLiveness(3);
  expect(liveness.isAlive(1)).toBe(false);
  expect(liveness.heard(1, 7, 0)).toBe(true);
  expect(liveness.heard(1, 7, 0)).toBe(false);
  expect(liveness.pass(3)).toEqual([]);
  expect(liveness.ticksLeft()).toBe(1);
  expect(liveness.pass(1)).toEqual([1]);
  expect(liveness.isAlive(1)).toBe(false);
  expect(liveness.ticksLeft()).toBe(Infinity);
  expect(liveness.heard(1, 7, 0)).toBe(true);
  expect(liveness.heard(1, 8, 0)).toBe(true);
  // Of a process that has a successor.
  expect(liveness.heard(1, 7, 0)).toBe(false);
});

test("what came between two ticks counts from when it came", () => {
  const liveness = new StoreLiveness(3);
  liveness.heard(2, 1, 4);
  expect(liveness.pass(5)).toEqual([]);
  expect(liveness.ticksLeft()).toBe(3);
});
