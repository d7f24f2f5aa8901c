// Goal: a failure can be understood from the screen and replayed by copying its last line.
import { expect, test } from "vitest";
import { badSeed, broken, fakeSimulator, steady, tickingClock } from "./fake-simulator.test-support.ts";
import { batchReport, cleanSeed, failedSeed } from "./report.ts";
import { runSeed } from "./run-seed.ts";
import { Tally } from "./tally.ts";

const build = { version: "0.1.0", node: "v24.21.0", commit: "abc123" };
const clock = tickingClock();
const failed = runSeed(fakeSimulator, { scenario: broken, seed: badSeed, twice: true, options: {} }, clock);
const clean = runSeed(fakeSimulator, { scenario: steady, seed: 8, twice: true, options: {} }, clock);

test("a failure names the oracle, tells the end of the story, and ends with the command", () => {
  const lines = failedSeed(failed, build, false).split("\n");
  const text = lines.join("\n");
  expect(lines.at(-1)).toBe("");
  expect(lines.at(-2)).toBe("npx -y pnpm@12 sim --seed 7 --scenario broken");
  expect(lines.at(-3)).toBe("node v24.21.0, commit abc123");
  expect(lines[0]).toMatch(/^┌─ VIOLATION of acked-is-durable ─+┐$/);
  expect(text).toContain('key "k7" was acknowledged and is gone');
  expect(text).toContain("disk.torn-write 2, net.reset 1");
  expect(text).not.toContain("story line 2");
  for (const line of [3, 4, 5, 6, 7]) expect(text).toContain(`story line ${line}`);
});

test("every row of the box is equally long, whatever it holds", () => {
  const message = `${"word ".repeat(60)}${"x".repeat(300)}\nsecond line`;
  const rows = failedSeed({ ...failed, message }, build, false).split("\n").slice(0, -3);
  expect(new Set(rows.map((row) => row.length)).size).toBe(1);
  expect(rows.some((row) => row.includes("second line"))).toBe(true);
});

test("colour is for terminals", () => {
  expect(failedSeed(failed, build, false)).not.toContain("\u001b[");
  expect(failedSeed(failed, build, true)).toContain("\u001b[31m");
});

test("a clean seed shows its hash and its faults", () => {
  const text = cleanSeed(clean);
  expect(text).toContain("trace 0000000000000008 (the same when run twice)");
  expect(text).toContain("10 events, 3,000 env calls, 1.5 s simulated");
  expect(text).toContain("faults injected: disk.torn-write 2\n");
});

test("a batch lists its failing seeds and ends like a single failure", () => {
  const tally = new Tally(1, null);
  for (const report of [clean, { ...failed, seed: 14 }, failed]) tally.add(report);
  const text = batchReport(tally.summary({ wallMs: 500, cpuMs: 0 }), build, false);
  expect(text).toContain("3 seeds from 1 in 500 ms (6/s), 3 run twice");
  expect(text).toContain('  seed 14 broken: acked-is-durable: key "k7" was acknowledged and is gone');
  expect(text).toContain("never injected: disk.lost-write, ");
  expect(text.trimEnd().split("\n").at(-1)).toBe("npx -y pnpm@12 sim --seed 7 --scenario broken");
});

test("what was reached, and what never was, is told", () => {
  const tally = new Tally(1, null);
  for (let seed = 1; seed <= 50; seed++) tally.add({ ...clean, seed, reached: { gold: 0, silver: seed % 2 } });
  const text = batchReport(tally.summary({ wallMs: 1, cpuMs: 0 }), build, false);
  expect(text).toContain("50 seeds  clean, gold in 0, silver in 25\n");
  expect(text).toContain(`never reached, in 50 seeds or more: ${clean.scenario}: gold\n`);
  expect(text).toMatch(/\nFAILED: what a scenario never gets to, it says nothing of\n$/);
});

test("a clean batch says so last", () => {
  const tally = new Tally(1, null);
  tally.add(clean);
  expect(batchReport(tally.summary({ wallMs: 1, cpuMs: 0 }), build, false)).toMatch(/\nclean\n$/);
});
