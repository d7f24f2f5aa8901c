// Goal: what the original's migration loses or lets in, by the numbers of its findings. Method: whole processes in a
// simulated world, on a directory that an application filled.
import { expect, test } from "vitest";
import { openDb } from "../../core/engine/db.ts";
import { openEngine } from "../../core/engine/engine.ts";
import { modeName, raftDirectoryName } from "../../core/engine/file-names.ts";
import { startJob } from "../../core/lsm/job-starter.ts";
import type { Env } from "../../core/env/env.ts";
import { inSimulation } from "../../sim/in-simulation.test-support.ts";
import type { Machine } from "../../sim/machine.ts";
import type { World } from "../../sim/world.ts";
import { TestCluster } from "../cluster.test-support.ts";
import { openClusterClient } from "../open-cluster-client.ts";
import { initSeed } from "./init.ts";
import { lookAt } from "./look.ts";
import { rollbackSeed } from "./rollback.ts";

const directory = "/data";
const silent = { step: () => {}, progress: () => {} };
const text = (bytes: Uint8Array | null): string => (bytes === null ? "nothing" : new TextDecoder().decode(bytes));

let seed = 0;
function simulated(run: (world: World) => Promise<void>): Promise<unknown> {
  return inSimulation({ seed: ++seed, run, startJob });
}

/** To its end, and the process is gone. */
async function done<T>(machine: Machine, work: (env: Env) => Promise<T>): Promise<T> {
  const outcome = await machine.run(work);
  if (outcome.kind !== "done") throw outcome.kind === "failed" ? outcome.error : new Error("it crashed");
  machine.crash("process");
  return outcome.value;
}

async function refusal(machine: Machine, work: (env: Env) => Promise<unknown>): Promise<string> {
  const outcome = await machine.run(work);
  machine.crash("process");
  return outcome.kind === "failed" && outcome.error instanceof Error ? outcome.error.message : outcome.kind;
}

async function fill(env: Env): Promise<void> {
  const db = await openDb(env, directory, { valueThresholdBytes: 100, memtableBytes: 4_096 });
  for (let i = 0; i < 60; i++) await db.set(`key${i}`, `value ${i} `.repeat(i));
  await db.set("lives", "for an hour", { ttlMs: 3_600_000 });
  await db.delete("key5");
  await db.deleteRange({ gte: "key20", lt: "key30" });
  await db.close();
}

async function init(env: Env): Promise<void> {
  const order = { directory, clusterId: "test", storeId: 1, regions: 3, checkpoint: null, engine: {} };
  await initSeed(env, order, silent);
}

test("D2: a power loss after init takes back neither the seed's log nor what rests on it", async () => {
  await simulated(async (world) => {
    const cluster = new TestCluster(world, 1, []);
    const { machine } = cluster.store(1);
    await done(machine, fill);
    await machine.run(init);
    machine.crash("power");
    await cluster.start();
    await cluster.untilReady();
    expect(cluster.store(1).node.store.regions().length).toBe(3);
  });
});

test("D25: what was written before is read through the cluster, value by value, and written over", async () => {
  await simulated(async (world) => {
    const cluster = new TestCluster(world, 1, []);
    const { machine } = cluster.store(1);
    // The embedded clock was an hour ahead: what the cluster writes must be younger all the same.
    machine.clock.jumpWall(3_600_000);
    await done(machine, fill);
    machine.clock.setWall(world.nowUs, 0);
    await done(machine, init);
    await cluster.start();
    await cluster.untilReady();
    const client = openClusterClient(world.machine("client").boot(), { topology: cluster.topology });
    for (let i = 0; i < 60; i++) {
      // By bytes, key3 is between key20 and key30.
      const isGone = i === 5 || i === 3 || (i >= 20 && i < 30);
      const expected = isGone ? "nothing" : `value ${i} `.repeat(i);
      expect([i, text(await client.get(`key${i}`))]).toEqual([i, expected]);
    }
    expect(text(await client.get("lives"))).toBe("for an hour");
    await client.set("key1", "of the cluster");
    expect(text(await client.get("key1"))).toBe("of the cluster");
    client.close();
  });
});

test("D26: a standalone directory is not served, and stays what it is", async () => {
  await simulated(async (world) => {
    const cluster = new TestCluster(world, 1, []);
    const { machine } = cluster.store(1);
    await done(machine, fill);
    await cluster.coordinator.start();
    await expect(cluster.store(1).start()).rejects.toThrow("nokv migrate init --workdir /data");
    machine.crash("process");
    await done(machine, async (env) => {
      expect(lookAt(env, directory).state).toBe("standalone");
      const engine = await openEngine(env, directory);
      await engine.close();
    });
  });
});

test("a seed that lost MODE says so to whoever opens it, and what helps", async () => {
  await simulated(async (world) => {
    const machine = world.machine("one");
    await done(machine, fill);
    await done(machine, init);
    await done(machine, async (env) => {
      env.disk.remove(`${directory}/${modeName}`);
      await Promise.resolve();
    });
    const said = await refusal(machine, (env) => openEngine(env, directory));
    expect(said).toMatch(/lost its file MODE: .*MODE\.prev.*"nokv migrate rollback"/);
    await done(machine, async (env) => {
      await rollbackSeed(env, { directory, engine: {} }, () => {});
      const engine = await openEngine(env, directory);
      await engine.close();
    });
  });
});

test("D27: a store that lost MODE, or its Raft log too, is no database that anybody may write to", async () => {
  await simulated(async (world) => {
    const cluster = new TestCluster(world, 1, []);
    const seat = cluster.store(1);
    await done(seat.machine, fill);
    await done(seat.machine, init);
    expect(await refusal(seat.machine, (env) => openEngine(env, directory))).toContain("is the seed of a cluster");
    await cluster.start();
    await cluster.untilReady();
    await seat.stop();
    await done(seat.machine, async (env) => {
      env.disk.remove(`${directory}/${modeName}`);
      expect(lookAt(env, directory).state).toBe("cluster");
      await Promise.resolve();
    });
    expect(await refusal(seat.machine, (env) => openEngine(env, directory))).toContain("is a store of a cluster");
    expect(await refusal(seat.machine, (env) => rollbackSeed(env, { directory, engine: {} }, () => {}))).toContain(
      "it is a store of a cluster",
    );
    // Served again, it knows what it is.
    await seat.start();
    await cluster.untilReady();
    await seat.stop();
    await done(seat.machine, async (env) => {
      expect(lookAt(env, directory).mode?.mode).toBe("cluster");
      for (const name of env.disk.list(`${directory}/${raftDirectoryName}`)) {
        env.disk.remove(`${directory}/${raftDirectoryName}/${name}`);
      }
      env.disk.remove(`${directory}/${modeName}`);
      await Promise.resolve();
    });
    expect(await refusal(seat.machine, (env) => openEngine(env, directory))).toContain("is a store of a cluster");
  });
});

test("a checkpoint of before, and what a rollback leaves, are standalone databases with everything", async () => {
  await simulated(async (world) => {
    const machine = world.machine("one");
    await done(machine, fill);
    await done(machine, async (env) => {
      const order = { directory, clusterId: "test", storeId: 1, regions: 1, checkpoint: "/before", engine: {} };
      await initSeed(env, order, silent);
      expect(await rollbackSeed(env, { directory, engine: {} }, () => {})).toBe(true);
      expect(await rollbackSeed(env, { directory, engine: {} }, () => {})).toBe(false);
    });
    for (const path of [directory, "/before"]) {
      await done(machine, async (env) => {
        const db = await openDb(env, path);
        expect([...db.keys()].length).toBe(49);
        await db.set("more", "of it");
        await db.close();
      });
    }
  });
});

test("what no cluster takes is said before anything is changed", async () => {
  await simulated(async (world) => {
    const machine = world.machine("one");
    await done(machine, async (env) => {
      const db = await openDb(env, directory);
      await db.set("large", new Uint8Array(1_100_000));
      await db.close();
    });
    expect(await refusal(machine, init)).toContain("has 1100000 bytes; a cluster takes at most 1024000");
    await done(machine, async (env) => {
      expect(lookAt(env, directory).state).toBe("standalone");
      await Promise.resolve();
    });
  });
});
