// HOT: every command passes here: as the body of a request, as an entry of the log, on every replica at apply.
import { unreachable } from "../../core/assert.ts";
import { ByteReader, MalformedError } from "../../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../../core/bytes/byte-writer.ts";
import type { Check, Command, OnePhase, Prewrite, TxnMutation, Verdict } from "../percolator/command.ts";
import { lockKinds } from "../percolator/lock.ts";
import { readMutation, writeMutation } from "./mutation-codec.ts";
import {
  bytesMax,
  readCount,
  readKey,
  readKeys,
  readKind,
  readRange,
  readRanges,
  readTimestamps,
  u32Max,
  writeKeys,
  writeRange,
  writeRanges,
  writeTimestamps,
} from "./wire-parts.ts";

export const commandFormatVersion = 1;

/** Codes are places in these lists: new kinds go to the end. */
const commandKinds = [
  "get",
  "scan",
  "prewrite",
  "commit",
  "rollback",
  "check-txn-status",
  "resolve-lock",
  "txn-heart-beat",
  "one-phase",
  "atomic",
  "refresh",
  "scan-locks",
  "set-gc-floor",
  "collect-garbage",
] as const satisfies readonly Command["kind"][];
const checkKinds = ["absent", "version"] as const;

/** The body of a request, or an entry of the log: version u8, count as varint, the commands one after the other. */
export function writeCommands(writer: ByteWriter, commands: readonly Command[]): void {
  writer.u8(commandFormatVersion);
  writer.varint(commands.length);
  for (let i = 0; i < commands.length; i++) writeCommand(writer, commands[i] as Command);
}

/**
 * Byte strings of the commands are views into `bytes`, which must not change while they are used. Throws
 * `MalformedError` naming the field; takes no memory on the word of a count alone.
 */
export function readCommands(bytes: Uint8Array): Command[] {
  const reader = new ByteReader(bytes);
  const version = reader.u8("command format");
  if (version !== commandFormatVersion) {
    throw new MalformedError("command format", version, `this program knows ${commandFormatVersion}`);
  }
  const count = readCount(reader, "commands");
  const commands: Command[] = [];
  for (let i = 0; i < count; i++) commands.push(readCommand(reader));
  reader.end("commands");
  return commands;
}

export function writeCommand(writer: ByteWriter, command: Command): void {
  writer.u8(commandKinds.indexOf(command.kind));
  switch (command.kind) {
    case "get":
      writer.bytes(command.key);
      writer.u53(command.readTs);
      writer.u53(command.nowTs);
      return writeTimestamps(writer, command.bypass);
    case "scan":
      writeRange(writer, command.range);
      writer.u53(command.readTs);
      writeTimestamps(writer, command.bypass);
      return writer.varint(command.limit);
    case "refresh":
      writeRanges(writer, command.ranges);
      writer.u53(command.startTs);
      writer.u53(command.commitTs);
      return writeTimestamps(writer, command.bypass);
    case "scan-locks":
      writeRange(writer, command.range);
      writer.u53(command.belowTs);
      return writer.varint(command.limit);
    case "set-gc-floor":
      return writer.u53(command.floor);
    case "collect-garbage":
      writer.u53(command.safePoint);
      writeRange(writer, command.range);
      return writer.varint(command.limit);
    case "atomic":
      writer.u53(command.opId);
      writer.u53(command.commitTs);
      writer.varint(command.valueBytesMax);
      return writeMutation(writer, command.mutation);
    case "prewrite":
    case "one-phase":
    case "commit":
    case "rollback":
    case "check-txn-status":
    case "resolve-lock":
    case "txn-heart-beat":
      return writeTransactional(writer, command);
    default:
      return unreachable(command);
  }
}

type Untransactional = "get" | "scan" | "refresh" | "scan-locks" | "set-gc-floor" | "collect-garbage" | "atomic";
type TransactionalCommand = Exclude<Command, { readonly kind: Untransactional }>;

function writeTransactional(writer: ByteWriter, command: TransactionalCommand): void {
  switch (command.kind) {
    case "prewrite":
      return writePrewrite(writer, command);
    case "one-phase":
      return writeOnePhase(writer, command);
    case "commit":
      writer.u53(command.startTs);
      writer.u53(command.commitTs);
      return writeKeys(writer, command.keys);
    case "rollback":
      writer.u53(command.startTs);
      writer.bytes(command.primary);
      return writeKeys(writer, command.keys);
    case "check-txn-status":
      writer.bytes(command.primary);
      writer.u53(command.lockTs);
      writer.u53(command.callerTs);
      writer.u53(command.currentTs);
      return writer.bool(command.rollbackIfMissing);
    case "resolve-lock":
      writer.varint(command.verdicts.length);
      for (const { startTs, commitTs } of command.verdicts) {
        writer.u53(startTs);
        writer.u53(commitTs);
      }
      writeRange(writer, command.range);
      return writer.varint(command.limit);
    case "txn-heart-beat":
      writer.bytes(command.primary);
      writer.u53(command.startTs);
      return writer.varint(Math.min(command.ttlMs, u32Max));
    default:
      return unreachable(command);
  }
}

function readCommand(reader: ByteReader): Command {
  const kind = readKind(reader, "command", commandKinds);
  switch (kind) {
    case "get":
      return {
        kind,
        key: readKey(reader, "get key"),
        readTs: reader.u53("readTs"),
        nowTs: reader.u53("nowTs"),
        bypass: readTimestamps(reader, "bypass"),
      };
    case "scan":
      return {
        kind,
        range: readRange(reader, "scan"),
        readTs: reader.u53("readTs"),
        bypass: readTimestamps(reader, "bypass"),
        limit: readLimit(reader),
      };
    case "refresh":
      return {
        kind,
        ranges: readRanges(reader, "refresh"),
        startTs: reader.u53("startTs"),
        commitTs: reader.u53("commitTs"),
        bypass: readTimestamps(reader, "bypass"),
      };
    case "scan-locks":
      return {
        kind,
        range: readRange(reader, "scan of locks"),
        belowTs: reader.u53("belowTs"),
        limit: readLimit(reader),
      };
    case "set-gc-floor":
      return { kind, floor: reader.u53("floor") };
    case "collect-garbage":
      return {
        kind,
        safePoint: reader.u53("safe point"),
        range: readRange(reader, "garbage"),
        limit: readLimit(reader),
      };
    case "atomic":
      return {
        kind,
        opId: reader.u53("opId"),
        commitTs: reader.u53("commitTs"),
        valueBytesMax: reader.varint("valueBytesMax"),
        mutation: readMutation(reader),
      };
    case "prewrite":
    case "one-phase":
    case "commit":
    case "rollback":
    case "check-txn-status":
    case "resolve-lock":
    case "txn-heart-beat":
      return readTransactional(reader, kind);
    default:
      return unreachable(kind);
  }
}

function readTransactional(reader: ByteReader, kind: TransactionalCommand["kind"]): TransactionalCommand {
  switch (kind) {
    case "prewrite":
      return readPrewrite(reader);
    case "one-phase":
      return readOnePhase(reader);
    case "commit":
      return {
        kind,
        startTs: reader.u53("startTs"),
        commitTs: reader.u53("commitTs"),
        keys: readKeys(reader, "commit key"),
      };
    case "rollback":
      return {
        kind,
        startTs: reader.u53("startTs"),
        primary: readKey(reader, "primary"),
        keys: readKeys(reader, "rollback key"),
      };
    case "check-txn-status":
      return {
        kind,
        primary: readKey(reader, "primary"),
        lockTs: reader.u53("lockTs"),
        callerTs: reader.u53("callerTs"),
        currentTs: reader.u53("currentTs"),
        rollbackIfMissing: reader.bool("rollbackIfMissing"),
      };
    case "resolve-lock":
      return {
        kind,
        verdicts: readVerdicts(reader),
        range: readRange(reader, "resolve-lock"),
        limit: readLimit(reader),
      };
    case "txn-heart-beat":
      return {
        kind,
        primary: readKey(reader, "primary"),
        startTs: reader.u53("startTs"),
        ttlMs: reader.bounded("ttlMs", u32Max),
      };
    default:
      return unreachable(kind);
  }
}

function readLimit(reader: ByteReader): number {
  const limit = reader.varint("limit");
  if (limit === 0) throw new MalformedError("limit", 0, "less than 1");
  return limit;
}

function readVerdicts(reader: ByteReader): Verdict[] {
  const count = readCount(reader, "verdicts");
  const verdicts: Verdict[] = [];
  for (let i = 0; i < count; i++) {
    verdicts.push({ startTs: reader.u53("verdict startTs"), commitTs: reader.u53("verdict commitTs") });
  }
  return verdicts;
}

function writePrewrite(writer: ByteWriter, command: Prewrite): void {
  writer.u53(command.startTs);
  writer.bytes(command.primary);
  writer.varint(Math.min(command.ttlMs, u32Max));
  writer.varint(Math.min(command.txnSize, u32Max));
  writer.u53(command.minCommitTs);
  writeMutations(writer, command.mutations);
  writeChecks(writer, command.checks);
}

function readPrewrite(reader: ByteReader): Prewrite {
  return {
    kind: "prewrite",
    startTs: reader.u53("startTs"),
    primary: readKey(reader, "primary"),
    ttlMs: reader.bounded("ttlMs", u32Max),
    txnSize: reader.bounded("txnSize", u32Max),
    minCommitTs: reader.u53("minCommitTs"),
    mutations: readMutations(reader),
    checks: readChecks(reader),
  };
}

function writeOnePhase(writer: ByteWriter, command: OnePhase): void {
  writer.u53(command.startTs);
  writer.u53(command.commitTs);
  writeMutations(writer, command.mutations);
  writeChecks(writer, command.checks);
  writeRanges(writer, command.reads);
}

function readOnePhase(reader: ByteReader): OnePhase {
  return {
    kind: "one-phase",
    startTs: reader.u53("startTs"),
    commitTs: reader.u53("commitTs"),
    mutations: readMutations(reader),
    checks: readChecks(reader),
    reads: readRanges(reader, "reads"),
  };
}

/** Kind u8 (that of the lock), key; a put has its value and expiry behind. */
function writeMutations(writer: ByteWriter, mutations: readonly TxnMutation[]): void {
  writer.varint(mutations.length);
  for (let i = 0; i < mutations.length; i++) {
    const mutation = mutations[i] as TxnMutation;
    writer.u8(lockKinds.indexOf(mutation.kind));
    writer.bytes(mutation.key);
    if (mutation.kind !== "put") continue;
    writer.bytes(mutation.value);
    writer.varint(mutation.expiresAtMs);
  }
}

function readMutations(reader: ByteReader): TxnMutation[] {
  const count = readCount(reader, "mutations");
  const mutations: TxnMutation[] = [];
  for (let i = 0; i < count; i++) {
    const kind = readKind(reader, "mutation kind", lockKinds);
    const key = readKey(reader, "mutation key");
    if (kind === "put") {
      const value = reader.bytes("mutation value", bytesMax);
      mutations.push({ kind, key, value, expiresAtMs: reader.varint("mutation expiry") });
    } else {
      mutations.push({ kind, key });
    }
  }
  return mutations;
}

function writeChecks(writer: ByteWriter, checks: readonly Check[]): void {
  writer.varint(checks.length);
  for (let i = 0; i < checks.length; i++) {
    const check = checks[i] as Check;
    writer.u8(checkKinds.indexOf(check.kind));
    writer.bytes(check.key);
    if (check.kind === "absent") continue;
    writer.u53(check.version);
    writer.bool(check.alive);
  }
}

function readChecks(reader: ByteReader): Check[] {
  const count = readCount(reader, "checks");
  const checks: Check[] = [];
  for (let i = 0; i < count; i++) {
    const kind = readKind(reader, "check kind", checkKinds);
    const key = readKey(reader, "check key");
    if (kind === "absent") checks.push({ kind, key });
    else checks.push({ kind, key, version: reader.u53("check version"), alive: reader.bool("check alive") });
  }
  return checks;
}
