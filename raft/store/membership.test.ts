// Goal: a region's peers change by its own log: who comes learns first, who goes leaves nothing behind.
// Method: stores of the simulated world; logs so short that whoever comes needs a snapshot.
import { expect, test } from "vitest";
import { snapshotBeforeIntent } from "../../failpoints/catalog.ts";
import { inSimulation } from "../../sim/in-simulation.test-support.ts";
import { StoreCluster, regionOf } from "./store-cluster.test-support.ts";

const short = { logKeepEntries: 4, logEntriesMax: 8 };

test("a learner gets a snapshot, catches up, and votes", async () => {
  await inSimulation({
    seed: 11,
    run: async (world) => {
      const cluster = new StoreCluster(world, 2, short);
      await cluster.start([regionOf(1, [1])]);
      for (let i = 0; i < 30; i++) await cluster.say(1, `k=${i}`);
      const leader = await cluster.leaderOf(1);
      const added = await cluster.change(leader, [{ op: "addLearner", peerId: 900, storeId: 2 }]);
      expect(added.kind).toBe("done");
      const other = cluster.node(2);
      await cluster.until("the learner has everything", () => other.words("k") === leader.words("k"));
      expect(other.live.stats.snapshotsIn).toBe(1);
      expect((await cluster.change(leader, [{ op: "promote", peerId: 900, storeId: 2 }])).kind).toBe("done");
      await cluster.say(1, "k=end");
      await cluster.until("it has that too", () => other.words("k").endsWith("end,"));
      expect(other.live.region(1)?.region.epoch.confVer).toBe(3);
      other.crash();
      await other.boot();
      await cluster.say(1, "k=again");
      await cluster.until("it is back", () => other.words("k") === leader.words("k"));
    },
  });
});

test("a follower that was away too long gets a snapshot in place of its log", async () => {
  await inSimulation({
    seed: 12,
    run: async (world) => {
      const cluster = new StoreCluster(world, 3, short);
      await cluster.start([regionOf(1, [1, 2, 3])]);
      await cluster.say(1, "k=first");
      const leader = await cluster.leaderOf(1);
      const away = cluster.node((leader.storeId % 3) + 1);
      await cluster.until("it has the first word", () => away.words("k") === "first,");
      away.crash();
      for (let i = 0; i < 60; i++) await cluster.say(1, `k=${i}`);
      await cluster.until("the log is cut", () => leader.live.stats.compactions > 0);
      await away.boot();
      await cluster.until("it has everything", () => away.words("k") === leader.words("k"));
      await cluster.until("it serves", () => away.toy(1) !== null);
      expect(away.live.stats.snapshotsIn).toBe(1);
    },
  });
});

test("a learner that leaves while its snapshot is on its way does not keep the next one waiting", async () => {
  await inSimulation({
    seed: 17,
    run: async (world) => {
      const cluster = new StoreCluster(world, 3, short);
      await cluster.start([regionOf(1, [1])]);
      for (let i = 0; i < 20; i++) await cluster.say(1, `k=${i}${"x".repeat(20_000)}`);
      const leader = await cluster.leaderOf(1);
      const link = world.network.link("store-1", "store-3");
      link.slow(500_000);
      await cluster.change(leader, [{ op: "addLearner", peerId: 900, storeId: 3 }]);
      const sent = (): (readonly [number, number])[] =>
        leader.live.snapshotsOut(1).map(({ peerId, sentBytes }) => [peerId, sentBytes]);
      await cluster.until("it is on its way", () => sent().some(([, bytes]) => bytes > 0));
      await cluster.change(leader, [{ op: "remove", peerId: 900, storeId: 3 }]);
      expect(sent()).toEqual([]);
      await cluster.change(leader, [{ op: "addLearner", peerId: 901, storeId: 3 }]);
      link.heal();
      await cluster.until("the next one has everything", () => cluster.node(3).words("k") === leader.words("k"));
    },
  });
});

test("a learner comes to a region that is written faster than its snapshot is sent", async () => {
  await inSimulation({
    seed: 18,
    run: async (world) => {
      const cluster = new StoreCluster(world, 2, short);
      await cluster.start([regionOf(1, [1])]);
      for (let i = 0; i < 10; i++) await cluster.say(1, `big=${i}${"x".repeat(20_000)}`);
      const leader = await cluster.leaderOf(1);
      world.network.link("store-1", "store-2").slow(300_000);
      await cluster.change(leader, [{ op: "addLearner", peerId: 900, storeId: 2 }]);
      const appliedOn = ({ live }: typeof leader): number => live.region(1)?.applyState.index ?? 0;
      let said = 0;
      // More than the eight entries that the log has for followers, while the snapshot is on its way.
      for (; appliedOn(leader) - appliedOn(cluster.node(2)) > 8 && said < 2_000; said++) {
        await cluster.say(1, `k=${said}`);
        await world.sleep(20);
      }
      expect(leader.live.stats.snapshotsOut).toBe(1);
      await cluster.until("it has everything", () => cluster.node(2).words("k") === leader.words("k"));
    },
  });
});

test("a joint change replaces two of three voters, and is left by itself", async () => {
  await inSimulation({
    seed: 13,
    run: async (world) => {
      const cluster = new StoreCluster(world, 5, short);
      await cluster.start([regionOf(1, [1, 2, 3])]);
      for (let i = 0; i < 20; i++) await cluster.say(1, `k=${i}`);
      const leader = await cluster.leaderOf(1);
      const [a, b] = [1, 2, 3].filter((store) => store !== leader.storeId);
      for (const storeId of [4, 5]) {
        await cluster.change(leader, [{ op: "addLearner", peerId: 900 + storeId, storeId }]);
      }
      const outcome = await cluster.change(leader, [
        { op: "promote", peerId: 904, storeId: 4 },
        { op: "promote", peerId: 905, storeId: 5 },
        { op: "demote", peerId: 100 + (a ?? 0), storeId: a ?? 0 },
        { op: "demote", peerId: 100 + (b ?? 0), storeId: b ?? 0 },
      ]);
      expect(outcome.kind).toBe("done");
      const roles = (): string => (leader.live.region(1)?.region.peers ?? []).map(({ role }) => role).join();
      await cluster.until("it is left", () => !roles().includes("ing"));
      for (const store of [a ?? 0, b ?? 0]) {
        const removed = await cluster.change(leader, [{ op: "remove", peerId: 100 + store, storeId: store }]);
        expect(removed.kind).toBe("done");
      }
      await cluster.say(1, "k=end");
      const hasIt = (store: number): boolean => cluster.node(store).words("k").endsWith("end,");
      await cluster.until("the new ones have it", () => [4, 5].every(hasIt));
      for (const store of [a ?? 0, b ?? 0]) {
        await cluster.until("the removed one is gone", () => cluster.node(store).live.region(1) === null);
      }
    },
  });
});

test("a peer that was removed while it was away is told, and leaves nothing", async () => {
  await inSimulation({
    seed: 14,
    run: async (world) => {
      const cluster = new StoreCluster(world, 3, short);
      await cluster.start([regionOf(1, [1, 2, 3])]);
      await cluster.say(1, "k=a");
      const leader = await cluster.leaderOf(1);
      const away = cluster.node((leader.storeId % 3) + 1);
      await cluster.until("it has the word", () => away.words("k") === "a,");
      away.crash();
      await cluster.leaderOf(1);
      const peerId = 100 + away.storeId;
      const { storeId } = away;
      const removed = await cluster.change(await cluster.leaderOf(1), [{ op: "remove", peerId, storeId }]);
      expect(removed.kind).toBe("done");
      await away.boot();
      await cluster.until("it is gone", () => away.live.region(1) === null);
      await cluster.until("its log is gone", () => away.log?.group(1) === null);
      await cluster.until("its records are gone", () => away.words("k") === "");
      away.crash();
      await away.boot();
      await world.sleep(2_000);
      expect(away.live.region(1)).toBe(null);
      const back = await cluster.change(await cluster.leaderOf(1), [{ op: "addLearner", peerId: 500, storeId }]);
      expect(back.kind).toBe("done");
      await cluster.until("another peer is there", () => away.words("k") === "a,");
    },
  });
});

test("who comes after a removed peer keeps its term over a restart that is before its first snapshot", async () => {
  await inSimulation({
    seed: 16,
    run: async (world) => {
      const cluster = new StoreCluster(world, 3, short);
      await cluster.start([regionOf(1, [1, 2, 3])]);
      await cluster.say(1, "k=a");
      const leader = await cluster.leaderOf(1);
      const other = cluster.node((leader.storeId % 3) + 1);
      const { storeId } = other;
      await cluster.change(leader, [{ op: "remove", peerId: 100 + storeId, storeId }]);
      await cluster.until("it is gone, and its log", () => other.log?.group(1) === null);
      for (let i = 0; i < 30; i++) await cluster.say(1, `k=${i}`);
      other.machine.failpoints.crashKind = "power";
      other.machine.failpoints.arm(snapshotBeforeIntent, { kind: "crash", percent: 100, count: 1 });
      await cluster.change(await cluster.leaderOf(1), [{ op: "addLearner", peerId: 500, storeId }]);
      await cluster.until("its snapshot has come", () => !other.machine.up);
      for (const node of cluster.nodes) node.crash();
      await other.boot();
      await world.sleep(1_000);
      expect(other.log?.group(1)?.hard.term).toBeGreaterThan(0);
    },
  });
});

test("of two voters one removes the other, and does not need it again", async () => {
  await inSimulation({
    seed: 15,
    run: async (world) => {
      const cluster = new StoreCluster(world, 2, short);
      await cluster.start([regionOf(1, [1, 2])]);
      await cluster.say(1, "k=a");
      const leader = await cluster.leaderOf(1);
      const other = leader.storeId === 1 ? 2 : 1;
      await cluster.change(leader, [{ op: "remove", peerId: 100 + other, storeId: other }]);
      await cluster.until("it is gone", () => cluster.node(other).store?.region(1) === null);
      leader.crash();
      await leader.boot();
      await cluster.say(1, "k=b");
      expect(leader.words("k")).toBe("a,b,");
    },
  });
});

test("a leader removes itself, and those who are left elect another", async () => {
  await inSimulation({
    seed: 16,
    run: async (world) => {
      const cluster = new StoreCluster(world, 2, short);
      await cluster.start([regionOf(1, [1, 2])]);
      await cluster.say(1, "k=a");
      const leader = await cluster.leaderOf(1);
      const other = cluster.node(leader.storeId === 1 ? 2 : 1);
      await cluster.change(leader, [{ op: "remove", peerId: 100 + leader.storeId, storeId: leader.storeId }]);
      await cluster.until("it is gone", () => leader.live.region(1) === null);
      await cluster.say(1, "k=b");
      expect(other.words("k")).toBe("a,b,");
    },
  });
});
