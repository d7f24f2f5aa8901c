// Goal: what stores say of the same region is put together as operators need it, whoever is silent or out of date.
import { expect, test } from "vitest";
import type { StoreStatus } from "../coordinator/store-view.ts";
import type { RegionMeta } from "../raft/region.ts";
import type { RegionStatus, StoreStatusAnswer } from "../raft/store/status-messages.ts";
import { clusterJson } from "./cluster-json.ts";
import { clusterView } from "./cluster-view.ts";

const none = new Uint8Array(0);
const m = new TextEncoder().encode("m");

function region(id: number, over: Partial<RegionMeta> = {}): RegionMeta {
  const peers = [1, 2, 3].map((storeId) => ({ peerId: storeId * 100 + id, storeId, role: "voter" as const }));
  return { id, start: none, end: none, epoch: { version: 1, confVer: 1 }, peers, ...over };
}

function status(of: RegionMeta, storeId: number, over: Partial<RegionStatus> = {}): RegionStatus {
  const peerId = of.peers.find((peer) => peer.storeId === storeId)?.peerId ?? 0;
  return {
    region: of, peerId, term: 5, leadingTerm: 0, leaderStore: 0, applied: 10, committed: 10, last: 10, progress: [],
    bytes: 100, records: 4, reads: 0, writes: 0, ...over,
  };
}

function answer(storeId: number, regions: readonly RegionStatus[]): [number, StoreStatusAnswer] {
  return [storeId, { storeId, incarnation: 1, uptimeMs: 9, regions, nextRegion: 0, hotKeys: [], counts: [] }];
}

const stores: readonly StoreStatus[] = [1, 2, 3].map((storeId) => {
  return { storeId, address: `host:${storeId}`, liveness: "up", membership: "member", heartbeat: null };
});

test("a leader's word on how far the others are, beside what each says of itself", () => {
  const one = region(1);
  const progress = [
    { peerId: 101, match: 12, state: "replicate" as const },
    { peerId: 201, match: 9, state: "replicate" as const },
    { peerId: 301, match: 0, state: "probe" as const },
  ];
  const leader = status(one, 1, { leadingTerm: 5, last: 12, applied: 12, progress, bytes: 700, reads: 3 });
  const view = clusterView(stores, new Map([answer(1, [leader]), answer(2, [status(one, 2, { reads: 4 })])]), []);
  expect(view.regions).toMatchObject([{ leaderStore: 1, term: 5, bytes: 700, reads: 7 }]);
  expect(view.regions[0]?.replicas).toEqual([
    { storeId: 1, peerId: 101, role: "voter", isLeader: true, applied: 12, lag: 0, state: "replicate" },
    { storeId: 2, peerId: 201, role: "voter", isLeader: false, applied: 10, lag: 3, state: "replicate" },
    { storeId: 3, peerId: 301, role: "voter", isLeader: false, applied: null, lag: 12, state: "probe" },
  ]);
  expect(view.stores.map(({ status: told }) => told !== null)).toEqual([true, true, false]);
});

test("of two who say that they lead, the one of the later term does", () => {
  const one = region(1);
  const later = status(one, 2, { leadingTerm: 6, term: 6 });
  const told = [answer(1, [status(one, 1, { leadingTerm: 5 })]), answer(2, [later])];
  expect(clusterView(stores, new Map(told), []).regions).toMatchObject([{ leaderStore: 2, term: 6 }]);
});

test("the newest epoch says what the region is, and nobody leads where nobody says so", () => {
  const old = region(1);
  const divided = region(1, { end: m, epoch: { version: 2, confVer: 1 } });
  const child = region(2, { start: m, epoch: { version: 2, confVer: 1 } });
  const told = [answer(1, [status(old, 1)]), answer(2, [status(child, 2), status(divided, 2)])];
  const { regions } = clusterView(stores, new Map(told), []);
  expect(regions.map((view) => [view.region.id, view.leaderStore])).toEqual([[1, 0], [2, 0]]);
  expect(regions[0]?.region.end).toEqual(m);
});

test("for programs: keys as text, the hottest key of all stores first", () => {
  const hot = (key: string, recent: number): { key: Uint8Array; recent: number } => {
    return { key: new TextEncoder().encode(key), recent };
  };
  const [, first] = answer(1, [status(region(1, { end: m }), 1)]);
  const [, second] = answer(2, []);
  const answers = new Map([[1, { ...first, hotKeys: [hot("a", 8)] }], [2, { ...second, hotKeys: [hot("b\n", 16)] }]]);
  const json = clusterJson(clusterView(stores, answers, [{ who: "store 3", why: "no answer" }]));
  expect(json).toMatchObject({
    stores: [{ store_id: 1, answered: true, regions: 1, bytes: 100 }, { regions: 0 }, { answered: false }],
    regions: [{ region_id: 1, start: "", end: '"m"', leader_store: 0 }],
    hot_keys: [{ key: "hex:620a", store_id: 2, per_second: 16 }, { key: '"a"', store_id: 1, per_second: 8 }],
    silent: [{ who: "store 3", why: "no answer" }],
  });
});
