import fc from "fast-check";
import { expect, test } from "vitest";
import { decode, encode } from "../core/bytes/layout.ts";
import type { RegionMeta } from "../raft/region.ts";
import { RegionHistory } from "../sim/checkers/region-history.ts";
import { dominance, regionAt, tilingProblem } from "./region-map.ts";
import { reduce } from "./reduce.ts";
import { type RootEvent, rootEventLayout } from "./root-event.ts";
import { type CoordinatorState, emptyState, settledTransitionsMax, stateLayout } from "./state.ts";

// Goal: the state follows from the events by the rules of epochs, whatever the order in which they come.

/** Choices from a list of numbers, again from its front when it is used up. */
function history(numbers: readonly number[], steps: number): RegionHistory {
  let next = 0;
  let id = 0;
  const below = (n: number): number => ((numbers[next++ % numbers.length] ?? 0) + next) % n;
  const regions = new RegionHistory({ below, newId: () => ++id }, [1, 2, 3, 4, 5]);
  for (let i = 0; i < steps; i++) regions.step();
  return regions;
}

const numbers = fc.array(fc.nat({ max: 100_000 }), { minLength: 1, maxLength: 60 });

const orders = fc.array(fc.nat(), { maxLength: 100 });

function publish(region: RegionMeta): RootEvent {
  return { kind: "RegionDescriptorPublished", region };
}

function play(events: readonly RootEvent[], from = emptyState): CoordinatorState {
  return events.reduce((state, event) => reduce(state, event).state, from);
}

test("descriptors in any order, and again, converge to the newest at every key", () => {
  fc.assert(
    fc.property(numbers, fc.nat({ max: 40 }), fc.array(fc.nat(), { maxLength: 200 }), (chosen, steps, order) => {
      const truth = history(chosen, steps);
      const shuffled = order.map((at) => truth.reports[at % truth.reports.length]?.region);
      let state = emptyState;
      for (const region of shuffled) {
        if (region !== undefined) state = reduce(state, publish(region)).state;
        const problem = tilingProblem(state.regions);
        if (problem !== null) expect(problem).toMatch(/^no region holds/);
      }
      // Whatever is true is said again and again.
      const current = truth.current.map((report) => report.region);
      for (const region of current) state = reduce(state, publish(region)).state;
      expect(tilingProblem(state.regions)).toBeNull();
      expect(state.regions).toEqual(current);
      expect(state.vacated).toEqual([]);
    }),
  );
});

test("an accepted descriptor is never replaced by an older one", () => {
  fc.assert(
    fc.property(numbers, orders, fc.uint8Array({ maxLength: 2 }), (chosen, order, key) => {
      const truth = history(chosen, 30);
      let state = emptyState;
      let version = 0;
      for (const at of order) {
        const report = truth.reports[at % truth.reports.length];
        if (report !== undefined) state = reduce(state, publish(report.region)).state;
        const found = regionAt(state.regions, key);
        if (found === null) continue;
        expect(found.epoch.version).toBeGreaterThanOrEqual(version);
        version = found.epoch.version;
      }
    }),
  );
});

test("events and states survive their bytes, and replay gives the same state", () => {
  fc.assert(
    fc.property(numbers, (chosen) => {
      const events = history(chosen, 20).reports.map((report) => publish(report.region));
      const again = events.map((event) => decode(rootEventLayout, encode(rootEventLayout, event)));
      expect(again).toEqual(events.map((value) => ({ value })));
      const state = play(events);
      expect(decode(stateLayout, encode(stateLayout, state))).toEqual({ value: state });
    }),
  );
});

const none = new Uint8Array(0);
const middle = Uint8Array.of(0x6d);
const voters = [1, 2, 3].map((storeId) => ({ peerId: 100 + storeId, storeId, role: "voter" as const }));
const whole: RegionMeta = { id: 1, start: none, end: none, epoch: { version: 1, confVer: 1 }, peers: voters };
const left: RegionMeta = { ...whole, end: middle, epoch: { version: 2, confVer: 1 } };
const right: RegionMeta = { ...left, id: 2, start: middle, end: none };

const splitPlan: RootEvent = {
  kind: "RegionSplitPlanned", transitionId: "split/1/v1c1", regionId: 1, base: whole.epoch, otherIds: [2],
  splitKeys: [middle],
};
const splitDone: RootEvent = { kind: "RegionSplitCommitted", transitionId: "split/1/v1c1", regions: [left, right] };
const bootstrap: readonly RootEvent[] = [
  { kind: "ClusterBootstrapped", clusterId: 77, clusterVersion: 1 },
  { kind: "RegionBootstrap", region: whole },
];

test("a planned change moves no route, its terminal event does, and both may be said again", () => {
  const planned = play([...bootstrap, splitPlan]);
  expect(planned.regions).toEqual([whole]);
  expect(planned.pendingRangeChanges).toHaveLength(1);
  expect(reduce(planned, splitPlan).assessment).toMatchObject({ reason: "MATCHING_PENDING", accepted: true });
  const done = play([splitDone], planned);
  expect(done.regions).toEqual([left, right]);
  expect(done.pendingRangeChanges).toEqual([]);
  expect(done.settled).toEqual([{ transitionId: "split/1/v1c1", outcome: "completed" }]);
  const again = reduce(done, splitDone);
  expect(again.state).toBe(done);
  expect(again.assessment).toMatchObject({ reason: "ALREADY_COMPLETED", accepted: true, decision: "SKIP" });
  expect(reduce(done, splitPlan).assessment).toMatchObject({ reason: "ALREADY_COMPLETED", accepted: true });
});

test("a terminal event that comes after the map has moved on is taken note of and changes no route", () => {
  const later = { ...left, end: Uint8Array.of(5), epoch: { version: 4, confVer: 1 } };
  const moved = play([...bootstrap, splitPlan, publish(later)]);
  const late = reduce(moved, splitDone);
  expect(late.assessment).toMatchObject({ reason: "SUPERSEDED_TARGET", accepted: true, decision: "SKIP" });
  expect(late.state).toBe(moved);
});

test("a split of which one child is refused changes nothing", () => {
  const state = play([...bootstrap, publish({ ...right, epoch: { version: 9, confVer: 1 } })]);
  const { assessment, state: after } = reduce(state, splitDone);
  expect(assessment.decision).toBe("SKIP");
  expect(after.regions).toEqual(state.regions);
});

test("regions of one event that overlap each other are refused", () => {
  const state = play(bootstrap);
  const regions = [left, { ...right, start: none }];
  const bad: RootEvent = { kind: "RegionSplitCommitted", transitionId: "x", regions };
  expect(reduce(state, bad).assessment).toMatchObject({ status: "ABORTED", accepted: false });
});

test("one change at a time in a region, made for its present epoch", () => {
  const state = play([...bootstrap, splitPlan]);
  const peer = { peerId: 200, storeId: 4, role: "voter" as const };
  const add: RootEvent = { kind: "PeerAdditionPlanned", transitionId: "add/1", regionId: 1, base: whole.epoch, peer };
  expect(reduce(state, add).assessment).toMatchObject({ reason: "CONFLICTING_PENDING", accepted: false });
  const cancelled = play([{ kind: "RegionSplitCancelled", transitionId: "split/1/v1c1" }], state);
  expect(cancelled.regions).toEqual([whole]);
  expect(reduce(cancelled, splitPlan).assessment).toMatchObject({ status: "CANCELLED", accepted: false });
  expect(reduce(cancelled, add).assessment.decision).toBe("APPLY");
  const stale = { ...add, base: { version: 1, confVer: 9 } };
  expect(reduce(cancelled, stale).assessment).toMatchObject({ status: "SUPERSEDED", accepted: false });
  const held = { ...add, peer: { ...peer, storeId: 1 } };
  expect(reduce(cancelled, held).assessment).toMatchObject({ status: "ABORTED", accepted: false });
});

test("heartbeats that show a change done end its plan; its own steps do not", () => {
  const peer = { peerId: 200, storeId: 4, role: "voter" as const };
  const add: RootEvent = { kind: "PeerAdditionPlanned", transitionId: "add/1", regionId: 1, base: whole.epoch, peer };
  const learner: RegionMeta = {
    ...whole, epoch: { version: 1, confVer: 2 }, peers: [...voters, { ...peer, role: "learner" }],
  };
  const voter: RegionMeta = { ...whole, epoch: { version: 1, confVer: 3 }, peers: [...voters, peer] };
  const learning = play([...bootstrap, add, publish(learner)]);
  expect(learning.pendingPeerChanges).toHaveLength(1);
  const done = play([publish(voter)], learning);
  expect(done.pendingPeerChanges).toEqual([]);
  expect(done.settled).toEqual([{ transitionId: "add/1", outcome: "completed" }]);
});

test("a merge takes the source out of the map, and a prepared source does not end its plan", () => {
  const merge: RootEvent = {
    kind: "RegionMergePlanned", transitionId: "merge/2", regionId: 2, base: right.epoch, otherIds: [1], splitKeys: [],
  };
  const prepared: RegionMeta = { ...right, epoch: { version: 3, confVer: 2 } };
  const state = play([...bootstrap, splitDone, merge, publish(prepared)]);
  expect(state.pendingRangeChanges).toHaveLength(1);
  const merged: RegionMeta = { ...left, end: none, epoch: { version: 4, confVer: 1 } };
  const done = play([{ kind: "RegionMerged", transitionId: "merge/2", region: merged, sourceId: 2 }], state);
  expect(done.regions).toEqual([merged]);
  // The source's last heartbeats come late.
  expect(dominance(done, prepared).kind).toBe("stale");
});

test("a region taken out by hand does not come back by heartbeat", () => {
  const state = play([...bootstrap, { kind: "RegionTombstoned", regionId: 1 }]);
  expect(state.regions).toEqual([]);
  expect(reduce(state, publish({ ...whole, epoch: { version: 9, confVer: 9 } })).assessment.accepted).toBe(false);
});

test("fences only rise; a bootstrap fills only what nobody holds; a cluster has one id", () => {
  const fences: readonly RootEvent[] = [
    { kind: "TSOAllocatorFenced", fence: 50 },
    { kind: "IDAllocatorFenced", fence: 9 },
  ];
  const state = play([...bootstrap, ...fences]);
  expect(play([{ kind: "TSOAllocatorFenced", fence: 49 }, { kind: "IDAllocatorFenced", fence: 9 }], state)).toBe(state);
  const other: RootEvent = { kind: "RegionBootstrap", region: { ...whole, id: 9, epoch: { version: 8, confVer: 8 } } };
  expect(reduce(state, other).assessment.accepted).toBe(false);
  const stranger: RootEvent = { kind: "ClusterBootstrapped", clusterId: 78, clusterVersion: 1 };
  expect(reduce(state, stranger).assessment).toMatchObject({ status: "ABORTED", accepted: false });
});

test("a store leaves only when it holds nothing, and does not come back", () => {
  const join = (storeId: number, address: string): RootEvent => ({ kind: "StoreJoined", storeId, address, labels: [] });
  const state = play([...bootstrap, join(1, "a:1"), join(4, "d:1")]);
  expect(state.membershipEpoch).toBe(2);
  expect(reduce(state, join(5, "a:1")).assessment.accepted).toBe(false);
  expect(reduce(state, { kind: "StoreLeft", storeId: 1 }).assessment.status).toBe("CONFLICT");
  const left4 = play([{ kind: "StoreLeft", storeId: 4 }], state);
  expect(left4.stores.map(({ membership }) => membership)).toEqual(["member", "left"]);
  expect(reduce(left4, join(4, "d:1")).assessment.accepted).toBe(false);
});

test("the safe point of collection waits for services, and never goes back", () => {
  const hold: RootEvent = { kind: "ServiceSafePointSet", service: "backup", safePoint: 100, expiresAt: 500 };
  const advance = (safePoint: number, now: number): RootEvent => ({ kind: "GcSafePointAdvanced", safePoint, now });
  const state = play([hold]);
  expect(reduce(state, advance(101, 499)).assessment.accepted).toBe(false);
  const moved = play([advance(100, 499)], state);
  expect(moved.gcSafePoint).toBe(100);
  const expired = play([advance(300, 500)], moved);
  expect(expired).toMatchObject({ gcSafePoint: 300, serviceSafePoints: [] });
  expect(play([advance(200, 600)], expired)).toBe(expired);
  expect(reduce(expired, { ...hold, safePoint: 299 }).assessment.accepted).toBe(false);
});

test("of ended transitions so many are remembered", () => {
  let state = play(bootstrap);
  for (let i = 0; i < settledTransitionsMax + 10; i++) {
    const region = { ...whole, epoch: { version: 1, confVer: 2 + i } };
    state = reduce(state, { kind: "PeerAdded", transitionId: `t${i}`, region }).state;
  }
  expect(state.settled).toHaveLength(settledTransitionsMax);
  expect(state.settled[0]?.transitionId).toBe("t10");
});
