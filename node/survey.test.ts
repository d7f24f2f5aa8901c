// Goal: what stores said is judged the same way by everybody: who leads, who has what, which keys nobody leads.
import { expect, test } from "vitest";
import type { RegionMeta } from "../raft/region.ts";
import type { ReplicaStatus } from "../raft/store/admin-messages.ts";
import {
  type Survey,
  ledProblem,
  ledRegion,
  ledRegions,
  membersOf,
  replicaOn,
  replicasByRegion,
  silentStores,
  unknownRegion,
} from "./survey.ts";

const none = new Uint8Array(0);
const m = new TextEncoder().encode("m");
const left: RegionMeta = {
  id: 1, start: none, end: m, epoch: { version: 2, confVer: 1 },
  peers: [2, 1].map((storeId) => ({ peerId: storeId * 100 + 1, storeId, role: "voter" as const })),
};
const right: RegionMeta = { ...left, id: 4, start: m, end: none };

function replica(region: RegionMeta, storeId: number, leadingTerm = 0): ReplicaStatus {
  const peerId = region.peers.find((peer) => peer.storeId === storeId)?.peerId ?? 0;
  return { region, peerId, leadingTerm, leaderStore: 0, applied: 10 * storeId };
}

const whole: Survey = new Map([
  [1, [replica(right, 1, 3), replica(left, 1, 5)]],
  [2, [replica(left, 2, 4), replica(right, 2)]],
]);

test("of two who say that they lead, the one of the later term does", () => {
  expect(ledRegion(whole, 1)).toEqual({ region: left, leaderStore: 1, leaderPeer: 101, term: 5, applied: 10 });
  expect(ledRegions(whole).map(({ region }) => region.id)).toEqual([1, 4]);
  expect(ledProblem(ledRegions(whole))).toBeNull();
});

test("keys that nobody leads, and who might", () => {
  const partly: Survey = new Map<number, readonly ReplicaStatus[] | string>([[1, [replica(left, 1, 5)]], [2, "busy"]]);
  expect(ledRegion(partly, 4)).toBeNull();
  expect(ledProblem(ledRegions(partly))).toBe("of the regions that somebody leads, no region holds the last keys");
  expect(silentStores(partly)).toEqual(["store 2: busy"]);
  // It may be led by whoever is silent.
  expect(unknownRegion(partly, 4)).toBeNull();
  expect(unknownRegion(whole, 9)).toBe("there is no region 9; there are 1, 4");
});

test("nobody leads anything", () => {
  expect(ledProblem([])).toBe("nobody leads any region");
  expect(unknownRegion(new Map([[1, "busy"]]), 1)).toBeNull();
});

test("members as their own stores know them, in order of the stores", () => {
  expect(membersOf(left, replicasByRegion(whole).get(1) ?? [])).toEqual([
    { storeId: 1, peerId: 101, role: "voter", applied: 10 },
    { storeId: 2, peerId: 201, role: "voter", applied: 20 },
  ]);
  const stranger = { ...left, peers: [{ peerId: 999, storeId: 2, role: "learner" as const }] };
  expect(membersOf(stranger, replicasByRegion(whole).get(1) ?? [])).toEqual([
    { storeId: 2, peerId: 999, role: "learner", applied: null },
  ]);
  expect([replicaOn(whole, 2, 4)?.applied, replicaOn(whole, 3, 4)]).toEqual([20, null]);
});
