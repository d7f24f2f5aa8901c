/** A Coordinator, a store with everything and two empty ones in a simulated world, and an operator's machine. */
import { expect } from "vitest";
import type { Env } from "../../core/env/env.ts";
import { startJob } from "../../core/lsm/job-starter.ts";
import { inSimulation } from "../../sim/in-simulation.test-support.ts";
import type { Machine, RunOutcome } from "../../sim/machine.ts";
import type { World } from "../../sim/world.ts";
import type { ClusterClient } from "../cluster-client.ts";
import { TestCluster } from "../cluster.test-support.ts";
import { openClusterClient } from "../open-cluster-client.ts";
import { ClusterAdmin } from "./cluster-admin.ts";
import type { ExpandOrder } from "./expand.ts";
import type { ExpandEvent, ExpandWorld } from "./region-expansion.ts";
import { ExpandJournal } from "./expand-journal.ts";

export const toTwoMore: ExpandOrder = { regionId: 1, stores: [2, 3], allowTwo: false };

export interface Stage {
  readonly world: World;
  readonly cluster: TestCluster;
  readonly operator: Machine;
  readonly events: ExpandEvent[];
  /** In a process of its own. */
  act<T>(run: (world: ExpandWorld) => Promise<T>, before?: (machine: Machine) => void): Promise<RunOutcome<T>>;
}

export function staged(seed: number, run: (stage: Stage) => Promise<void>): Promise<unknown> {
  return inSimulation({
    seed,
    startJob,
    run: async (world) => {
      const cluster = new TestCluster(world, 3, [""], 1);
      await cluster.start();
      await cluster.untilReady();
      const operator = world.machine("operator");
      const events: ExpandEvent[] = [];
      const stage: Stage = {
        world, cluster, operator, events,
        act: async (work, before) => {
          const outcome = await operator.run(async (env) => {
            before?.(operator);
            return await withWorld(env, cluster, events, work);
          });
          operator.crash("process");
          return outcome;
        },
      };
      const filled = await operator.run(async (env) => {
        const client = openClusterClient(env, { topology: cluster.topology });
        for (let i = 0; i < 30; i++) await client.set(`key-${i}`, `value-${i}`);
        client.close();
      });
      expect(filled).toMatchObject({ kind: "done" });
      operator.crash("process");
      await run(stage);
      for (const store of cluster.stores) if (store.up) await store.stop();
      await cluster.coordinator.stop();
      expect(cluster.fatal).toEqual([]);
    },
  });
}

// oxlint-disable-next-line max-params
async function withWorld<T>(
  env: Env,
  cluster: TestCluster,
  events: ExpandEvent[],
  work: (world: ExpandWorld) => Promise<T>,
): Promise<T> {
  const admin = new ClusterAdmin(env, cluster.topology);
  const journal = await ExpandJournal.open(env, "/journal", cluster.topology.clusterId, "operator");
  const pace = { pollMs: 100, stallMs: 20_000 };
  try {
    return await work({ env, admin, journal, pace, report: (event) => void events.push(event) });
  } finally {
    journal.close();
    admin.close();
  }
}

export function rolesOf(cluster: TestCluster): string {
  const region = cluster.store(1).node.store.region(1)?.region;
  return (region?.peers ?? []).map(({ storeId, role }) => `${storeId} ${role}`).join(", ");
}

/** Throws what it threw. */
export function valueOf<T>(outcome: RunOutcome<T>): T {
  if (outcome.kind === "failed") throw outcome.error;
  if (outcome.kind === "crashed") throw new Error("the operator's process crashed");
  return outcome.value;
}

/** As a program that uses the cluster. */
export async function asClient<T>(stage: Stage, work: (client: ClusterClient) => Promise<T>): Promise<T> {
  const machine = stage.world.machine("client");
  const outcome = await machine.run(async (env) => {
    const client = openClusterClient(env, { topology: stage.cluster.topology });
    const value = await work(client);
    client.close();
    return value;
  });
  machine.crash("process");
  return valueOf(outcome);
}
