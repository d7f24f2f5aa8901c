// Goal: what a store lets in, what it refuses by which error, and what its callers are told of where to go.
// Method: a directory of hosts that are moved by hand, and calls that remember how they were answered.
import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../core/bytes/byte-writer.ts";
import type { RegionHeader } from "../../net/rpc/request-codec.ts";
import type { RpcError } from "../../net/rpc/rpc-error.ts";
import type { Command } from "../percolator/command.ts";
import { bytes, put } from "../percolator/stage.test-support.ts";
import { fenceTs } from "../percolator/txn-record.ts";
import { commandLimitsDefault } from "./command-check.ts";
import { writeCommands } from "./command-codec.ts";
import { FakeHost, get, increment, regionOf } from "./fake-host.test-support.ts";
import { RegionService, type ServedRegion, type TxnCall, txnServiceOptionsDefault } from "./region-service.ts";
import { type Answer, readAnswers } from "./response-codec.ts";

class FakeCall implements TxnCall {
  deadlineUs = Number.MAX_SAFE_INTEGER;
  cancelled = false;
  answers: readonly Answer[] | null = null;
  error: RpcError | null = null;
  readonly region: RegionHeader | null;
  readonly #body: Uint8Array;

  constructor(body: Uint8Array, region: RegionHeader | null) {
    this.#body = body;
    this.region = region;
  }

  keep(): Uint8Array {
    return this.#body.slice();
  }

  respond(payload: Uint8Array): void {
    this.#once();
    this.answers = readAnswers(payload);
  }

  fail(error: RpcError): void {
    this.#once();
    this.error = error;
  }

  #once(): void {
    if (this.answers !== null || this.error !== null) throw new RangeError("a call is answered once");
  }
}

class ServiceStage {
  readonly host = new FakeHost(regionOf("a", "m", 4));
  readonly service: RegionService;
  others: ServedRegion[] = [];

  constructor(options = txnServiceOptionsDefault) {
    const served = (): ServedRegion[] => [this.#served(), ...this.others];
    const region = (id: number): ServedRegion | null => served().find((each) => each.region.id === id) ?? null;
    this.service = new RegionService({ region, regions: served }, null, options);
    this.host.lead(3);
  }

  #served(): ServedRegion {
    const { region, machine, leadingTerm, leaderStore } = this.host;
    return { peerId: 101, region, machine, leadingTerm, leaderStore };
  }

  call(commands: readonly Command[], header: Partial<RegionHeader> = {}): FakeCall {
    const writer = new ByteWriter();
    writeCommands(writer, commands);
    return this.raw(writer.toBytes(), { regionId: 7, confVer: 1, version: 4, peerId: 0, ...header });
  }

  raw(body: Uint8Array, header: RegionHeader | null): FakeCall {
    const call = new FakeCall(body, header);
    this.service.execute(call);
    return call;
  }
}

test("commands of one call come back as answers of one response", () => {
  const stage = new ServiceStage();
  const { host } = stage;
  const call = stage.call([increment("b", 10), get("c", 900)]);
  expect(stage.service.load).toMatchObject({ commands: 2 });
  host.clock.turn();
  host.confirm();
  host.timestamps.give();
  host.apply();
  expect(call.answers).toMatchObject([
    { response: { kind: "decided", outcome: { integer: 1n } } },
    { response: { kind: "value", entry: null } },
  ]);
  expect(stage.service.load).toEqual({ commands: 0, bytes: 0 });
  expect(stage.call([]).answers).toEqual([]);
});

test("one error for all that was asked is the call's own; else each command has its own answer", () => {
  const stage = new ServiceStage();
  const { host } = stage;
  const both = stage.call([increment("b", 10), increment("b", 11)]);
  host.clock.turn();
  host.timestamps.refuse();
  expect(both.error).toMatchObject({ kind: "tso-unavailable" });
  const mixed = stage.call([increment("b", 10), get("c", 900)]);
  host.clock.turn();
  host.confirm();
  host.timestamps.refuse();
  expect(mixed.answers).toMatchObject([
    { kind: "error", error: { kind: "tso-unavailable" } },
    { kind: "response", response: { kind: "value" } },
  ]);
});

describe("who is sent elsewhere", () => {
  test("is told by which region, which version and which leader", () => {
    const stage = new ServiceStage();
    expect(stage.call([get("b", 900)], { regionId: 9 }).error).toEqual({ kind: "region-not-found", regionId: 9 });
    const right = { ...regionOf("m", "", 4), id: 8 };
    stage.others = [{ peerId: 1, region: right, machine: stage.host.machine, leadingTerm: 0, leaderStore: 3 }];
    expect(stage.call([get("b", 900), get("x", 900)], { version: 3 }).error).toMatchObject({
      kind: "epoch-not-match",
      current: [
        { regionId: 7, version: 4, leaderStore: 1, start: bytes("a"), end: bytes("m") },
        { regionId: 8, version: 4, leaderStore: 3, start: bytes("m") },
      ],
    });
    expect(stage.call([get("b", 900)], { version: 5 }).error).toMatchObject({ kind: "epoch-not-match" });
    expect(stage.call([get("b", 900)], { peerId: 55 }).error).toMatchObject({ kind: "epoch-not-match" });
    stage.host.stepDown();
    expect(stage.call([get("b", 900)]).error).toMatchObject({ kind: "not-leader", leaderStore: 2, leaderPeer: 102 });
  });

  test("keys and ranges outside of the region are refused, its own ends are not", () => {
    const stage = new ServiceStage();
    const scan = (start: string, end: string | null): FakeCall =>
      stage.call([
        {
          kind: "scan",
          range: { start: bytes(start), end: end === null ? null : bytes(end) },
          readTs: 900,
          bypass: [],
          limit: 9,
        },
      ]);
    expect(stage.call([get("m", 900)]).error).toMatchObject({ kind: "key-not-in-region", key: bytes("m") });
    expect(scan("a", null).error).toMatchObject({ kind: "key-not-in-region" });
    expect(scan("A", "b").error).toMatchObject({ kind: "key-not-in-region" });
    expect(scan("a", "m").error).toBeNull();
  });
});

describe("what would stop every replica is not let in", () => {
  const stage = new ServiceStage();
  const refusal = (command: Command): string => {
    const { error } = stage.call([command]);
    return error?.kind === "malformed" ? error.reason : `let in: ${error?.kind ?? "no error"}`;
  };
  const fixed = { primary: bytes("b"), ttlMs: 9, txnSize: 1, minCommitTs: 0, checks: [] };

  test("two mutations of one key", () => {
    const mutations = [put("b", "1"), put("c", "1"), put("b", "2")];
    expect(refusal({ kind: "prewrite", startTs: 5, mutations, ...fixed })).toMatch(/0, prewrite: two mutations/);
    const reads = { checks: [], reads: [], commitTs: 0 };
    expect(refusal({ kind: "one-phase", startTs: 5, mutations, ...reads })).toMatch(/two mutations of one key/);
  });

  test("timestamps that cannot be, such as that of fences", () => {
    expect(refusal({ kind: "prewrite", startTs: fenceTs, mutations: [put("b", "1")], ...fixed })).toMatch(/startTs/);
    expect(refusal({ kind: "rollback", startTs: 0, primary: bytes("b"), keys: [bytes("b")] })).toMatch(/startTs/);
    expect(refusal({ kind: "commit", startTs: 9, commitTs: 9, keys: [bytes("b")] })).toMatch(/commitTs/);
    const range = { start: bytes("a"), end: bytes("c") };
    const verdicts = [{ startTs: 9, commitTs: 8 }];
    expect(refusal({ kind: "resolve-lock", verdicts, range, limit: 5 })).toMatch(/verdict/);
    expect(refusal({ ...increment("b", 0) })).toMatch(/opId/);
  });

  test("bytes that are no commands, and calls that name no region", () => {
    const header = { regionId: 7, confVer: 1, version: 4, peerId: 0 };
    expect(stage.raw(Uint8Array.of(1, 1, 200), header).error).toEqual({
      kind: "malformed",
      reason: "command is 200: none of 14 kinds",
    });
    expect(stage.raw(Uint8Array.of(1, 0), null).error).toMatchObject({ kind: "malformed" });
  });
});

test("what one command may ask for is bounded; the answer says where to go on", () => {
  const limits = { ...commandLimitsDefault, pageMax: 2, valueBytesMax: 3 };
  const stage = new ServiceStage({ ...txnServiceOptionsDefault, limits });
  const { host } = stage;
  const fixed = { primary: bytes("b"), ttlMs: 9, txnSize: 1, minCommitTs: 0, checks: [] };
  const mutations = [put("b", "1"), put("c", "1"), put("d", "1")];
  stage.call([{ kind: "prewrite", startTs: 5, mutations, ...fixed }]);
  stage.call([{ kind: "commit", startTs: 5, commitTs: 9, keys: [bytes("b"), bytes("c"), bytes("d")] }]);
  const mutation = { kind: "append", key: bytes("e"), suffix: bytes("long") } as const;
  const append = stage.call([{ kind: "atomic", opId: 20, commitTs: 0, mutation, valueBytesMax: 1_000_000 }]);
  host.clock.turn();
  host.timestamps.give();
  host.apply();
  const range = { start: bytes("a"), end: bytes("m") };
  const page = stage.call([{ kind: "scan", range, readTs: 900, bypass: [], limit: 1_000_000 }]);
  host.clock.turn();
  host.confirm();
  expect(page.answers).toMatchObject([{ response: { kind: "page", next: bytes("c\0") } }]);
  expect(append.answers).toMatchObject([{ response: { outcome: { rejected: "too-long" } } }]);
});

test("more than a store takes in is refused as busy, over all regions, in commands and in bytes", () => {
  const few = new ServiceStage({ ...txnServiceOptionsDefault, commandsMax: 2, commandsPerRequestMax: 5 });
  const waiting = few.call([get("b", 900), get("c", 900)]);
  expect(few.call([get("b", 900)]).error).toMatchObject({ kind: "server-busy", retryAfterMs: 20 });
  few.host.clock.turn();
  few.host.confirm();
  expect(waiting.answers).toHaveLength(2);
  expect(few.call([get("b", 900)]).error).toBeNull();
  expect(few.call(Array.from({ length: 6 }, () => get("b", 9))).error).toMatchObject({ kind: "malformed" });
  const small = new ServiceStage({ ...txnServiceOptionsDefault, bytesMax: 50 });
  expect(small.call([get("b".repeat(100), 900)]).error).toBeNull();
  expect(small.call([get("b", 900)]).error).toMatchObject({ kind: "server-busy" });
});

test("a caller that went away is answered all the same, and nothing is done for it", () => {
  const stage = new ServiceStage();
  const call = stage.call([increment("b", 10)]);
  call.cancelled = true;
  stage.host.clock.turn();
  expect(call.error).toEqual({ kind: "cancelled", sent: false });
  expect([stage.host.timestamps.asked.length, stage.service.load.commands]).toEqual([0, 0]);
});
