import { expect, test } from "vitest";
import { ClockReadings, deadlineAfter, judgeLifetime } from "./lifetime.ts";

// Goal: a key that lives too long or dies too early by every reading of the node's clock is told; one that a
// faulty clock explains is not.

test("readings keep their extremes within an interval of true time", () => {
  const readings = new ClockReadings();
  expect(readings.lowestMs(0, 100)).toBeNull();
  readings.record(10, 500);
  readings.record(20, 300);
  readings.record(30, 900);
  expect(readings.lowestMs(0, 100)).toBe(300);
  expect(readings.lowestMs(25, 100)).toBe(900);
  expect(readings.lowestMs(10, 15)).toBe(500);
  expect(readings.lowestMs(31, 40)).toBeNull();
  expect(readings.highestMs).toBe(900);
});

test("a deadline lies between what the readings allow", () => {
  expect(deadlineAfter(100, 1_000, 1_005)).toEqual({ earliestMs: 1_100, latestMs: 1_107 });
});

test("present and absent are judged against the bounds only", () => {
  const deadline = { earliestMs: 1_100, latestMs: 1_110 };
  expect(judgeLifetime(deadline, true, 1_000, 1_000)).toBeNull();
  expect(judgeLifetime(deadline, true, 1_109, 1_200)).toBeNull();
  expect(judgeLifetime(deadline, true, 1_110, 1_200)).toMatch(/still there/);
  expect(judgeLifetime(deadline, true, null, 5_000)).toBeNull();
  expect(judgeLifetime(deadline, false, 1_000, 1_050)).toMatch(/gone at 1050ms/);
  expect(judgeLifetime(deadline, false, 1_000, 1_099)).toBeNull();
  expect(judgeLifetime(deadline, false, 900, 1_500)).toBeNull();
});
