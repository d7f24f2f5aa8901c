import { expect, test } from "vitest";
import { TestWorld } from "../core/engine/test-world.test-support.ts";
import type { RegionMeta } from "../raft/region.ts";
import { Coordinator } from "./coordinator.ts";
import { CoordinatorError } from "./coordinator-error.ts";
import type { RootStatus } from "./journal.ts";
import { LocalJournal } from "./local-journal.ts";
import { type Freshness, type RootView, route } from "./route.ts";
import { emptyState } from "./state.ts";

// Goal: the contract of degraded mode, cell by cell. "Leaderless" is a Coordinator whose journal has failed, or a
// member that knows of no leader; "follower" is one that is behind; "bootstrap" one that has no map.
// The rows that need stores wait for them: replication and elections without a Coordinator, reads by ReadIndex with a
// warm route, commits and resolutions that hold their timestamps (store runtime, client); planned changes rejected
// before they are proposed, terminal publishes queued durably (store runtime); expand paused and resumed (migration).

const none = new Uint8Array(0);
const voter = { peerId: 11, storeId: 1, role: "voter" as const };
const region: RegionMeta = { id: 1, start: none, end: none, epoch: { version: 1, confVer: 1 }, peers: [voter] };
const token = { term: 3, index: 40 };
const healthy: RootStatus = { role: "leader", newest: token, lag: 0, bootstrapRequired: false, leader: 0 };
const leaderless: RootStatus = { ...healthy, role: "none" };
const follower: RootStatus = { ...healthy, role: "follower", newest: { term: 3, index: 45 }, lag: 5, leader: 2 };
const bootstrap: RootStatus = { ...follower, bootstrapRequired: true };

function view(status: RootStatus, regions: readonly RegionMeta[] = [region]): RootView {
  return { state: { ...emptyState, regions }, token, status, leaderOf: () => null };
}

function ask(status: RootStatus, freshness: Freshness, maxRootLag = 10, regions = [region]): unknown {
  const answer = route(view(status, regions), { key: none, freshness, requiredToken: token, maxRootLag });
  return answer instanceof CoordinatorError ? answer.code : answer;
}

test("cold route, healthy: served fresh in every class", () => {
  for (const freshness of ["STRONG", "BOUNDED", "BEST_EFFORT"] as const) {
    expect(ask(healthy, freshness)).toMatchObject({
      region, servedFreshness: freshness, degradedMode: "HEALTHY", catchUpState: "FRESH", servedByLeader: true,
      rootLag: 0,
    });
  }
});

test("cold route, leaderless: ROUTE_UNAVAILABLE, except what is asked for as best effort and tagged so", () => {
  expect(ask(leaderless, "BOUNDED")).toBe("ROUTE_UNAVAILABLE");
  expect(ask(leaderless, "BEST_EFFORT")).toMatchObject({
    region, degradedMode: "ROOT_UNAVAILABLE", catchUpState: "UNAVAILABLE", servedByLeader: false,
  });
});

test("cold route, follower within its bound: bounded and best effort are served and tagged", () => {
  for (const freshness of ["BOUNDED", "BEST_EFFORT"] as const) {
    expect(ask(follower, freshness, 5)).toMatchObject({
      region, servedFreshness: freshness, degradedMode: "ROOT_LAGGING", catchUpState: "LAGGING", rootLag: 5,
      servedToken: token, currentToken: { term: 3, index: 45 },
    });
  }
});

test("cold route, follower beyond its bound, or before what the caller has seen: ROUTE_UNAVAILABLE", () => {
  expect(ask(follower, "BOUNDED", 4)).toBe("ROUTE_UNAVAILABLE");
  const seen = { key: none, freshness: "BOUNDED" as const, requiredToken: { term: 3, index: 41 }, maxRootLag: 10 };
  expect(route(view(follower), seen)).toMatchObject({ code: "ROUTE_UNAVAILABLE" });
  expect(route(view(follower), { ...seen, requiredToken: { term: 4, index: 1 } })).toBeInstanceOf(CoordinatorError);
});

test("cold route, bootstrap required: best effort only, and tagged", () => {
  for (const [status, regions] of [[bootstrap, [region]], [healthy, []]] as const) {
    expect(ask(status, "BOUNDED", 10, [...regions])).toBe("ROUTE_UNAVAILABLE");
    expect(ask(status, "BEST_EFFORT", 10, [...regions])).toMatchObject({ catchUpState: "BOOTSTRAP_REQUIRED" });
  }
});

test("strong route: never from anybody but a leader with a map, and never silently weaker", () => {
  for (const status of [leaderless, follower, bootstrap]) expect(ask(status, "STRONG")).toBe("ROUTE_UNAVAILABLE");
  expect(ask(healthy, "STRONG", 10, [])).toBe("ROUTE_UNAVAILABLE");
});

test("a store that was removed since its heartbeat is told as nobody's leader", () => {
  const leaderOf = (): { peerId: number; storeId: number; term: number } => ({ peerId: 99, storeId: 9, term: 4 });
  const request = { key: none, freshness: "STRONG" as const, requiredToken: token, maxRootLag: 0 };
  expect(route({ ...view(healthy), leaderOf }, request)).toMatchObject({ region, leader: null });
});

test("a Coordinator without its journal gives no number and no strong route; best effort goes on", async () => {
  const world = new TestWorld();
  const journal = await world.run(LocalJournal.open(world.boot(), "/root", { owner: "test", fileBytesMax: 65_536 }));
  const coordinator = new Coordinator(world.live, journal);
  const timestamps = (): Promise<string | null> =>
    world.run(new Promise((resolve) => coordinator.timestamps(1, (error) => resolve(error?.code ?? null))));
  const ids = (): Promise<string | null> =>
    world.run(new Promise((resolve) => coordinator.allocateIds(1, (error) => resolve(error?.code ?? null))));
  const publish = (): Promise<string | null> =>
    world.run(
      new Promise((resolve) =>
        coordinator.publish({ kind: "RegionTombstoned", regionId: 1 }, 0, (error) => resolve(error?.code ?? null)),
      ),
    );
  const events = [
    { kind: "ClusterBootstrapped", clusterId: 1, clusterVersion: 1 } as const,
    { kind: "RegionBootstrap", region } as const,
  ];
  for (const event of events) {
    await world.run(new Promise((resolve) => coordinator.publish(event, 0, resolve)));
  }
  expect([await timestamps(), await ids()]).toEqual([null, null]);
  world.live.refuse = (operation) => (operation === "sync" ? "EIO" : null);
  expect(await publish()).toBe("ROOT_UNDETERMINED");
  // Also a second time: nobody waits for ever.
  for (let i = 0; i < 2; i++) {
    expect([await timestamps(), await ids(), await publish()]).toEqual([
      "TSO_UNAVAILABLE", "ID_UNAVAILABLE", "ROOT_UNAVAILABLE",
    ]);
  }
  const request = { key: none, requiredToken: coordinator.token, maxRootLag: 0 };
  expect(coordinator.route({ ...request, freshness: "STRONG" })).toMatchObject({ code: "ROUTE_UNAVAILABLE" });
  expect(coordinator.route({ ...request, freshness: "BEST_EFFORT" })).toMatchObject({
    region, degradedMode: "ROOT_UNAVAILABLE",
  });
});
