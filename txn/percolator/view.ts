import type { KeyRange } from "./command.ts";
import type { Lock } from "./lock.ts";
import type { TxnRecord } from "./txn-record.ts";

/** A version of a key as the engine has it. */
export interface DataRecord {
  readonly version: number;
  /** Null: a tombstone. */
  readonly value: Uint8Array | null;
  readonly expiresAtMs: number;
}

export interface KeyedData extends DataRecord {
  readonly key: Uint8Array;
}

export interface KeyedLock {
  readonly key: Uint8Array;
  readonly lock: Lock;
}

export interface KeyedTxnRecord {
  readonly key: Uint8Array;
  readonly startTs: number;
  readonly record: TxnRecord;
}

/**
 * What an action sees: one applied state of one region. Synchronous; what a command reads of it is known
 * beforehand (`reads.ts`), so a store may fetch that first. Arrays are in key order and owned by the receiver.
 */
export interface View {
  /** Nothing that began below it is let in any more. */
  readonly gcFloor: number;
  /** Records of transactions below it are gone. At most the floor. */
  readonly gcSafePoint: number;
  /** The newest version of `key` up to `versionMax`, tombstones and expired values included. */
  data(key: Uint8Array, versionMax: number): DataRecord | null;
  /** As `data`, for at most `limit` keys of `range` that have one. */
  dataIn(range: KeyRange, versionMax: number, limit: number): readonly KeyedData[];
  lock(key: Uint8Array): Lock | null;
  locksIn(range: KeyRange, limit: number): readonly KeyedLock[];
  /** The value that waits under the lock of `key`, if it is not in the lock itself. */
  prewritten(key: Uint8Array): Uint8Array | null;
  record(key: Uint8Array, startTs: number): TxnRecord | null;
  /** The newest record of `key` with a smaller startTs. */
  recordBefore(key: Uint8Array, startTs: number): KeyedTxnRecord | null;
  /** Fences included. Of one key all or none; at least `limit` records if there are. */
  recordsIn(range: KeyRange, limit: number): readonly KeyedTxnRecord[];
}

/** One write, to be applied in order, all of a command or none. */
export type Write =
  | {
      readonly kind: "data";
      readonly key: Uint8Array;
      /** Above all versions of the key. */
      readonly version: number;
      readonly value: Uint8Array | null;
      readonly expiresAtMs: number;
    }
  | { readonly kind: "lock"; readonly key: Uint8Array; readonly lock: Lock | null }
  | { readonly kind: "prewritten"; readonly key: Uint8Array; readonly value: Uint8Array | null }
  | {
      readonly kind: "record";
      readonly key: Uint8Array;
      readonly startTs: number;
      readonly record: TxnRecord | null;
    }
  | { readonly kind: "gc-floor"; readonly ts: number }
  | { readonly kind: "gc-safe-point"; readonly ts: number };

/** The key right after `key`. */
export function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
