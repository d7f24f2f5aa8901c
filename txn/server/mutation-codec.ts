import { type ByteReader, MalformedError } from "../../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../../core/bytes/byte-writer.ts";
import { versionMax } from "../../core/bytes/record.ts";
import { assert, unreachable } from "../../core/assert.ts";
import type { Expiry, ExpiryCondition, KvEntry, Mutation, Outcome } from "../../core/kv/kv.ts";
import { bytesMax, readCount, readKey, readKeys, readKind, writeKeys } from "./wire-parts.ts";

/** Codes are places in these lists: new kinds go to the end. */
const mutationKinds = ["put", "put-many", "delete", "take", "increment", "append", "expire"] as const;
const putConditions = ["always", "absent", "present"] as const;
const putManyConditions = ["always", "all-absent"] as const;
const expiryKinds = ["never", "keep", "at", "after"] as const;
const expiryConditions: readonly ExpiryCondition[] = ["always", "none", "some", "later", "sooner", "some-sooner"];
const rejections = ["not-an-integer", "overflow", "too-long"] as const;

const outcomeApplied = 1;
const outcomePrevious = 2;
const outcomeCount = 4;
const outcomeInteger = 8;
const outcomeRejected = 16;
const outcomeFlags = 31;

const twoTo32 = 0x1_0000_0000n;
const magnitudeMax = 0xffff_ffff_ffff_ffffn;

export function writeMutation(writer: ByteWriter, mutation: Mutation): void {
  writer.u8(mutationKinds.indexOf(mutation.kind));
  switch (mutation.kind) {
    case "put":
      writer.bytes(mutation.key);
      writer.bytes(mutation.value);
      writeExpiry(writer, mutation.expiry);
      writer.u8(putConditions.indexOf(mutation.condition));
      return writer.bool(mutation.returning);
    case "put-many":
      return writePutMany(writer, mutation);
    case "delete":
      return writeKeys(writer, mutation.keys);
    case "take":
      return writer.bytes(mutation.key);
    case "increment":
      writer.bytes(mutation.key);
      return writeInteger(writer, mutation.delta);
    case "append":
      writer.bytes(mutation.key);
      return writer.bytes(mutation.suffix);
    case "expire":
      writer.bytes(mutation.key);
      writeExpiry(writer, mutation.expiry);
      return writer.u8(expiryConditions.indexOf(mutation.condition));
    default:
      return unreachable(mutation);
  }
}

function writePutMany(writer: ByteWriter, { keys, values, condition }: MutationOf<"put-many">): void {
  assert(keys.length === values.length, "a put of many has a value for each key");
  writer.varint(keys.length);
  for (let i = 0; i < keys.length; i++) {
    writer.bytes(keys[i] as Uint8Array);
    writer.bytes(values[i] as Uint8Array);
  }
  writer.u8(putManyConditions.indexOf(condition));
}

type MutationOf<Kind extends Mutation["kind"]> = Extract<Mutation, { kind: Kind }>;

/** Byte strings are views into what is read. Throws `MalformedError`, also for a mutation of no key. */
export function readMutation(reader: ByteReader): Mutation {
  const kind = readKind(reader, "mutation", mutationKinds);
  switch (kind) {
    case "put":
      return {
        kind,
        key: readKey(reader, "put key"),
        value: reader.bytes("put value", bytesMax),
        expiry: readExpiry(reader),
        condition: readKind(reader, "put condition", putConditions),
        returning: reader.bool("put returning"),
      };
    case "put-many":
      return readPutMany(reader);
    case "delete": {
      const keys = readKeys(reader, "deleted key");
      if (keys.length === 0) throw new MalformedError("count of deleted key", 0, "a mutation has a key");
      return { kind, keys };
    }
    case "take":
      return { kind, key: readKey(reader, "taken key") };
    case "increment":
      return { kind, key: readKey(reader, "increment key"), delta: readInteger(reader, "delta") };
    case "append":
      return { kind, key: readKey(reader, "append key"), suffix: reader.bytes("suffix", bytesMax) };
    case "expire":
      return {
        kind,
        key: readKey(reader, "expire key"),
        expiry: readExpiry(reader),
        condition: readKind(reader, "expire condition", expiryConditions),
      };
    default:
      return unreachable(kind);
  }
}

function readPutMany(reader: ByteReader): Mutation {
  const count = readCount(reader, "put key");
  if (count === 0) throw new MalformedError("count of put key", 0, "a mutation has a key");
  const keys: Uint8Array[] = [];
  const values: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    keys.push(readKey(reader, "put key"));
    values.push(reader.bytes("put value", bytesMax));
  }
  return { kind: "put-many", keys, values, condition: readKind(reader, "put condition", putManyConditions) };
}

/** Lifetimes beyond what a record can hold mean what its bounds mean: `evaluate` cuts them there too. */
function writeExpiry(writer: ByteWriter, expiry: Expiry): void {
  writer.u8(expiryKinds.indexOf(expiry.kind));
  if (expiry.kind === "at") writer.varint(Math.max(1, Math.min(expiry.atMs, versionMax)));
  if (expiry.kind !== "after") return;
  writer.bool(expiry.ms < 0);
  writer.varint(Math.min(Math.abs(expiry.ms), versionMax));
}

function readExpiry(reader: ByteReader): Expiry {
  const kind = readKind(reader, "expiry", expiryKinds);
  if (kind === "at") return { kind, atMs: positive(reader, "expiry at") };
  if (kind !== "after") return { kind };
  const isNegative = reader.bool("expiry sign");
  const ms = reader.varint("expiry after");
  if (isNegative && ms === 0) throw new MalformedError("expiry after", 0, "zero has no sign");
  return { kind, ms: isNegative ? -ms : ms };
}

function positive(reader: ByteReader, field: string): number {
  const value = reader.varint(field);
  if (value === 0) throw new MalformedError(field, 0, "less than 1");
  return value;
}

/** A sign, then the magnitude as u64. */
function writeInteger(writer: ByteWriter, value: bigint): void {
  const magnitude = value < 0n ? -value : value;
  assert(magnitude <= magnitudeMax, "an integer's magnitude fits 64 bits");
  writer.bool(value < 0n);
  writer.u32(Number(magnitude % twoTo32));
  writer.u32(Number(magnitude / twoTo32));
}

function readInteger(reader: ByteReader, field: string): bigint {
  const isNegative = reader.bool(`sign of ${field}`);
  const low = reader.u32(field);
  const high = reader.u32(field);
  if (isNegative && low === 0 && high === 0) throw new MalformedError(field, 0, "zero has no sign");
  const magnitude = BigInt(high) * twoTo32 + BigInt(low);
  return isNegative ? -magnitude : magnitude;
}

/** A byte of flags says what follows: rejection u8, previous entry, count, integer. */
export function writeOutcome(writer: ByteWriter, outcome: Outcome): void {
  const { applied, rejected, previous, count, integer } = outcome;
  let flags = applied ? outcomeApplied : 0;
  if (previous !== null) flags += outcomePrevious;
  if (count !== 0) flags += outcomeCount;
  if (integer !== 0n) flags += outcomeInteger;
  if (rejected !== null) flags += outcomeRejected;
  writer.u8(flags);
  if (rejected !== null) writer.u8(rejections.indexOf(rejected));
  if (previous !== null) {
    writer.bytes(previous.value);
    writer.varint(previous.expiresAtMs);
  }
  if (count !== 0) writer.varint(count);
  if (integer !== 0n) writeInteger(writer, integer);
}

export function readOutcome(reader: ByteReader): Outcome {
  const flags = reader.u8("outcome flags");
  if (flags > outcomeFlags) throw new MalformedError("outcome flags", flags, "unknown flags");
  const rejected = (flags & outcomeRejected) === 0 ? null : readKind(reader, "rejection", rejections);
  const previous = (flags & outcomePrevious) === 0 ? null : readEntry(reader);
  const count = (flags & outcomeCount) === 0 ? 0 : positive(reader, "outcome count");
  const integer = (flags & outcomeInteger) === 0 ? 0n : readInteger(reader, "outcome integer");
  if (integer === 0n && (flags & outcomeInteger) !== 0) {
    throw new MalformedError("outcome integer", 0, "nothing that need be said");
  }
  return { applied: (flags & outcomeApplied) !== 0, rejected, previous, count, integer };
}

function readEntry(reader: ByteReader): KvEntry {
  return {
    value: reader.bytes("previous value", bytesMax),
    expiresAtMs: reader.varint("previous expiry"),
  };
}
