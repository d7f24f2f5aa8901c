// Goal: what the steps of a running cluster print, for people and for programs, stays as it is.
// Method: golden texts of results by hand; a terminal in memory, live and not.
import { expect, test } from "vitest";
import type { RegionMeta } from "../../../raft/region.ts";
import { onlineReport } from "../../../node/migrate/online-report.ts";
import { parseOptions } from "../../options.ts";
import { MemoryTerminal } from "../../terminal.ts";
import { EventLines, regionOption, storesOption } from "./cluster.ts";
import { abortText, expandJson, expandText } from "./expand.ts";
import { onlineReportJson, onlineReportText } from "./report.ts";
import { statusJson, statusText, verifiedJson, verifiedText } from "./online.ts";

const encoder = new TextEncoder();
const region: RegionMeta = {
  id: 1,
  start: encoder.encode(""),
  end: encoder.encode("m"),
  epoch: { version: 1, confVer: 6 },
  peers: [
    { peerId: 101, storeId: 1, role: "voter" },
    { peerId: 102, storeId: 2, role: "voter" },
    { peerId: 103, storeId: 3, role: "learner" },
  ],
};
const content = { count: 30, bytes: 420, hash: [1, 2, 3, 0xdeadbeef] } as const;
const led = { region, leaderStore: 1, leaderPeer: 101, term: 6, applied: 44 };

test("expand", () => {
  expect(expandText([{ ...led, content }, { ...led, content: null }])).toMatchSnapshot("expand as text");
  expect(abortText([led])).toMatchSnapshot("abort as text");
  expect(expandJson([{ ...led, content }])).toMatchSnapshot("expand as JSON");
});

test("status", () => {
  const members = [
    { storeId: 1, peerId: 101, role: "voter" as const, applied: 44 },
    { storeId: 2, peerId: 102, role: "voter" as const, applied: 43 },
    { storeId: 3, peerId: 103, role: "learner" as const, applied: null },
  ];
  const status = { stage: "expanding" as const, regions: [{ ...led, members }], problems: ["store 3: unreachable"] };
  expect(statusText(status)).toMatchSnapshot("status as text");
  expect(statusJson(status)).toMatchSnapshot("status as JSON");
});

test("report of a running cluster", () => {
  const members = [
    { storeId: 1, peerId: 101, role: "voter" as const, applied: 44 },
    { storeId: 2, peerId: 102, role: "voter" as const, applied: 43 },
    { storeId: 3, peerId: 103, role: "learner" as const, applied: null },
  ];
  const status = { stage: "expanding" as const, regions: [{ ...led, members }], problems: ["store 3: unreachable"] };
  const targets = [
    { regionId: 1, storeId: 2, peerId: 102, step: "done" as const },
    { regionId: 1, storeId: 3, peerId: 103, step: "added" as const },
  ];
  const cluster = { clusterId: "demo", storeIds: [1, 2, 3], config: "cluster.json", targets };
  const found = onlineReport(status, cluster);
  expect(onlineReportText(found)).toMatchSnapshot("report as text");
  expect(onlineReportJson(found)).toMatchSnapshot("report as JSON");
});

test("verify", () => {
  const other = { ...content, hash: [1, 2, 3, 4] } as const;
  const readings = [{ by: "scan" as const, content }, { by: 1, content }, { by: 2, content: other }];
  const regions = [{ regionId: 1, readTs: 77, readings, differing: ['"key-3"'] }];
  expect(verifiedText({ regions, content, same: false }, null)).toMatchSnapshot("verify that finds a difference");
  const same = { regions: [{ ...regions[0], regionId: 1, readTs: 77, readings: readings.slice(0, 2), differing: [] }] };
  expect(verifiedText({ ...same, content, same: true }, { baseTs: 77, content })).toMatchSnapshot("verify of a seed");
  expect(verifiedJson({ regions, content, same: false }, { baseTs: 77, content })).toMatchSnapshot("verify as JSON");
});

test("progress is one line drawn again on a terminal, and a line for every tenth elsewhere", () => {
  for (const live of [true, false]) {
    const terminal = new MemoryTerminal(live);
    const lines = new EventLines(terminal);
    const snapshot = { kind: "snapshot", regionId: 1, storeId: 2, totalBytes: 10 * 1_048_576 } as const;
    lines.tell({ kind: "step", regionId: 1, text: "store 2 has learner 102" });
    for (const mebibytes of [0, 0.2, 5, 10]) lines.tell({ ...snapshot, sentBytes: mebibytes * 1_048_576 });
    lines.tell({ kind: "step", regionId: 1, text: "3 voters" });
    if (live) expect(terminal.stderr.split("\r").map((line) => line.trimEnd())).toMatchSnapshot("progress, live");
    else expect(terminal.stderr).toMatchSnapshot("progress, plain");
  }
});

test("arguments are judged by name", () => {
  const given = (text: string) => parseOptions(["--to", text, "--region", "all"], { to: "value", region: "value" });
  expect(storesOption(given("3,2"), "to")).toEqual([2, 3]);
  expect(regionOption(given("2"))).toBe(null);
  expect(() => storesOption(given("2,x"), "to")).toThrow('--to: "2,x" is no list of stores');
  expect(() => storesOption(given("2,2"), "to")).toThrow("names a store twice");
  expect(() => storesOption(parseOptions([], { to: "value" }), "to")).toThrow("--to is missing");
});
