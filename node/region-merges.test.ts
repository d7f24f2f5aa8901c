// Goal: the Coordinator is told of a merge before it begins and when it is over, has a region for every key meanwhile,
// and learns of it all the same where no word of it came.
// Method: whole clusters in a simulated world without faults but those of a story.
import { expect, test } from "vitest";
import { describeRegion, type RegionMeta } from "../raft/region.ts";
import { startJob } from "../core/lsm/job-starter.ts";
import { tilingProblem } from "../coordinator/region-map.ts";
import type { CoordinatorState } from "../coordinator/state.ts";
import type { ChangeOutcome } from "../raft/store/requests.ts";
import { inSimulation } from "../sim/in-simulation.test-support.ts";
import type { World } from "../sim/world.ts";
import { TestCluster } from "./cluster.test-support.ts";
import type { StoreNode } from "./store-node.ts";


function leaderOf(cluster: TestCluster, regionId: number): StoreNode {
  const seat = cluster.stores.find(({ up, node }) => up && (node.store.region(regionId)?.leadingTerm ?? 0) > 0);
  if (seat === undefined) throw new Error(`nobody leads region ${regionId}`);
  return seat.node;
}

function merge(cluster: TestCluster, source: number, target: number): Promise<ChangeOutcome> {
  return new Promise((resolve) => leaderOf(cluster, source).ranges.merge(source, target, resolve));
}

function stateOf(cluster: TestCluster): CoordinatorState {
  return cluster.coordinator.node.coordinator.state;
}

function mapOf(regions: readonly RegionMeta[]): string {
  return regions.map(describeRegion).join(", ");
}

function isOver(cluster: TestCluster): boolean {
  return stateOf(cluster).regions.length === 1 && stateOf(cluster).pendingRangeChanges.length === 0;
}

async function story(
  seed: number,
  run: (cluster: TestCluster, world: World) => Promise<void>,
): Promise<void> {
  await inSimulation({
    seed,
    startJob,
    run: async (world) => {
      const cluster = new TestCluster(world, 3, ["", "m"], 3, { checkMs: 300, regionSplitBytes: 0 });
      await cluster.start();
      await cluster.untilReady();
      await cluster.until("both regions are led, and their peers heard of", () =>
        [1, 2].every((id) => cluster.stores.some(({ node }) => (node.store.region(id)?.leadingTerm ?? 0) > 0)),
      );
      await world.sleep(2_000);
      await run(cluster, world);
      expect(cluster.fatal).toEqual([]);
    },
  });
}

test("it is planned, then it is done, and the map has a region for every key at every moment", async () => {
  await story(71, async (cluster, world) => {
    const seen = new Set<string>();
    let isDone = false;
    const watching = (async (): Promise<void> => {
      while (!isDone) {
        const { regions, pendingRangeChanges } = stateOf(cluster);
        expect(tilingProblem(regions)).toBeNull();
        const planned = pendingRangeChanges.map((plan) => `${plan.change} ${plan.regionId} ${plan.otherIds[0]}`);
        seen.add(planned.join());
        await world.sleep(1);
      }
    })();
    const outcome = await merge(cluster, 1, 2);
    expect(outcome.kind === "done" ? describeRegion(outcome.region) : outcome.reason).toBe("2 [-, -) v3 c1");
    await cluster.until("it is settled", () => isOver(cluster));
    isDone = true;
    await watching;
    expect([...seen]).toContain("merge 1 2");
    expect(stateOf(cluster).settled.map(({ outcome: end }) => end)).toEqual(["completed"]);
  });
});

test("a Coordinator that is away meanwhile learns of it from the region, and its plan ends", async () => {
  await story(72, async (cluster, world) => {
    const merging = merge(cluster, 1, 2);
    await cluster.until("it is planned", () => stateOf(cluster).pendingRangeChanges.length === 1);
    cluster.coordinator.crash("power");
    expect((await merging).kind).toBe("done");
    // Whoever was to tell of it is gone, too.
    leaderOf(cluster, 2);
    for (const seat of cluster.stores) {
      seat.crash("process");
      await seat.start();
    }
    await world.sleep(5_000);
    await cluster.coordinator.start();
    await cluster.until("it is known", () => isOver(cluster));
    expect(mapOf(stateOf(cluster).regions)).toBe("2 [-, -) v3 c1");
  });
});

test("without a Coordinator none begins; a plan whose maker is gone is taken back", async () => {
  await story(73, async (cluster, world) => {
    const base = { version: 1, confVer: 1 };
    const plan = { transitionId: "of-the-dead", regionId: 1, base, otherIds: [2], splitKeys: [] };
    await new Promise<void>((resolve) => {
      cluster.coordinator.node.coordinator.publish({ kind: "RegionMergePlanned", ...plan }, 0, () => resolve());
    });
    await cluster.until("it is taken back", () => stateOf(cluster).pendingRangeChanges.length === 0);
    expect(stateOf(cluster).settled).toEqual([{ transitionId: "of-the-dead", outcome: "cancelled" }]);
    cluster.coordinator.crash("process");
    expect(await merge(cluster, 1, 2)).toMatchObject({ kind: "refused" });
    expect(leaderOf(cluster, 1).store.region(1)?.isMerging).toBe(false);
    await cluster.coordinator.start();
    // Connections come back.
    await world.sleep(5_000);
    expect(await merge(cluster, 1, 2)).toMatchObject({ kind: "done" });
  });
});

test("what can not be merged is refused before anybody is told, and says why", async () => {
  await story(74, async (cluster) => {
    const refusals = [
      [2, 1, "region 2 is the last one, and has no right neighbour"],
      [1, 7, "region 7 is not on this store"],
    ] as const;
    for (const [source, target, reason] of refusals) {
      expect(await merge(cluster, source, target)).toEqual({ kind: "refused", reason });
    }
    const both = await Promise.all([merge(cluster, 1, 2), merge(cluster, 1, 2)]);
    expect(both.map(({ kind }) => kind).toSorted()).toEqual(["done", "refused"]);
  });
});

test("a source that is heard of late does not come back into the map", async () => {
  await story(75, async (cluster) => {
    const source = stateOf(cluster).regions[0] as RegionMeta;
    const frozen = { ...source, epoch: { version: 2, confVer: 2 } };
    expect((await merge(cluster, 1, 2)).kind).toBe("done");
    await cluster.until("it is known", () => isOver(cluster));
    for (const region of [source, frozen]) {
      const heard = { region, leaderPeerId: region.peers[0]?.peerId ?? 0, term: 900 };
      const code = await new Promise((resolve) => {
        cluster.coordinator.node.coordinator.regionHeartbeat(heard, (error) => resolve(error?.code));
      });
      expect(code).toBe("STALE_HEARTBEAT");
    }
    expect(mapOf(stateOf(cluster).regions)).toBe("2 [-, -) v3 c1");
  });
});
