// Goal: two regions that become one, by example: what serves meanwhile, what a crash at each step leaves, and how a
// freeze is taken back.
// Method: three stores in a simulated world; commands go to the leader's store as an operator's do.
import { describe, expect, test } from "vitest";
import {
  mergeAfterCommit,
  mergeAfterFreeze,
  mergeAfterRollback,
  mergeBeforeCommit,
  tombstoneBeforeLog,
} from "../../failpoints/catalog.ts";
import { inSimulation } from "../../sim/in-simulation.test-support.ts";
import { describeRegion } from "../region.ts";
import type { ChangeOutcome } from "./requests.ts";
import { StoreCluster, type StoreNode, regionOf } from "./store-cluster.test-support.ts";
import type { StoreOptions } from "./store-options.ts";

const stores = [1, 2, 3];

async function merge(node: StoreNode, regionId: number, targetId: number): Promise<ChangeOutcome> {
  return await new Promise((resolve) => node.live.admin.merge(regionId, targetId, resolve));
}

function refusal(reason: RegExp): object {
  return { kind: "refused", reason: expect.stringMatching(reason) };
}

function mapOf(node: StoreNode): string {
  return node.live.regions().map(({ region }) => describeRegion(region)).join(", ");
}

interface Setting {
  readonly seed: number;
  readonly options?: Partial<StoreOptions>;
}

async function withCluster(setting: Setting, run: (cluster: StoreCluster) => Promise<void>): Promise<void> {
  await inSimulation({
    seed: setting.seed,
    run: async (world) => {
      const cluster = new StoreCluster(world, 3, { mergePatienceTicks: 50, ...setting.options });
      await cluster.start([regionOf(1, stores, "", "m"), regionOf(2, stores, "m", "")]);
      await cluster.leaderOf(1);
      await cluster.leaderOf(2);
      // Until the leaders have heard of everybody.
      await cluster.world.sleep(500);
      await run(cluster);
    },
  });
}

const merged = '2 [-, -) v3 c1';
const apart = '1 [-, "m") v3 c2, 2 ["m", -) v2 c1';

async function untilMerged(cluster: StoreCluster): Promise<void> {
  await cluster.until("everybody has one region", () => {
    return cluster.nodes.every((node) => node.store !== null && mapOf(node) === merged);
  });
}

test("a region is merged into its right neighbour, which then serves what both had", async () => {
  await withCluster({ seed: 51 }, async (cluster) => {
    const leader = await cluster.leaderOf(1);
    await cluster.say(1, "a=left");
    await cluster.say(2, "z=right");
    const outcome = await merge(leader, 1, 2);
    expect(outcome.kind === "done" && describeRegion(outcome.region)).toBe(merged);
    await untilMerged(cluster);
    await cluster.say(2, "a=both");
    await cluster.until("everybody has it", () => cluster.nodes.every((node) => node.words("a") === "left,both,"));
    for (const node of cluster.nodes) {
      expect(node.words("z")).toBe("right,");
      expect(node.live.region(1)).toBeNull();
      await cluster.until("the source's log is gone", () => node.log?.group(1) === null);
    }
  });
});

describe("what can not be merged", () => {
  test("into the left neighbour, into itself, into what is not here", async () => {
    await withCluster({ seed: 52 }, async (cluster) => {
      const leader = await cluster.leaderOf(2);
      expect(await merge(leader, 2, 1)).toMatchObject(refusal(/is the last one/));
      const left = await cluster.leaderOf(1);
      expect(await merge(left, 1, 1)).toMatchObject(refusal(/into itself/));
      expect(await merge(left, 1, 7)).toMatchObject(refusal(/not on this store/));
      const other = cluster.nodes.find((node) => node !== left) ?? left;
      expect(await merge(other, 1, 2)).toMatchObject(refusal(/does not lead/));
    });
  });
});

test("a frozen region refuses writes, reads, changes of peers and splits, and its neighbour serves", async () => {
  // The third store is away: the freeze is not unanimous.
  await withCluster({ seed: 53, options: { mergePatienceTicks: 100_000 } }, async (cluster) => {
    const leader = await cluster.leaderOf(1);
    const away = cluster.nodes.find((node) => node !== leader && node !== cluster.leader(2)) ?? leader;
    const outcome = merge(leader, 1, 2);
    away.crash();
    await cluster.until("it is frozen", () => leader.live.region(1)?.isMerging === true);
    const toy = leader.toy(1);
    const said = await new Promise((resolve) => toy?.say("a=late", resolve));
    expect(said).toBe("busy");
    const read = await new Promise<boolean>((resolve) => toy?.host.readIndex(resolve));
    expect(read).toBe(false);
    const change = [{ op: "addLearner" as const, peerId: 900, storeId: 9 }];
    const changed = await new Promise<ChangeOutcome>((resolve) => leader.live.admin.changePeers(1, change, resolve));
    expect(changed).toMatchObject(refusal(/being merged/));
    const item = { key: new TextEncoder().encode("c"), regionId: 7, peerIds: [701, 702, 703] };
    const divided = await new Promise<ChangeOutcome>((resolve) => leader.live.admin.split(1, [item], resolve));
    expect(divided).toMatchObject(refusal(/being merged/));
    await cluster.say(2, "z=on");
    await away.boot();
    await untilMerged(cluster);
    expect((await outcome).kind).not.toBe("refused");
  });
});

test("a freeze that is not unanimous in time is taken back, and both regions serve", async () => {
  await withCluster({ seed: 55 }, async (cluster) => {
    const leader = await cluster.leaderOf(1);
    const away = cluster.nodes.find((node) => node !== leader && node !== cluster.leader(2)) ?? leader;
    const outcome = merge(leader, 1, 2);
    away.crash();
    expect(await outcome).toMatchObject(refusal(/taken back/));
    await cluster.say(1, "a=again");
    await cluster.say(2, "z=again");
    await away.boot();
    await cluster.until("everybody has two", () => cluster.nodes.every((node) => mapOf(node) === apart));
    // And again, with everybody there.
    await cluster.until("all follow", () => cluster.nodes.every((node) => node.words("a") === "again,"));
    for (;;) {
      const again = await merge(await cluster.leaderOf(1), 1, 2);
      if (again.kind === "done") break;
      await cluster.world.sleep(50);
    }
    await cluster.until("everybody has one", () => cluster.nodes.every((node) => mapOf(node) === '2 [-, -) v5 c1'));
  });
});

/** Of whom it has not heard yet, a new leader says that they are away. */
async function mergeOnce(cluster: StoreCluster, leader: StoreNode): Promise<void> {
  while ((await merge(leader, 1, 2)).kind === "refused") await cluster.world.sleep(20);
}

const arrows = [mergeAfterFreeze, mergeBeforeCommit, mergeAfterCommit, tombstoneBeforeLog];

describe.each(arrows)("a crash at $name", (point) => {
  test.each([1, 2, 3])("of store %i leaves two regions that go on to be one", async (storeId) => {
    await withCluster({ seed: 60 + storeId, options: { mergePatienceTicks: 100_000 } }, async (cluster) => {
      await cluster.say(1, "a=left");
      const node = cluster.node(storeId);
      const leader = await cluster.leaderOf(1);
      node.machine.failpoints.arm(point, { kind: "crash", percent: 100, count: 1 });
      void mergeOnce(cluster, leader);
      await cluster.until("it is over, or there is a crash", () => !node.machine.up || mapOf(leader) === merged);
      if (!node.machine.up) {
        node.crash();
        await node.boot();
      }
      await untilMerged(cluster);
      await cluster.say(2, "a=both");
      await cluster.until("everybody has it", () => cluster.nodes.every((each) => each.words("a") === "left,both,"));
      expect(cluster.nodes.map(mapOf)).toEqual([merged, merged, merged]);
    });
  });
});

test("a crash behind a rollback leaves both regions", async () => {
  await withCluster({ seed: 71 }, async (cluster) => {
    const leader = await cluster.leaderOf(1);
    const away = cluster.nodes.find((node) => node !== leader && node !== cluster.leader(2)) ?? leader;
    const other = cluster.nodes.find((node) => node !== leader && node !== away) ?? leader;
    other.machine.failpoints.arm(mergeAfterRollback, { kind: "crash", percent: 100, count: 1 });
    const outcome = merge(leader, 1, 2);
    away.crash();
    await outcome;
    await cluster.until("the other one crashes", () => !other.machine.up);
    other.crash();
    await other.boot();
    await away.boot();
    await cluster.until("everybody has two", () => cluster.nodes.every((node) => mapOf(node) === apart));
    await cluster.say(1, "a=on");
    expect(leader.words("a")).toBe("on,");
  });
});

test("a store whose target's replica needs a snapshot gives its source up with it", async () => {
  const options = { mergePatienceTicks: 100_000, logKeepEntries: 1, logEntriesMax: 4 };
  await withCluster({ seed: 72, options }, async (cluster) => {
    const leader = await cluster.leaderOf(1);
    await cluster.say(1, "a=left");
    const away = cluster.nodes.find((node) => node !== leader && node !== cluster.leader(2)) ?? leader;
    // It falls when it has said that it is frozen, and hears nothing of what follows.
    void merge(leader, 1, 2);
    await cluster.until("it is frozen", () => away.live.region(1)?.isMerging === true);
    await cluster.world.sleep(30);
    expect(away.live.region(1)?.isMerging).toBe(true);
    away.crash();
    for (let i = 0; i < 40; i++) await cluster.say(2, `z=${i}`);
    const from = await cluster.leaderOf(2);
    await cluster.until("the log is cut", () => (from.log?.group(2)?.start.index ?? 0) > 20);
    await away.boot();
    expect(away.live.region(1)?.isMerging).toBe(true);
    await untilMerged(cluster);
    expect(away.words("a")).toBe("left,");
    expect(away.live.stats.snapshotsIn).toBeGreaterThan(0);
    await cluster.until("the source's log is gone", () => away.log?.group(1) === null);
    away.crash();
    await away.boot();
    await untilMerged(cluster);
  });
});
