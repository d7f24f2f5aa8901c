// Goal: stores become a cluster by themselves, come back with what they had, and refuse directories that are not
// theirs. Method: whole nodes in a simulated world, crashed and started again by hand.
import { expect, test } from "vitest";
import { openEngine } from "../core/engine/engine.ts";
import { Batch } from "../core/engine/batch.ts";
import { startJob } from "../core/lsm/job-starter.ts";
import type { World } from "../sim/world.ts";
import { inSimulation } from "../sim/in-simulation.test-support.ts";
import { TestCluster } from "./cluster.test-support.ts";

function simulated(seed: number, run: (world: World) => Promise<void>): Promise<unknown> {
  return inSimulation({ seed, run, startJob });
}

test("three stores join, begin their regions and elect leaders; the Coordinator hears of all of it", async () => {
  await simulated(1, async (world) => {
    const cluster = new TestCluster(world, 3, ["", "h", "q"]);
    await cluster.start();
    await cluster.untilReady();
    const { coordinator } = cluster.coordinator.node;
    const led = (): boolean => coordinator.stores().every(({ heartbeat }) => heartbeat?.leaderCount === 1);
    await cluster.until("each store leads a region, and the Coordinator knows", led);
    expect(coordinator.state.regions.map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(coordinator.stores().map(({ address, liveness }) => `${address} ${liveness}`)).toEqual([
      "store-1:7000 up", "store-2:7000 up", "store-3:7000 up",
    ]);
    for (const store of cluster.stores) await store.stop();
    await cluster.coordinator.stop();
    expect(cluster.fatal).toEqual([]);
  });
});

test("after a power loss all come back in another incarnation, and lead although there is no Coordinator", async () => {
  await simulated(2, async (world) => {
    const cluster = new TestCluster(world, 3, ["", "m"]);
    await cluster.start();
    await cluster.untilReady();
    for (const store of cluster.stores) store.crash("power");
    cluster.coordinator.crash("power");
    for (const store of cluster.stores) await store.start();
    const isLed = (id: number): boolean =>
      cluster.stores.some(({ node }) => (node.store.region(id)?.leadingTerm ?? 0) > 0);
    await cluster.until("both regions have leaders", () => isLed(1) && isLed(2));
    expect(cluster.stores.map(({ node }) => node.incarnation)).toEqual([2, 2, 2]);
    expect(cluster.store(1).node.waitingFor()).toEqual(["the Coordinator"]);
    await cluster.coordinator.start();
    await cluster.untilReady();
  });
});

test("a store that lost its directory is refused; the others go on", async () => {
  await simulated(3, async (world) => {
    const cluster = new TestCluster(world, 3, [""]);
    await cluster.start();
    await cluster.untilReady();
    const { machine } = cluster.store(2);
    cluster.store(2).crash("process");
    await machine.run((env) => {
      env.disk.rename("/data", "/lost");
      return Promise.resolve();
    });
    machine.crash("process");
    await cluster.store(2).start();
    await cluster.until("it is told", () => cluster.fatal.length > 0);
    expect(cluster.fatal.map(({ code, message }) => `${code}: ${message}`)).toEqual([
      "NOKV_FOREIGN_DIRECTORY: store 2 has joined before, and its directory is empty: what it promised is lost; " +
        'bring the directory back, or run "nokv stores decommission 2" and start the store under a new id',
    ]);
    expect(cluster.store(2).node.store.regions()).toEqual([]);
    await cluster.store(2).stop();
    await cluster.untilReady();
  });
});

test("a standalone database is no store, a store is no standalone database, and each store is itself", async () => {
  await simulated(4, async (world) => {
    const cluster = new TestCluster(world, 1, [""]);
    const seat = cluster.store(1);
    const standalone = await seat.machine.run(async (env) => {
      const engine = await openEngine(env, "/data");
      const batch = new Batch();
      batch.set(Uint8Array.of(1), Uint8Array.of(2));
      await engine.commitShared(batch);
      await engine.close();
    });
    expect(standalone.kind).toBe("done");
    seat.machine.crash("process");
    await expect(seat.start()).rejects.toThrow("/data holds a standalone database");
    seat.machine.crash("process");
    await seat.machine.run((env) => {
      env.disk.rename("/data", "/elsewhere");
      return Promise.resolve();
    });
    seat.machine.crash("process");
    await cluster.start();
    await cluster.untilReady();
    await seat.stop();
    const refused = await seat.machine.run((env) => openEngine(env, "/data"));
    expect(refused).toMatchObject({ kind: "failed", error: { code: "NOKV_FOREIGN_DIRECTORY" } });
    seat.machine.crash("process");
  });
});
