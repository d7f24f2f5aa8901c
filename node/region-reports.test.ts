import { expect, test } from "vitest";
import { Progress } from "../raft/progress.ts";
import type { Status } from "../raft/raft.ts";
import { RegionReporter, type ReportedRegion } from "./region-reports.ts";

// Goal: what is told of peers is what their leader knows, whether the region sleeps or not.

const committed = 10;

function view(peer: Partial<Progress>, rest: Partial<Status>): ReportedRegion {
  const progress = Object.assign(new Progress(2, committed + 1, 1, 1), peer);
  const status = { peers: [progress], committed, quiesced: false, absent: [], ...rest } as unknown as Status;
  const region = { id: 7 } as ReportedRegion["region"];
  const applyState = { index: committed } as ReportedRegion["applyState"];
  return { region, peerId: 1, leadingTerm: 3, applyState, status: () => status };
}

test("whoever slept with the leader was there until it was found to be absent", () => {
  const reporter = new RegionReporter(() => ({ sizeBytes: 0, commandsPerSecond: 0 }));
  const silentMs = (absent: readonly number[], atMs: number): number | undefined => {
    const sleeping = view({ match: committed, state: "replicate" }, { quiesced: true, absent });
    return reporter.report(sleeping, atMs * 1_000).peers[0]?.silentMs;
  };
  expect(silentMs([], 1_000)).toBe(0);
  // Nobody looked at it meanwhile.
  expect(silentMs([2], 600_000)).toBe(0);
  expect(silentMs([2], 640_000)).toBe(40_000);
  expect(silentMs([], 700_000)).toBe(0);
});

function caughtUp(region: ReportedRegion): boolean | undefined {
  const usage = { sizeBytes: 0, commandsPerSecond: 0 };
  return new RegionReporter(() => usage).report(region, 1_000_000).peers[0]?.caughtUp;
}

test("a peer that is probed is behind, as far as its leader knows, but for one that sleeps with its leader", () => {
  expect(caughtUp(view({ match: committed, state: "replicate" }, {}))).toBe(true);
  expect(caughtUp(view({ match: 0, state: "probe" }, {}))).toBe(false);
  expect(caughtUp(view({ match: committed, state: "probe" }, { quiesced: true }))).toBe(true);
  expect(caughtUp(view({ match: 0, state: "probe" }, { quiesced: true, absent: [2] }))).toBe(false);
});
