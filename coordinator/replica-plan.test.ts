import fc from "fast-check";
import { expect, test } from "vitest";
import { voterConfiguration } from "../raft/voter-configuration.ts";
import { type FirstRegionOf, modelLimits, PlanModel } from "./plan-model.test-support.ts";

// Goal: whatever becomes of stores, regions come to have their replicas, by steps that never cost a majority, and then
// nothing moves any more. Method: a model carries the plans out, or some of them, while stores die, return and leave.

const { replicas } = modelLimits;

function region(...stores: number[]): FirstRegionOf {
  return { stores, leader: 0, sizeBytes: 0 };
}

function peersOf(model: PlanModel, id: number): string[] {
  return model.region(id).peers.map(({ peerId, storeId, role }) => `${peerId}@${storeId} ${role}`);
}

test("a store is lost: a learner first, then one change in which it votes instead of the dead, which goes", () => {
  const model = new PlanModel([1, 2, 3, 4], [region(1, 2, 3)]);
  model.health.set(3, "dead");
  const seen: string[][] = [];
  for (let i = 0; i < 12; i++) {
    model.step(() => true);
    if (i === 5) model.caughtUp.add(10_001);
    if (peersOf(model, 1).join() !== seen.at(-1)?.join()) seen.push(peersOf(model, 1));
  }
  expect(seen).toEqual([
    ["101@1 voter", "102@2 voter", "103@3 voter"],
    ["101@1 voter", "102@2 voter", "103@3 voter", "10001@4 learner"],
    ["101@1 voter", "102@2 voter", "103@3 demoting-voter", "10001@4 incoming-voter"],
    ["101@1 voter", "102@2 voter", "10001@4 voter"],
  ]);
  expect(model.state.settled).toEqual([{ transitionId: "planner/1/10001", outcome: "completed" }]);
});

test("a store that is only silent, or that its regions' leaders still hear, keeps its replicas", () => {
  const model = new PlanModel([1, 2, 3, 4], [region(1, 2, 3)]);
  model.health.set(3, "silent");
  expect(model.plan().decisions).toEqual([]);
  const heard = new PlanModel([1, 2, 3, 4], [region(1, 2, 3)]);
  heard.health.set(3, "dead");
  const { report } = heard;
  heard.report = (id) => ({ ...report.call(heard, id), peers: [{ peerId: 103, silentMs: 10, caughtUp: true }] });
  expect(heard.plan().decisions).toEqual([]);
});

test("a store that returns before its place is taken keeps it, and what was on its way goes", () => {
  const model = new PlanModel([1, 2, 3, 4], [region(1, 2, 3), region(1, 2, 4)]);
  model.health.set(3, "dead");
  for (let i = 0; i < 3; i++) model.step(() => true);
  expect(peersOf(model, 1)).toContain("10001@4 learner");
  model.health.set(3, "alive");
  for (let i = 0; i < 3; i++) model.step(() => true);
  expect(peersOf(model, 1)).toEqual(["101@1 voter", "102@2 voter", "103@3 voter"]);
});

test("a leader on a store that leaves hands over before it goes; the store has left when it holds nothing", () => {
  const model = new PlanModel([1, 2, 3, 4], [region(1, 2, 3)]);
  model.event({ kind: "StoreLeaving", storeId: 1, leaving: true });
  model.step(() => true);
  model.step(() => true);
  model.caughtUp.add(10_001);
  expect(model.plan().operators).toMatchObject([{ kind: "transfer-leader", target: { storeId: 2, peerId: 102 } }]);
  for (let i = 0; i < 6; i++) model.step(() => true);
  expect(peersOf(model, 1)).toEqual(["102@2 voter", "103@3 voter", "10001@4 voter"]);
  expect(model.state.stores.map(({ membership }) => membership)).toEqual(["left", "member", "member", "member"]);
});

test("one replica becomes three in one change; two voters are never on the way", () => {
  const model = new PlanModel([1, 2, 3], [region(1)]);
  const counts = new Set<number>();
  for (let i = 0; i < 20; i++) {
    model.step(() => true);
    counts.add(voterConfiguration(model.region(1)).voters.length);
    for (const { peerId } of model.region(1).peers) if (i > 2) model.caughtUp.add(peerId);
  }
  expect([...counts]).toEqual([1, 3]);
});

test("a replica that never catches up is given up, and goes somewhere else the next time", () => {
  const model = new PlanModel([1, 2, 3, 4, 5], [region(1, 2, 3)]);
  model.health.set(3, "dead");
  for (let i = 0; i < 30; i++) model.step(() => true);
  expect(peersOf(model, 1)).toContain("10002@5 learner");
  expect(peersOf(model, 1)).not.toContain("10001@4 learner");
});

test("a store that is new gets replicas until a move would gain nothing", () => {
  const model = new PlanModel([1, 2, 3], Array.from({ length: 8 }, () => region(1, 2, 3)));
  model.join(4);
  settle(model, () => true);
  const counts = [1, 2, 3, 4].map((storeId) => countOf(model, storeId));
  expect(counts).toEqual([6, 6, 6, 6]);
});

function countOf(model: PlanModel, storeId: number): number {
  return model.state.regions.filter(({ peers }) => peers.some((peer) => peer.storeId === storeId)).length;
}

/** Steps until nothing is planned for some rounds. */
function settle(model: PlanModel, does: () => boolean): void {
  const roundsMax = 100 + 80 * model.state.regions.length;
  for (let idle = 0, rounds = 0; idle < 3; rounds++) {
    if (rounds > roundsMax) throw new Error(`no rest after ${roundsMax} rounds: ${JSON.stringify(model.plan())}`);
    for (const { peers } of model.state.regions) for (const { peerId } of peers) model.caughtUp.add(peerId);
    idle = model.step(does) === 0 ? idle + 1 : 0;
  }
}

const storeCount = fc.integer({ min: 4, max: 6 });
const firstRegions = fc.array(
  fc.record({
    stores: fc.shuffledSubarray([1, 2, 3, 4], { minLength: 1, maxLength: 4 }),
    leader: fc.nat({ max: 3 }),
    sizeBytes: fc.constantFrom(0, 0, 1_000_000, 50_000_000, 400_000_000),
  }),
  { minLength: 1, maxLength: 10 },
);
const happenings = fc.array(
  fc.record({
    what: fc.constantFrom("die", "fall silent", "return", "leave", "stay", "catch up", "restart", "nothing", "nothing"),
    storeId: fc.integer({ min: 1, max: 6 }),
    done: fc.nat({ max: 3 }),
  }),
  { maxLength: 60 },
);

test("whatever happens, no majority is given away on the way, and it comes to rest where nothing is wanting", () => {
  fc.assert(
    fc.property(storeCount, firstRegions, happenings, (stores, regions, events) => {
      const model = new PlanModel(Array.from({ length: stores }, (_, i) => i + 1), regions);
      for (const { what, storeId, done } of events) {
        happen(model, what, storeId);
        const before = model.everyRegionDecides();
        model.step((operator) => (operator.regionId + model.round) % 4 <= done);
        if (before) expect(model.everyRegionDecides()).toBe(true);
      }
      for (const storeId of model.health.keys()) model.health.set(storeId, "alive");
      for (const { storeId, membership } of model.state.stores) {
        if (membership === "leaving") model.event({ kind: "StoreLeaving", storeId, leaving: false });
      }
      settle(model, () => true);
      judgeRest(model);
    }),
    { numRuns: 120 },
  );
});

/** At most one store is away at a time, as long as regions have few replicas: others would lose their majority. */
function happen(model: PlanModel, what: string, storeId: number): void {
  if (!model.health.has(storeId)) return;
  const away = [...model.health.values()].filter((health) => health !== "alive").length;
  const members = model.state.stores.filter(({ membership }) => membership === "member").length;
  if ((what === "die" || what === "fall silent") && away === 0) {
    model.health.set(storeId, what === "die" ? "dead" : "silent");
    if (!model.everyRegionDecides()) model.health.set(storeId, "alive");
  } else if (what === "return") model.health.set(storeId, "alive");
  else if (what === "leave" && members > replicas) model.event({ kind: "StoreLeaving", storeId, leaving: true });
  else if (what === "stay") model.event({ kind: "StoreLeaving", storeId, leaving: false });
  else if (what === "restart") model.restart();
  else if (what === "catch up") {
    for (const { peers } of model.state.regions) for (const { peerId } of peers) model.caughtUp.add(peerId);
  }
}

function judgeRest(model: PlanModel): void {
  const members = model.state.stores.filter(({ membership }) => membership === "member");
  for (const { peers } of model.state.regions) {
    const voters = peers.filter(({ role }) => role === "voter");
    expect(voters.length).toBe(Math.min(replicas, members.length));
    expect(peers.length).toBe(voters.length);
    for (const { storeId } of peers) expect(members.some((store) => store.storeId === storeId)).toBe(true);
  }
  expect(model.state.pendingPeerChanges).toEqual([]);
  const { changes } = model;
  for (let i = 0; i < 5; i++) expect(model.step(() => true)).toBe(0);
  expect(model.changes).toBe(changes);
  const load = (storeId: number): number => {
    const held = model.state.regions.filter(({ peers }) => peers.some((peer) => peer.storeId === storeId));
    return held.reduce((sum, { id }) => sum + weight(model, id), 0);
  };
  for (const { id, peers } of model.state.regions) {
    for (const from of peers) {
      for (const { storeId } of members) {
        if (peers.some((peer) => peer.storeId === storeId)) continue;
        expect(load(from.storeId) - load(storeId)).toBeLessThan(2 * weight(model, id));
      }
    }
  }
}

function weight(model: PlanModel, id: number): number {
  return Math.max(1024 * 1024, model.sizes.get(id) ?? 0);
}
