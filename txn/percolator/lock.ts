import { keyLengthMax } from "../../core/bytes/record.ts";
import { NokvError } from "../../core/errors.ts";
import { RecordReader, writeU53 } from "./record-reader.ts";

export type LockKind = "put" | "delete" | "lock";

/** What stands under a user key in family `lock`, at most one per key. */
export interface Lock {
  readonly kind: LockKind;
  readonly startTs: number;
  /** The key whose record decides what becomes of the transaction. */
  readonly primary: Uint8Array;
  /** From the physical part of `startTs` on; see `isExpired`. */
  readonly ttlMs: number;
  /** The transaction will not commit below it. */
  readonly minCommitTs: number;
  /** Keys of the transaction, for whoever wonders whether to wait. */
  readonly txnSize: number;
  /** Of the value to be committed; 0: never. */
  readonly expiresAtMs: number;
  /** Of a put: the value; null: it stands in family `prewrite`. Else null. */
  readonly value: Uint8Array | null;
}

/** Values above it would make every scan of locks read them. */
export const inlineValueBytesMax = 512;
export const lockFormatVersion = 1;
export const lockHeaderBytes = 40;

/** In the order of their codes. */
export const lockKinds: readonly LockKind[] = ["put", "delete", "lock"];
const flagInline = 1;
const u32Max = 0xffff_ffff;

export function encodeLock(lock: Lock): Uint8Array {
  const { primary, value } = lock;
  if (primary.length > keyLengthMax) {
    throw new NokvError("NOKV_INVALID_ARGUMENT", `a primary of ${primary.length} bytes; at most ${keyLengthMax}`);
  }
  if (value !== null && value.length > inlineValueBytesMax) {
    throw new NokvError(
      "NOKV_INVALID_ARGUMENT",
      `a value of ${value.length} bytes in a lock; at most ${inlineValueBytesMax}`,
    );
  }
  const bytes = new Uint8Array(lockHeaderBytes + primary.length + (value === null ? 0 : value.length));
  const view = new DataView(bytes.buffer);
  view.setUint8(0, lockFormatVersion);
  view.setUint8(1, lockKinds.indexOf(lock.kind));
  view.setUint8(2, value === null ? 0 : flagInline);
  view.setUint32(4, Math.min(lock.ttlMs, u32Max), true);
  writeU53(view, 8, lock.startTs);
  writeU53(view, 16, lock.minCommitTs);
  writeU53(view, 24, lock.expiresAtMs);
  view.setUint32(32, Math.min(lock.txnSize, u32Max), true);
  view.setUint16(36, primary.length, true);
  bytes.set(primary, lockHeaderBytes);
  if (value !== null) bytes.set(value, lockHeaderBytes + primary.length);
  return bytes;
}

/** Throws `NOKV_CORRUPTION` naming the field. */
export function decodeLock(bytes: Uint8Array): Lock {
  const reader = new RecordReader("lock", bytes);
  const version = reader.u8("format", 0xff);
  if (version !== lockFormatVersion) reader.fail("format", `${version}; this program knows ${lockFormatVersion}`);
  const kind = lockKinds[reader.u8("kind", lockKinds.length - 1)] as LockKind;
  const inline = reader.u8("flags", flagInline) === flagInline;
  reader.u8("reserved", 0);
  const ttlMs = reader.u32("ttl");
  const startTs = reader.u53("startTs");
  const minCommitTs = reader.u53("minCommitTs");
  const expiresAtMs = reader.u53("expiresAtMs");
  const txnSize = reader.u32("txnSize");
  const primaryLength = reader.u16("primary length");
  if (reader.u16("reserved") !== 0) reader.fail("reserved", "is not zero");
  const primary = reader.bytes("primary", primaryLength);
  const value = inline ? reader.rest() : null;
  if (value === null) reader.end();
  else if (kind !== "put") reader.fail("flags", `a value under a lock of kind ${kind}`);
  else if (value.length > inlineValueBytesMax) reader.fail("value", `${value.length} bytes`);
  return { kind, startTs, primary, ttlMs, minCommitTs, txnSize, expiresAtMs, value };
}
