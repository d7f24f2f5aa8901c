// Goal: a region of one voter becomes one of three without a moment of two, and an operator's process that dies at any
// arrow is started again with the same order until it is done.
// Method: a Coordinator and three stores of the simulated world, one of them with data; an operator's machine.
import { describe, expect, test } from "vitest";
import { contentText } from "../../core/bytes/content-hash.ts";
import { expandAfterAbort, expandAfterAbortMark, expandAfterVerify, failpoints } from "../../failpoints/catalog.ts";
import { contentOfRegion, differing } from "./content-check.ts";
import { expand } from "./expand.ts";
import { rolesOf, staged, toTwoMore as order, valueOf } from "./expand-stage.test-support.ts";
import { abortExpansion, removePeer, transferLeader } from "./members.ts";

test("from one voter to three, with the same content everywhere", async () => {
  await staged(1, async ({ cluster, act, events }) => {
    const [expanded] = valueOf(await act((world) => expand(world, order)));
    expect(rolesOf(cluster)).toBe("1 voter, 2 voter, 3 voter");
    expect(expanded?.content).toMatchObject({ count: 30 });
    expect(events.map((event) => (event.kind === "step" ? event.text : "snapshot"))).toMatchInlineSnapshot(`
      [
        "peer 102 is reserved for store 2",
        "peer 103 is reserved for store 3",
        "store 2 has learner 102",
        "store 3 has learner 103",
        "learners have caught up; their content is compared",
        "30 entries, fcefc5ad142c0c55b9ee731006aa4ee2 on 3 stores",
        "102 and 103 vote",
        "3 voters: 1 [-, -) v1 c6",
      ]
    `);
    // Again: everything is there.
    events.length = 0;
    valueOf(await act((world) => expand(world, order)));
    expect(events).toHaveLength(1);
    const found = await act(async ({ admin, env, pace }) => {
      const region = cluster.store(1).node.store.region(1)?.region;
      if (region === undefined) throw new Error("store 1 has no region");
      const content = { admin, clock: env.clock, pollMs: pace.pollMs, waitMs: pace.stallMs };
      return await contentOfRegion(content, region, [1, 2, 3]);
    });
    const content = valueOf(found);
    if (typeof content === "string") throw new Error(content);
    expect(differing(content)).toBe(null);
    expect(content.readings).toHaveLength(4);
    expect(contentText(content.readings[0]?.content ?? { count: 0, bytes: 0, hash: [0, 0, 0, 0] })).toBe(
      contentText(expanded?.content ?? { count: 1, bytes: 0, hash: [1, 1, 1, 1] }),
    );
  });
});

describe("an operator's process that dies is started again", () => {
  const aborts = [expandAfterAbort, expandAfterAbortMark];
  for (const point of failpoints) {
    if (!point.name.startsWith("node/migrate/expand-") || aborts.includes(point)) continue;
    test(`at ${point.name}`, async () => {
      await staged(2, async ({ cluster, act }) => {
        const outcome = await act((world) => expand(world, order), (machine) => {
          machine.failpoints.arm(point, { kind: "crash", percent: 100, count: 1 });
        });
        expect(outcome.kind).toBe("crashed");
        valueOf(await act((world) => expand(world, order)));
        expect(rolesOf(cluster)).toBe("1 voter, 2 voter, 3 voter");
      });
    });
  }

  for (const point of aborts) {
    test(`at ${point.name}, and then the expansion begins anew`, async () => {
      await staged(3, async ({ cluster, act }) => {
        await act((world) => expand(world, order), (machine) => {
          machine.failpoints.arm(expandAfterVerify, { kind: "crash", percent: 100, count: 1 });
        });
        expect(rolesOf(cluster)).toBe("1 voter, 2 learner, 3 learner");
        const outcome = await act((world) => abortExpansion(world, order), (machine) => {
          machine.failpoints.arm(point, { kind: "crash", percent: 100, count: 1 });
        });
        expect(outcome.kind).toBe("crashed");
        valueOf(await act((world) => abortExpansion(world, order)));
        expect(rolesOf(cluster)).toBe("1 voter");
        valueOf(await act((world) => expand(world, order)));
        expect(rolesOf(cluster)).toBe("1 voter, 2 voter, 3 voter");
      });
    });
  }
});

test("two voters only for those who say so", async () => {
  await staged(4, async ({ cluster, act }) => {
    const refused = await act((world) => expand(world, { ...order, stores: [2] }));
    expect(refused).toMatchObject({ kind: "failed", error: { code: "NOKV_INVALID_ARGUMENT" } });
    expect(rolesOf(cluster)).toBe("1 voter");
    valueOf(await act((world) => expand(world, { ...order, stores: [2], allowTwo: true })));
    expect(rolesOf(cluster)).toBe("1 voter, 2 voter");
    valueOf(await act((world) => expand(world, { ...order, stores: [3] })));
    expect(rolesOf(cluster)).toBe("1 voter, 2 voter, 3 voter");
  });
});

test("leadership is handed over, and the seed's store can leave", async () => {
  await staged(5, async ({ cluster, act }) => {
    valueOf(await act((world) => expand(world, order)));
    const led = valueOf(await act((world) => transferLeader(world, { regionId: 1, storeId: 3 })));
    expect(led.leaderStore).toBe(3);
    const twoLeft = await act((world) => removePeer(world, { regionId: 1, storeId: 1, allowTwo: false }));
    expect(twoLeft).toMatchObject({ kind: "failed", error: { code: "NOKV_INVALID_ARGUMENT" } });
    valueOf(await act((world) => removePeer(world, { regionId: 1, storeId: 3, allowTwo: true })));
    valueOf(await act((world) => removePeer(world, { regionId: 1, storeId: 2, allowTwo: false })));
    expect(rolesOf(cluster)).toBe("1 voter");
    const last = await act((world) => removePeer(world, { regionId: 1, storeId: 1, allowTwo: false }));
    expect(last).toMatchObject({ kind: "failed", error: { code: "NOKV_INVALID_ARGUMENT" } });
    // Peers that were removed do not come back under their ids.
    valueOf(await act((world) => expand(world, order)));
    expect(rolesOf(cluster)).toBe("1 voter, 2 voter, 3 voter");
  });
});

test("a region that is not there is not waited for", async () => {
  await staged(5, async ({ act }) => {
    const unknown = { kind: "failed", error: { message: "there is no region 9; there are 1" } };
    expect(await act((world) => expand(world, { ...order, regionId: 9 }))).toMatchObject(unknown);
    expect(await act((world) => transferLeader(world, { regionId: 9, storeId: 3 }))).toMatchObject(unknown);
  });
});

test("a store that nobody knows is named, and no id is reserved for it", async () => {
  await staged(5, async ({ act, operator }) => {
    const outcome = await act((world) => expand(world, { ...order, stores: [2, 9] }));
    expect(outcome).toMatchObject({ kind: "failed", error: { code: "NOKV_BUSY" } });
    expect(outcome.kind === "failed" ? String(outcome.error) : "").toContain("store 9 has not joined the cluster");
    const targets = await act((world) => Promise.resolve(world.journal.targets));
    expect(targets).toEqual({ kind: "done", value: [] });
    expect(operator.up).toBe(false);
  });
});

test("a target that is away is waited for, and named", async () => {
  await staged(6, async ({ cluster, act, world }) => {
    cluster.store(3).crash("process");
    const outcome = await act((expansion) => expand(expansion, order));
    expect(outcome).toMatchObject({ kind: "failed", error: { code: "NOKV_BUSY" } });
    expect(outcome.kind === "failed" ? String(outcome.error) : "").toContain("store 3");
    await cluster.store(3).start();
    await world.sleep(2_000);
    valueOf(await act((expansion) => expand(expansion, order)));
    expect(rolesOf(cluster)).toBe("1 voter, 2 voter, 3 voter");
  });
});

test("learners that die before they follow are given up in time, and named", async () => {
  await staged(7, async ({ cluster, act, world }) => {
    const isThere = (): boolean => rolesOf(cluster) === "1 voter, 2 learner, 3 learner";
    const dying = cluster.until("it has learners", isThere).then(() => {
      for (const storeId of [2, 3]) cluster.store(storeId).crash("process");
    });
    const beganUs = world.nowUs;
    const outcome = await act((expansion) => expand(expansion, order));
    await dying;
    expect(outcome).toMatchObject({ kind: "failed", error: { code: "NOKV_BUSY" } });
    expect(world.nowUs - beganUs).toBeLessThan(60_000_000);
    for (const storeId of [2, 3]) await cluster.store(storeId).start();
    valueOf(await act((expansion) => expand(expansion, order)));
    expect(rolesOf(cluster)).toBe("1 voter, 2 voter, 3 voter");
  });
});
