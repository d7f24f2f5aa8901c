// Goal: over some hundred seeds of the toy product every fault the nemesis knows is injected; between
// stopFaults and the end nothing is; and fault-free seeds have none at all.
import { describe, expect, test } from "vitest";
import { runInMacrotask, simHost } from "../host/settle.ts";
import { walAfterSync } from "../failpoints/catalog.ts";
import type { FaultKind } from "./faults.ts";
import { inSimulation } from "./in-simulation.test-support.ts";
import { runToEnd } from "./run.ts";
import { startToyJob, toy } from "./toy.test-support.ts";
import type { World } from "./world.ts";

/**
 * Kinds that a toy without a log or tables can be expected to meet; the disk's own are its own tests'
 * business.
 */
const expected: readonly FaultKind[] = [
  "net.reset",
  "net.half-open",
  "net.one-way-loss",
  "net.latency",
  "net.bandwidth",
  "net.split-delivery",
  "net.refused",
  "clock.offset",
  "clock.drift",
  "clock.jump",
  "clock.freeze",
  "process.crash",
  "process.power-loss",
  "process.crash-at-call",
  "process.pause",
  "disk.lost-write",
  "disk.entry-lost",
  "disk.eio-metadata",
  "disk.sync-failed",
  "disk.short-read",
  "disk.short-write",
  "disk.slow",
];

async function busy(world: World): Promise<void> {
  const machine = world.machine("node");
  machine.onDown(() => world.after(1_000, () => machine.boot()));
  machine.boot();
  world.machine("peer").boot();
  world.startFaults(machine);
  for (let i = 0; i < 200; i++) {
    await world.sleep(50);
    if (machine.up) await machine.run(async (env) => env.failpoints.hit(walAfterSync));
  }
  world.stopFaults();
}

describe("Nemesis", () => {
  test("injects every kind over a few hundred seeds, and the toy survives them", async () => {
    const totals = new Map<string, number>();
    for (let seed = 0; seed < 400; seed++) {
      const order = { scenario: toy, seed, host: simHost, startJob: startToyJob, options: {} };
      const result = await runInMacrotask(() => runToEnd(order));
      expect(result.message).toBeNull();
      for (const [kind, count] of Object.entries(result.faults)) {
        totals.set(kind, (totals.get(kind) ?? 0) + count);
      }
    }
    expect(expected.filter((kind) => !totals.has(kind))).toEqual([]);
  });

  test("injects nothing on fault-free seeds", async () => {
    let faultFree = 0;
    for (let seed = 0; seed < 60; seed++) {
      let free = false;
      const result = await inSimulation({
        seed,
        run: async (world) => {
          free = world.options.faultFree;
          await busy(world);
        },
      });
      if (!free) continue;
      faultFree++;
      expect(result.faults).toEqual({});
    }
    expect(faultFree).toBeGreaterThan(3);
  });

  test("is silent after stopFaults: the machine lives, its clock is right, its links are open", async () => {
    for (let seed = 0; seed < 40; seed++) {
      const result = await inSimulation({
        seed,
        run: async (world) => {
          const machine = world.machine("node");
          await busy(world);
          // The last crash may have been a moment ago.
          await world.sleep(10);
          const { incarnation } = machine;
          const counted = world.faultCount("process.pause") + world.faultCount("clock.jump");
          await world.sleep(600_000);
          if (machine.incarnation !== incarnation) world.fail("nemesis", "it crashed after the end");
          const after = world.faultCount("process.pause") + world.faultCount("clock.jump");
          if (counted !== after) world.fail("nemesis", "it paused or jumped after the end");
          const trueMs = machine.clock.wallMs(world.nowUs);
          if (machine.env.clock.wallMs() !== trueMs) world.fail("nemesis", "the wall clock is not right");
          if (world.network.link("node", "peer").blocked) world.fail("nemesis", "a link is still blocked");
          if (machine.disk.faults.eioWrite !== 0) world.fail("nemesis", "the disk is still bad");
        },
      });
      expect(result.verdict).toBe("clean");
    }
  });

  test("fires failpoints where the product passes them", async () => {
    let fired = 0;
    for (let seed = 0; seed < 100; seed++) {
      const result = await inSimulation({ seed, run: busy });
      fired += result.faults["failpoint"] ?? 0;
    }
    expect(fired).toBeGreaterThan(10);
  });

  test("can be started again", async () => {
    for (let seed = 0; seed < 10; seed++) {
      const result = await inSimulation({
        seed,
        run: async (world) => {
          const machine = world.machine("node");
          machine.onDown(() => world.after(1_000, () => machine.boot()));
          machine.boot();
          for (let i = 0; i < 3; i++) {
            world.startFaults();
            await world.sleep(5_000);
            world.stopFaults();
            await world.sleep(1_000);
          }
        },
      });
      expect(result.verdict).toBe("clean");
    }
  });
});
