// Goal: a region that is divided, by example: what its children are, who leads them, and what a crash leaves of it.
// Method: three stores in a simulated world; commands go to the leader's store as an operator's do.
import { expect, test } from "vitest";
import { splitAfterApply, splitAfterLog, splitBeforePublish } from "../../failpoints/catalog.ts";
import { inSimulation } from "../../sim/in-simulation.test-support.ts";
import { describeRegion } from "../region.ts";
import type { SplitItem } from "./admin-entry.ts";
import type { ChangeOutcome } from "./requests.ts";
import { StoreCluster, type StoreNode, regionOf } from "./store-cluster.test-support.ts";

const encoder = new TextEncoder();
const stores = [1, 2, 3];

function item(key: string, regionId: number): SplitItem {
  return { key: encoder.encode(key), regionId, peerIds: stores.map((store) => regionId * 100 + store) };
}

async function split(leader: StoreNode, regionId: number, items: readonly SplitItem[]): Promise<ChangeOutcome> {
  return await new Promise((resolve) => leader.live.admin.split(regionId, items, resolve));
}

function mapOf(node: StoreNode): string {
  return node.live.regions().map(({ region }) => describeRegion(region)).join(", ");
}

async function withCluster(seed: number, run: (cluster: StoreCluster) => Promise<void>): Promise<void> {
  await inSimulation({
    seed,
    run: async (world) => {
      const cluster = new StoreCluster(world, 3);
      await cluster.start([regionOf(1, stores)]);
      await run(cluster);
    },
  });
}

test("a region is divided at its keys, and each part serves what lies in it", async () => {
  await withCluster(41, async (cluster) => {
    const leader = await cluster.leaderOf(1);
    await cluster.say(1, "k=before");
    const outcome = await split(leader, 1, [item("g", 2), item("p", 3)]);
    expect(outcome.kind === "done" && [outcome.region, ...outcome.children].map(describeRegion)).toEqual([
      '1 [-, "g") v3 c1', '2 ["g", "p") v3 c1', '3 ["p", -) v3 c1',
    ]);
    for (const id of [2, 3]) {
      // Whoever led the parent leads its children, at once.
      expect((await cluster.leaderOf(id)).storeId).toBe(leader.storeId);
    }
    await cluster.say(2, "k=after");
    await cluster.until("everybody has it", () => cluster.nodes.every((node) => node.words("k") === "before,after,"));
    const map = '1 [-, "g") v3 c1, 2 ["g", "p") v3 c1, 3 ["p", -) v3 c1';
    for (const node of cluster.nodes) expect(mapOf(node)).toBe(map);
  });
});

test("what was proposed for the region before it was divided does nothing behind that", async () => {
  await withCluster(42, async (cluster) => {
    const leader = await cluster.leaderOf(1);
    const divided = split(leader, 1, [item("g", 2)]);
    const said = new Promise((resolve) => leader.toy(1)?.say("k=late", resolve));
    expect((await divided).kind).toBe("done");
    expect(await said).toBe("stale");
    expect(leader.words("k")).toBe("");
  });
});

test("D22: a split that comes again is judged by the region's epoch, whatever its range has become", async () => {
  await withCluster(43, async (cluster) => {
    const leader = await cluster.leaderOf(1);
    const [first, again] = [split(leader, 1, [item("m", 2)]), split(leader, 1, [item("m", 3)])];
    expect((await first).kind).toBe("done");
    expect(await again).toEqual({ kind: "refused", reason: "the region has changed since" });
    await cluster.leaderOf(2);
    await split(leader, 1, [item("c", 4)]);
    await split(await cluster.leaderOf(2), 2, [item("t", 5)]);
    for (const node of cluster.nodes) node.crash();
    for (const node of cluster.nodes) await node.boot();
    await cluster.leaderOf(5);
    const map = '1 [-, "c") v3 c1, 2 ["m", "t") v3 c1, 4 ["c", "m") v3 c1, 5 ["t", -) v3 c1';
    for (const node of cluster.nodes) await cluster.until("all are there again", () => mapOf(node) === map);
  });
});

test("what is no split is refused before it is proposed, and says why", async () => {
  await withCluster(44, async (cluster) => {
    const leader = await cluster.leaderOf(1);
    await split(leader, 1, [item("m", 2)]);
    const refusals = [
      [],
      [item("m", 3)],
      [item("z", 3)],
      [item("c", 3), item("b", 4)],
      [item("c", 1)],
      [{ ...item("c", 3), peerIds: [7] }],
      [{ ...item("c", 3), peerIds: [9, 8, 7] }],
    ];
    const reasons: string[] = [];
    for (const items of refusals) {
      const outcome = await split(leader, 1, items);
      reasons.push(outcome.kind === "done" ? "done" : outcome.reason);
    }
    expect(reasons).toEqual([
      "it names no key",
      "a key is not in the region",
      "a key is not in the region",
      "a key is not behind the one before, or not behind the region's start",
      "a region's id is taken",
      "a child has another number of peers",
      "region 3: its peers are not sorted by id, or one is there twice",
    ]);
    await cluster.leaderOf(2);
    expect(mapOf(leader)).toBe('1 [-, "m") v2 c1, 2 ["m", -) v2 c1');
  });
});

const moments = [splitAfterApply, splitAfterLog, splitBeforePublish];

test.each(moments)("a crash at $name loses no part of it", async (point) => {
  await withCluster(45, async (cluster) => {
    const leader = await cluster.leaderOf(1);
    await cluster.say(1, "k=before");
    const others = cluster.nodes.filter((node) => node !== leader);
    for (const node of others) node.machine.failpoints.arm(point, { kind: "crash", percent: 100, count: 1 });
    expect((await split(leader, 1, [item("g", 2)])).kind).toBe("done");
    await cluster.until("both crash", () => others.every((node) => !node.machine.up));
    for (const node of others) {
      node.crash();
      await node.boot();
    }
    await cluster.say(2, "k=after");
    await cluster.until("everybody has it", () => cluster.nodes.every((node) => node.words("k") === "before,after,"));
  });
});
