// Goal: simulated workers run beside the main thread, die with their incarnation and take nothing but plain
// data.
import { describe, expect, test } from "vitest";
import type { Disk } from "../core/env/disk.ts";
import type { Job, JobMachine, JobStarter, JobState } from "../core/env/jobs.ts";
import { inSimulation, simulateOnce } from "./in-simulation.test-support.ts";

interface StepsJob extends Job {
  readonly steps: number;
}

const stepsOf = (steps: number): Job => ({ kind: "steps", steps }) as StepsJob;

/** Lists the root directory once per step. */
class Steps implements JobMachine {
  readonly #disk: Disk;
  #left: number;
  readonly result = { kind: "steps" };

  constructor(disk: Disk, job: StepsJob) {
    this.#disk = disk;
    this.#left = job.steps;
  }

  step(): JobState {
    this.#disk.list("/");
    return --this.#left > 0 ? "more" : "done";
  }
}

const startSteps: JobStarter = (disk, job) => new Steps(disk, job as StepsJob);

describe("simulated jobs", () => {
  test("interleave with the main thread's turns", async () => {
    const result = await inSimulation({
      seed: 1,
      startJob: startSteps,
      run: async (world) => {
        const env = world.machine("node").boot();
        let turns = 0;
        let done = false;
        env.jobs.run(stepsOf(200), () => {
          done = true;
        });
        while (!done) {
          await new Promise<void>((resolve) => env.clock.after(1, resolve));
          turns++;
        }
        if (turns < 20) world.fail("jobs", `only ${turns} turns while the job ran`);
      },
    });
    expect(result.verdict).toBe("clean");
  });

  test("a worker's slow disk does not slow the main thread", async () => {
    const result = await inSimulation({
      seed: 1,
      startJob: startSteps,
      run: async (world) => {
        const machine = world.machine("node");
        machine.disk.faults.operationUs = 1_000_000;
        const env = machine.boot();
        const job = new Promise<void>((resolve) => env.jobs.run(stepsOf(10), () => resolve()));
        await new Promise<void>((resolve) => env.clock.after(5_000, resolve));
        if (world.nowUs > 20_000) world.fail("jobs", "the timer waited for the worker");
        await job;
        if (world.nowUs < 10_000_000) world.fail("jobs", "the worker's time did not pass");
      },
    });
    expect(result.verdict).toBe("clean");
  });

  test("die with their incarnation, also when they crash it", async () => {
    for (let n = 1; n < 12; n++) {
      const result = await inSimulation({
        seed: n,
        startJob: startSteps,
        run: async (world) => {
          const machine = world.machine("node");
          const env = machine.boot();
          let completions = 0;
          machine.crashAtCall(n, "process");
          const outcome = await machine.run(async () => {
            for (let i = 0; i < 3; i++) env.jobs.run(stepsOf(3), () => completions++);
            await new Promise(() => {});
          });
          if (outcome.kind !== "crashed") world.fail("jobs", outcome.kind);
          const before = completions;
          await world.sleep(60_000);
          if (completions !== before) world.fail("jobs", "a dead incarnation heard of a job");
        },
      });
      expect(result.faults["process.crash-at-call"]).toBe(1);
    }
  });

  test("take plain data only: what a worker could not receive is a defect here too", async () => {
    for (const extra of [() => {}, new Map(), new Steps(undefined as never, { kind: "", steps: 1 })]) {
      const result = await simulateOnce({
        seed: 1,
        startJob: startSteps,
        run: async (world) => {
          await world.machine("node").run(async ({ jobs }) => {
            jobs.run({ kind: "steps", extra } as Job, () => {});
          });
        },
      });
      expect(result.oracle).toBe("exception");
      expect(result.message).toMatch(/a job holds plain (data|objects) only/);
    }
  });

  test("an invariant broken in a job ends the run", async () => {
    const result = await simulateOnce({
      seed: 1,
      startJob: () => ({
        result: null,
        step: () => {
          throw new TypeError("x is not a function");
        },
      }),
      run: async (world) => {
        const { jobs } = world.machine("node").boot();
        await new Promise<void>((resolve) => jobs.run({ kind: "steps" }, () => resolve()));
      },
    });
    expect(result.oracle).toBe("exception");
    expect(result.message).toContain("x is not a function");
  });
});
