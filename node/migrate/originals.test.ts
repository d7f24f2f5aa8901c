// Goal: what the original's integration and failure tests of expansion and membership ask, by their names; those of
// restarts and of a network that fails are in the files beside this one, all of them in docs/ORIGINAL-TESTS.md.
// Method: real nodes in the simulated world; what the original fakes (a target that never hosts) is made to happen.
import { describe, expect, test } from "vitest";
import { expand } from "./expand.ts";
import { asClient, rolesOf, staged, toTwoMore, valueOf } from "./expand-stage.test-support.ts";
import { onlineStatus, verifyCluster } from "./online.ts";
import { removePeer, transferLeader } from "./members.ts";

describe("raftstore/integration", () => {
  test("TestMigrationFlowEndToEnd: seed, three peers, transfer, remove, and everything can be read", async () => {
    await staged(11, async (stage) => {
      const { cluster, act } = stage;
      expect(valueOf(await act((world) => onlineStatus(world)))).toMatchObject({ stage: "seeded", problems: [] });
      valueOf(await act((world) => expand(world, toTwoMore)));
      expect(valueOf(await act((world) => onlineStatus(world)))).toMatchObject({ stage: "expanded", problems: [] });
      valueOf(await act((world) => transferLeader(world, { regionId: 1, storeId: 2 })));
      valueOf(await act((world) => removePeer(world, { regionId: 1, storeId: 1, allowTwo: true })));
      expect(cluster.store(1).node.store.region(1)).toBe(null);
      await asClient(stage, async (client) => {
        for (let i = 0; i < 30; i++) {
          expect(new TextDecoder().decode((await client.get(`key-${i}`)) ?? new Uint8Array(0))).toBe(`value-${i}`);
        }
      });
      const verified = valueOf(await act((world) => verifyCluster(world, { readTs: null, regionId: null })));
      expect(verified).toMatchObject({ same: true, content: { count: 30 } });
      expect(verified.regions[0]?.readings.map(({ by }) => by)).toEqual(["scan", 2, 3]);
    });
  });

  test("TestMigrationExpandWithSSTSnapshot: each new peer begins with one snapshot", async () => {
    await staged(12, async ({ cluster, act }) => {
      valueOf(await act((world) => expand(world, toTwoMore)));
      for (const storeId of [2, 3]) expect(cluster.store(storeId).node.store.stats.snapshotsIn).toBe(1);
      expect(cluster.store(1).node.store.stats.snapshotsOut).toBe(2);
    });
  });

  test("TestClusterSurvivesCoordinatorUnavailableAfterStartup", async () => {
    await staged(13, async (stage) => {
      const { cluster, act } = stage;
      valueOf(await act((world) => expand(world, toTwoMore)));
      await asClient(stage, async (client) => {
        await client.get("key-1");
        cluster.coordinator.crash("process");
        // What needs no timestamp goes on; what needs one says that it did not happen.
        expect(new TextDecoder().decode((await client.get("key-2")) ?? new Uint8Array(0))).toBe("value-2");
        await expect(client.set("key-2", "other")).rejects.toMatchObject({ code: "NOKV_BUSY" });
        await cluster.coordinator.start();
        await client.set("key-2", "later");
        expect(new TextDecoder().decode((await client.get("key-2")) ?? new Uint8Array(0))).toBe("later");
      });
    });
  });
});

describe("raftstore/migrate, the failure matrix", () => {
  test("a target that is never hosted: the learner harms nobody, and the same order goes on", async () => {
    await staged(14, async (stage) => {
      const { cluster, act, world } = stage;
      // It joins, and is gone when its snapshot comes.
      const dying = world.sleep(400).then(() => cluster.store(3).crash("power"));
      const outcome = await act((expansion) => expand(expansion, toTwoMore));
      await dying;
      if (outcome.kind === "failed") expect(outcome.error).toMatchObject({ code: "NOKV_BUSY" });
      await asClient(stage, (client) => client.set("key-1", "value-1"));
      if (!cluster.store(3).up) await cluster.store(3).start();
      valueOf(await act((expansion) => expand(expansion, toTwoMore)));
      expect(rolesOf(cluster)).toBe("1 voter, 2 voter, 3 voter");
    });
  });

  test("an expansion that is never published is not told as done", async () => {
    await staged(15, async ({ cluster, act, events, world }) => {
      const outcome = await act((expansion) => {
        const report = (event: (typeof events)[number]): void => {
          if (event.kind !== "step" || !event.text.endsWith("vote")) return;
          world.after(0, () => cluster.coordinator.crash("power"));
        };
        return expand({ ...expansion, report }, toTwoMore);
      });
      expect(outcome).toMatchObject({ kind: "failed", error: { code: "NOKV_BUSY" } });
      expect(rolesOf(cluster)).toBe("1 voter, 2 voter, 3 voter");
      await cluster.coordinator.start();
      valueOf(await act((expansion) => expand(expansion, toTwoMore)));
    });
  });

  test("a removal and a transfer that never come to an end say what they wait for", async () => {
    await staged(16, async ({ cluster, act }) => {
      valueOf(await act((expansion) => expand(expansion, toTwoMore)));
      for (const storeId of [2, 3]) cluster.store(storeId).crash("process");
      const moved = await act((expansion) => transferLeader(expansion, { regionId: 1, storeId: 2 }));
      expect(moved).toMatchObject({ kind: "failed", error: { code: "NOKV_BUSY" } });
      const removed = await act((expansion) => removePeer(expansion, { regionId: 1, storeId: 3, allowTwo: true }));
      expect(removed).toMatchObject({ kind: "failed", error: { code: "NOKV_BUSY" } });
      for (const storeId of [2, 3]) await cluster.store(storeId).start();
      valueOf(await act((expansion) => removePeer(expansion, { regionId: 1, storeId: 3, allowTwo: true })));
    });
  });
});
