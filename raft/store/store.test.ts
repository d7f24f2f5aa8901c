// Goal: what a store promises of its replicas: they agree, answers are true, and a crash takes nothing back.
// Method: stores over transports and logs of the simulated world, with a machine that remembers every word.
import { expect, test } from "vitest";
import { inSimulation } from "../../sim/in-simulation.test-support.ts";
import { StoreCluster, regionOf } from "./store-cluster.test-support.ts";

test("three stores replicate two regions, and come back with what they had", async () => {
  await inSimulation({
    seed: 1,
    run: async (world) => {
      const cluster = new StoreCluster(world, 3);
      await cluster.start([regionOf(1, [1, 2, 3], "", "m"), regionOf(2, [1, 2, 3], "m")]);
      for (let i = 0; i < 20; i++) await cluster.say((i % 2) + 1, `${i % 2 === 0 ? "k" : "n"}=${i}`);
      const [odd, even] = ["1,3,5,7,9,11,13,15,17,19,", "0,2,4,6,8,10,12,14,16,18,"];
      const agree = (): boolean =>
        cluster.nodes.every((node) => node.words("k") === even && node.words("n") === odd);
      await cluster.until("everybody has everything", agree);
      for (const node of cluster.nodes) node.crash();
      for (const node of cluster.nodes) await node.boot();
      await cluster.until("everybody has everything again", agree);
      await cluster.say(1, "k=end");
      await cluster.until("it goes on", () => cluster.nodes.every((node) => node.words("k") !== even));
      for (const node of cluster.nodes) expect(node.words("k")).toBe(`${even}end,`);
    },
  });
});

test("a read is answered when what was acknowledged before it is applied", async () => {
  await inSimulation({
    seed: 2,
    run: async (world) => {
      const cluster = new StoreCluster(world, 3);
      await cluster.start([regionOf(1, [1, 2, 3])]);
      await cluster.say(1, "k=a");
      const leader = await cluster.leaderOf(1);
      const answers = await Promise.all(
        [1, 2, 3].map((store) => new Promise((resolve) => cluster.node(store).toy(1)?.host.readIndex(resolve))),
      );
      expect(answers).toEqual([1, 2, 3].map((store) => store === leader.storeId));
      expect(leader.words("k")).toBe("a,");
    },
  });
});

test("leadership goes where it is sent", async () => {
  await inSimulation({
    seed: 3,
    run: async (world) => {
      const cluster = new StoreCluster(world, 3);
      await cluster.start([regionOf(1, [1, 2, 3])]);
      const leader = await cluster.leaderOf(1);
      const to = (leader.storeId % 3) + 1;
      const outcome = await new Promise((resolve) => leader.live.admin.transferLeader(1, to, resolve));
      expect(outcome).toEqual({ kind: "done" });
      await cluster.until("it leads", () => (cluster.node(to).live.region(1)?.leadingTerm ?? 0) > 0);
      expect(leader.toy(1)?.calls).toContain("stepDown");
    },
  });
});
