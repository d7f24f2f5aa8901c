// HOT: parts of every command and every answer.
import { type ByteReader, MalformedError } from "../../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../../core/bytes/byte-writer.ts";
import { keyLengthMax } from "../../core/bytes/record.ts";
import type { KeyRange, LockInfo } from "../percolator/command.ts";
import { lockKinds } from "../percolator/lock.ts";
import { isTxnBound, isTxnKey } from "../percolator/txn-record.ts";

/** What a body holds is bounded by the body: this is only what a length can say. */
export const bytesMax = 0xffff_ffff;
export const u32Max = 0xffff_ffff;

/** Length as varint, then the bytes: a key that can take part in transactions. A view into what is read. */
export function readKey(reader: ByteReader, field: string): Uint8Array {
  const key = reader.bytes(field, keyLengthMax);
  if (!isTxnKey(key)) throw new MalformedError(field, key.length, "a key too long to be in transactions");
  return key;
}

function readBound(reader: ByteReader, field: string): Uint8Array {
  const key = reader.bytes(field, keyLengthMax);
  if (!isTxnBound(key)) throw new MalformedError(field, key.length, "too long for a bound of transactions");
  return key;
}

export function readKeys(reader: ByteReader, field: string): Uint8Array[] {
  const count = readCount(reader, field);
  const keys: Uint8Array[] = [];
  for (let i = 0; i < count; i++) keys.push(readKey(reader, field));
  return keys;
}

export function writeKeys(writer: ByteWriter, keys: readonly Uint8Array[]): void {
  writer.varint(keys.length);
  for (let i = 0; i < keys.length; i++) writer.bytes(keys[i] as Uint8Array);
}

/** Of items that take a byte at least: no count makes a list larger than what it came in. */
export function readCount(reader: ByteReader, field: string): number {
  return reader.bounded(`count of ${field}`, reader.left);
}

/** start, then a byte: 1 when an end follows. */
export function writeRange(writer: ByteWriter, { start, end }: KeyRange): void {
  writer.bytes(start);
  writeOptionalBound(writer, end);
}

export function readRange(reader: ByteReader, field: string): KeyRange {
  const start = readBound(reader, `start of ${field}`);
  return { start, end: readOptionalBound(reader, `end of ${field}`) };
}

export function writeRanges(writer: ByteWriter, ranges: readonly KeyRange[]): void {
  writer.varint(ranges.length);
  for (let i = 0; i < ranges.length; i++) writeRange(writer, ranges[i] as KeyRange);
}

export function readRanges(reader: ByteReader, field: string): KeyRange[] {
  const count = readCount(reader, field);
  const ranges: KeyRange[] = [];
  for (let i = 0; i < count; i++) ranges.push(readRange(reader, field));
  return ranges;
}

export function writeOptionalBound(writer: ByteWriter, key: Uint8Array | null): void {
  writer.bool(key !== null);
  if (key !== null) writer.bytes(key);
}

export function readOptionalBound(reader: ByteReader, field: string): Uint8Array | null {
  return reader.bool(field) ? readBound(reader, field) : null;
}

export function writeTimestamps(writer: ByteWriter, timestamps: readonly number[]): void {
  writer.varint(timestamps.length);
  for (let i = 0; i < timestamps.length; i++) writer.u53(timestamps[i] as number);
}

export function readTimestamps(reader: ByteReader, field: string): number[] {
  const count = readCount(reader, field);
  const timestamps: number[] = [];
  for (let i = 0; i < count; i++) timestamps.push(reader.u53(field));
  return timestamps;
}

export function writeLockInfo(writer: ByteWriter, lock: LockInfo): void {
  writer.bytes(lock.key);
  writer.u8(lockKinds.indexOf(lock.kind));
  writer.u53(lock.startTs);
  writer.bytes(lock.primary);
  writer.varint(lock.ttlMs);
  writer.u53(lock.minCommitTs);
  writer.varint(lock.txnSize);
}

export function readLockInfo(reader: ByteReader): LockInfo {
  return {
    key: readKey(reader, "locked key"),
    kind: readKind(reader, "lock kind", lockKinds),
    startTs: reader.u53("lock start"),
    primary: readKey(reader, "lock primary"),
    ttlMs: reader.bounded("lock ttl", u32Max),
    minCommitTs: reader.u53("lock min commit"),
    txnSize: reader.bounded("lock txn size", u32Max),
  };
}

export function writeOptionalLock(writer: ByteWriter, lock: LockInfo | null): void {
  writer.bool(lock !== null);
  if (lock !== null) writeLockInfo(writer, lock);
}

export function readOptionalLock(reader: ByteReader): LockInfo | null {
  return reader.bool("has lock") ? readLockInfo(reader) : null;
}

/** A u8: the place in `kinds`, from 0. New kinds go to the end. */
export function readKind<const K extends string>(reader: ByteReader, field: string, kinds: readonly K[]): K {
  const code = reader.u8(field);
  const kind = kinds[code];
  if (kind === undefined) throw new MalformedError(field, code, `none of ${kinds.length} kinds`);
  return kind;
}
