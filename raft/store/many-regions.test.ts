// Goal: what many groups cost together, when they begin and when a store of theirs is lost, is in proportion to them.
// Method: three stores over simulated transports with some hundred regions; virtual time and messages are counted.
import { expect, test } from "vitest";
import { inSimulation } from "../../sim/in-simulation.test-support.ts";
import { networkFaultsNone } from "../../sim/network/network-faults.ts";
import type { World } from "../../sim/world.ts";
import type { RegionMeta } from "../region.ts";
import { Peer } from "./peer.ts";
import { StoreCluster, type StoreNode, regionOf } from "./store-cluster.test-support.ts";

const count = 600;
const tickUs = 20_000;

function keyOf(i: number): string {
  return `r${String(i).padStart(4, "0")}`;
}

const regions: readonly RegionMeta[] = Array.from({ length: count }, (_, i) => {
  return regionOf(i + 1, [1, 2, 3], keyOf(i), keyOf(i + 1));
});

function sleepers({ store }: StoreNode): number {
  return (store?.regions() ?? []).filter((peer) => peer instanceof Peer && peer.raft.quiesced).length;
}

function ledBy(nodes: readonly StoreNode[]): number {
  const led = new Set<number>();
  for (const { store } of nodes) {
    for (const { region, leadingTerm } of store?.regions() ?? []) if (leadingTerm > 0) led.add(region.id);
  }
  return led.size;
}

function sentBy(nodes: readonly StoreNode[]): number {
  return nodes.reduce((sum, { live }) => sum + live.stats.messagesOut, 0);
}

async function inCluster(run: (world: World, cluster: StoreCluster) => Promise<void>): Promise<void> {
  await inSimulation({
    seed: 5,
    run: async (world) => {
      // What is measured is what the stores make of a network that is as it should be.
      Object.assign(world.network.faults, networkFaultsNone);
      const cluster = new StoreCluster(world, 3, {});
      await cluster.start(regions);
      await run(world, cluster);
    },
  });
}

async function untilAsleep(cluster: StoreCluster, nodes: readonly StoreNode[]): Promise<void> {
  await cluster.until("all sleep", () => nodes.every((node) => sleepers(node) === count));
}

/** How long something took, and what was sent for it. */
class Account {
  readonly #world: World;
  readonly #nodes: readonly StoreNode[];
  readonly #fromUs: number;
  readonly #sentBefore: number;

  constructor(world: World, nodes: readonly StoreNode[]) {
    this.#world = world;
    this.#nodes = nodes;
    this.#fromUs = world.nowUs;
    this.#sentBefore = sentBy(nodes);
  }

  get ticks(): number {
    return (this.#world.nowUs - this.#fromUs) / tickUs;
  }

  messagesFor(regionCount: number): number {
    return (sentBy(this.#nodes) - this.#sentBefore) / regionCount;
  }
}

test("a store of three is lost: all its groups are led again as soon as one, for a few messages each", async () => {
  await inCluster(async (world, cluster) => {
    await untilAsleep(cluster, cluster.nodes);
    const [victim, ...others] = cluster.nodes as [StoreNode, ...StoreNode[]];
    const lost = ledBy([victim]);
    expect(lost).toBeGreaterThan(count / 4);
    const account = new Account(world, others);
    victim.crash();
    await cluster.until("all are led", () => ledBy(others) === count);
    // Ten ticks of silence, one to notice it, and their turns. It was 12, and 11 messages.
    expect(account.ticks).toBeLessThan(15);
    expect(account.messagesFor(lost)).toBeLessThan(15);
    await untilAsleep(cluster, others);
    // 24 and 27. With ten seconds until they sleep, and all leaders awake, it was 115 and 378.
    expect(account.ticks).toBeLessThan(30);
    expect(account.messagesFor(lost)).toBeLessThan(35);
  });
});

test("all stores begin anew at once: their groups stand in turns, and soon all are led and asleep", async () => {
  await inCluster(async (world, cluster) => {
    await untilAsleep(cluster, cluster.nodes);
    for (const node of cluster.nodes) node.crash();
    for (const node of cluster.nodes) await node.boot();
    const account = new Account(world, cluster.nodes);
    await cluster.until("all are led", () => ledBy(cluster.nodes) === count);
    // Their timers run out in the tenth to twentieth tick. It was 18.5, and 27 messages.
    expect(account.ticks).toBeLessThan(25);
    expect(account.messagesFor(count)).toBeLessThan(35);
    await untilAsleep(cluster, cluster.nodes);
    // 29 and 39.
    expect(account.ticks).toBeLessThan(40);
    expect(account.messagesFor(count)).toBeLessThan(50);
  });
});
