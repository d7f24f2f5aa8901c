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

test("a store of three is lost: all its groups are led again as soon as one, for a few messages each", async () => {
  await inCluster(async (world, cluster) => {
    await untilAsleep(cluster, cluster.nodes);
    const [victim, ...others] = cluster.nodes as [StoreNode, ...StoreNode[]];
    const lost = ledBy([victim]);
    expect(lost).toBeGreaterThan(count / 4);
    const [fromUs, sent] = [world.nowUs, sentBy(others)];
    victim.crash();
    await cluster.until("all are led", () => ledBy(others) === count);
    // Ten ticks of silence, one to notice it, and their turns.
    expect((world.nowUs - fromUs) / tickUs).toBeLessThan(16);
    expect((sentBy(others) - sent) / lost).toBeLessThan(25);
    await untilAsleep(cluster, others);
  });
});
