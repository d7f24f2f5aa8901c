// Goal: what was written elsewhere is older than every timestamp after its fence, over crashes of the Coordinator too.
// Method: a Coordinator in a simulated world, asked directly.
import { expect, test } from "vitest";
import { startJob } from "../core/lsm/job-starter.ts";
import { timestampAt } from "../coordinator/timestamp-oracle.ts";
import { inSimulation } from "../sim/in-simulation.test-support.ts";
import type { World } from "../sim/world.ts";
import { TestCluster } from "./cluster.test-support.ts";

function simulated(seed: number, run: (world: World, cluster: TestCluster) => Promise<void>): Promise<unknown> {
  return inSimulation({ seed, startJob, run: (world) => run(world, new TestCluster(world, 1, [""])) });
}

function fence({ coordinator }: TestCluster, through: number): Promise<string> {
  return new Promise((resolve) => {
    coordinator.node.coordinator.fenceTimestamps(through, (error) => resolve(error === null ? "done" : error.code));
  });
}

function timestamp({ coordinator }: TestCluster): Promise<number | string> {
  return new Promise((resolve) => {
    coordinator.node.coordinator.timestamps(1, (error, range) => resolve(range?.first ?? error?.code ?? ""));
  });
}

test("a fence ahead of the clock holds at once, and after a power loss", async () => {
  await simulated(1, async (_, cluster) => {
    await cluster.coordinator.start();
    const ahead = timestampAt(cluster.coordinator.machine.env.clock.wallMs() + 3_600_000);
    expect(await fence(cluster, ahead)).toBe("done");
    expect(await timestamp(cluster)).toBeGreaterThan(ahead);
    cluster.coordinator.crash("power");
    await cluster.coordinator.start();
    expect(await timestamp(cluster)).toBeGreaterThan(ahead);
  });
});

test("an old fence says nothing of the time: a new Coordinator follows its clock", async () => {
  await simulated(2, async (_, cluster) => {
    await cluster.coordinator.start();
    const now = timestampAt(cluster.coordinator.machine.env.clock.wallMs());
    expect(await fence(cluster, now - 4_096 * 30 * 24 * 3_600_000)).toBe("done");
    cluster.coordinator.crash("power");
    await cluster.coordinator.start();
    expect(await timestamp(cluster)).toBeGreaterThan(now);
    expect(await fence(cluster, 5)).toBe("done");
    expect(await fence(cluster, Number.MAX_SAFE_INTEGER)).toBe("INVALID");
  });
});
