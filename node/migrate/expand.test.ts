// Goal: a region of one voter becomes one of three without a moment of two, and an operator's process that dies at any
// arrow is started again with the same order until it is done.
// Method: a Coordinator and three stores of the simulated world, one of them with data; an operator's machine.
import { describe, expect, test } from "vitest";
import { contentText } from "../../core/bytes/content-hash.ts";
import { startJob } from "../../core/lsm/job-starter.ts";
import { expandAfterAbort, expandAfterAbortMark, expandAfterVerify, failpoints } from "../../failpoints/catalog.ts";
import type { Env } from "../../core/env/env.ts";
import { inSimulation } from "../../sim/in-simulation.test-support.ts";
import type { Machine, RunOutcome } from "../../sim/machine.ts";
import type { World } from "../../sim/world.ts";
import { TestCluster } from "../cluster.test-support.ts";
import { openClusterClient } from "../open-cluster-client.ts";
import { ClusterAdmin } from "./cluster-admin.ts";
import { contentOfRegion, differing } from "./content-check.ts";
import { type ExpandEvent, type ExpandOrder, type ExpandWorld, expand } from "./expand.ts";
import { ExpandJournal } from "./expand-journal.ts";
import { abortExpansion, removePeer, transferLeader } from "./members.ts";

const order: ExpandOrder = { regionId: 1, stores: [2, 3], allowTwo: false };

interface Stage {
  readonly world: World;
  readonly cluster: TestCluster;
  readonly operator: Machine;
  readonly events: ExpandEvent[];
  /** In a process of its own. */
  act<T>(run: (world: ExpandWorld) => Promise<T>, before?: (machine: Machine) => void): Promise<RunOutcome<T>>;
}

function staged(seed: number, run: (stage: Stage) => Promise<void>): Promise<unknown> {
  return inSimulation({
    seed,
    startJob,
    run: async (world) => {
      const cluster = new TestCluster(world, 3, [""], 1);
      await cluster.start();
      await cluster.untilReady();
      const operator = world.machine("operator");
      const events: ExpandEvent[] = [];
      const stage: Stage = {
        world, cluster, operator, events,
        act: async (work, before) => {
          const outcome = await operator.run(async (env) => {
            before?.(operator);
            return await withWorld(env, cluster, events, work);
          });
          operator.crash("process");
          return outcome;
        },
      };
      const filled = await operator.run(async (env) => {
        const client = openClusterClient(env, { topology: cluster.topology });
        for (let i = 0; i < 30; i++) await client.set(`key-${i}`, `value-${i}`);
        client.close();
      });
      expect(filled).toMatchObject({ kind: "done" });
      operator.crash("process");
      await run(stage);
      for (const store of cluster.stores) if (store.up) await store.stop();
      await cluster.coordinator.stop();
      expect(cluster.fatal).toEqual([]);
    },
  });
}

// oxlint-disable-next-line max-params
async function withWorld<T>(
  env: Env,
  cluster: TestCluster,
  events: ExpandEvent[],
  work: (world: ExpandWorld) => Promise<T>,
): Promise<T> {
  const admin = new ClusterAdmin(env, cluster.topology);
  const journal = await ExpandJournal.open(env, "/journal", cluster.topology.clusterId, "operator");
  const pace = { pollMs: 100, stallMs: 20_000 };
  try {
    return await work({ env, admin, journal, pace, report: (event) => void events.push(event) });
  } finally {
    journal.close();
    admin.close();
  }
}

function rolesOf(cluster: TestCluster): string {
  const region = cluster.store(1).node.store.region(1)?.region;
  return (region?.peers ?? []).map(({ storeId, role }) => `${storeId} ${role}`).join(", ");
}

function valueOf<T>(outcome: RunOutcome<T>): T {
  if (outcome.kind === "failed") throw outcome.error;
  if (outcome.kind === "crashed") throw new Error("the operator's process crashed");
  return outcome.value;
}

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
