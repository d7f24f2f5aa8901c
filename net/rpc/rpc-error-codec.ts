import { unreachable } from "../../core/assert.ts";
import type { ByteReader } from "../../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../../core/bytes/byte-writer.ts";
import type { LockHint, RegionHint, RpcError, RpcErrorKind } from "./rpc-error.ts";

const keyBytesMax = 0xffff;
const reasonBytesMax = 1024;
const detailBytesMax = 64 * 1024;
const hintsMax = 1024;

/** Numbers on the wire, for ever: names may change, numbers are never used again. */
const numbers: Readonly<Record<Exclude<RpcErrorKind, "unknown-error">, number>> = {
  "not-leader": 1,
  "epoch-not-match": 2,
  "key-not-in-region": 3,
  "region-not-found": 4,
  "store-not-match": 5,
  "stale-command": 6,
  "entry-too-large": 7,
  locked: 16,
  "write-conflict": 17,
  "commit-ts-expired": 18,
  "txn-too-old": 19,
  "tso-unavailable": 32,
  "route-unavailable": 33,
  "mode-mismatch": 34,
  "server-busy": 48,
  undetermined: 49,
  "unknown-method": 50,
  malformed: 51,
  application: 52,
  "deadline-exceeded": 53,
  cancelled: 54,
  unreachable: 55,
  "connection-lost": 56,
};

const kinds: ReadonlyMap<number, RpcErrorKind> = new Map(
  Object.entries(numbers).map(([kind, number]) => [number, kind as RpcErrorKind]),
);

/** The number as u16, then the fields in the order of the type; later versions may only add to the end. */
export function writeRpcError(writer: ByteWriter, error: RpcError): void {
  writer.u16(error.kind === "unknown-error" ? error.number : numbers[error.kind]);
  switch (error.kind) {
    case "not-leader":
      writer.varint(error.regionId);
      writer.varint(error.leaderStore);
      writer.varint(error.leaderPeer);
      return;
    case "epoch-not-match":
      writer.list(error.current, writeRegion);
      return;
    case "key-not-in-region":
      writer.varint(error.regionId);
      writer.bytes(error.key);
      writer.bytes(error.start);
      writer.bytes(error.end);
      return;
    case "region-not-found":
      writer.varint(error.regionId);
      return;
    case "store-not-match":
      writer.varint(error.expected);
      writer.varint(error.actual);
      return;
    case "entry-too-large":
      writer.varint(error.sizeBytes);
      writer.varint(error.maxBytes);
      return;
    case "locked":
      writer.list(error.locks, writeLock);
      return;
    case "write-conflict":
      writer.bytes(error.key);
      writer.varint(error.startVersion);
      writer.varint(error.conflictVersion);
      return;
    case "commit-ts-expired":
      writer.bytes(error.key);
      writer.varint(error.attempted);
      writer.varint(error.minimum);
      return;
    case "txn-too-old":
      writer.varint(error.startVersion);
      writer.varint(error.safePoint);
      return;
    case "stale-command":
    case "tso-unavailable":
    case "route-unavailable":
    case "mode-mismatch":
    case "server-busy":
    case "undetermined":
    case "unknown-method":
    case "malformed":
    case "application":
    case "deadline-exceeded":
    case "cancelled":
    case "unreachable":
    case "connection-lost":
    case "unknown-error":
      writeGeneralError(writer, error);
      return;
    default:
      unreachable(error);
  }
}

type GeneralKind =
  | "stale-command"
  | "tso-unavailable"
  | "route-unavailable"
  | "mode-mismatch"
  | "server-busy"
  | "undetermined"
  | "unknown-method"
  | "malformed"
  | "application"
  | "deadline-exceeded"
  | "cancelled"
  | "unreachable"
  | "connection-lost"
  | "unknown-error";

function writeGeneralError(writer: ByteWriter, error: Extract<RpcError, { kind: GeneralKind }>): void {
  switch (error.kind) {
    case "tso-unavailable":
    case "route-unavailable":
    case "server-busy":
    case "unreachable":
      writer.varint(error.retryAfterMs);
      writer.text(cut(error.reason));
      return;
    case "mode-mismatch":
      writer.text(cut(error.expected));
      writer.text(cut(error.actual));
      return;
    case "stale-command":
    case "undetermined":
    case "malformed":
    case "connection-lost":
      writer.text(cut(error.reason));
      return;
    case "unknown-method":
      writer.u16(error.method);
      return;
    case "application":
      writer.u16(error.code);
      writer.text(cut(error.reason));
      writer.bytes(error.detail);
      return;
    case "deadline-exceeded":
    case "cancelled":
      writer.bool(error.sent);
      return;
    case "unknown-error":
      return;
    default:
      unreachable(error);
  }
}

/** Throws `MalformedError`. Byte strings are copies. What follows the known fields is a later version's. */
export function readRpcError(reader: ByteReader): RpcError {
  const number = reader.u16("error");
  const kind = kinds.get(number) ?? "unknown-error";
  switch (kind) {
    case "not-leader": {
      const regionId = reader.varint("region");
      return { kind, regionId, leaderStore: reader.varint("leader store"), leaderPeer: reader.varint("leader peer") };
    }
    case "epoch-not-match":
      return { kind, current: reader.list("regions", hintsMax, readRegion) };
    case "key-not-in-region": {
      const regionId = reader.varint("region");
      const key = reader.copy("key", keyBytesMax);
      const start = reader.copy("start", keyBytesMax);
      return { kind, regionId, key, start, end: reader.copy("end", keyBytesMax) };
    }
    case "region-not-found":
      return { kind, regionId: reader.varint("region") };
    case "store-not-match":
      return { kind, expected: reader.varint("expected store"), actual: reader.varint("actual store") };
    case "entry-too-large":
      return { kind, sizeBytes: reader.varint("size"), maxBytes: reader.varint("limit") };
    case "locked":
      return { kind, locks: reader.list("locks", hintsMax, readLock) };
    case "write-conflict": {
      const key = reader.copy("key", keyBytesMax);
      const startVersion = reader.varint("start version");
      return { kind, key, startVersion, conflictVersion: reader.varint("conflict version") };
    }
    case "commit-ts-expired": {
      const key = reader.copy("key", keyBytesMax);
      return { kind, key, attempted: reader.varint("attempted version"), minimum: reader.varint("minimum version") };
    }
    case "txn-too-old":
      return { kind, startVersion: reader.varint("start version"), safePoint: reader.varint("safe point") };
    case "unknown-error":
      return { kind, number };
    case "stale-command":
    case "tso-unavailable":
    case "route-unavailable":
    case "mode-mismatch":
    case "server-busy":
    case "undetermined":
    case "unknown-method":
    case "malformed":
    case "application":
    case "deadline-exceeded":
    case "cancelled":
    case "unreachable":
    case "connection-lost":
      return readGeneralError(reader, kind);
    default:
      return unreachable(kind);
  }
}

function readGeneralError(reader: ByteReader, kind: Exclude<GeneralKind, "unknown-error">): RpcError {
  switch (kind) {
    case "tso-unavailable":
    case "route-unavailable":
    case "server-busy":
    case "unreachable":
      return { kind, retryAfterMs: reader.varint("retry after"), reason: reader.text("reason", reasonBytesMax) };
    case "mode-mismatch": {
      const expected = reader.text("expected mode", reasonBytesMax);
      return { kind, expected, actual: reader.text("actual mode", reasonBytesMax) };
    }
    case "stale-command":
    case "undetermined":
    case "malformed":
    case "connection-lost":
      return { kind, reason: reader.text("reason", reasonBytesMax) };
    case "unknown-method":
      return { kind, method: reader.u16("method") };
    case "application": {
      const code = reader.u16("code");
      const reason = reader.text("reason", reasonBytesMax);
      return { kind, code, reason, detail: reader.copy("detail", detailBytesMax) };
    }
    case "deadline-exceeded":
    case "cancelled":
      return { kind, sent: reader.bool("sent") };
    default:
      return unreachable(kind);
  }
}

/** Four bytes per code unit are more than enough. */
function cut(reason: string): string {
  return reason.length * 4 <= reasonBytesMax ? reason : reason.slice(0, reasonBytesMax / 4).toWellFormed();
}

function writeRegion(writer: ByteWriter, hint: RegionHint): void {
  writer.varint(hint.regionId);
  writer.varint(hint.confVer);
  writer.varint(hint.version);
  writer.bytes(hint.start);
  writer.bytes(hint.end);
  writer.varint(hint.leaderStore);
}

function readRegion(reader: ByteReader): RegionHint {
  return {
    regionId: reader.varint("region"),
    confVer: reader.varint("conf version"),
    version: reader.varint("version"),
    start: reader.copy("start", keyBytesMax),
    end: reader.copy("end", keyBytesMax),
    leaderStore: reader.varint("leader store"),
  };
}

function writeLock(writer: ByteWriter, lock: LockHint): void {
  writer.bytes(lock.key);
  writer.bytes(lock.primary);
  writer.varint(lock.startVersion);
  writer.varint(lock.ttlMs);
}

function readLock(reader: ByteReader): LockHint {
  return {
    key: reader.copy("key", keyBytesMax),
    primary: reader.copy("primary", keyBytesMax),
    startVersion: reader.varint("start version"),
    ttlMs: reader.varint("ttl"),
  };
}
