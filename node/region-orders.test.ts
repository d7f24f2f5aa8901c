// Goal: what an operator hears who asks for what cannot be.
import { expect, test } from "vitest";
import type { RegionMeta } from "../raft/region.ts";
import type { ReplicaStatus } from "../raft/store/admin-messages.ts";
import { mergeOrderOf, splitOrderOf } from "./region-orders.ts";
import type { Survey } from "./survey.ts";

const encoder = new TextEncoder();

function region(id: number, start: string, end: string, stores: readonly number[]): RegionMeta {
  const peers = stores.map((storeId) => ({ peerId: 10 * id + storeId, storeId, role: "voter" as const }));
  const epoch = { version: 1, confVer: 1 };
  return { id, start: encoder.encode(start), end: encoder.encode(end), epoch, peers };
}

/** Store 1 leads all; stores named in `silent` say nothing. */
function survey(regions: readonly RegionMeta[], silent: readonly number[] = []): Survey {
  const said = [1, 2, 3, 4].map((storeId): [number, readonly ReplicaStatus[] | string] => {
    if (silent.includes(storeId)) return [storeId, "no answer in time"];
    const held = regions.filter(({ peers }) => peers.some((peer) => peer.storeId === storeId));
    const replicas = held.map((each) => {
      const peerId = 10 * each.id + storeId;
      return { region: each, peerId, leadingTerm: storeId === 1 ? 5 : 0, leaderStore: 1, applied: 9 };
    });
    return [storeId, replicas];
  });
  return new Map(said);
}

const regions = [
  region(1, "", "g", [1, 2, 3]), region(2, "g", "m", [1, 2, 3]), region(3, "m", "t", [1, 2, 4]),
  region(4, "t", "", [1, 2, 3]),
];

function problemOf(order: object): unknown {
  return "problem" in order ? order.problem : "none";
}

test("a region goes into the one that begins where it ends, whoever is named", () => {
  const order = mergeOrderOf(survey(regions), 1, null);
  expect("source" in order && [order.source.region.id, order.target.region.id]).toEqual([1, 2]);
  expect(problemOf(mergeOrderOf(survey(regions), 1, 2))).toBe("none");
});

test("not neighbours, the last one, unknown, on other stores, a store that is silent, nobody who leads", () => {
  const refusals = [
    [mergeOrderOf(survey(regions), 1, 3), "regions 1 and 3 are not neighbours: region 2 follows region 1"],
    [mergeOrderOf(survey(regions), 4, null), "region 4 is the last one: it has no right neighbour"],
    [mergeOrderOf(survey(regions), 9, null), "there is no region 9; there are 1, 2, 3, 4"],
    [mergeOrderOf(survey(regions), 2, null), "region 3 has no peer on store 3"],
    [mergeOrderOf(survey(regions, [3]), 1, null), "store 3 does not answer: no answer in time"],
    [mergeOrderOf(survey(regions, [1]), 1, null), "nobody leads region 1"],
    [mergeOrderOf(survey(regions.slice(0, 1)), 1, null), 'nobody leads a region that begins at "g"'],
  ] as const;
  for (const [order, problem] of refusals) expect(problemOf(order)).toBe(problem);
});

test("a region is divided inside of its range", () => {
  expect(problemOf(splitOrderOf(survey(regions), 2, encoder.encode("h")))).toBe("none");
  expect(problemOf(splitOrderOf(survey(regions), 2, encoder.encode("g")))).toBe(
    '"g" does not lie inside region 2, which goes from "g" to "m"',
  );
});
