// HOT: every answer to a client passes here.
import { unreachable } from "../../core/assert.ts";
import { ByteReader, MalformedError } from "../../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../../core/bytes/byte-writer.ts";
import { readRpcError, writeRpcError } from "../../net/rpc/rpc-error-codec.ts";
import type { RpcError } from "../../net/rpc/rpc-error.ts";
import type { LockInfo, ReadEntry, Refusal, Response, TxnStatus } from "../percolator/command.ts";
import { readOutcome, writeOutcome } from "./mutation-codec.ts";
import {
  bytesMax,
  readCount,
  readKey,
  readKind,
  readLockInfo,
  readOptionalBound,
  readOptionalLock,
  u32Max,
  writeLockInfo,
  writeOptionalBound,
  writeOptionalLock,
} from "./wire-parts.ts";

/** What became of one command of a request. `error`: it was not executed, unless `isUndetermined` says otherwise. */
export type Answer =
  | { readonly kind: "response"; readonly response: Response }
  | { readonly kind: "error"; readonly error: RpcError };

export const responseFormatVersion = 1;

/** Codes are places in these lists: new kinds go to the end. */
const answerKinds = ["response", "error"] as const;
const responseKinds = [
  "value",
  "page",
  "prewritten",
  "committed",
  "rolled-back",
  "status",
  "resolved",
  "alive",
  "decided",
  "unchanged",
  "locks",
  "floor",
  "collected",
  "refused",
] as const satisfies readonly Response["kind"][];
const refusalKinds = [
  "locked",
  "write-conflict",
  "check-failed",
  "rolled-back",
  "committed",
  "commit-ts-expired",
  "txn-not-found",
  "too-old",
  "forgotten",
  "retry",
  "changed",
] as const satisfies readonly Refusal["kind"][];
const statusKinds = [
  "committed",
  "rolled-back",
  "expired",
  "pushed",
  "locked",
  "not-found",
  "primary-mismatch",
] as const satisfies readonly TxnStatus["kind"][];

/** The body of a response: version u8, count as varint, the answers in the order of the commands. */
export function writeAnswers(writer: ByteWriter, answers: readonly Answer[]): void {
  writer.u8(responseFormatVersion);
  writer.varint(answers.length);
  for (let i = 0; i < answers.length; i++) {
    const answer = answers[i] as Answer;
    writer.u8(answerKinds.indexOf(answer.kind));
    if (answer.kind === "response") writeResponse(writer, answer.response);
    else writeError(writer, answer.error);
  }
}

/** Its length as u32 before it: later versions may add to the end of an error. */
function writeError(writer: ByteWriter, error: RpcError): void {
  const at = writer.skip(4);
  writeRpcError(writer, error);
  writer.setU32(at, writer.length - at - 4);
}

function readError(reader: ByteReader): RpcError {
  return readRpcError(new ByteReader(reader.raw("error", reader.u32("length of error"))));
}

/** Byte strings are views into `bytes`, which must not change while they are used. Throws `MalformedError`. */
export function readAnswers(bytes: Uint8Array): Answer[] {
  const reader = new ByteReader(bytes);
  const version = reader.u8("answer format");
  if (version !== responseFormatVersion) {
    throw new MalformedError("answer format", version, `this program knows ${responseFormatVersion}`);
  }
  const count = readCount(reader, "answers");
  const answers: Answer[] = [];
  for (let i = 0; i < count; i++) {
    const kind = readKind(reader, "answer", answerKinds);
    if (kind === "response") answers.push({ kind, response: readResponse(reader) });
    else answers.push({ kind, error: readError(reader) });
  }
  reader.end("answers");
  return answers;
}

function writeResponse(writer: ByteWriter, response: Response): void {
  writer.u8(responseKinds.indexOf(response.kind));
  switch (response.kind) {
    case "value":
      writer.bool(response.entry !== null);
      if (response.entry !== null) writeEntry(writer, response.entry);
      return;
    case "page":
      writer.list(response.entries, writeEntry);
      writeOptionalBound(writer, response.next);
      return writeOptionalLock(writer, response.lock);
    case "prewritten":
      return writer.u53(response.minCommitTs);
    case "committed":
      return writer.u53(response.commitTs);
    case "rolled-back":
    case "unchanged":
      return;
    case "status":
      return writeStatus(writer, response.status);
    case "resolved":
    case "collected":
      writer.varint(response.count);
      return writeOptionalBound(writer, response.next);
    case "alive":
      return writer.varint(Math.min(response.ttlMs, u32Max));
    case "decided":
      writer.u53(response.commitTs);
      return writeOutcome(writer, response.outcome);
    case "locks":
      writer.list(response.locks, writeLockInfo);
      return writeOptionalBound(writer, response.next);
    case "floor":
      return writer.u53(response.floor);
    case "refused":
      return writer.list(response.refusals, writeRefusal);
    default:
      return unreachable(response);
  }
}

function readResponse(reader: ByteReader): Response {
  const kind = readKind(reader, "response", responseKinds);
  switch (kind) {
    case "value":
      return { kind, entry: reader.bool("has entry") ? readEntry(reader) : null };
    case "page":
      return {
        kind,
        entries: reader.list("entries", bytesMax, readEntry),
        next: readOptionalBound(reader, "next"),
        lock: readOptionalLock(reader),
      };
    case "prewritten":
      return { kind, minCommitTs: reader.u53("minCommitTs") };
    case "committed":
      return { kind, commitTs: reader.u53("commitTs") };
    case "rolled-back":
    case "unchanged":
      return { kind };
    case "status":
      return { kind, status: readStatus(reader) };
    case "resolved":
    case "collected":
      return { kind, count: reader.varint("count"), next: readOptionalBound(reader, "next") };
    case "alive":
      return { kind, ttlMs: reader.bounded("ttlMs", u32Max) };
    case "decided":
      return { kind, commitTs: reader.u53("commitTs"), outcome: readOutcome(reader) };
    case "locks":
      return {
        kind,
        locks: reader.list<LockInfo>("locks", bytesMax, readLockInfo),
        next: readOptionalBound(reader, "next"),
      };
    case "floor":
      return { kind, floor: reader.u53("floor") };
    case "refused":
      return { kind, refusals: reader.list("refusals", bytesMax, readRefusal) };
    default:
      return unreachable(kind);
  }
}

function writeEntry(writer: ByteWriter, entry: ReadEntry): void {
  writer.bytes(entry.key);
  writer.bytes(entry.value);
  writer.varint(entry.expiresAtMs);
  writer.u53(entry.version);
}

function readEntry(reader: ByteReader): ReadEntry {
  return {
    key: readKey(reader, "entry key"),
    value: reader.bytes("entry value", bytesMax),
    expiresAtMs: reader.varint("entry expiry"),
    version: reader.u53("entry version"),
  };
}

function writeStatus(writer: ByteWriter, status: TxnStatus): void {
  writer.u8(statusKinds.indexOf(status.kind));
  switch (status.kind) {
    case "committed":
      return writer.u53(status.commitTs);
    case "pushed":
      return writer.u53(status.minCommitTs);
    case "locked":
    case "primary-mismatch":
      return writeLockInfo(writer, status.lock);
    case "rolled-back":
    case "expired":
    case "not-found":
      return;
    default:
      return unreachable(status);
  }
}

function readStatus(reader: ByteReader): TxnStatus {
  const kind = readKind(reader, "status", statusKinds);
  switch (kind) {
    case "committed":
      return { kind, commitTs: reader.u53("commitTs") };
    case "pushed":
      return { kind, minCommitTs: reader.u53("minCommitTs") };
    case "locked":
    case "primary-mismatch":
      return { kind, lock: readLockInfo(reader) };
    case "rolled-back":
    case "expired":
    case "not-found":
      return { kind };
    default:
      return unreachable(kind);
  }
}

function writeRefusal(writer: ByteWriter, refusal: Refusal): void {
  writer.u8(refusalKinds.indexOf(refusal.kind));
  switch (refusal.kind) {
    case "locked":
      return writeLockInfo(writer, refusal.lock);
    case "write-conflict":
      writer.bytes(refusal.key);
      return writer.u53(refusal.conflictTs);
    case "check-failed":
      writer.bytes(refusal.key);
      return writeOptionalLock(writer, refusal.lock);
    case "committed":
      writer.bytes(refusal.key);
      return writer.u53(refusal.commitTs);
    case "commit-ts-expired":
      writer.bytes(refusal.key);
      return writer.u53(refusal.minCommitTs);
    case "rolled-back":
    case "txn-not-found":
    case "changed":
      return writer.bytes(refusal.key);
    case "too-old":
      return writer.u53(refusal.floor);
    case "forgotten":
      return writer.u53(refusal.safePoint);
    case "retry":
      return writer.u53(refusal.newestTs);
    default:
      return unreachable(refusal);
  }
}

function readRefusal(reader: ByteReader): Refusal {
  const kind = readKind(reader, "refusal", refusalKinds);
  switch (kind) {
    case "locked":
      return { kind, lock: readLockInfo(reader) };
    case "write-conflict":
      return { kind, key: readKey(reader, "conflict key"), conflictTs: reader.u53("conflictTs") };
    case "check-failed":
      return { kind, key: readKey(reader, "failed key"), lock: readOptionalLock(reader) };
    case "committed":
      return { kind, key: readKey(reader, "committed key"), commitTs: reader.u53("commitTs") };
    case "commit-ts-expired":
      return { kind, key: readKey(reader, "expired key"), minCommitTs: reader.u53("minCommitTs") };
    case "rolled-back":
    case "txn-not-found":
    case "changed":
      return { kind, key: readKey(reader, "refused key") };
    case "too-old":
      return { kind, floor: reader.u53("floor") };
    case "forgotten":
      return { kind, safePoint: reader.u53("safe point") };
    case "retry":
      return { kind, newestTs: reader.u53("newestTs") };
    default:
      return unreachable(kind);
  }
}
