// Goal: hellos, refusals, request headers and typed errors survive the wire, and their bytes never change meaning.
// Method: round trips of generated values; golden bytes of each error; what a later version adds is ignored.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader, MalformedError } from "../../core/bytes/byte-reader.ts";
import { ByteWriter } from "../../core/bytes/byte-writer.ts";
import {
  type Hello,
  compareAge,
  helloOf,
  judgeHello,
  readHello,
  readRefusal,
  writeHello,
  writeRefusal,
} from "./hello.ts";
import { readRequestHeader, requestFlags, writeRequestHeader } from "./request-codec.ts";
import { readRpcError, writeRpcError } from "./rpc-error-codec.ts";
import { type RpcError, describeRpcError, isUndetermined } from "./rpc-error.ts";

const id = fc.maxSafeNat();
const key = fc.uint8Array({ maxLength: 40 });
const reason = fc.string({ maxLength: 100 });
const region = fc.record({ regionId: id, confVer: id, version: id, start: key, end: key, leaderStore: id });
const lock = fc.record({ key, primary: key, startVersion: id, ttlMs: id });
const retry = { retryAfterMs: id, reason };

const error: fc.Arbitrary<RpcError> = fc.oneof(
  fc.record({ kind: fc.constant("not-leader" as const), regionId: id, leaderStore: id, leaderPeer: id }),
  fc.record({ kind: fc.constant("epoch-not-match" as const), current: fc.array(region, { maxLength: 4 }) }),
  fc.record({ kind: fc.constant("key-not-in-region" as const), regionId: id, key, start: key, end: key }),
  fc.record({ kind: fc.constant("region-not-found" as const), regionId: id }),
  fc.record({ kind: fc.constant("store-not-match" as const), expected: id, actual: id }),
  fc.record({ kind: fc.constantFrom("stale-command" as const, "undetermined", "malformed"), reason }),
  fc.record({ kind: fc.constant("connection-lost" as const), reason }),
  fc.record({ kind: fc.constant("entry-too-large" as const), sizeBytes: id, maxBytes: id }),
  fc.record({ kind: fc.constant("locked" as const), locks: fc.array(lock, { maxLength: 4 }) }),
  fc.record({ kind: fc.constant("write-conflict" as const), key, startVersion: id, conflictVersion: id }),
  fc.record({ kind: fc.constant("commit-ts-expired" as const), key, attempted: id, minimum: id }),
  fc.record({ kind: fc.constant("txn-too-old" as const), startVersion: id, safePoint: id }),
  fc.record({ kind: fc.constantFrom("tso-unavailable" as const, "route-unavailable"), ...retry }),
  fc.record({ kind: fc.constantFrom("server-busy" as const, "unreachable"), ...retry }),
  fc.record({ kind: fc.constant("mode-mismatch" as const), expected: reason, actual: reason }),
  fc.record({ kind: fc.constant("unknown-method" as const), method: fc.nat(0xffff) }),
  fc.record({ kind: fc.constant("application" as const), code: fc.nat(0xffff), reason, detail: key }),
  fc.record({ kind: fc.constantFrom("deadline-exceeded" as const, "cancelled"), sent: fc.boolean() }),
);

const hello: fc.Arbitrary<Hello> = fc.record({
  protocolMin: fc.nat(0xffff),
  protocolMax: fc.nat(0xffff),
  role: fc.constantFrom("store" as const, "coordinator", "gateway", "tool"),
  lane: fc.constantFrom("control" as const, "bulk"),
  features: fc.nat(0xffff_ffff),
  storeId: id,
  incarnation: id,
  ordinal: id,
  expects: id,
  clusterId: fc.string({ maxLength: 16 }),
});

function written(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  write(writer);
  return writer.toBytes();
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

describe("typed errors", () => {
  test("survive the wire, with what a later version adds", () => {
    fc.assert(
      fc.property(error, key, (given, more) => {
        const bytes = written((writer) => {
          writeRpcError(writer, given);
          writer.raw(more);
        });
        expect(readRpcError(new ByteReader(bytes))).toEqual(given);
        expect(describeRpcError(given).startsWith(given.kind)).toBe(true);
      }),
    );
  });

  test("own what they hold", () => {
    const bytes = written((writer) => {
      writeRpcError(writer, { kind: "write-conflict", key: Uint8Array.of(1), startVersion: 5, conflictVersion: 6 });
    });
    const read = readRpcError(new ByteReader(bytes));
    bytes.fill(0);
    expect(read).toMatchObject({ key: Uint8Array.of(1) });
  });

  test("cut short, they are malformed", () => {
    fc.assert(
      fc.property(error, fc.nat(), (given, at) => {
        const bytes = written((writer) => writeRpcError(writer, given));
        const prefix = bytes.subarray(0, at % bytes.length);
        expect(() => readRpcError(new ByteReader(prefix))).toThrow(MalformedError);
      }),
    );
  });

  const golden: readonly [RpcError, string][] = [
    [{ kind: "not-leader", regionId: 7, leaderStore: 2, leaderPeer: 300 }, "01000702ac02"],
    [{ kind: "epoch-not-match", current: [] }, "020000"],
    [{ kind: "region-not-found", regionId: 7 }, "040007"],
    [{ kind: "store-not-match", expected: 1, actual: 2 }, "05000102"],
    [{ kind: "stale-command", reason: "x" }, "06000178"],
    [{ kind: "entry-too-large", sizeBytes: 9, maxBytes: 8 }, "07000908"],
    [{ kind: "locked", locks: [] }, "100000"],
    [{ kind: "write-conflict", key: Uint8Array.of(1), startVersion: 5, conflictVersion: 6 }, "110001010506"],
    [{ kind: "commit-ts-expired", key: Uint8Array.of(1), attempted: 5, minimum: 6 }, "120001010506"],
    [{ kind: "txn-too-old", startVersion: 5, safePoint: 6 }, "13000506"],
    [{ kind: "tso-unavailable", retryAfterMs: 5, reason: "x" }, "2000050178"],
    [{ kind: "route-unavailable", retryAfterMs: 5, reason: "x" }, "2100050178"],
    [{ kind: "mode-mismatch", expected: "a", actual: "b" }, "220001610162"],
    [{ kind: "server-busy", retryAfterMs: 5, reason: "x" }, "3000050178"],
    [{ kind: "undetermined", reason: "x" }, "31000178"],
    [{ kind: "unknown-method", method: 258 }, "32000201"],
    [{ kind: "malformed", reason: "x" }, "33000178"],
    [{ kind: "application", code: 258, reason: "x", detail: Uint8Array.of(9) }, "3400020101780109"],
    [{ kind: "deadline-exceeded", sent: true }, "350001"],
    [{ kind: "cancelled", sent: false }, "360000"],
    [{ kind: "unreachable", retryAfterMs: 5, reason: "x" }, "3700050178"],
    [{ kind: "connection-lost", reason: "x" }, "38000178"],
    [{ kind: "unknown-error", number: 999 }, "e703"],
  ];
  test.each(golden)("%o", (given, bytes) => {
    expect(hex(written((writer) => writeRpcError(writer, given)))).toBe(bytes);
    expect(readRpcError(new ByteReader(written((writer) => writeRpcError(writer, given))))).toEqual(given);
  });

  test("a long reason is cut, not refused", () => {
    const bytes = written((writer) => writeRpcError(writer, { kind: "malformed", reason: "é".repeat(5_000) }));
    expect(readRpcError(new ByteReader(bytes))).toMatchObject({ reason: "é".repeat(256) });
  });

  test("say whether the request may have happened", () => {
    expect(isUndetermined({ kind: "deadline-exceeded", sent: true })).toBe(true);
    expect(isUndetermined({ kind: "deadline-exceeded", sent: false })).toBe(false);
    expect(isUndetermined({ kind: "connection-lost", reason: "" })).toBe(true);
    expect(isUndetermined({ kind: "unreachable", reason: "", retryAfterMs: 0 })).toBe(false);
  });
});

describe("hello", () => {
  test("and refusals survive the wire, with what a later version adds", () => {
    fc.assert(
      fc.property(hello, reason, key, (given, text, more) => {
        const bytes = written((writer) => {
          writeHello(writer, given);
          writer.raw(more);
        });
        expect(readHello(new ByteReader(bytes))).toEqual(given);
        const refusal = { code: "stale", reason: text } as const;
        expect(readRefusal(new ByteReader(written((writer) => writeRefusal(writer, refusal))))).toEqual(refusal);
      }),
    );
  });

  const identity = { clusterId: "c", storeId: 1, incarnation: 4, role: "store", features: 0 } as const;
  const own = helloOf(identity, "control", 0, 2);
  const theirs = helloOf({ ...identity, storeId: 2 }, "control", 0, 1);
  const mismatches: readonly [string, Partial<Hello>, string][] = [
    ["a newer protocol", { protocolMin: 2, protocolMax: 3 }, "they speak protocol 2 to 3, this side 1 to 1"],
    ["an older protocol", { protocolMin: 0, protocolMax: 0 }, "they speak protocol 0 to 0, this side 1 to 1"],
    ["another cluster", { clusterId: "d" }, 'they are of cluster "d", this side of "c"'],
    ["another store", { storeId: 3 }, "this side looks for store 2, they are store 3"],
    ["who looks for another store", { expects: 9 }, "they look for store 9, this is store 1"],
    ["another lane", { lane: "bulk" }, "they open a bulk lane, this side a control lane"],
  ];
  test.each(mismatches)("%s is refused", (_, change, why) => {
    expect(judgeHello(own, theirs)).toBeNull();
    expect(judgeHello(own, { ...theirs, ...change })?.reason).toBe(why);
  });

  test("of another program is malformed", () => {
    const bytes = new TextEncoder().encode("*1\r\n$4\r\nPING\r\n");
    expect(() => readHello(new ByteReader(bytes))).toThrow(/^hello magic is \d+: not \d+$/);
  });

  test("is ordered by process, then by connection", () => {
    const early = { ...own, incarnation: 4, ordinal: 9 };
    expect(compareAge({ ...own, incarnation: 5, ordinal: 0 }, early)).toBeGreaterThan(0);
    expect(compareAge({ ...own, ordinal: 1 }, { ...own, ordinal: 2 })).toBeLessThan(0);
  });
});

test("request headers survive the wire, the payload behind them", () => {
  const place = fc.option(fc.record({ regionId: id, confVer: id, version: id, peerId: id }), { nil: null });
  const header = fc.record({ method: fc.nat(0xffff), remainingMs: fc.nat(86_400_000), traceId: id, region: place });
  fc.assert(
    fc.property(header, key, (given, payload) => {
      const bytes = written((writer) => {
        writeRequestHeader(writer, given);
        writer.raw(payload);
      });
      const reader = new ByteReader(bytes);
      expect(readRequestHeader(reader, requestFlags(given.region))).toEqual(given);
      expect(reader.rest()).toEqual(payload);
    }),
  );
});
