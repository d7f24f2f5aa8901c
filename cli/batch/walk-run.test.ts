// Goal: the walks stay walkable, and a few of their stops stay clean; all of them are `nokv walk`'s. Method: stops far
// apart. A walk that fails says where, and how to go there again.
import { expect, test } from "vitest";
import { expandWalk } from "../../scenarios/migrate-expand-walk.ts";
import { initWalk } from "../../scenarios/migrate-init-walk.ts";
import type { Walk, WalkStop } from "../../scenarios/migrate-walk.ts";
import { parseStop, stopText } from "../../scenarios/migrate-walk.ts";
import { nodeSimulator } from "./node-simulator.ts";
import { parseShard, stretchOf } from "./shard.ts";
import { type WalkReport, runWalk } from "./walk-run.ts";

function walked(walk: Walk, choose: (stops: readonly WalkStop[]) => readonly WalkStop[]): Promise<WalkReport> {
  return runWalk(nodeSimulator, {
    walk, seed: 1, choose, failuresMax: 10, isOver: () => false, progress: () => {}, cpuSeconds: () => 0,
  });
}

/** Those at these parts of the way: 0 its beginning, 1 its end. */
function atParts(...parts: number[]): (stops: readonly WalkStop[]) => readonly WalkStop[] {
  return (stops) => parts.flatMap((part) => stops[Math.round(part * (stops.length - 1))] ?? []);
}

const patienceMs = 200_000;

test("init may end anywhere, and is gone on with in every way", async () => {
  const report = await walked(initWalk, atParts(0.3));
  expect(report.failures).toEqual([]);
  expect(Object.keys(report.resumes).toSorted()).toEqual([
    "init", "init-crash", "mode-lost", "rollback", "rollback-crash", "status-init",
  ]);
  expect(Object.keys(report.readings).toSorted()).toEqual([
    "embedded", "iterated", "recorded", "replicas", "scanned", "transactions",
  ]);
}, patienceMs);

test("expand may end anywhere; a walk that ends elsewhere than it says names the place", async () => {
  const stop: WalkStop = { machine: "operator", call: 1_000_000, how: "process, again" };
  const report = await walked(expandWalk, (stops) => [...atParts(0.4, 0.9)(stops), stop]);
  expect(report.failures.map((failure) => [failure.stop, failure.oracle])).toEqual([[stopText(stop), "walk"]]);
  expect(parseStop(stopText(stop))).toEqual(stop);
  expect(Object.values(report.resumes)).toEqual([1, 1]);
}, patienceMs);

test("shards of neighbours are all of it, once", () => {
  const all = Array.from({ length: 11 }, (_, i) => i);
  expect([1, 2, 3].flatMap((part) => stretchOf(all, parseShard(`${part}/3`)))).toEqual(all);
});
