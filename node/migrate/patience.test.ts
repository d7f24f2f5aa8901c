// Goal: an operator who waits is told what for, once, and not for ever.
import { expect, test } from "vitest";
import { ManualClock } from "../../net/redis/memory-network.test-support.ts";
import { Patience } from "./patience.ts";

test("silent at first, then each reason once, then an end; whatever moves begins it anew", () => {
  const clock = new ManualClock();
  const told: string[] = [];
  const patience = new Patience(clock, 10_000, (why) => told.push(why));
  const wait = (ms: number, why: string): void => {
    clock.advance(ms);
    patience.wait(why);
  };
  wait(2_000, "store 2");
  expect(told).toEqual([]);
  wait(2_000, "store 2");
  wait(1_000, "store 2");
  wait(2_000, "store 3");
  expect(told).toEqual(["store 2"]);
  wait(1_000, "store 3");
  expect(told).toEqual(["store 2", "store 3"]);
  patience.moved();
  wait(9_000, "store 3");
  wait(1_000, "store 3");
  expect(told).toEqual(["store 2", "store 3"]);
  expect(() => wait(1_000, "store 3")).toThrow("store 3; nothing moves any more (the same command goes on");
});
