import { expect, test } from "vitest";
import type { RegionMeta } from "../../raft/region.ts";
import { judgeComplete, RegionViewChecker } from "./region-view.ts";

// Goal: overlaps, doubles, older descriptors and gaps at the end are told.

function region(id: number, start: number, end: number, version: number): RegionMeta {
  const key = (byte: number): Uint8Array => (byte === 0 ? new Uint8Array(0) : Uint8Array.of(byte));
  return { id, start: key(start), end: key(end), epoch: { version, confVer: 1 }, peers: [] };
}

function judge(map: readonly RegionMeta[], acknowledged: readonly RegionMeta[] = []): string | null {
  const checker = new RegionViewChecker();
  for (const known of acknowledged) checker.acknowledge(known);
  return checker.judge(map);
}

test("a map of newer descriptors passes, gaps included", () => {
  expect(judge([region(1, 0, 5, 2), region(2, 5, 0, 2)], [region(1, 0, 0, 1)])).toBeNull();
  expect(judge([region(2, 5, 0, 2)], [region(1, 0, 0, 1), region(2, 5, 0, 2)])).toBeNull();
});

test("overlaps, doubles and disorder are told", () => {
  expect(judge([region(1, 0, 6, 2), region(2, 5, 0, 2)])).toMatch(/share keys/);
  expect(judge([region(1, 0, 0, 2), region(2, 5, 0, 2)])).toMatch(/share keys/);
  expect(judge([region(1, 0, 5, 2), region(1, 5, 0, 2)])).toMatch(/one id/);
  expect(judge([region(1, 5, 0, 2), region(2, 1, 5, 2)])).toMatch(/order/);
});

test("what is older than acknowledged is told, under its id and under its keys", () => {
  expect(judge([region(1, 0, 0, 1)], [region(1, 0, 5, 2)])).toMatch(/acknowledged/);
  expect(judge([region(1, 0, 0, 1)], [region(2, 5, 0, 2)])).toMatch(/acknowledged/);
  const changed = { ...region(1, 0, 0, 1), epoch: { version: 1, confVer: 2 } };
  expect(judge([region(1, 0, 0, 1)], [changed])).toMatch(/acknowledged/);
});

test("an answer outside its key, and one that is too old, are told", () => {
  const checker = new RegionViewChecker();
  checker.acknowledge(region(2, 5, 0, 3));
  expect(checker.judgeRoute(Uint8Array.of(6), region(1, 0, 5, 4))).toMatch(/outside/);
  expect(checker.judgeRoute(Uint8Array.of(6), region(1, 0, 0, 2))).toMatch(/acknowledged/);
  expect(checker.judgeRoute(Uint8Array.of(6), region(2, 5, 0, 3))).toBeNull();
  expect(checker.judgeRoute(Uint8Array.of(1), null)).toBeNull();
});

test("a gap where something was acknowledged, and nothing newer was ever sent, is told", () => {
  const checker = new RegionViewChecker();
  checker.acknowledge(region(1, 0, 0, 1));
  checker.attempt([region(1, 0, 0, 1)]);
  expect(checker.judgeRoute(Uint8Array.of(1), null)).toMatch(/no region is told although 1/);
  checker.attempt([region(2, 5, 0, 2)]);
  expect(checker.judgeRoute(Uint8Array.of(1), null)).toBeNull();
});

test("at the end the map is the truth", () => {
  const truth = [region(1, 0, 5, 2), region(2, 5, 0, 2)].map((each) => ({ region: each, leaderPeerId: 1, term: 1 }));
  expect(judgeComplete([region(1, 0, 5, 2), region(2, 5, 0, 2)], truth)).toBeNull();
  expect(judgeComplete([region(1, 0, 5, 2)], truth)).toMatch(/nothing where 2/);
  expect(judgeComplete([region(1, 0, 5, 1), region(2, 5, 0, 2)], truth)).toMatch(/v1 c1 where/);
});
