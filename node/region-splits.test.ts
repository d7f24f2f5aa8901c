// Goal: regions that grow are divided by themselves, clients follow, and the Coordinator learns of it, whoever dies.
// Method: whole clusters in a simulated world without faults but those of a story, written through a gateway's client.
import { expect, test } from "vitest";
import { CoordinatorClient } from "../coordinator/service/client.ts";
import type { KvEntry } from "../core/kv/kv.ts";
import { startJob } from "../core/lsm/job-starter.ts";
import { Transport } from "../net/rpc/transport.ts";
import { describeRegion } from "../raft/region.ts";
import type { ChangeOutcome } from "../raft/store/requests.ts";
import { inSimulation } from "../sim/in-simulation.test-support.ts";
import type { World } from "../sim/world.ts";
import { ClusterKv } from "../txn/remote/cluster-kv.ts";
import { TxnClient } from "../txn/remote/txn-client.ts";
import { AddressBook } from "./address-book.ts";
import { TestCluster } from "./cluster.test-support.ts";
import { RangePlans } from "./range-plans.ts";
import { RegionSplitter } from "./region-splitter.ts";
import type { StoreNode } from "./store-node.ts";

const encoder = new TextEncoder();

interface Client {
  readonly kv: ClusterKv;
  readonly coordinator: CoordinatorClient;
  close(): void;
}

function clientOf(world: World, { topology }: TestCluster): Client {
  const { clock, random, network, trace } = world.machine("client").boot();
  const book = new AddressBook(topology);
  const transport = new Transport({ clock, random, network, trace }, {
    identity: { clusterId: topology.clusterId, storeId: 0, incarnation: 1, role: "gateway", features: 0 },
    options: {},
    resolve: (storeId, done) => book.resolve(storeId, done),
    hooks: { onMessage: () => {}, onUnreachable: () => {} },
    streams: null,
  });
  const coordinator = new CoordinatorClient(clock, transport);
  book.askWith(coordinator);
  const client = new TxnClient({ clock, random, caller: transport, coordinator, options: {} });
  return {
    kv: new ClusterKv(client, clock),
    coordinator,
    close: () => {
      client.close();
      transport.close();
    },
  };
}

async function put({ kv }: Client, key: string, value: string): Promise<void> {
  const [name, bytes] = [encoder.encode(key), encoder.encode(value)];
  await new Promise<void>((resolve, reject) => {
    const expiry = { kind: "never" } as const;
    const put = { kind: "put", key: name, value: bytes, condition: "always", expiry, returning: false } as const;
    kv.mutate(put, (error) => (error === null ? resolve() : reject(error)));
  });
}

async function readAll({ kv }: Client, keys: readonly string[]): Promise<readonly (KvEntry | null)[]> {
  return await new Promise((resolve, reject) => {
    const names = keys.map((key) => encoder.encode(key));
    kv.read(names, (error, entries) => (error === null ? resolve(entries) : reject(error)));
  });
}

function leaderOf(cluster: TestCluster, regionId: number): StoreNode | null {
  const seat = cluster.stores.find(({ up, node }) => up && (node.store.region(regionId)?.leadingTerm ?? 0) > 0);
  return seat?.node ?? null;
}

function splitterOf({ store }: StoreNode, world: World, client: Client): RegionSplitter {
  const { clock, trace } = world.machine("client").env;
  const plans = new RangePlans({ clock, client: client.coordinator, store, retryMs: 200 });
  return new RegionSplitter({ clock, trace, client: client.coordinator, store, plans });
}

test("a region that grows is divided, and again, while clients write to it", async () => {
  await inSimulation({
    seed: 61,
    startJob,
    run: async (world) => {
      const cluster = new TestCluster(world, 3, [""], 3, { regionSplitBytes: 40_000, checkMs: 300 });
      await cluster.start();
      await cluster.untilReady();
      const client = clientOf(world, cluster);
      const keys = Array.from({ length: 300 }, (_, at) => `key${String((at * 7) % 300).padStart(4, "0")}`);
      for (const key of keys) await put(client, key, key.repeat(60));
      await cluster.until("it is divided", () => cluster.stores.every(({ node }) => node.store.regions().length >= 4));
      const entries = await readAll(client, keys);
      expect(entries.every((entry, at) => entry?.value.length === (keys[at]?.length ?? 0) * 60)).toBe(true);
      await cluster.until("the Coordinator knows all of them, and that nothing is under way", () => {
        const { regions, pendingRangeChanges } = cluster.coordinator.node.coordinator.state;
        return regions.length === cluster.store(1).node.store.regions().length && pendingRangeChanges.length === 0;
      });
      client.close();
      expect(cluster.fatal).toEqual([]);
    },
  });
});

test("a region is divided by hand, its children answer, and a plan that nobody ended is taken back", async () => {
  await inSimulation({
    seed: 62,
    startJob,
    run: async (world) => {
      const cluster = new TestCluster(world, 3, [""]);
      await cluster.start();
      await cluster.untilReady();
      const client = clientOf(world, cluster);
      await put(client, "k", "1");
      const leader = leaderOf(cluster, 1);
      if (leader === null) throw new Error("nobody leads");
      await new Promise<void>((resolve) => {
        const base = { version: 1, confVer: 1 };
        const plan = { transitionId: "of-the-dead", regionId: 1, base, splitKeys: [encoder.encode("c")] };
        const event = { kind: "RegionSplitPlanned", ...plan, otherIds: [7_777] } as const;
        client.coordinator.publish(event, 0, () => resolve());
      });
      const splitter = splitterOf(leader, world, client);
      const split = (key: string): Promise<ChangeOutcome> =>
        new Promise((resolve) => splitter.split(1, [encoder.encode(key)], resolve));
      const [done, late] = await Promise.all([split("g"), split("h")]);
      expect(late).toEqual({ kind: "refused", reason: "it is being divided already" });
      expect(done.kind === "done" ? describeRegion(done.region) : done.reason).toBe('1 [-, "g") v2 c1');
      await put(client, "k", "2");
      expect(await readAll(client, ["k"])).toMatchObject([{ value: encoder.encode("2") }]);
      await cluster.until("the plan is settled", () => {
        const { regions, pendingRangeChanges } = cluster.coordinator.node.coordinator.state;
        return regions.length === 2 && pendingRangeChanges.length === 0;
      });
      cluster.coordinator.crash("process");
      expect(await split("c")).toMatchObject({ kind: "refused" });
      client.close();
    },
  });
});
