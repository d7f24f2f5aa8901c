// Goal: a report of a running cluster names what is the matter and a command that is the next one, at every stage.
// Method: each stage as data; and a cluster in the simulated world that is looked at before, amid and after.
import { expect, test } from "vitest";
import type { RegionPeer } from "../../raft/region.ts";
import { expand } from "./expand.ts";
import type { TargetProgress } from "./expand-journal.ts";
import { staged, toTwoMore, valueOf } from "./expand-stage.test-support.ts";
import { type OnlineStatus, type ExpandingRegion, onlineStatus } from "./online.ts";
import { type OnlineReport, onlineReport } from "./online-report.ts";

const none = new Uint8Array(0);
const cluster = { clusterId: "c", storeIds: [1, 2, 3], config: "c.json", targets: [] };

/** `"1 2 3?"`: voters on 1 and 2, a learner on 3. */
function regionOf(id: number, places: string): ExpandingRegion {
  const peers = places.split(" ").map((place): RegionPeer => {
    const storeId = Number(place.replace("?", ""));
    return { storeId, peerId: storeId * 100 + id, role: place.endsWith("?") ? "learner" : "voter" };
  });
  const region = { id, start: none, end: none, epoch: { version: 1, confVer: 1 }, peers };
  return { region, leaderStore: 1, term: 6, applied: 10, members: peers.map((peer) => ({ ...peer, applied: 10 })) };
}

function statusOf(stage: OnlineStatus["stage"], ...places: readonly string[]): OnlineStatus {
  return { stage, regions: places.map((text, at) => regionOf(at + 1, text)), problems: [] };
}

function target(storeId: number, step: TargetProgress["step"]): TargetProgress {
  return { regionId: 1, storeId, peerId: storeId * 100, step };
}

function said({ summary, readyForExpand, readyForVerify, nextSteps, resume }: OnlineReport): unknown {
  return { summary, ready: [readyForExpand, readyForVerify], next: nextSteps[0], resume: resume !== "" };
}

test("seeded: expand, to the stores that there are; or more stores first", () => {
  expect(said(onlineReport(statusOf("seeded", "1", "1"), cluster))).toEqual({
    summary: "2 regions of one replica: what its store loses is lost", ready: [true, true],
    next: "nokv migrate expand --config c.json --to 2,3", resume: false,
  });
  const alone = onlineReport(statusOf("seeded", "1"), { ...cluster, storeIds: [1, 2] });
  expect(said(alone)).toMatchObject({ ready: [false, true], next: "name 1 more store in c.json" });
  const silent = onlineReport({ ...statusOf("seeded", "1"), problems: ["store 3: unreachable"] }, cluster);
  expect(said(silent)).toMatchObject({ ready: [false, false] });
});

test("expanding: the same command, with the stores that the journal, learners or other regions name", () => {
  const learners = onlineReport(statusOf("expanding", "1 2? 3?"), cluster);
  expect(said(learners)).toEqual({
    summary: "voters are wanting in 1 of 1 region", ready: [false, false],
    next: "nokv migrate expand --config c.json --to 2,3", resume: true,
  });
  const half = onlineReport(statusOf("expanding", "1 2 3", "1"), cluster);
  expect(said(half)).toMatchObject({
    summary: "voters are wanting in 1 of 2 regions", next: "nokv migrate expand --config c.json --to 2,3",
  });
  const noted = { ...cluster, targets: [target(2, "reserved"), target(3, "reserved")] };
  expect(said(onlineReport(statusOf("seeded", "1"), noted))).toMatchObject({
    next: "nokv migrate expand --config c.json --to 2,3", resume: true,
  });
  const aborting = onlineReport(statusOf("expanding", "1 2?"), { ...cluster, targets: [target(2, "aborting")] });
  expect(aborting.resume).toContain("--abort again");
});

test("expanded: verify; two voters are told as what they are", () => {
  expect(said(onlineReport(statusOf("expanded", "1 2 3"), cluster))).toEqual({
    summary: "1 region of 3 voters", ready: [false, true], next: "nokv migrate verify --config c.json", resume: false,
  });
  const weak = onlineReport(statusOf("expanded", "1 2", "1 2 3"), { ...cluster, targets: [target(2, "done")] });
  expect(said(weak)).toMatchObject({
    summary: "2 regions of 2 to 3 voters; of two, both are needed for everything", resume: false,
  });
  expect(said(onlineReport({ ...statusOf("unknown"), problems: ["nobody leads"] }, cluster))).toMatchObject({
    summary: "not every key is led by somebody just now", ready: [false, false],
  });
});

test("of a cluster, before, amid and after", async () => {
  await staged(51, async ({ cluster: real, act, world }) => {
    const look = async (): Promise<OnlineReport> => valueOf(await act(async ({ admin, journal }) => {
      return onlineReport(await onlineStatus({ admin }), { ...cluster, targets: journal.targets });
    }));
    expect(said(await look())).toMatchObject({ ready: [true, true], resume: false });
    // Its stores are gone before the learners vote.
    const dying = world.sleep(400).then(() => [2, 3].forEach((storeId) => real.store(storeId).crash("process")));
    const stopped = await act((expansion) => expand(expansion, toTwoMore));
    await dying;
    expect(stopped).toMatchObject({ kind: "failed", error: { code: "NOKV_BUSY" } });
    const amid = await look();
    expect(said(amid)).toMatchObject({
      ready: [false, false], next: "nokv migrate expand --config c.json --to 2,3", resume: true,
    });
    expect(amid.problems.length).toBe(2);
    for (const storeId of [2, 3]) await real.store(storeId).start();
    valueOf(await act((expansion) => expand(expansion, toTwoMore)));
    expect(said(await look())).toMatchObject({ summary: "1 region of 3 voters", ready: [false, true], resume: false });
  });
});
