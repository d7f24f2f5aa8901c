// Goal: what an operation of a cluster costs, in syncs, frames and bytes of the logs, does not grow unnoticed.
// Method: one fixed run without faults, of three stores and one region; counts, not times, so that it is exact.
import { expect, test } from "vitest";
import { startJob } from "../core/lsm/job-starter.ts";
import { TestCluster } from "../node/cluster.test-support.ts";
import { openGatewayNode } from "../node/gateway-node.ts";
import { inSimulation } from "../sim/in-simulation.test-support.ts";
import type { World } from "../sim/world.ts";
import type { TxnClient } from "../txn/remote/txn-client.ts";
import { bytesOf } from "./txn-user.ts";

const operations = 100;

interface Counts {
  readonly logSyncs: number;
  readonly logFrames: number;
  readonly logBytes: number;
  readonly engineSyncs: number;
  readonly framesIn: number;
  readonly bytesOut: number;
  readonly entries: number;
}

/** Per operation, in thousandths: integers, so that they are compared exactly. */
type Costs = { readonly [K in keyof Counts]: number };

function countsOf({ stores, coordinator }: TestCluster): Counts {
  const nodes = stores.map(({ node }) => node);
  const sum = (of: (node: (typeof nodes)[number]) => number): number =>
    nodes.reduce((total, node) => total + of(node), 0);
  return {
    logSyncs: sum(({ log }) => log.stats().syncs),
    logFrames: sum(({ log }) => log.stats().frames),
    logBytes: sum(({ log }) => log.stats().writtenBytes),
    engineSyncs: sum(({ engine }) => engine.stats().walSyncs),
    framesIn: sum(({ transport }) => transport.statistics.framesIn) + coordinator.node.transport.statistics.framesIn,
    bytesOut: sum(({ transport }) => transport.statistics.bytesOut) + coordinator.node.transport.statistics.bytesOut,
    entries: sum(({ store }) => store.stats.entriesApplied) / nodes.length,
  };
}

function put(client: TxnClient, key: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const expiry = { kind: "never" } as const;
    const order = { key: bytesOf(key), value: bytesOf("x".repeat(100)), expiry, condition: "always" } as const;
    client.atomic({ kind: "put", ...order, returning: false }, {}, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

function read(client: TxnClient, key: string): Promise<void> {
  return new Promise((resolve, reject) => {
    client.get(bytesOf(key), {}, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

/** What is far below its bound deserves a lower one. */
function expectWithin(costs: Costs, most: Costs): void {
  const over = Object.entries(most).filter(([name, bound]) => costs[name as keyof Costs] > bound);
  expect(over, JSON.stringify(costs)).toEqual([]);
}

/** What `work` costs beyond what an idle cluster does in the same time. */
async function costOf(world: World, cluster: TestCluster, work: () => Promise<void>): Promise<Costs> {
  const before = countsOf(cluster);
  const fromUs = world.nowUs;
  await work();
  const after = countsOf(cluster);
  const lastedUs = world.nowUs - fromUs;
  await world.sleep(lastedUs / 1_000);
  const idle = countsOf(cluster);
  const per = (of: (counts: Counts) => number): number => {
    return Math.round(((of(after) - of(before) - (of(idle) - of(after))) * 1_000) / operations);
  };
  return {
    logSyncs: per((counts) => counts.logSyncs),
    logFrames: per((counts) => counts.logFrames),
    logBytes: per((counts) => counts.logBytes),
    engineSyncs: per((counts) => counts.engineSyncs),
    framesIn: per((counts) => counts.framesIn),
    bytesOut: per((counts) => counts.bytesOut),
    entries: per((counts) => counts.entries),
  };
}

function simulated(run: (world: World, cluster: TestCluster, client: TxnClient) => Promise<void>): Promise<unknown> {
  return inSimulation({
    seed: 3,
    startJob,
    run: async (world) => {
      const cluster = new TestCluster(world, 3, [""]);
      await cluster.start();
      await cluster.untilReady();
      const gateway = await openGatewayNode(world.machine("gateway").boot(), {
        topology: cluster.topology,
        listen: { host: "0.0.0.0", port: 6_379 },
        gateway: { protectedMode: false },
        diagnostics: null,
      });
      await put(gateway.client, "warm");
      await run(world, cluster, gateway.client);
      await gateway.close();
    },
  });
}

test("writes one after the other: an entry, and a sync of each log, for each", async () => {
  await simulated(async (world, cluster, client) => {
    const costs = await costOf(world, cluster, async () => {
      for (let i = 0; i < operations; i++) await put(client, `key-${i}`);
    });
    const most = {
      logSyncs: 3_000, logFrames: 4_900, logBytes: 860_000, engineSyncs: 0, framesIn: 12_200, bytesOut: 710_000,
      entries: 1_000,
    };
    expectWithin(costs, most);
    expect(costs.entries).toBeGreaterThan(950);
  });
});

test("writes at once: they share entries and syncs", async () => {
  await simulated(async (world, cluster, client) => {
    const costs = await costOf(world, cluster, async () => {
      await Promise.all(Array.from({ length: operations }, (_, i) => put(client, `key-${i}`)));
    });
    // One greeting of a store more or less falls into the time of the work: ten thousandths.
    const most = {
      logSyncs: 60, logFrames: 80, logBytes: 420_000, engineSyncs: 0, framesIn: 170, bytesOut: 300_000, entries: 20,
    };
    expectWithin(costs, most);
  });
});

test("reads: no entry and no sync", async () => {
  await simulated(async (world, cluster, client) => {
    const costs = await costOf(world, cluster, async () => {
      for (let i = 0; i < operations; i++) await read(client, "warm");
    });
    const most = {
      logSyncs: 0, logFrames: 20, logBytes: 1_000, engineSyncs: 0, framesIn: 5_100, bytesOut: 275_000, entries: 0,
    };
    expectWithin(costs, most);
  });
});
