// Goal: garbage goes in all regions, again and again, and nothing that a young snapshot needs.
// Method: stores in memory; time is moved by hand.
import { expect, test } from "vitest";
import { bytes } from "../percolator/stage.test-support.ts";
import type { StoreStatus } from "../../coordinator/store-view.ts";
import { GarbageKeeper } from "./garbage-keeper.ts";
import { MemoryCluster } from "./memory-cluster.test-support.ts";

function add(cluster: MemoryCluster, key: string): void {
  const mutation = { kind: "increment", key: bytes(key), delta: 1n } as const;
  cluster.client.atomic(mutation, {}, () => {});
  cluster.clock.advance(100);
}

/** What one store tells the Coordinator; null: it is not heard of. */
interface Told {
  writes: number | null;
}

function stage(): { cluster: MemoryCluster; keeper: GarbageKeeper; told: Told } {
  const cluster = new MemoryCluster({}, "h", "p");
  const told: Told = { writes: null };
  const status = (): StoreStatus => ({
    storeId: 1, address: "", membership: "member", liveness: "up",
    heartbeat: told.writes === null ? null : {
      storeId: 1, incarnation: 1, writes: told.writes, capacityBytes: 0, availableBytes: 0, regionCount: 3,
      leaderCount: 3, readBytesPerSecond: 0, writtenBytesPerSecond: 0, snapshotsSending: 0, snapshotsReceiving: 0,
      slowScore: 1,
    },
  });
  const keeper = new GarbageKeeper({
    client: cluster.client,
    clock: cluster.clock,
    coordinator: { stores: (done) => cluster.clock.soon(() => done(null, [status()])) },
    options: { lifeMs: 5_000, everyMs: 1_000, regionMs: 1 },
  });
  keeper.start();
  return { cluster, keeper, told };
}

test("records go when they are old enough, in all regions, and snapshots that are younger are read", () => {
  const { cluster, keeper } = stage();
  for (const key of ["a", "k", "z", "a"]) add(cluster, key);
  const snapshot = cluster.timestamp();
  cluster.clock.advance(3_000);
  expect(cluster.store.recordCount).toBe(4);
  let value = "";
  const range = { start: bytes(""), end: null };
  cluster.client.scan(range, { limit: 9, readTs: snapshot }, (_, entries) => {
    value = (entries ?? []).map((entry) => String.fromCharCode(...entry.value)).join();
  });
  cluster.clock.advance(100);
  expect(value).toBe("2,1,1");
  cluster.clock.advance(10_000);
  expect([cluster.store.recordCount, keeper.failures]).toEqual([0, 0]);
  expect(keeper.safePoint).toBeGreaterThan(snapshot);
  cluster.clock.advance(10_000);
  expect(cluster.client.active).toBe(0);
});

test("a collection that fails is begun again, and none is begun after the end", () => {
  const { cluster, keeper } = stage();
  add(cluster, "a");
  cluster.intervene = ({ commands }) =>
    commands[0]?.kind === "collect-garbage" ? { kind: "fail", error: { kind: "region-not-found", regionId: 1 } } : null;
  cluster.clock.advance(20_000);
  expect([cluster.store.recordCount, keeper.failures > 0]).toEqual([1, true]);
  cluster.intervene = () => null;
  cluster.clock.advance(5_000);
  expect(cluster.store.recordCount).toBe(0);
  keeper.stop();
  cluster.clock.advance(100);
  const requests = cluster.story.length;
  cluster.clock.advance(20_000);
  expect(cluster.story.length).toBe(requests);
});

test("where nothing was written since the last collection, no region is asked until something is", () => {
  const { cluster, keeper, told } = stage();
  told.writes = 7;
  add(cluster, "a");
  cluster.clock.advance(20_000);
  expect([cluster.store.recordCount, keeper.spared > 5]).toEqual([0, true]);
  const requests = cluster.story.length;
  cluster.clock.advance(60_000);
  expect(cluster.story.length).toBe(requests);
  add(cluster, "a");
  told.writes = 8;
  const { safePoint } = keeper;
  cluster.clock.advance(20_000);
  expect(cluster.store.recordCount).toBe(0);
  expect(keeper.safePoint).toBeGreaterThan(safePoint);
});

test("what may have been written while a store was not heard of is collected, too", () => {
  const { cluster, keeper, told } = stage();
  told.writes = 7;
  cluster.clock.advance(20_000);
  const settled = keeper.safePoint;
  cluster.clock.advance(10_000);
  expect(keeper.safePoint).toBe(settled);
  told.writes = null;
  cluster.clock.advance(3_000);
  // It says the same as before, but something may have happened in between.
  told.writes = 7;
  cluster.clock.advance(10_000);
  const again = keeper.safePoint;
  expect(again).toBeGreaterThan(settled);
  cluster.clock.advance(20_000);
  expect(keeper.safePoint).toBe(again);
});
