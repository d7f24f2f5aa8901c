// Goal: a batch's summary adds up whatever the order of its reports, and claims no fault it did not inject.
import fc from "fast-check";
import { expect, test } from "vitest";
import { faultKinds } from "../../sim/faults.ts";
import { badSeed, broken, fakeSimulator, steady, tickingClock } from "./fake-simulator.test-support.ts";
import { type SeedReport, runSeed } from "./run-seed.ts";
import { type BatchSummary, Tally } from "./tally.ts";

const clock = tickingClock();

function reportOf(seed: number, scenario = seed % 2 === 0 ? steady : broken): SeedReport {
  return runSeed(fakeSimulator, { scenario, seed, twice: false, options: {} }, clock);
}

function summaryOf(reports: readonly SeedReport[], scenario: string | null = null): BatchSummary {
  const tally = new Tally(1, scenario);
  for (const report of reports) tally.add(report);
  return tally.summary({ wallMs: 2_000, cpuMs: 1_234 });
}

test("the order of arrival does not show", () => {
  const reports = Array.from({ length: 30 }, (_, index) => reportOf(index + 1));
  const inOrder = summaryOf(reports);
  fc.assert(
    fc.property(fc.shuffledSubarray(reports, { minLength: reports.length }), (shuffled) => {
      expect(summaryOf(shuffled)).toEqual(inOrder);
    }),
    { numRuns: 20 },
  );
  expect(inOrder.violations.map(({ seed }) => seed)).toEqual([badSeed, 3 * badSeed]);
  expect(inOrder).toMatchObject({
    seeds: 30,
    from: 1,
    verdict: "violation",
    faults: { "disk.torn-write": 60, "net.reset": 15 },
    perScenario: { broken: { seeds: 15, violations: 2 }, steady: { seeds: 15, violations: 0 } },
    events: 300,
    simulatedMs: 45_000,
    wallMs: 2_000,
    cpuMs: 1_234,
    seedsPerSecond: 15,
  });
  expect(inOrder.never).toEqual(
    faultKinds.filter((kind) => kind !== "disk.torn-write" && kind !== "net.reset"),
  );
  expect(inOrder.results?.map(({ seed }) => seed)).toEqual(reports.map(({ seed }) => seed));
});

test("a large mixed batch that never injected a fault has failed", () => {
  const thousand = Array.from({ length: 1_000 }, (_, index) => reportOf(index, steady));
  expect(summaryOf(thousand).verdict).toBe("fault-missing");
  expect(summaryOf(thousand, "steady").verdict).toBe("clean");
  expect(summaryOf(thousand.slice(1)).verdict).toBe("clean");
  const faults = Object.fromEntries(faultKinds.map((kind) => [kind, 1]));
  expect(summaryOf([...thousand, { ...reportOf(0, steady), faults }])).toMatchObject({
    verdict: "clean",
    never: [],
  });
});

test("a batch in which a scenario never reached what it is for has failed", () => {
  const fifty = Array.from({ length: 50 }, (_, index) => ({ ...reportOf(index, steady), reached: { gold: 0 } }));
  expect(summaryOf(fifty, "steady")).toMatchObject({ verdict: "unreached", unreached: ["steady: gold"] });
  expect(summaryOf(fifty.slice(1), "steady")).toMatchObject({ verdict: "clean", unreached: [] });
  const reached = [...fifty, { ...reportOf(50, steady), reached: { gold: 3 } }];
  expect(summaryOf(reached, "steady")).toMatchObject({
    verdict: "clean", unreached: [], perScenario: { steady: { reached: { gold: 1 } } },
  });
});

test("nondeterminism outweighs violations", () => {
  const report: SeedReport = { ...reportOf(1, steady), verdict: "nondeterminism" };
  expect(summaryOf([reportOf(badSeed, broken), report]).verdict).toBe("nondeterminism");
});
