import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { ClientModel, CounterModel } from "./kill-model.ts";
import type { Reply } from "../../net/redis/reply.ts";
import { KeyHistory } from "./cluster-slots.ts";
import { clusterKillDefaults, clusterKillRounds } from "./kill-cluster.ts";
import { killDefaults, killRounds } from "./kill.ts";
import { embeddedKillDefaults, embeddedKillRounds } from "./kill-embedded.ts";
import { frameOffsets, planDamage } from "./damage.ts";
import { applyTo, matchingPrefix, operationAt, type State } from "./history.ts";
import { Lineage, type Writer } from "./lineage.ts";
import { mutateDefaults, mutateRounds } from "./mutate.ts";
import { Xorshift } from "../xorshift.ts";

/** Every rig starts processes, one after another, on a machine that may be busy. */
vi.setConfig({ testTimeout: 240_000 });

// Goal: the rigs keep running, and what they judge by can fail. Their full length is a command of its own.

test("a gateway killed three times on a real disk loses no acknowledged write", async () => {
  const report = await killRounds({ ...killDefaults, rounds: 3, operationsPerRound: 100 });
  expect(report.rounds).toBe(3);
  expect(report.acknowledged).toBeGreaterThanOrEqual(150);
});

test("an embedded database killed three times loses nothing acknowledged and invents nothing", async () => {
  const report = await embeddedKillRounds({ ...embeddedKillDefaults, rounds: 3, operationsPerRound: 150 });
  expect(report).toMatchObject({ rounds: 3, verified: 4 });
  expect(report.acknowledged).toBeGreaterThanOrEqual(3);
});

test("a cluster whose processes are killed twice goes on, and its clients were told the truth", async () => {
  const report = await clusterKillRounds({ ...clusterKillDefaults, rounds: 2, clients: 3, acknowledgedPerRound: 40 });
  expect(report.rounds).toBe(2);
  expect(report.acknowledged).toBeGreaterThanOrEqual(120);
});

test("a history that no order explains is noticed, and so is half of a write", () => {
  const history = new KeyHistory("mixed", ["k"]);
  for (const [value, at] of [["a", 1], ["b", 3]] as const) {
    history.begin();
    history.replied({ kind: "put", value, condition: "always", applied: true }, at, at + 1);
  }
  expect(history.judge()).toBeNull();
  history.begin();
  history.replied({ kind: "read", value: "a" }, 5, 6);
  expect(history.judge()).toMatch(/^k: violation/);
  const [part] = new KeyHistory("twins", ["a", "z"]).read().parts;
  const bulk = (text: string): Reply => ({ kind: "bulk", bytes: new TextEncoder().encode(text) });
  expect(part?.known({ kind: "array", items: [bulk("1"), bulk("2")] })).toMatch(/^torn/);
  expect(part?.known({ kind: "array", items: [bulk("1"), bulk("1")] })).toEqual({ kind: "read", value: "1" });
});

test("every file damaged in every way of the catalogue is refused, reported, mended or unread", async () => {
  const { counts, violations } = await mutateRounds({ ...mutateDefaults, variants: 1, every: 5 });
  expect(violations).toEqual([]);
  const mutations = new Set(counts.map(({ mutation }) => mutation));
  for (let n = 1; n <= 16; n++) expect(mutations).toContain(`G${n}`);
  const kinds = counts.map(({ kind }) => kind);
  for (const kind of ["current", "manifest", "wal", "table", "lock"]) expect(kinds).toContain(`${kind} (closed)`);
});

test("only an exact prefix matches, from what was acknowledged on", () => {
  const history = { seed: 3 };
  const at = (n: number): State => {
    const state: State = new Map();
    for (let i = 1; i <= n; i++) applyTo(state, operationAt(history, i));
    return state;
  };
  const base = { state: new Map(), taken: 0 };
  for (const n of [0, 1, 17, 60]) {
    const found = matchingPrefix(history, base, [0, 60], at(n)) ?? Number.NaN;
    expect(at(found)).toEqual(at(n));
  }
  expect(matchingPrefix(history, base, [40, 60], at(10))).toBeNull();
  const torn = at(60);
  torn.delete([...torn.keys()][3] ?? "");
  expect(matchingPrefix(history, base, [0, 60], torn)).toBeNull();
});

test("the embedded rigs notice a lost, an invented and a resurrected value", () => {
  const history = { seed: 9 };
  const state: State = new Map();
  for (let n = 1; n <= 50; n++) applyTo(state, operationAt(history, n));
  const none = new Map<number, string>();
  const said = (sent: number, acknowledged: number, found: State): Writer =>
    ({ sent, acknowledged, failures: none, opened: found }) as unknown as Writer;
  const lineage = new Lineage(9);
  lineage.wrote(said(50, 50, new Map()));
  lineage.check(said(0, 0, state));
  const [first = ""] = state.keys();
  const lost = new Map(state);
  lost.delete(first);
  expect(() => lineage.check(said(0, 0, lost))).toThrow(`${first}: absent`);
  expect(() => lineage.check(said(0, 0, new Map(state).set("key-9999", "x")))).toThrow("key-9999");
  expect(() => lineage.check(said(0, 0, new Map(state).set(first, "old")))).toThrow(`${first}: "old"`);
});

test("damage is planned at every frame of a log", () => {
  const image = new Map([["wal-000002.log", { bytes: new Uint8Array(200) }]]);
  const view = new DataView((image.get("wal-000002.log") ?? { bytes: new Uint8Array(0) }).bytes.buffer);
  for (const [offset, length] of [[32, 8], [72, 16]] as const) {
    view.setUint32(offset, 1, true);
    view.setUint32(offset + 8, length, true);
  }
  expect(frameOffsets(new Uint8Array(view.buffer))).toEqual([32, 72]);
  const plan = planDamage({ image, older: new Map(), foreign: image }, { seed: 1, variants: 4, only: "" });
  const names = plan.map(({ name }) => name);
  for (const length of [31, 32, 33, 71, 72, 73]) expect(names).toContain(`G3 truncated to ${length}`);
});

test("the model of the kill rig notices an invented value, a torn MSET and a wrong count", () => {
  const model = new ClientModel(0, new Xorshift(1));
  const empty = model.keys.map(() => null);
  model.observe(empty);
  expect(() => model.observe(empty.map((_, index) => (index === 3 ? "never written" : null)))).toThrow("expected null");
  expect(() => model.observe(empty.map((_, index) => (index === 20 ? "left only" : null)))).toThrow("torn");
  const counter = new CounterModel("counter");
  expect(() => counter.observe("1")).toThrow("expected 0 to 0");
});

/** Where the machine does not allow a rig, it says why and does nothing. */
function expectRuns(...words: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, "main.ts"), ...words], {
    encoding: "utf8",
  });
  if (status === 3) expect(stdout).toMatch(/^skipped: \S.{10}/);
  else expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
}

test("an ext4 image copied as a power cut holds everything that was acknowledged", () => {
  expectRuns("powercut", "--images", "2");
});

test("a process survives failing and fatal syncs with typed errors", () => {
  expectRuns("inject", "--per-fault", "1", "--only", "fdatasync");
});
