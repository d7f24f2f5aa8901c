// Goal: a batch in child processes reports every seed once, also those that kill or hang their process.
// Method: fork workers that know fake scenarios only.
import { expect, test } from "vitest";
import { badSeed } from "./fake-simulator.test-support.ts";
import { Pool } from "./pool.ts";
import type { SeedReport } from "./run-seed.ts";

const worker = new URL("./fake-worker.test-support.ts", import.meta.url);

interface Trial {
  readonly scenario: string | null;
  readonly seeds: number;
  readonly jobs: number;
  readonly seedWallMsMax?: number;
  /** The pool is told to stop after so many reports. */
  readonly stopAfter?: number;
}

async function trial(given: Trial): Promise<SeedReport[]> {
  const { scenario, seeds, jobs, seedWallMsMax = 60_000, stopAfter } = given;
  const reports: SeedReport[] = [];
  let seed = 0;
  const pool: Pool = new Pool({
    worker,
    jobs,
    next: () => (seed < seeds ? { seed: ++seed, scenario, twice: seed % 10 === 0 } : null),
    seedWallMsMax,
    nowMs: () => performance.now(),
    onReport: (report) => {
      reports.push(report);
      if (reports.length === stopAfter) pool.stop();
    },
  });
  await pool.run();
  return reports.toSorted((a, b) => a.seed - b.seed);
}

test.each([1, 3])("with %i workers every seed is reported once", async (jobs) => {
  const reports = await trial({ scenario: "broken", seeds: 40, jobs });
  expect(reports.map(({ seed }) => seed)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
  expect(reports.filter(({ verdict }) => verdict === "violation").map(({ seed }) => seed % badSeed)).toEqual([
    0, 0, 0, 0, 0,
  ]);
});

test("without a scenario each seed picks", async () => {
  const reports = await trial({ scenario: null, seeds: 6, jobs: 1 });
  expect(reports).toHaveLength(6);
});

test("a process that dies costs its seed and no other", async () => {
  const reports = await trial({ scenario: "deadly", seeds: 20, jobs: 2 });
  expect(reports).toHaveLength(20);
  const failing = reports.filter(({ verdict }) => verdict !== "clean");
  expect(failing).toMatchObject([{ seed: badSeed, oracle: "process" }]);
  expect(failing[0]?.message).toContain("code 9");
});

test("a seed without end is killed and reported", async () => {
  const reports = await trial({ scenario: "endless", seeds: 12, jobs: 2, seedWallMsMax: 4_000 });
  expect(reports).toHaveLength(12);
  const failing = reports.filter(({ verdict }) => verdict !== "clean");
  expect(failing).toMatchObject([{ seed: badSeed, oracle: "hang" }]);
});

test("a pool that is stopped finishes what it has in hand", async () => {
  const reports = await trial({ scenario: "steady", seeds: 1_000, jobs: 2, stopAfter: 5 });
  expect(reports.length).toBeGreaterThanOrEqual(5);
  expect(reports.length).toBeLessThan(20);
});
