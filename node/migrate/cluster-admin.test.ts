// Goal: an operator's process sees what the stores have, and the same content on every replica at one timestamp.
// Method: a cluster of the simulated world; writes through a client, hashes from each store, one store held back.
import { expect, test } from "vitest";
import { ContentHash, contentText } from "../../core/bytes/content-hash.ts";
import { inSimulation } from "../../sim/in-simulation.test-support.ts";
import { startJob } from "../../core/lsm/job-starter.ts";
import { TestCluster } from "../cluster.test-support.ts";
import { openClusterClient } from "../open-cluster-client.ts";
import { ClusterAdmin } from "./cluster-admin.ts";

const encoder = new TextEncoder();
const empty = new Uint8Array(0);

test("one timestamp, one content, on every replica and by pages of every size", async () => {
  await inSimulation({
    seed: 5,
    startJob,
    run: async (world) => {
      const cluster = new TestCluster(world, 3, [""]);
      await cluster.start();
      await cluster.untilReady();
      const outcome = await world.machine("operator").run(async (env) => {
        const client = openClusterClient(env, { topology: cluster.topology });
        const admin = new ClusterAdmin(env, cluster.topology);
        const expected = new ContentHash();
        for (let i = 0; i < 20; i++) {
          await client.set(`k${i}`, `v${i}`);
          expected.entry(encoder.encode(`k${i}`), encoder.encode(`v${i}`), 0);
        }
        const readTs = (await admin.timestamp()).value ?? 0;
        await client.set("k3", "later");
        await client.delete("k4");
        await world.sleep(5_000);
        const [{ value: leader }] = [await admin.replicas(1)];
        const region = leader?.[0]?.region;
        if (region === undefined) throw new Error("store 1 has no replica");
        for (const storeId of [1, 2, 3]) {
          for (const entriesMax of [1, 7, 1_000]) {
            const content = new ContentHash();
            for (let start: Uint8Array | null = empty; start !== null;) {
              const request = { readTs, appliedMin: leader?.[0]?.applied ?? 0, start, end: empty, entriesMax };
              const told = await admin.hash(storeId, region, request);
              if (told.error !== null) throw new Error(JSON.stringify(told.error));
              content.add(told.value.content);
              start = told.value.next;
            }
            expect(contentText(content.sum)).toBe(contentText(expected.sum));
          }
        }
        const ahead = { readTs, appliedMin: 10_000, start: empty, end: empty, entriesMax: 1 };
        expect(await admin.hash(2, region, ahead)).toMatchObject({ error: { kind: "application", code: 2 } });
        const told = await Promise.all([1, 2, 3].map((storeId) => admin.progress(storeId, region)));
        const lead = told.find(({ value }) => (value?.members.length ?? 0) > 0)?.value;
        expect(lead?.members.map(({ state }) => state)).toEqual(["replicate", "replicate", "replicate"]);
        const ends = told.map(({ value }) => value?.recent.at(-1));
        expect(ends[1]).toEqual(ends[0]);
        expect(ends[2]).toEqual(ends[0]);
        admin.close();
        client.close();
      });
      expect(outcome).toMatchObject({ kind: "done" });
      for (const store of cluster.stores) await store.stop();
      await cluster.coordinator.stop();
    },
  });
});
