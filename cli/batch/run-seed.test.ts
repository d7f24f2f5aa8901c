// Goal: a seed's report is what the simulator said, and a run that does not repeat is told apart from a bug.
import { expect, test } from "vitest";
import type { Simulator } from "../../sim/simulate.ts";
import {
  badSeed,
  broken,
  fakeSimulator,
  flaky,
  steady,
  tickingClock,
} from "./fake-simulator.test-support.ts";
import { type SeedOrder, runSeed } from "./run-seed.ts";

function counted(): { simulator: Simulator; runs: () => number } {
  let runs = 0;
  const simulator: Simulator = (...args) => {
    runs++;
    return fakeSimulator(...args);
  };
  return { simulator, runs: () => runs };
}

function order(overrides: Partial<SeedOrder>): SeedOrder {
  return { scenario: steady, seed: 1, twice: false, options: {}, ...overrides };
}

test("a clean seed is run once, or twice when asked", () => {
  const once = counted();
  expect(runSeed(once.simulator, order({}), tickingClock())).toMatchObject({
    seed: 1,
    scenario: "steady",
    verdict: "clean",
    traceHash: "0000000000000001",
    wallMs: 1,
    twice: false,
  });
  expect(once.runs()).toBe(1);
  const twice = counted();
  expect(runSeed(twice.simulator, order({ twice: true }), tickingClock()).twice).toBe(true);
  expect(twice.runs()).toBe(2);
});

test("a violation is replayed before it is reported", () => {
  const { simulator, runs } = counted();
  const report = runSeed(simulator, order({ scenario: broken, seed: badSeed }), tickingClock());
  expect(report).toMatchObject({ verdict: "violation", oracle: "acked-is-durable", twice: true });
  expect(runs()).toBe(2);
});

test("runs that differ name the first call that does", () => {
  const report = runSeed(fakeSimulator, order({ scenario: flaky, twice: true }), tickingClock());
  expect(report).toMatchObject({ verdict: "nondeterminism", oracle: "run-twice" });
  expect(report.message?.split("\n")).toEqual([
    expect.stringMatching(/^trace hash \S+ became \S+: the runs part after call 2000$/),
    'first difference: "call 2501-2" against "call 2501-3"',
  ]);
});

test("a difference that does not show again is reported as rare", () => {
  let runs = 0;
  const rare: Simulator = (scenario, seed, options) => {
    const result = fakeSimulator(scenario, seed, options);
    return runs++ === 0 ? { ...result, traceHash: "first" } : result;
  };
  const report = runSeed(rare, order({ twice: true }), tickingClock());
  expect(report.verdict).toBe("nondeterminism");
  expect(report.message).toMatch(/two traced runs of that stretch agree/);
});

test("only the first of two runs is traced", () => {
  const lines: string[] = [];
  const options = { trace: (line: string) => lines.push(line), traceCalls: { from: 1, to: 2 } };
  runSeed(fakeSimulator, order({ twice: true, options }), tickingClock());
  expect(lines).toEqual(["call 1", "call 2"]);
});
