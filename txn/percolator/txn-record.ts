import { keyLengthMax } from "../../core/bytes/record.ts";
import { NokvError } from "../../core/errors.ts";
import { RecordReader, writeU53 } from "./record-reader.ts";
import { timestampMax } from "./timestamp.ts";

/** What became of a transaction at one key. */
export type TxnRecord =
  | { readonly kind: "put" | "delete" | "lock"; readonly commitTs: number }
  /** A protected rollback is never collapsed: it is the transaction's primary, whose word decides. */
  | { readonly kind: "rollback"; readonly isProtected: boolean };

/** The record of this `startTs` is the key's fence: the newest commit timestamp of a lock-only commit. */
export const fenceTs = timestampMax;
export const txnRecordFormatVersion = 1;
const txnRecordBytes = 12;

const kinds: readonly TxnRecord["kind"][] = ["put", "delete", "lock", "rollback"];
const flagProtected = 1;
const escaped = 0xff;
const terminator = 0x01;
const suffixBytes = 2 + 8;
/** What the key right after a key takes more: a zero byte, escaped. */
const successorBytes = 2;
const u32Max = 0xffff_ffff;

export function encodeTxnRecord(record: TxnRecord): Uint8Array {
  const bytes = new Uint8Array(txnRecordBytes);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, txnRecordFormatVersion);
  view.setUint8(1, kinds.indexOf(record.kind));
  if (record.kind === "rollback") view.setUint8(2, record.isProtected ? flagProtected : 0);
  else writeU53(view, 4, record.commitTs);
  return bytes;
}

/** Throws `NOKV_CORRUPTION` naming the field. */
export function decodeTxnRecord(bytes: Uint8Array): TxnRecord {
  const reader = new RecordReader("transaction record", bytes);
  const version = reader.u8("format", 0xff);
  if (version !== txnRecordFormatVersion) {
    reader.fail("format", `${version}; this program knows ${txnRecordFormatVersion}`);
  }
  const kind = kinds[reader.u8("kind", kinds.length - 1)] as TxnRecord["kind"];
  const isProtected = reader.u8("flags", kind === "rollback" ? flagProtected : 0) === flagProtected;
  reader.u8("reserved", 0);
  const commitTs = reader.u53("commitTs");
  reader.end();
  if (kind !== "rollback") return { kind, commitTs };
  if (commitTs !== 0) reader.fail("commitTs", "a rollback has none");
  return { kind, isProtected };
}

/** The key of the record of `startTs` at `key`: newer transactions first, the fence before all. */
export function txnRecordKey(key: Uint8Array, startTs: number): Uint8Array {
  const bytes = escapeKey(key, suffixBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(bytes.length - 8, u32Max - Math.floor(startTs / 0x1_0000_0000), false);
  view.setUint32(bytes.length - 4, u32Max - (startTs >>> 0), false);
  return bytes;
}

/** Where the records of keys from `key` on begin. */
export function txnRecordBound(key: Uint8Array): Uint8Array {
  return escapeKey(key, 2);
}

/** Throws `NOKV_CORRUPTION`. */
export function decodeTxnRecordKey(bytes: Uint8Array): { readonly key: Uint8Array; readonly startTs: number } {
  const reader = new RecordReader("key of a transaction record", bytes);
  const end = bytes.length - suffixBytes;
  if (end < 0 || bytes[end] !== 0 || bytes[end + 1] !== terminator) reader.fail("key", "has no end");
  const key: number[] = [];
  for (let i = 0; i < end; i++) {
    key.push(bytes[i] as number);
    if (bytes[i] === 0 && bytes[++i] !== escaped) reader.fail("key", `a bare zero byte at ${i - 1}`);
    if (i >= end) reader.fail("key", "ends inside an escape");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const high = u32Max - view.getUint32(bytes.length - 8, false);
  const startTs = high * 0x1_0000_0000 + (u32Max - view.getUint32(bytes.length - 4, false));
  if (startTs > timestampMax) reader.fail("startTs", `${startTs} is above ${timestampMax}`);
  return { key: Uint8Array.from(key), startTs };
}

/**
 * Why `key` can take part in no transaction: with its zero bytes escaped, the keys of its records, or of those of the
 * key right after it, would be longer than keys may be. Null: it can.
 */
export function txnKeyProblem(key: Uint8Array): string | null {
  if (isTxnKey(key)) return null;
  const taken = `takes ${recordKeyBytes(key) + successorBytes} in a transaction, each zero byte two and twelve more`;
  return `a key of ${key.length} bytes ${taken}; at most ${keyLengthMax}`;
}

/** Throws `NOKV_INVALID_ARGUMENT` with the problem of `key`. */
export function checkTxnKey(key: Uint8Array): void {
  const problem = txnKeyProblem(key);
  if (problem !== null) throw new NokvError("NOKV_INVALID_ARGUMENT", problem);
}

/** `key` can take part in transactions. */
export function isTxnKey(key: Uint8Array): boolean {
  return isWithin(key, keyLengthMax - successorBytes);
}

/** `key` can begin or end a range: a key of transactions, or what comes right after one. */
export function isTxnBound(key: Uint8Array): boolean {
  return isWithin(key, keyLengthMax);
}

function isWithin(key: Uint8Array, bytesMax: number): boolean {
  // Zero bytes need not be counted where even nothing but zeros fits.
  return 2 * key.length + suffixBytes <= bytesMax || recordKeyBytes(key) <= bytesMax;
}

function recordKeyBytes(key: Uint8Array): number {
  let bytes = key.length + suffixBytes;
  for (const byte of key) if (byte === 0) bytes++;
  return bytes;
}

/** 00 becomes 00 FF, and 00 01 ends it: order is kept, and no key is a prefix of another. `extra` bytes follow. */
function escapeKey(key: Uint8Array, extra: number): Uint8Array<ArrayBuffer> {
  if (!isTxnBound(key)) checkTxnKey(key);
  let zeros = 0;
  for (const byte of key) if (byte === 0) zeros++;
  const bytes = new Uint8Array(key.length + zeros + extra);
  let at = 0;
  for (const byte of key) {
    bytes[at++] = byte;
    if (byte === 0) bytes[at++] = escaped;
  }
  bytes[at + 1] = terminator;
  return bytes;
}
