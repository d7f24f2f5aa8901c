// Goal: groups without work sleep and cost nothing, and whatever they have to hear of wakes them in time.
// Method: three stores over simulated transports, ticks of 20 ms; who sleeps is asked of the replicas.
import { expect, test } from "vitest";
import { inSimulation } from "../../sim/in-simulation.test-support.ts";
import type { World } from "../../sim/world.ts";
import { Peer } from "./peer.ts";
import { StoreCluster, type StoreNode, regionOf } from "./store-cluster.test-support.ts";

const stores = [1, 2, 3];
const regions = [1, 2, 3].map((id) => regionOf(id, stores, `r${id}`, `r${id + 1}`));
const options = { hibernateTicks: 20 };

/** Ticks of an election of peers that were awake: nobody may take longer for having slept. */
const electionMs = 20 * 20;

function asleepOn({ store }: StoreNode): number {
  return (store?.regions() ?? []).filter((peer) => peer instanceof Peer && peer.raft.quiesced).length;
}

async function untilAsleep(cluster: StoreCluster, nodes: readonly StoreNode[] = cluster.nodes): Promise<void> {
  await cluster.until("all sleep", () => nodes.every((node) => asleepOn(node) === regions.length));
}

function simulated(run: (world: World, cluster: StoreCluster) => Promise<void>): Promise<unknown> {
  return inSimulation({
    seed: 11,
    run: async (world) => {
      const cluster = new StoreCluster(world, 3, options);
      await cluster.start(regions);
      for (const { id } of regions) await cluster.say(id, `r${id}=hello`);
      await untilAsleep(cluster);
      await run(world, cluster);
    },
  });
}

test("who sleeps says next to nothing; stores greet each other", async () => {
  await simulated(async (world, cluster) => {
    const sent = (): number => cluster.nodes.reduce((sum, { live }) => sum + live.stats.messagesOut, 0);
    await world.sleep(200);
    const before = sent();
    await world.sleep(2_000);
    // Every five ticks of 20 ms, to two others; and every ten ticks two of three replicas ask whether they are members.
    expect(sent() - before).toBeLessThanOrEqual(3 * (2 * 21 + 2 * 11));
    expect(cluster.nodes.map(asleepOn)).toEqual([3, 3, 3]);
  });
});

test("a proposal wakes its group and no other", async () => {
  await simulated(async (_, cluster) => {
    await cluster.say(2, "r2=again");
    for (const node of cluster.nodes) {
      await cluster.until("it is applied", () => node.words("r2").includes("again"));
      expect(asleepOn(node)).toBe(2);
    }
    await untilAsleep(cluster);
  });
});

test("a leader's store that is gone is replaced in all its groups, as soon as by those who are awake", async () => {
  await simulated(async (world, cluster) => {
    const victim = await cluster.leaderOf(1);
    const others = cluster.nodes.filter((node) => node !== victim);
    const fromUs = world.nowUs;
    victim.crash();
    await cluster.until("all have leaders", () => regions.every(({ id }) => cluster.leader(id) !== null));
    expect((world.nowUs - fromUs) / 1_000).toBeLessThan(electionMs + 100);
    // Nobody waits for a store that is not there.
    await untilAsleep(cluster, others);
    // When it is, it has to be caught up.
    await cluster.say(1, "r1=meanwhile");
    await untilAsleep(cluster, others);
    await victim.boot();
    await cluster.until("it has all of it", () => victim.words("r1").includes("meanwhile"));
    await untilAsleep(cluster);
  });
});

test("a leader's store that is back before anybody missed it leads no more, and that is known", async () => {
  await simulated(async (world, cluster) => {
    const victim = await cluster.leaderOf(1);
    const fromUs = world.nowUs;
    victim.crash();
    await victim.boot();
    await cluster.until("all have leaders", () => regions.every(({ id }) => cluster.leader(id) !== null));
    // It stands itself, too: they may be in each other's way once.
    expect((world.nowUs - fromUs) / 1_000).toBeLessThan(3 * electionMs);
    const orphans = cluster.nodes.reduce((sum, { live }) => sum + live.stats.orphans, 0);
    expect(orphans).toBeGreaterThan(0);
    await untilAsleep(cluster);
  });
});

test("a store that was away when it got a replica gets its records when it is back", async () => {
  await inSimulation({
    seed: 12,
    run: async (world) => {
      const cluster = new StoreCluster(world, 3, options);
      await cluster.start([regionOf(1, [1, 2], "r1", "r2")]);
      await cluster.say(1, "r1=hello");
      const leader = await cluster.leaderOf(1);
      const away = cluster.node(3);
      away.crash();
      await cluster.change(leader, [{ op: "addLearner", peerId: 103, storeId: 3 }]);
      await cluster.until("the others sleep", () => [1, 2].every((id) => asleepOn(cluster.node(id)) === 1));
      await away.boot();
      await cluster.until("it has what they have", () => away.words("r1") !== "");
      await cluster.until("all sleep", () => cluster.nodes.every((node) => asleepOn(node) === 1));
      expect(away.words("r1")).toBe("hello,");
    },
  });
});

test("a leader of whose members one is lost sleeps on without it, and is looked at once", async () => {
  await simulated(async (_, cluster) => {
    const leader = await cluster.leaderOf(1);
    const victim = cluster.nodes.find((node) => node !== leader) ?? leader;
    const others = cluster.nodes.filter((node) => node !== victim);
    const led = leader.live.regions().filter(({ leadingTerm }) => leadingTerm > 0).map(({ region }) => region.id);
    leader.live.takeStirred();
    expect(leader.live.takeStirred()).toEqual([]);
    const { wakes } = leader.live.stats;
    victim.crash();
    const absentOf = (id: number): string | undefined => leader.live.region(id)?.status().absent.join();
    const isKnown = (id: number): boolean => absentOf(id) === String(id * 100 + victim.storeId);
    await cluster.until("it is known", () => led.every(isKnown));
    expect(leader.live.stats.wakes).toBe(wakes);
    await untilAsleep(cluster, others);
    const stirred = leader.live.takeStirred().map(({ region }) => region.id);
    expect(led.every((id) => stirred.includes(id))).toBe(true);
    // It may have missed something, and knows of no leader.
    await victim.boot();
    await untilAsleep(cluster);
    expect(leader.live.stats.wakes).toBeGreaterThan(wakes);
    expect(led.map(absentOf)).toEqual(led.map(() => ""));
  });
});
