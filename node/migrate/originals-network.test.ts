// Goal: what the original's integration tests of deadlines and of a network that fails ask, by their names.
// Method: real nodes in the simulated world; links are cut by hand, and time is the world's.
import { describe, expect, test } from "vitest";
import type { NokvError } from "../../core/errors.ts";
import type { ClusterClient } from "../cluster-client.ts";
import { expand } from "./expand.ts";
import { type Stage, asClient, rolesOf, staged, toTwoMore, valueOf } from "./expand-stage.test-support.ts";
import { removePeer, transferLeader } from "./members.ts";
import { verifyCluster } from "./online.ts";

const encoder = new TextEncoder();

function link({ world }: Stage, one: string, other: string): { block(): void; unblock(): void } {
  const both = [world.network.link(one, other), world.network.link(other, one)];
  return {
    block: () => both.forEach((way) => way.block()),
    unblock: () => both.forEach((way) => way.unblock()),
  };
}

function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : new TextDecoder().decode(bytes);
}

const timeoutMs = 2_000;

interface Ended {
  readonly code: string;
  readonly tookMs: number;
}

/** How it ended; "done" is no error. */
async function ended({ world }: Stage, work: Promise<unknown>): Promise<Ended> {
  const beganUs = world.nowUs;
  const code = await work.then(() => "done", (error: NokvError) => error.code);
  return { code, tookMs: Math.floor((world.nowUs - beganUs) / 1_000) };
}

/** It ended at its deadline: neither at once, nor much later. */
function expectOnTime({ code, tookMs }: Ended, codes: readonly string[]): void {
  expect(codes).toContain(code);
  expect(tookMs).toBeGreaterThan(timeoutMs / 2);
  expect(tookMs).toBeLessThan(timeoutMs + 250);
}

/** Until it does: what a client does that is told NOKV_BUSY. */
async function untilDone(stage: Stage, work: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries++) {
    const { code } = await ended(stage, work());
    if (code === "done") return;
    if (tries > 30) throw new Error(`it does not come to an end: ${code}`);
    await stage.world.sleep(500);
  }
}

describe("deadlines and cancellation", () => {
  test("TestClientReadWriteHonorContextUnderQuorumLoss", async () => {
    await staged(31, async (stage) => {
      valueOf(await stage.act((world) => expand(world, toTwoMore)));
      const apart = [[1, 2], [1, 3], [2, 3]].map(([one, other]) => link(stage, `store-${one}`, `store-${other}`));
      await asClient(stage, async (client) => {
        expect(text(await client.get("key-1"))).toBe("value-1");
        for (const way of apart) way.block();
        expectOnTime(await ended(stage, client.get("key-1", { timeoutMs })), ["NOKV_BUSY"]);
        const late = await ended(stage, client.set("key-1", "late", { timeoutMs }));
        expectOnTime(late, ["NOKV_BUSY", "NOKV_UNDETERMINED"]);
        const abort = new AbortController();
        const cancelled = ended(stage, client.get("key-2", { timeoutMs: 60_000, signal: abort.signal }));
        await stage.world.sleep(300);
        abort.abort();
        expect(await cancelled).toMatchObject({ code: "NOKV_ABORTED", tookMs: 300 });
        for (const way of apart) way.unblock();
        await untilDone(stage, () => client.get("key-1"));
        // Who says that it did not happen says so for ever.
        const found = text(await client.get("key-1"));
        if (late.code === "NOKV_BUSY") expect(found).toBe("value-1");
        else expect(["value-1", "late"]).toContain(found);
        await client.set("key-1", "later");
        expect(text(await client.get("key-1"))).toBe("later");
      });
    });
  });

  test("TestClientTwoPhaseCommitHonorsContextAcrossSplitRegionsUnderPartialQuorumLoss", async () => {
    await staged(32, async (stage) => {
      const { cluster, act } = stage;
      valueOf(await act((world) => expand(world, toTwoMore)));
      const region = cluster.store(1).node.store.region(1)?.region;
      if (region === undefined) throw new Error("the seed's store has its region");
      expect(valueOf(await act(({ admin }) => admin.split(1, region, [encoder.encode("m")]))).error).toBe(null);
      await cluster.until("it is divided", () => cluster.stores.every(({ node }) => node.store.regions().length === 2));
      const child = cluster.store(1).node.store.regions()[1]?.region.id ?? 0;
      // Each region has two voters, both need store 1, and the other one is another store.
      valueOf(await act((world) => removePeer(world, { regionId: 1, storeId: 3, allowTwo: true })));
      valueOf(await act((world) => removePeer(world, { regionId: child, storeId: 2, allowTwo: true })));
      await asClient(stage, async (client) => {
        const both = (keys: readonly [string, string], options: { readonly timeoutMs?: number }): Promise<void> =>
          client.transact((txn) => {
            for (const key of keys) txn.set(key, "both");
            return Promise.resolve();
          }, options);
        await both(["alpha", "sierra"], {});
        cluster.store(3).crash("process");
        const late = await ended(stage, both(["bravo", "tango"], { timeoutMs }));
        expectOnTime(late, ["NOKV_BUSY", "NOKV_ABORTED", "NOKV_UNDETERMINED"]);
        await cluster.store(3).start();
        await untilDone(stage, () => both(["charlie", "yankee"], {}));
        await untilDone(stage, () => client.getMany(["bravo", "tango"]));
        const [one, other] = (await client.getMany(["bravo", "tango"])).map(text);
        expect(one).toBe(other);
        if (late.code !== "NOKV_UNDETERMINED") expect(one).toBe(null);
        expect((await client.getMany(["alpha", "charlie", "sierra", "yankee"])).map(text)).toEqual(
          ["both", "both", "both", "both"],
        );
      });
    });
  });
});

async function readBySelf(stage: Stage, count: number, stores: readonly number[]): Promise<void> {
  const found = valueOf(await stage.act((world) => verifyCluster(world, { readTs: null, regionId: null })));
  expect(found).toMatchObject({ same: true, content: { count } });
  expect(found.regions[0]?.readings.map(({ by }) => by)).toEqual(["scan", ...stores]);
}

async function write(client: ClusterClient, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await client.set(`more-${i}`, `more ${i}`);
}

describe("transport chaos", () => {
  test("TestPartitionedFollowerCatchesUpAfterRecovery: over a loss of its power while it is cut off", async () => {
    await staged(33, async (stage) => {
      const { cluster, act } = stage;
      valueOf(await act((world) => expand(world, toTwoMore)));
      const ways = ["store-1", "store-2", "coordinator"].map((name) => link(stage, name, "store-3"));
      for (const way of ways) way.block();
      const applied = (storeId: number): number => cluster.store(storeId).node.store.region(1)?.applyState.index ?? 0;
      const before = applied(3);
      await asClient(stage, (client) => write(client, 20));
      expect(applied(3)).toBe(before);
      cluster.store(3).crash("power");
      await cluster.store(3).start();
      await stage.world.sleep(2_000);
      expect(applied(3)).toBeLessThanOrEqual(before);
      for (const way of ways) way.unblock();
      await cluster.until("it has caught up", () => applied(3) >= applied(1));
      await readBySelf(stage, 50, [1, 2, 3]);
    });
  });

  test("TestTransferLeaderRecoversAfterPartitionedTargetReturns", async () => {
    await staged(34, async (stage) => {
      const { cluster, act } = stage;
      valueOf(await act((world) => expand(world, toTwoMore)));
      const way = link(stage, "store-1", "store-2");
      way.block();
      const refused = await act((world) => transferLeader(world, { regionId: 1, storeId: 2 }));
      expect(refused).toMatchObject({ kind: "failed", error: { code: "NOKV_BUSY" } });
      // Whoever leads after it, somebody does.
      await asClient(stage, (client) => untilDone(stage, () => client.set("key-1", "value-1")));
      way.unblock();
      const led = valueOf(await act((world) => transferLeader(world, { regionId: 1, storeId: 2 })));
      expect(led.leaderStore).toBe(2);
      expect(cluster.store(2).node.store.region(1)?.leadingTerm).toBe(led.term);
      await readBySelf(stage, 30, [1, 2, 3]);
    });
  });

  test("TestRepeatedLinkFlapConvergesDuringMembershipChanges", async () => {
    await staged(35, async (stage) => {
      const { cluster, act, world } = stage;
      valueOf(await act((expansion) => expand(expansion, toTwoMore)));
      const flapping = async (one: number, other: number, work: Promise<unknown>): Promise<number> => {
        const way = link(stage, `store-${one}`, `store-${other}`);
        const state = { over: false };
        const over = work.finally(() => {
          state.over = true;
        });
        let flaps = 0;
        for (; !state.over; flaps++) {
          if (flaps % 2 === 0) way.block();
          else way.unblock();
          await world.sleep(40);
        }
        way.unblock();
        await over;
        return flaps;
      };
      const moved = act((expansion) => transferLeader(expansion, { regionId: 1, storeId: 2 }));
      expect(await flapping(1, 3, moved)).toBeGreaterThan(1);
      expect(valueOf(await moved).leaderStore).toBe(2);
      const removed = act((expansion) => removePeer(expansion, { regionId: 1, storeId: 3, allowTwo: true }));
      expect(await flapping(2, 3, removed)).toBeGreaterThan(1);
      expect(valueOf(await removed).region.peers.map(({ storeId }) => storeId)).toEqual([1, 2]);
      expect(rolesOf(cluster)).toBe("1 voter, 2 voter");
      await cluster.until("it hears of it", () => cluster.store(3).node.store.region(1) === null);
      await readBySelf(stage, 30, [1, 2]);
    });
  });
});
