// Goal: garbage goes in all regions, again and again, and nothing that a young snapshot needs.
// Method: stores in memory; time is moved by hand.
import { expect, test } from "vitest";
import { bytes } from "../percolator/stage.test-support.ts";
import { GarbageKeeper } from "./garbage-keeper.ts";
import { MemoryCluster } from "./memory-cluster.test-support.ts";

function add(cluster: MemoryCluster, key: string): void {
  const mutation = { kind: "increment", key: bytes(key), delta: 1n } as const;
  cluster.client.atomic(mutation, {}, () => {});
  cluster.clock.advance(100);
}

function stage(): { cluster: MemoryCluster; keeper: GarbageKeeper } {
  const cluster = new MemoryCluster({}, "h", "p");
  const keeper = new GarbageKeeper(cluster.client, cluster.clock, { lifeMs: 5_000, everyMs: 1_000 });
  keeper.start();
  return { cluster, keeper };
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
