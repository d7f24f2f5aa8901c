// Goal: what a region's machine does between a request and its answers, step by step, whatever happens to its log.
// Method: a host whose log, leadership, ReadIndex, engine and timestamps are moved by hand.
import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../core/bytes/byte-writer.ts";
import type { Command, Prewrite, TxnMutation } from "../percolator/command.ts";
import { at, bytes, put } from "../percolator/stage.test-support.ts";
import { timestampMax } from "../percolator/timestamp.ts";
import { writeCommands } from "./command-codec.ts";
import { FakeHost, get, increment, regionOf } from "./fake-host.test-support.ts";

function leading(): FakeHost {
  const host = new FakeHost(regionOf("", ""));
  host.lead(3);
  return host;
}

function prewrite(startTs: number, mutations: readonly TxnMutation[], more: Partial<Prewrite> = {}): Command {
  const fixed = { ttlMs: 3_000, txnSize: 1, minCommitTs: 0, checks: [] };
  return { kind: "prewrite", startTs, primary: mutations[0]?.key ?? bytes(""), mutations, ...fixed, ...more };
}

const integers = (asked: ReturnType<FakeHost["ask"]>): unknown[] =>
  asked.responses.map((response) => (response.kind === "decided" ? Number(response.outcome.integer) : response.kind));

function image(commands: readonly Command[]): Uint8Array {
  const writer = new ByteWriter();
  writeCommands(writer, commands);
  return writer.toBytes();
}

describe("batches", () => {
  test("a hundred increments of one key cost one request for timestamps and one entry, and count to 100 (D11)", () => {
    const host = leading();
    const asked = Array.from({ length: 100 }, (_, i) => host.ask([increment("n", 10 + i)]));
    host.clock.turn();
    expect(host.timestamps.asked.map(({ count }) => count)).toEqual([100]);
    host.timestamps.give();
    expect(host.entries.map((commands) => commands.length)).toEqual([100]);
    const stamped = host.entries[0]?.map((command) => (command.kind === "atomic" ? command.commitTs : 0)) ?? [];
    expect(stamped).toEqual(stamped.toSorted((a, b) => a - b));
    host.apply();
    expect(asked.flatMap(integers)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    expect(host.machine.waiting).toBe(0);
  });

  test("commands of one request are answered together, in their order", () => {
    const host = leading();
    const asked = host.ask([increment("a", 10), get("b", 900), prewrite(20, [put("c", "1")])]);
    host.clock.turn();
    host.confirm();
    host.apply();
    expect(asked.words).toBeNull();
    host.timestamps.give();
    host.apply();
    expect(asked.words).toEqual(["decided", "value", "prewritten"]);
  });

  test("reads of a turn share a ReadIndex, and later ones do not use it", () => {
    const host = leading();
    const first = [host.ask([get("a", 900)]), host.ask([get("b", 900)])];
    host.clock.turn();
    const late = host.ask([get("c", 900)]);
    host.clock.turn();
    expect(host.readIndexes.length).toBe(2);
    host.readIndexes.shift()?.(true);
    expect(first.map(({ words }) => words)).toEqual([["value"], ["value"]]);
    expect(late.words).toBeNull();
  });

  test("entries hold as many commands as fit, in the order of their timestamps", () => {
    const host = new FakeHost(regionOf("", ""), { entryCommandsMax: 3 });
    host.lead(3);
    for (let i = 0; i < 7; i++) host.ask([increment("n", 10 + i)]);
    host.clock.turn();
    host.timestamps.give();
    expect(host.entries.map((commands) => commands.length)).toEqual([3, 3, 1]);
    const large = new FakeHost(regionOf("", ""), { entryBytesMax: 1_000 });
    large.lead(3);
    for (let i = 0; i < 3; i++) large.ask([prewrite(20 + i, [put(`k${i}`, "x".repeat(600))])]);
    large.clock.turn();
    expect(large.entries.length).toBe(3);
  });

  test("what no entry can hold is refused by its size, and nothing waits for it", () => {
    const host = leading();
    const asked = host.ask([prewrite(20, [put("a", "x".repeat(1_100_000))])]);
    host.clock.turn();
    expect(asked.words).toEqual(["! entry-too-large"]);
    expect([host.proposed.length, host.machine.waiting]).toEqual([0, 0]);
  });

  test("the next round of a hot key is stamped and proposed while the first one is in the log", () => {
    const host = leading();
    const first = host.ask([increment("n", 10), increment("n", 11)]);
    host.clock.turn();
    host.timestamps.give();
    const second = host.ask([increment("n", 12)]);
    host.clock.turn();
    host.timestamps.give();
    expect(host.entries.map((commands) => commands.length)).toEqual([2, 1]);
    host.apply();
    expect([first, second].flatMap(integers)).toEqual([1, 2, 3]);
  });

  test("timestamps that overtake each other change nothing: the later operation takes a later one", () => {
    const host = leading();
    const first = host.ask([increment("n", 10)]);
    host.clock.turn();
    const second = host.ask([increment("n", 11)]);
    host.clock.turn();
    const [one] = host.timestamps.asked.splice(0, 1);
    host.timestamps.give(2_000);
    one?.done(null, { first: 1_999, count: 1 });
    expect(host.entries.length).toBe(1);
    host.timestamps.give();
    host.apply();
    expect([second, first].flatMap(integers)).toEqual([1, 2]);
  });
});

describe("reads and claims", () => {
  test("a read waits for operations that may become versions below it, and for no later ones", () => {
    const host = leading();
    host.ask([increment("n", 10)]);
    host.clock.turn();
    const read = host.ask([get("n", 5_000)]);
    const apart = host.ask([get("m", 5_000)]);
    host.clock.turn();
    host.confirm();
    expect([read.words, apart.words]).toEqual([null, ["value"]]);
    host.timestamps.give();
    const later = host.ask([increment("n", 11)]);
    host.clock.turn();
    host.apply();
    expect(read.responses).toMatchObject([{ kind: "value", entry: { value: bytes("1") } }]);
    expect(later.words).toBeNull();
  });

  test("while a run waits for room in the engine reads see all of what was before it", () => {
    const host = leading();
    host.ask([prewrite(20, [put("a", "1")])]);
    host.clock.turn();
    host.evaluate();
    const read = host.ask([get("a", 5_000)]);
    host.clock.turn();
    host.confirm();
    expect(read.responses).toMatchObject([{ kind: "value", entry: null }]);
    expect(host.machine.mirrorDefect()).toBeNull();
    host.settle();
    const next = host.ask([get("a", 5_000)]);
    host.clock.turn();
    host.confirm();
    expect(next.words).toEqual(["refused locked"]);
    expect(host.machine.mirrorDefect()).toBeNull();
  });

  test("the newest value lives or not by the present that the caller names, not by any clock here (D28)", () => {
    const host = leading();
    const startTs = at(10);
    host.ask([prewrite(startTs, [put("a", "1", 1_704_067_200_000 + 50)])]);
    host.clock.turn();
    host.apply();
    host.ask([{ kind: "commit", startTs, commitTs: at(20), keys: [bytes("a")] }]);
    host.clock.turn();
    host.apply();
    const newest = (nowTs: number): unknown => {
      const asked = host.ask([get("a", timestampMax, nowTs)]);
      host.clock.turn();
      host.confirm();
      return asked.responses[0];
    };
    expect(newest(at(49))).toMatchObject({ entry: { value: bytes("1") } });
    expect(newest(at(50))).toMatchObject({ entry: null });
  });

  test("pages are cut by their bytes and go on right behind the last key (D29)", () => {
    const host = new FakeHost(regionOf("", ""), { pageBytesMax: 1_000 });
    host.lead(3);
    for (let i = 0; i < 4; i++) {
      host.ask([prewrite(20, [put(`k${i}`, "x".repeat(400))], { primary: bytes("k0") })]);
    }
    host.ask([{ kind: "commit", startTs: 20, commitTs: 30, keys: [0, 1, 2, 3].map((i) => bytes(`k${i}`)) }]);
    host.clock.turn();
    host.apply();
    const range = { start: bytes(""), end: null };
    const asked = host.ask([{ kind: "scan", range, readTs: 50, bypass: [], limit: 100 }]);
    host.clock.turn();
    host.confirm();
    const [page] = asked.responses;
    expect(page).toMatchObject({ kind: "page", next: bytes("k1\0"), lock: null });
    expect(page?.kind === "page" && page.entries.length).toBe(2);
  });
});

describe("leaders", () => {
  test("a timestamp that comes in another term proposes nothing, also when the same leader is back", () => {
    const host = leading();
    const asked = host.ask([increment("n", 10)]);
    host.clock.turn();
    host.stepDown();
    host.lead(5);
    host.timestamps.give();
    expect([asked.words, host.proposed.length]).toEqual([["! not-leader"], 0]);
  });

  test("whoever waits is told where the leader is when this one is none any more", () => {
    const host = leading();
    host.ask([increment("n", 10)]);
    host.clock.turn();
    const parked = host.ask([get("n", 5_000)]);
    host.clock.turn();
    host.confirm();
    const read = host.ask([get("m", 5_000)]);
    host.clock.turn();
    host.stepDown();
    expect(parked.answers).toEqual([
      { kind: "error", error: { kind: "not-leader", regionId: 7, leaderStore: 2, leaderPeer: 102 } },
    ]);
    host.confirm(false);
    expect(read.words).toEqual(["! not-leader"]);
    expect(host.ask([get("m", 5_000)]).words).toEqual(["! not-leader"]);
  });

  test("a read that was confirmed in an earlier term is not answered in this one", () => {
    const host = leading();
    const read = host.ask([get("m", 5_000)]);
    host.clock.turn();
    host.stepDown();
    host.lead(5);
    host.confirm();
    expect(read.words).toEqual(["! not-leader"]);
  });

  test("a dropped proposal did not happen, a lost one may have: they are told apart", () => {
    for (const [why, word] of [
      ["not-leader", "! not-leader"],
      ["busy", "! server-busy"],
      ["unknown", "! undetermined"],
    ] as const) {
      const host = leading();
      const asked = [host.ask([increment("n", 10)]), host.ask([prewrite(20, [put("a", "1")])])];
      host.clock.turn();
      host.timestamps.give();
      const read = host.ask([get("n", 5_000)]);
      host.clock.turn();
      host.confirm();
      host.drop(why);
      expect(asked.map(({ words }) => words)).toEqual([[word], [word]]);
      // What is gone keeps nobody waiting.
      expect(read.words).toEqual(["value"]);
    }
  });

  test("what this leader proposed and applies as a follower is answered all the same", () => {
    const host = leading();
    const asked = host.ask([increment("n", 10)]);
    host.clock.turn();
    host.timestamps.give();
    host.stepDown();
    host.apply();
    expect(asked.words).toEqual(["decided"]);
  });

  test("what others proposed answers nobody here, whatever number they gave it (D1)", () => {
    const host = leading();
    const asked = host.ask([increment("n", 10)]);
    host.clock.turn();
    host.timestamps.give();
    host.applyForeign(image([{ ...increment("n", 11), commitTs: 900 } as Command]));
    expect(asked.words).toBeNull();
    host.apply();
    expect(integers(asked)).toEqual([2]);
  });

  test("a peer that starts over what is there has its locks in memory, and its floor", () => {
    const host = leading();
    host.ask([prewrite(20, [put("a", "1"), put("b", "x".repeat(600))]), { kind: "set-gc-floor", floor: 15 }]);
    host.clock.turn();
    host.apply();
    const heir = new FakeHost(regionOf("", ""), {}, host.store);
    expect(heir.machine.mirrorDefect()).toBeNull();
    expect(heir.machine.gcFloor).toBe(15);
    heir.lead(5);
    const read = heir.ask([get("b", 5_000)]);
    heir.clock.turn();
    heir.confirm();
    expect(read.words).toEqual(["refused locked"]);
  });

  test("replicas that take entries in other runs come to the same hash and the same records", () => {
    const host = leading();
    for (const commands of [[increment("n", 10)], [increment("n", 11), prewrite(20, [put("a", "1")])]]) {
      host.ask(commands);
      host.clock.turn();
      host.timestamps.give();
    }
    const datas = host.proposed.map(({ data }) => data);
    host.apply();
    const follower = new FakeHost(regionOf("", ""));
    // Versions that a store gives by itself are its own.
    for (let i = 0; i < 5; i++) follower.store.nextVersion();
    for (const data of datas) follower.applyForeign(data);
    expect(follower.hash).toEqual(host.hash);
    expect(follower.machine.mirrorDefect()).toBeNull();
  });
});

describe("ranges", () => {
  test("what was let in for another range is not proposed, and not read: the range is looked at last (D6)", () => {
    const host = leading();
    const operation = host.ask([increment("x", 10)]);
    host.clock.turn();
    const parked = host.ask([get("x", 5_000)]);
    const read = host.ask([get("y", 5_000)]);
    host.clock.turn();
    host.readIndexes.splice(0, 1).forEach((done) => done(true));
    host.regionIs(regionOf("", "m", 2));
    host.timestamps.give();
    expect([operation.words, host.proposed.length]).toEqual([["! epoch-not-match"], 0]);
    expect(parked.words).toEqual(["! epoch-not-match"]);
    expect(read.words).toEqual(["value"]);
    const late = host.ask([get("y", 5_000)], { version: 1 });
    host.clock.turn();
    host.confirm();
    expect(late.answers).toMatchObject([
      { error: { kind: "epoch-not-match", current: [{ regionId: 7, version: 2, leaderStore: 1 }] } },
    ]);
  });

  test("an entry that was proposed for another range does nothing, on every replica alike (D5)", () => {
    const host = leading();
    const asked = host.ask([increment("x", 10)]);
    host.clock.turn();
    host.timestamps.give();
    const data = host.proposed[0]?.data ?? new Uint8Array(0);
    host.regionIs(regionOf("", "m", 2));
    host.apply();
    expect(asked.words).toEqual(["! epoch-not-match"]);
    const follower = new FakeHost(regionOf("", ""));
    follower.applyForeign(data, true);
    expect(follower.hash).toEqual(host.hash);
    expect(follower.store.newest(0, bytes("x"), timestampMax)).toBeNull();
  });

  test("locks of what is not in the range any more are not kept in memory, and come with what is", () => {
    const host = leading();
    host.ask([prewrite(20, [put("a", "1"), put("x", "1")])]);
    host.clock.turn();
    host.apply();
    host.regionIs(regionOf("", "m", 2));
    expect(host.machine.mirrorDefect()).toBeNull();
    host.regionIs(regionOf("", "", 3));
    expect(host.machine.mirrorDefect()).toBeNull();
    const read = host.ask([get("x", 5_000)]);
    host.clock.turn();
    host.confirm();
    expect(read.words).toEqual(["refused locked"]);
  });
});

describe("bounds", () => {
  test("what nobody waits for any more is not proposed", () => {
    const host = leading();
    const expired = host.ask([increment("n", 10)], { deadlineUs: 50 });
    const cancelled = host.ask([increment("n", 11)]);
    const awaited = host.ask([increment("n", 12)]);
    host.clock.turn();
    host.clock.nowUs = 60;
    cancelled.cancelled = true;
    host.timestamps.give();
    expect(host.entries.map((commands) => commands.length)).toEqual([1]);
    expect([expired.words, cancelled.words]).toEqual([["! deadline-exceeded"], ["! cancelled"]]);
    host.apply();
    expect(integers(awaited)).toEqual([1]);
  });

  test("without timestamps operations do not happen, and say so; reads and two phases go on", () => {
    const host = leading();
    const operation = host.ask([increment("n", 10)]);
    const locked = host.ask([prewrite(20, [put("a", "1")])]);
    host.clock.turn();
    const read = host.ask([get("n", 5_000)]);
    host.clock.turn();
    host.confirm();
    host.timestamps.refuse();
    host.apply();
    expect(operation.answers).toMatchObject([
      { error: { kind: "tso-unavailable", reason: "no timestamps today" } },
    ]);
    expect([locked.words, read.words]).toEqual([["prewritten"], ["value"]]);
  });

  test("more than its bound is refused as busy at once", () => {
    const host = new FakeHost(regionOf("", ""), { commandsMax: 2 });
    host.lead(3);
    host.ask([get("a", 900), get("b", 900)]);
    expect(host.ask([get("c", 900)]).words).toEqual(["! server-busy"]);
    host.clock.turn();
    host.confirm();
    const again = host.ask([get("c", 900)]);
    host.clock.turn();
    host.confirm();
    expect(again.words).toEqual(["value"]);
  });

  test("what finds a newer version takes another timestamp by itself, and its deadline still counts", () => {
    const host = leading();
    host.ask([prewrite(20, [put("n", "7")])]);
    host.clock.turn();
    host.apply();
    host.ask([{ kind: "commit", startTs: 20, commitTs: 5_000, keys: [bytes("n")] }]);
    host.clock.turn();
    host.apply();
    const asked = host.ask([increment("n", 30)], { deadlineUs: 100 });
    host.clock.turn();
    host.timestamps.give(1_000);
    host.apply();
    expect(asked.words).toBeNull();
    host.timestamps.give(6_000);
    host.apply();
    expect(integers(asked)).toEqual([8]);
    const late = host.ask([increment("n", 31)], { deadlineUs: 100 });
    host.clock.turn();
    host.timestamps.give(1_100);
    host.clock.nowUs = 100;
    host.apply();
    expect(late.words).toEqual(["! deadline-exceeded"]);
  });

  test("when the peer goes away everybody who waits is told, and nothing is asked of the host any more", () => {
    const host = leading();
    const proposed = host.ask([prewrite(20, [put("a", "1")])]);
    const stamped = host.ask([increment("n", 10)]);
    host.clock.turn();
    const read = host.ask([get("m", 900)]);
    host.machine.close();
    expect([proposed.words, stamped.words, read.words]).toEqual([
      ["! undetermined"],
      ["! region-not-found"],
      ["! region-not-found"],
    ]);
    host.clock.turn();
    host.timestamps.give();
    expect([host.proposed.length, host.readIndexes.length]).toEqual([1, 0]);
    expect(host.ask([get("m", 900)]).words).toEqual(["! region-not-found"]);
  });
});
