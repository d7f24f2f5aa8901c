// Goal: a seed is a run, wherever and whenever it runs; and what goes wrong gets the right verdict.
import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { runInMacrotask, simHost } from "../host/settle.ts";
import { assert } from "../core/assert.ts";
import { inSimulation, simulateOnce } from "./in-simulation.test-support.ts";
import { type SimResult, type SimulateOptions, runToEnd } from "./run.ts";
import { startToyJob, toy } from "./toy.test-support.ts";
import type { World } from "./world.ts";

function runToy(seed: number, options: SimulateOptions = {}): Promise<SimResult> {
  return runInMacrotask(() => {
    return runToEnd({ scenario: toy, seed, host: simHost, startJob: startToyJob, options });
  });
}

describe("determinism", () => {
  test("a seed gives the same run again, alone and after 100 others", async () => {
    const seeds = [0, 1, 7, 42, 2 ** 53 - 1];
    const alone = await Promise.all(seeds.map((seed) => runToy(seed)));
    for (let seed = 1_000; seed < 1_100; seed++) await runToy(seed);
    for (const [i, seed] of seeds.entries()) expect(await runToy(seed)).toEqual(alone[i]);
  });

  test("a seed gives the same run in another process", async () => {
    const program = `
      import { runToEnd } from "./sim/run.ts";
      import { startToyJob, toy } from "./sim/toy.test-support.ts";
      import { runInMacrotask, simHost } from "./host/settle.ts";
      await runInMacrotask(() => {
        const order = { scenario: toy, seed: 42, host: simHost, startJob: startToyJob, options: {} };
        console.log(runToEnd(order).traceHash);
      });`;
    const output = execFileSync(process.execPath, ["--input-type=module", "--eval", program], {
      cwd: new URL("..", import.meta.url),
      encoding: "utf8",
    });
    expect(output.trim()).toBe((await runToy(42)).traceHash);
  });

  test("watching a run does not change it", async () => {
    const lines: string[] = [];
    const trace = (line: string): void => void lines.push(line);
    const watched = await runToy(3, { trace, traceCalls: { from: 1, to: 50 } });
    expect(watched).toEqual(await runToy(3));
    expect(lines.some((line) => line.includes("boot server#1"))).toBe(true);
    expect(lines.some((line) => line.includes("call 50 "))).toBe(true);
    expect(lines.some((line) => line.includes("call 51 "))).toBe(false);
  });

  test("a run counts what its scenario reached, and names what it did not", async () => {
    const run = async (world: World): Promise<void> => {
      await toy.run(world);
      world.reach("gold");
      world.reach("gold");
    };
    const scenario = { ...toy, reaches: ["gold", "silver"], run };
    const order = { scenario, seed: 3, host: simHost, startJob: startToyJob, options: {} };
    const { reached, traceHash } = await runInMacrotask(() => runToEnd(order));
    expect(reached).toEqual({ gold: 2, silver: 0 });
    expect(traceHash).toBe((await runToy(3)).traceHash);
  });

  test("different seeds are different runs", async () => {
    const hashes = new Set<string>();
    for (let seed = 0; seed < 30; seed++) hashes.add((await runToy(seed)).traceHash);
    expect(hashes.size).toBe(30);
  });

  test("a run can be stopped early, and has a checkpoint for each thousand calls", async () => {
    const whole = await runToy(0);
    const part = await runToy(0, { until: 100 });
    expect(part.events).toBe(100);
    expect(part.verdict).toBe("clean");
    expect(whole.checkpoints.length).toBe(Math.floor(whole.calls / 1_000));
    const busy = await inSimulation({
      seed: 1,
      run: async (world) => {
        const { clock } = world.machine("node").boot();
        for (let i = 0; i < 3_500; i++) clock.monotonicUs();
      },
    });
    expect(busy.checkpoints.length).toBe(3);
    expect(new Set(busy.checkpoints).size).toBe(3);
  });

  test("the hash takes in every call and result: one draw more is another run", async () => {
    const drawing = (count: number): Promise<SimResult> =>
      inSimulation({
        seed: 1,
        run: async (world) => {
          const { random } = world.machine("node").boot();
          for (let i = 0; i < count; i++) random.u32("s", 0, i);
        },
      });
    expect((await drawing(5)).traceHash).not.toBe((await drawing(6)).traceHash);
  });

  test("must not be started from a microtask", async () => {
    await Promise.resolve();
    const order = { scenario: toy, seed: 1, host: simHost, startJob: startToyJob, options: {} };
    expect(() => runToEnd(order)).toThrow("must be called from a macrotask");
  });
});

describe("verdicts", () => {
  test("a scenario that returns is clean", async () => {
    const result = await inSimulation({ seed: 1, run: (world) => world.sleep(1_500) });
    expect(result).toMatchObject({ verdict: "clean", oracle: null, message: null, simulatedMs: 1_500 });
  });

  test("stuck: nothing is left to happen, not even when faults would go on", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const result = await simulateOnce({
        seed,
        run: async (world) => {
          world.machine("node");
          world.startFaults();
          await new Promise(() => {});
        },
      });
      expect(result).toMatchObject({ verdict: "violation", oracle: "stuck" });
    }
  });

  test("runaway: time without end", async () => {
    const result = await simulateOnce({
      seed: 1,
      run: async (world) => {
        for (;;) await world.sleep(24 * 3_600 * 1_000);
      },
    });
    expect(result).toMatchObject({ oracle: "runaway", message: "more than 30 days of virtual time" });
  });

  test("runaway: a turn without end", async () => {
    const result = await simulateOnce({
      seed: 1,
      run: async (world) => {
        const outcome = await world.machine("node").run(async (env) => {
          for (;;) env.clock.monotonicUs();
        });
        world.story(outcome.kind);
      },
    });
    expect(result.oracle).toBe("runaway");
    expect(result.message).toContain("clock.monotonic");
  });

  test("exception: a broken invariant in a callback, with its place", async () => {
    const result = await simulateOnce({
      seed: 1,
      run: async (world) => {
        const env = world.machine("node").boot();
        env.clock.after(10, () => assert(false, "the moon is made of rock"));
        await world.sleep(1_000);
      },
    });
    expect(result.oracle).toBe("exception");
    expect(result.message).toContain("AssertionError: the moon is made of rock (at sim/run.test.ts:");
  });

  test("exception: a defect in machine.run ends the run, an operating error does not", async () => {
    const failing = (error: Error): Promise<SimResult> =>
      simulateOnce({
        seed: 1,
        run: async (world) => {
          const outcome = await world.machine("node").run(() => Promise.reject(error));
          if (outcome.kind !== "failed") world.fail("outcome", outcome.kind);
        },
      });
    expect((await failing(new Error("disk full"))).verdict).toBe("clean");
    expect((await failing(new TypeError("x is undefined"))).oracle).toBe("exception");
  });

  test("exception: the scenario rejects, or throws before its first await", async () => {
    const rejecting = await simulateOnce({
      seed: 1,
      run: async (world) => {
        await world.sleep(1);
        throw new Error("lost my way");
      },
    });
    expect(rejecting.oracle).toBe("exception");
    expect(rejecting.message).toContain("lost my way");
    const throwing = await simulateOnce({
      seed: 1,
      run: () => {
        throw new Error("at once");
      },
    });
    expect(throwing.message).toContain("at once");
  });

  test("exception: a rejection that nobody handles", async () => {
    const result = await simulateOnce({
      seed: 1,
      run: async (world) => {
        const env = world.machine("node").boot();
        env.clock.after(10, () => void Promise.reject(new Error("forgotten")));
        await world.sleep(1_000);
      },
    });
    expect(result.oracle).toBe("exception");
    expect(result.message).toContain("unhandled rejection: Error: forgotten");
  });

  test("a finding is kept though somebody swallows it, and the first one wins", async () => {
    const result = await simulateOnce({
      seed: 1,
      run: async (world) => {
        world.story("before");
        try {
          world.fail("linearizability", "read 3 after 4");
        } catch {
          world.story("swallowed");
        }
        world.fail("other", "too late");
      },
    });
    expect(result).toMatchObject({ oracle: "linearizability", message: "read 3 after 4", why: "a test" });
    expect(result.story).toEqual(["[0.000000s] before", "[0.000000s] swallowed"]);
  });

  test("a long story keeps its beginning and its end", async () => {
    const result = await inSimulation({
      seed: 1,
      run: async (world) => {
        for (let i = 0; i < 10_000; i++) world.story(`line ${i}`);
      },
    });
    expect(result.story.length).toBeLessThan(200);
    expect(result.story[0]).toContain("line 0");
    expect(result.story.at(-1)).toContain("line 9999");
    expect(result.story.some((line) => line.includes("lines left out"))).toBe(true);
  });
});
