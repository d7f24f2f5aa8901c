// Goal: the progress line says how fast, how hostile and how long, and does not flood a log.
import { expect, test } from "vitest";
import { MemoryTerminal } from "../terminal.ts";
import { Progress, type ProgressState, duration, grouped, progressLine } from "./progress.ts";

function state(seeds: number, elapsedMs: number, rest: Partial<ProgressState> = {}): ProgressState {
  return { seeds, total: 1_000, faults: 12_345, failed: 0, elapsedMs, limitMs: null, ...rest };
}

test("the line has seeds, seeds per second, faults and time to go", () => {
  expect(progressLine(state(250, 10_000))).toBe(
    "sim 250/1,000 seeds  25.0/s  12,345 faults injected  no violation  30.0 s to go",
  );
  expect(progressLine(state(250, 10_000, { failed: 2, limitMs: 15_000 }))).toBe(
    "sim 250/1,000 seeds  25.0/s  12,345 faults injected  2 failing  5.0 s to go",
  );
  expect(progressLine(state(0, 0, { total: null }))).toMatch(/^sim 0 seeds {2}0\.0\/s .* \? to go$/);
});

test("a terminal redraws one line, a log gets a line for each tenth", () => {
  const live = new MemoryTerminal(true);
  const log = new MemoryTerminal();
  const [drawn, logged] = [new Progress(live), new Progress(log)];
  for (let seeds = 1; seeds <= 1_000; seeds++) {
    drawn.update(state(seeds, seeds));
    logged.update(state(seeds, seeds));
  }
  drawn.end();
  logged.end();
  expect(live.stderr).not.toContain("\n");
  expect(live.stderr.split("\r")).toHaveLength(12);
  expect(log.stderr.trimEnd().split("\n")).toHaveLength(10);
  expect(log.stderr).toMatch(/sim 1,000\/1,000 seeds .*\n$/);
});

test("a slow batch is not silent", () => {
  const log = new MemoryTerminal();
  const progress = new Progress(log);
  for (let seeds = 1; seeds <= 10; seeds++) progress.update(state(seeds, seeds * 10_000));
  expect(log.stderr.trimEnd().split("\n")).toHaveLength(3);
});

test("durations and counts read well", () => {
  expect([0, 999, 12_340, 245_000, 7_620_000].map(duration)).toEqual([
    "0 ms",
    "999 ms",
    "12.3 s",
    "4 min 05 s",
    "2 h 07 min",
  ]);
  expect([0, 999, 1_000, 1_234_567].map(grouped)).toEqual(["0", "999", "1,000", "1,234,567"]);
});
