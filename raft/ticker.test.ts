// Goal: a tick per interval, and one only after a stop of any length.
import { expect, test } from "vitest";
import { Ticker } from "./ticker.ts";

test("ticks that were missed are not made up", () => {
  const ticker = new Ticker(100, 1_000);
  expect([ticker.due(1_099), ticker.due(1_100), ticker.due(1_100)]).toEqual([false, true, false]);
  expect([ticker.due(9_000), ticker.due(9_000), ticker.due(9_099), ticker.due(9_100)]).toEqual([
    true,
    false,
    false,
    true,
  ]);
});
