import { expect, test } from "vitest";
import type { RegionMeta } from "../raft/region.ts";
import { RegionViews } from "./region-views.ts";

function views(): RegionViews {
  return new RegionViews((oracle, message) => {
    throw new Error(`${oracle}: ${message}`);
  });
}

function view(confVer: number, index: number, low = 0, storeId = 1) {
  const region: RegionMeta = {
    id: 7,
    start: new Uint8Array(0),
    end: new Uint8Array(0),
    epoch: { version: 1, confVer },
    peers: [{ peerId: storeId, storeId, role: "voter" }],
  };
  return { region, applyState: { index, term: 1, high: 0, low } };
}

test("stores that say the same, each in its time, agree", () => {
  const all = views();
  const [first, second] = [{}, {}];
  all.look("a", first, view(1, 10, 5));
  all.look("a", first, view(2, 11, 6));
  // Another process begins where its disk left it.
  all.look("b", second, view(1, 10, 5));
  expect(() => all.look("b", {}, view(1, 10, 5))).not.toThrow();
});

test("a process whose region is an older one again is told", () => {
  const all = views();
  const process = {};
  all.look("a", process, view(3, 10));
  expect(() => all.look("a", process, view(2, 11))).toThrow(/^region: a has 7 .* c2 after 7 .* c3/);
});

test("two descriptors of one epoch are told", () => {
  const all = views();
  all.look("a", {}, view(2, 10));
  expect(() => all.look("b", {}, view(2, 11, 0, 2))).toThrow(/^region: at 7\/1\/2 b has/);
});

test("two histories at one place are told", () => {
  const all = views();
  all.look("a", {}, view(1, 10, 5));
  expect(() => all.look("b", {}, view(1, 10, 6))).toThrow(/^history-hash: at 7\/10 b has 0\.6, others 0\.5/);
});
