// Goal: a store that meets damage in its directory stops for good and says what and where, and the others go on.
// Method: whole nodes in a simulated world; one disk is damaged by hand, or one store is told of damage.
import { expect, test } from "vitest";
import { verifyDirectory } from "../core/engine/verify.ts";
import { corruption, type NokvError } from "../core/errors.ts";
import { startJob } from "../core/lsm/job-starter.ts";
import { standaloneGate } from "../core/manifest/format-gate.ts";
import type { AtRestDamage } from "../sim/disk/disk-faults.ts";
import { inSimulation } from "../sim/in-simulation.test-support.ts";
import type { World } from "../sim/world.ts";
import { TestCluster } from "./cluster.test-support.ts";
import { damageNoteName } from "./damage-note.ts";
import { DamageWatch } from "./damage-watch.ts";
import { admit } from "./migrate/look.ts";

function simulated(seed: number, run: (world: World) => Promise<void>): Promise<unknown> {
  return inSimulation({ seed, run, startJob });
}

test("what was damaged once is refused by every later process, until somebody has looked", async () => {
  await simulated(1, async (world) => {
    const cluster = new TestCluster(world, 3, [""]);
    await cluster.start();
    await cluster.untilReady();
    const sick = cluster.store(2);
    const { store } = sick.node;
    await sick.machine.run(() => {
      store.guard(() => {
        throw corruption("/data/table-000001.sst", 512, "bad checksum of a table block", "restore this file");
      });
      return Promise.resolve();
    });
    const remedy = "under a new id with an empty directory, and take this one out with `nokv stores decommission`";
    expect(cluster.fatal).toHaveLength(1);
    expect(cluster.fatal[0]).toMatchObject({ code: "NOKV_CORRUPTION", path: "/data/table-000001.sst", offset: 512 });
    expect(cluster.fatal[0]?.message).toBe(
      "/data/table-000001.sst: offset 512: bad checksum of a table block; the store in /data serves no more " +
        `(its replicas are whole elsewhere: start another store ${remedy})`,
    );
    sick.crash("power");
    await expect(sick.start()).rejects.toThrow(/^\/data is not served any more: \/data\/table-000001\.sst: offset 512/);
    sick.crash("process");
    const isLed = (): boolean => [1, 3].some((id) => (cluster.store(id).node.store.region(1)?.leadingTerm ?? 0) > 0);
    await cluster.until("the others lead", isLed);
    // As the refusal advises.
    const verified = await sick.machine.run((env) => verifyDirectory(env, "/data"));
    expect(verified).toMatchObject({ kind: "done", value: { sound: true } });
    sick.crash("process");
    await sick.machine.run((env) => {
      env.disk.remove(`/data/${damageNoteName}`);
      return Promise.resolve();
    });
    sick.crash("process");
    await sick.start();
    await cluster.untilReady();
  });
});

test("a store whose directory is gone, or an older copy, ends with what happened and what to do", async () => {
  await simulated(6, async (world) => {
    const cluster = new TestCluster(world, 3, [""]);
    await cluster.start();
    await cluster.untilReady();
    const lost = cluster.store(2);
    for (let again = 0; again < 2; again++) {
      lost.crash("process");
      await lost.start();
      await cluster.untilReady();
    }
    lost.crash("process");
    lost.machine.disk.wipe();
    await lost.start();
    await cluster.until("it is told", () => cluster.fatal.length > 0);
    expect(cluster.fatal[0]?.message).toMatch(
      /^a later process of store 2 is known \(connection 1\.1 of store 2, after 3\.\d+\): \/data began anew/,
    );
    lost.crash("process");
    await expect(lost.start()).rejects.toThrow("/data is not served any more: a later process of store 2 is known");
  });
});

test("a store that lost its directory is refused at later starts, too, by a Coordinator that began anew", async () => {
  await simulated(7, async (world) => {
    const cluster = new TestCluster(world, 3, [""]);
    await cluster.start();
    await cluster.untilReady();
    const lost = cluster.store(2);
    lost.crash("process");
    lost.machine.disk.wipe();
    cluster.coordinator.crash("process");
    // Nobody answers the first time.
    await lost.start();
    await world.sleep(3_000);
    lost.crash("process");
    await cluster.coordinator.start();
    await lost.start();
    await cluster.until("it is told", () => cluster.fatal.length > 0);
    expect(cluster.fatal[0]?.message).toMatch(/^store 2 has joined before, and its directory is empty/);
    lost.crash("process");
    await lost.start();
    await cluster.until("it is told again", () => cluster.fatal.length > 1);
  });
});

test("a Raft log that rots is refused with what to do about a store", async () => {
  await simulated(4, async (world) => {
    const cluster = new TestCluster(world, 3, [""]);
    await cluster.start();
    await cluster.untilReady();
    const sick = cluster.store(3);
    await sick.node.close();
    sick.crash("power");
    const isLog = (path: string, offset: number): boolean => path.includes("/raft/") && offset < 1_024;
    let damage: AtRestDamage | null = null;
    for (let i = 0; i < 100 && damage === null; i++) damage = sick.machine.disk.corruptAtRest("bit-rot", isLog);
    expect(damage).not.toBeNull();
    await expect(sick.start()).rejects.toThrow(/^\/data\/raft\/raft-\d+\.log: offset .*another store under a new id/);
  });
});

test("a store whose Raft log is gone does not begin anew under its name", async () => {
  await simulated(3, async (world) => {
    const cluster = new TestCluster(world, 3, [""]);
    await cluster.start();
    await cluster.untilReady();
    const sick = cluster.store(3);
    sick.crash("process");
    await sick.machine.run(({ disk }) => {
      for (const name of disk.list("/data/raft")) disk.remove(`/data/raft/${name}`);
      return Promise.resolve();
    });
    for (let opening = 0; opening < 2; opening++) {
      sick.crash("process");
      await expect(sick.start()).rejects.toThrow(/^\/data\/raft: .*its Raft log is gone; .*start another store/);
    }
  });
});

test("a manifest that has lost what it said before MODE is damage", () => {
  const blank = { migrationId: "", clusterId: "c", storeId: 1, regions: [], baseTs: 0, verify: null };
  const mode = { ...blank, mode: "cluster", step: "done" } as const;
  const look = { mode, gate: standaloneGate, state: "illegal" } as const;
  for (const [hasDatabase, lost] of [[true, "the manifest has lost its last edits"], [false, "CURRENT is missing"]]) {
    expect(() => admit("serve", "/data", { ...look, hasDatabase: hasDatabase === true })).toThrow(
      expect.objectContaining({ code: "NOKV_CORRUPTION", message: expect.stringContaining(String(lost)) as string }),
    );
  }
});

test("damage that only background work meets is told once", () => {
  const told: string[] = [];
  let damage: NokvError | null = null;
  const watch = new DamageWatch({
    clock: {
      monotonicUs: () => 0, wallMs: () => 0, soon: () => {}, after: () => ({ cancel: () => {} }),
      wallUncertaintyMs: () => 0,
    },
    engine: { damage: null },
    log: {
      get damage() {
        return damage;
      },
    },
    everyMs: 1_000,
    failed: ({ message }) => void told.push(message),
  });
  watch.start();
  watch.look();
  expect(told).toEqual([]);
  damage = corruption("/data/raft/raft-000001.log", 64, "entries do not match their checksum");
  watch.look();
  expect(told).toEqual(["/data/raft/raft-000001.log: offset 64: entries do not match their checksum"]);
});
