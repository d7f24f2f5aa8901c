import { assert } from "../core/assert.ts";
import { compareKeys } from "../core/bytes/record.ts";
import { openEngine } from "../core/engine/engine.ts";
import { NokvError } from "../core/errors.ts";
import { versionMs } from "../core/lsm/drop-rules.ts";
import { ClusterAdmin } from "../node/migrate/cluster-admin.ts";
import { lookAt } from "../node/migrate/look.ts";
import { type CoordinatorNode, openCoordinatorNode } from "../node/coordinator-node.ts";
import { openClusterClient } from "../node/open-cluster-client.ts";
import { openStoreNode, type StoreNode } from "../node/store-node.ts";
import type { CoordinatorPlace, Topology } from "../node/topology.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { World } from "../sim/world.ts";
import { isThere, type Written } from "./migrate-init-writer.ts";

export interface ServeOrder {
  readonly directory: string;
  readonly written: readonly Written[];
  readonly dice: Dice;
}

const patienceMs = 120_000;

/** The seed becomes the only store of a cluster, whose processes end meanwhile, and shows and takes every key. */
export async function serveSeed(world: World, machine: Machine, order: ServeOrder): Promise<void> {
  const { directory, written, dice } = order;
  const topology = topologyOf(directory);
  const baseTs = lookAt((await booted(machine)).env, directory).mode?.baseTs ?? 0;
  machine.crash("process");
  const coordinator = world.machine("coordinator");
  let node: StoreNode | null = null;
  for (let life = dice.below(3); node === null; life--) {
    if (!coordinator.up) await startCoordinator(coordinator, topology);
    node = await startStore(machine, topology, life > 0 ? dice.between(1, 400) : 0);
    if (node === null) continue;
    const isReady = await until(world, () => !machine.up || node?.waitingFor().length === 0);
    if (machine.up && !isReady) world.fail("progress", `the seed waits for ${node.waitingFor().join()}`);
    if (!machine.up || life > 0) node = null;
    if (machine.up && life > 0) machine.crash(dice.pick(["process", "power"] as const));
    if (life > 0 && dice.chance(1, 3)) coordinator.crash(dice.pick(["process", "power"] as const));
  }
  await judgeServed(world, topology, { ...order, baseTs });
  await node.close();
  machine.crash("process");
  const outcome = await machine.run((env) => openEngine(env, directory));
  if (outcome.kind !== "failed" || !(outcome.error instanceof NokvError)) {
    world.fail("mode-gate", "the embedded opening is let into a store of a cluster");
  }
  machine.crash("process");
  world.story(`served: ${written.length} keys`);
}

async function booted(machine: Machine): Promise<Machine> {
  machine.boot();
  await Promise.resolve();
  return machine;
}

async function startCoordinator(machine: Machine, { coordinators, clusterId }: Topology): Promise<CoordinatorNode> {
  const [coordinator] = coordinators;
  assert(coordinator !== undefined, "a topology has a Coordinator");
  const outcome = await machine.run((env) =>
    openCoordinatorNode(env, {
      workDir: coordinator.workDir, listen: coordinator.listen, clusterId, owner: "coordinator", diagnostics: null,
      firstRegions: [],
    }),
  );
  if (outcome.kind === "done") return outcome.value;
  throw outcome.kind === "failed" ? outcome.error : new Error("the Coordinator ended by itself");
}

/** Null: it ended at call `crashAt`. */
async function startStore(machine: Machine, topology: Topology, crashAt: number): Promise<StoreNode | null> {
  const [place] = topology.stores;
  if (place === undefined) return null;
  machine.boot();
  if (crashAt > 0) machine.crashAtCall(crashAt, "process");
  const { storeId, listen, address, workDir } = place;
  const outcome = await machine.run((env) =>
    openStoreNode(env, {
      storeId, topology, workDir, listen, address, diagnostics: null, engine: {},
      onFatal: (error) => {
        throw error;
      },
    }),
  );
  if (outcome.kind === "failed") throw outcome.error;
  return outcome.kind === "done" ? outcome.value : null;
}

async function until(world: World, holds: () => boolean): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += 50) {
    if (holds()) return true;
    await world.sleep(50);
  }
  return false;
}

interface Served extends ServeOrder {
  readonly baseTs: number;
}

async function judgeServed(world: World, topology: Topology, { written, baseTs, dice }: Served): Promise<void> {
  const machine = world.machine("client");
  const env = machine.boot();
  const admin = new ClusterAdmin(env, topology);
  const stamped = await admin.timestamp();
  if (stamped.error !== null) world.fail("progress", `no timestamp: ${stamped.error.message}`);
  else if (stamped.value <= baseTs) world.fail("fence", `timestamp ${stamped.value} is not above ${baseTs}`);
  admin.close();
  const client = openClusterClient(env, { topology });
  const shown = await client.transact(async (txn) => await txn.scan(new Uint8Array(0), null, 10_000));
  const nowMs = versionMs(stamped.value ?? 0);
  for (const { key, value, expiresAtMs } of written) {
    const found = shown.find(([other]) => compareKeys(other, key) === 0);
    // What ends about now may be seen or not.
    if (expiresAtMs !== 0 && Math.abs(expiresAtMs - nowMs) < 10_000) continue;
    const isRight = isThere(expiresAtMs, nowMs) ? found !== undefined && compareKeys(found[1], value) === 0 : !found;
    const shows = found?.[1].length ?? "nothing";
    if (!isRight) world.fail("content", `key ${key.join()} shows ${shows}, not ${value.length}`);
  }
  const known = new Set(written.map(({ key }) => key.join()));
  const stranger = shown.find(([key]) => !known.has(key.join()));
  if (stranger !== undefined) world.fail("content", `key ${stranger[0].join()} was never written`);
  for (const { key } of written.slice(0, 5)) {
    const value = dice.bytes(9);
    await client.set(key, value);
    const read = await client.get(key);
    const isNew = read !== null && compareKeys(read, value) === 0;
    if (!isNew) world.fail("content", `key ${key.join()} stays what it was`);
  }
  client.close();
  machine.crash("process");
}

function topologyOf(directory: string): Topology {
  const place = (host: string, workDir: string): Omit<CoordinatorPlace, "memberId"> => {
    const address = { host, port: 7_000 };
    return { address, listen: address, workDir, metrics: null };
  };
  return {
    clusterId: "migrated", maxRetries: 8, coordinators: [{ memberId: 0, ...place("coordinator", "/data") }],
    redis: null, redisMetrics: null, stores: [{ storeId: 1, ...place("store-1", directory) }], regions: [],
  };
}
