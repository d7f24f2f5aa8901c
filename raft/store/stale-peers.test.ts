// Goal: a learner that was removed while its store was away finds out, whatever it relies on and whoever is left to
// ask. Method: three stores over simulated transports, without a Coordinator; store 3 has a learner of region 1.
import { expect, test } from "vitest";
import { inSimulation } from "../../sim/in-simulation.test-support.ts";
import type { World } from "../../sim/world.ts";
import { Peer } from "./peer.ts";
import { StoreCluster, type StoreNode, regionOf } from "./store-cluster.test-support.ts";

const learnerId = 900;
const learnerHere = { peerId: learnerId, storeId: 3 };

interface Stage {
  readonly world: World;
  readonly cluster: StoreCluster;
  readonly away: StoreNode;
}

/** Region 1 on `voters`, and its learner on store 3, which has what they have. */
function staged(voters: readonly number[], run: (stage: Stage) => Promise<void>): Promise<unknown> {
  return inSimulation({
    seed: 21,
    run: async (world) => {
      const cluster = new StoreCluster(world, 3, { hibernateTicks: 20 });
      await cluster.start([regionOf(1, voters)]);
      await cluster.say(1, "k=a");
      await cluster.change(await cluster.leaderOf(1), [{ op: "addLearner", ...learnerHere }]);
      const away = cluster.node(3);
      await cluster.until("the learner has it", () => away.words("k") === "a,");
      await run({ world, cluster, away });
    },
  });
}

async function removed(cluster: StoreCluster, storeId: number, peerId: number): Promise<void> {
  const outcome = await cluster.change(await cluster.leaderOf(1), [{ op: "remove", peerId, storeId }]);
  expect(outcome.kind).toBe("done");
}

async function goes(cluster: StoreCluster, away: StoreNode): Promise<void> {
  await cluster.until("the learner is gone", () => away.live.region(1) === null);
  await cluster.until("its records are gone", () => away.words("k") === "");
}

test("after a restart it is told by a member", async () => {
  await staged([1, 2], async ({ cluster, away }) => {
    away.crash();
    await removed(cluster, 3, learnerId);
    await away.boot();
    await goes(cluster, away);
    expect(away.live.region(1)).toBe(null);
  });
});

test("asleep, and heard by nobody for a while, it is told although its leader was there all the time", async () => {
  await staged([1, 2], async ({ world, cluster, away }) => {
    const sleeps = ({ store }: StoreNode): boolean => {
      const peer = store?.region(1) ?? null;
      return peer instanceof Peer && peer.raft.quiesced;
    };
    await cluster.until("all sleep", () => cluster.nodes.every(sleeps));
    for (const other of ["store-1", "store-2"]) world.network.link("store-3", other).block();
    await world.sleep(2_000);
    await removed(cluster, 3, learnerId);
    for (const other of ["store-1", "store-2"]) world.network.link("store-3", other).unblock();
    await goes(cluster, away);
    expect(away.live.region(1)).toBe(null);
  });
});

test("where all whom it knew have left, they say who is there", async () => {
  await staged([1], async ({ cluster, away }) => {
    away.crash();
    const first = await cluster.leaderOf(1);
    await cluster.change(first, [{ op: "addLearner", peerId: 500, storeId: 2 }]);
    await cluster.change(first, [{ op: "promote", peerId: 500, storeId: 2 }]);
    await cluster.change(first, [{ op: "remove", peerId: 101, storeId: 1 }]);
    await cluster.until("the first one is gone", () => first.live.region(1) === null);
    await removed(cluster, 3, learnerId);
    await away.boot();
    await goes(cluster, away);
    expect(away.live.region(1)).toBe(null);
  });
});

test("who is a member still is told nothing, and sleeps on", async () => {
  await staged([1, 2], async ({ world, cluster, away }) => {
    await world.sleep(10_000);
    const { wakes, messagesOut } = away.live.stats;
    await world.sleep(10_000);
    expect(away.live.stats.wakes).toBe(wakes);
    // In 500 ticks of 20 ms: greetings to two stores every fifth, a question every tenth.
    expect(away.live.stats.messagesOut - messagesOut).toBeLessThanOrEqual(2 * 101 + 51);
    expect(away.live.region(1)?.region.peers.map(({ peerId }) => peerId)).toContain(learnerId);
    expect(cluster.leader(1)).not.toBe(null);
  });
});
