// Goal: what the original's integration tests of restarts, interrupted snapshots and divided regions ask, by their
// names. Method: real nodes in the simulated world; where the original closes a store in order, power is lost here.
import { expect, test } from "vitest";
import type { CrashKind } from "../../sim/machine.ts";
import { snapshotAfterReplace, snapshotBeforeIntent } from "../../failpoints/catalog.ts";
import type { Failpoint } from "../../failpoints/failpoints.ts";
import type { ChangeOutcome } from "../../raft/store/requests.ts";
import { describeRegion } from "../../raft/region.ts";
import { expand } from "./expand.ts";
import { type Stage, asClient, rolesOf, staged, toTwoMore, valueOf } from "./expand-stage.test-support.ts";
import { removePeer, transferLeader } from "./members.ts";
import { type Verified, verifyCluster } from "./online.ts";

const encoder = new TextEncoder();

function verified({ act }: Stage): Promise<Verified> {
  return act((world) => verifyCluster(world, { readTs: null, regionId: null })).then(valueOf);
}

/** The stores whose replicas of the first region were read, and what all of them have. */
async function contentOf(stage: Stage): Promise<unknown> {
  const { same, content, regions } = await verified(stage);
  expect(same).toBe(true);
  return { content, readings: regions.map(({ readings }) => readings.map(({ by }) => by)) };
}

async function again({ cluster }: Stage, storeId: number, kind: CrashKind = "power"): Promise<void> {
  cluster.store(storeId).crash(kind);
  await cluster.store(storeId).start();
}

function leaderOf({ cluster }: Stage, regionId: number): number {
  const seat = cluster.stores.find(({ up, node }) => up && (node.store.region(regionId)?.leadingTerm ?? 0) > 0);
  return seat === undefined ? 0 : cluster.stores.indexOf(seat) + 1;
}

/** As the store has them, from left to right. */
function mapOf({ cluster }: Stage, storeId: number): string {
  return cluster.store(storeId).node.store.regions().map(({ region }) => describeRegion(region)).join(", ");
}

test("TestExpandedPeerRestartPreservesRegionAndData: from its directory alone", async () => {
  await staged(21, async (stage) => {
    const { cluster, act } = stage;
    valueOf(await act((world) => expand(world, toTwoMore)));
    const before = await contentOf(stage);
    expect(rolesOf(cluster)).toBe("1 voter, 2 voter, 3 voter");
    for (const storeId of [1, 2, 3]) cluster.store(storeId).crash("power");
    cluster.coordinator.crash("power");
    await cluster.store(2).start();
    const hosted = cluster.store(2).node.store.region(1);
    // How far the log is committed that it has, it will hear from a leader.
    expect(hosted?.region.peers.map(({ storeId }) => storeId)).toContain(2);
    expect(hosted?.applyState.index).toBeGreaterThan(0);
    await cluster.coordinator.start();
    for (const storeId of [1, 3]) await cluster.store(storeId).start();
    await cluster.untilReady();
    expect(await contentOf(stage)).toEqual(before);
  });
});

test("TestExpandedPeerRestartPreservesRegionAndDataWithSST: what came as tables is not sent again", async () => {
  await staged(29, async (stage) => {
    const { cluster, act } = stage;
    await asClient(stage, async (client) => {
      for (let i = 0; i < 8; i++) await client.set(`large-${i}`, `${i}`.repeat(20_000));
    });
    valueOf(await act((world) => expand(world, toTwoMore)));
    const before = await contentOf(stage);
    expect(before).toMatchObject({ content: { count: 38 }, readings: [["scan", 1, 2, 3]] });
    expect(cluster.store(2).node.store.stats.snapshotsIn).toBe(1);
    await again(stage, 2);
    await cluster.untilReady();
    expect(await contentOf(stage)).toEqual(before);
    expect(cluster.store(2).node.store.stats.snapshotsIn).toBe(0);
    expect(cluster.store(1).node.store.stats.snapshotsOut).toBe(2);
  });
});

test("TestRemovedPeerRestartDoesNotRehost", async () => {
  await staged(23, async (stage) => {
    const { cluster, act, world } = stage;
    valueOf(await act((expansion) => expand(expansion, toTwoMore)));
    valueOf(await act((expansion) => transferLeader(expansion, { regionId: 1, storeId: 2 })));
    valueOf(await act((expansion) => removePeer(expansion, { regionId: 1, storeId: 1, allowTwo: true })));
    expect(cluster.store(1).node.store.region(1)).toBe(null);
    await again(stage, 1);
    for (let looks = 0; looks < 40; looks++) {
      expect(cluster.store(1).node.store.regions()).toEqual([]);
      await world.sleep(250);
    }
    expect(await contentOf(stage)).toMatchObject({ content: { count: 30 }, readings: [["scan", 2, 3]] });
  });
});

test("TestLeaderRestartStillAllowsMembershipChanges", async () => {
  await staged(24, async (stage) => {
    const { cluster, act } = stage;
    valueOf(await act((world) => expand(world, toTwoMore)));
    valueOf(await act((world) => transferLeader(world, { regionId: 1, storeId: 2 })));
    await again(stage, 2);
    await cluster.until("one leads", () => leaderOf(stage, 1) > 0);
    const gone = leaderOf(stage, 1) === 1 ? 3 : 1;
    valueOf(await act((world) => removePeer(world, { regionId: 1, storeId: gone, allowTwo: true })));
    expect(cluster.store(gone).node.store.region(1)).toBe(null);
    const left = [1, 2, 3].filter((storeId) => storeId !== gone);
    expect(await contentOf(stage)).toMatchObject({ content: { count: 30 }, readings: [["scan", ...left]] });
  });
});

/**
 * Store 2 loses its power where the snapshot of its new learner is at `point`, and comes back without any connection;
 * then whatever it has, it has from its own disk.
 */
async function interruptedAt(stage: Stage, point: Failpoint, held: () => void): Promise<void> {
  const { cluster, act, world } = stage;
  const seat = cluster.store(2);
  seat.machine.failpoints.arm(point, { kind: "crash", percent: 100, count: 1 });
  const expansion = act((operator) => expand(operator, toTwoMore));
  await cluster.until("it crashes", () => !seat.machine.up);
  seat.crash("power");
  // A learner that is gone is in nobody's way.
  await asClient(stage, (client) => client.set("meanwhile", "written"));
  expect(cluster.store(1).node.store.region(1)?.region.peers[1]).toMatchObject({ storeId: 2, role: "learner" });
  const others = ["coordinator", "store-1", "store-3", "operator"];
  const links = others.flatMap((name) => [world.network.link(name, "store-2"), world.network.link("store-2", name)]);
  for (const link of links) link.block();
  await seat.start();
  await world.sleep(2_000);
  held();
  for (const link of links) link.unblock();
  await expansion;
  valueOf(await act((operator) => expand(operator, toTwoMore)));
  expect(rolesOf(cluster)).toBe("1 voter, 2 voter, 3 voter");
  expect(await contentOf(stage)).toMatchObject({ content: { count: 31 }, readings: [["scan", 1, 2, 3]] });
}

test("TestExpandSnapshotInstallInterruptedBeforePublish: nothing is hosted, and the same order goes on", async () => {
  await staged(25, async (stage) => {
    await interruptedAt(stage, snapshotBeforeIntent, () => {
      expect(stage.cluster.store(2).node.store.regions()).toEqual([]);
    });
  });
});

test("TestExpandSSTSnapshotInstallInterruptedBeforePublish: the engine has it whole, so it is hosted", async () => {
  await staged(26, async (stage) => {
    await interruptedAt(stage, snapshotAfterReplace, () => {
      const hosted = stage.cluster.store(2).node.store.region(1);
      expect(hosted?.region.peers.map(({ storeId }) => storeId)).toContain(2);
      expect(hosted?.applyState.index).toBeGreaterThan(0);
    });
  });
});

async function merged(stage: Stage, source: number, target: number): Promise<void> {
  for (let tries = 0; ; tries++) {
    await stage.cluster.until("one leads", () => leaderOf(stage, source) > 0);
    const { store } = stage.cluster.store(leaderOf(stage, source)).node;
    const outcome = await new Promise<ChangeOutcome>((resolve) => store.admin.merge(source, target, resolve));
    if (outcome.kind === "done") return;
    if (tries > 20) throw new Error(`they do not merge: ${JSON.stringify(outcome)}`);
    await stage.world.sleep(500);
  }
}

test("TestSplitMergeRestartSafetyAcrossStores: all lose power after a split, and after a merge", async () => {
  await staged(27, async (stage) => {
    const { cluster, act } = stage;
    valueOf(await act((world) => expand(world, toTwoMore)));
    const before = await verified(stage);
    const all = async (): Promise<void> => {
      for (const storeId of [1, 2, 3]) cluster.store(storeId).crash("power");
      for (const storeId of [1, 2, 3]) await cluster.store(storeId).start();
      await cluster.untilReady();
    };
    const region = cluster.store(1).node.store.region(1)?.region;
    if (region === undefined) throw new Error("the seed's store has its region");
    const split = await act(({ admin }) => admin.split(leaderOf(stage, 1), region, [encoder.encode("key-2")]));
    expect(valueOf(split).error).toBe(null);
    const regions = (): string[] => [1, 2, 3].map((storeId) => mapOf(stage, storeId));
    await cluster.until("all have both", () => regions().every((map) => map.includes(", ") && map.includes('"key-2"')));
    await all();
    await cluster.until("all have both again", () => new Set(regions()).size === 1);
    const [left, right] = cluster.store(1).node.store.regions();
    expect(regions()[0]).toMatch(/^1 \[-, "key-2"\) v2 c\d+, \d+ \["key-2", -\) v2 c\d+$/);
    expect((await verified(stage)).content).toEqual(before.content);
    await merged(stage, left?.region.id ?? 0, right?.region.id ?? 0);
    const one = new RegExp(`^${right?.region.id ?? 0} \\[-, -\\) v\\d+ c\\d+$`);
    await cluster.until("all have one", () => regions().every((map) => one.test(map)));
    await all();
    await cluster.until("all have one again", () => regions().every((map) => one.test(map)));
    const after = await verified(stage);
    expect([after.same, after.content]).toEqual([true, before.content]);
  });
});
