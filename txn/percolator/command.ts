import type { Mutation, Outcome } from "../../core/kv/kv.ts";
import type { LockKind } from "./lock.ts";

/** Keys from `start` on, below `end`; null: to the last key. */
export interface KeyRange {
  readonly start: Uint8Array;
  readonly end: Uint8Array | null;
}

export type TxnMutation =
  | { readonly kind: "put"; readonly key: Uint8Array; readonly value: Uint8Array; readonly expiresAtMs: number }
  | { readonly kind: "delete"; readonly key: Uint8Array }
  /** Writes nothing, but lets nobody write between startTs and the commit: a read that is promoted. */
  | { readonly kind: "lock"; readonly key: Uint8Array };

/** What must hold when the transaction is prewritten. It guards no longer than that, unless the key is locked too. */
export type Check =
  | { readonly kind: "absent"; readonly key: Uint8Array }
  /** The newest version is still this one (0: none ever), and, where it was alive, is alive at startTs. */
  | { readonly kind: "version"; readonly key: Uint8Array; readonly version: number; readonly alive: boolean };

/** A decision about a transaction: a commit timestamp, or 0 for rolled back. */
export interface Verdict {
  readonly startTs: number;
  readonly commitTs: number;
}

export type Get = {
  readonly kind: "get";
  readonly key: Uint8Array;
  /** `timestampMax`: the newest there is. */
  readonly readTs: number;
  /** By which lifetimes are judged: `readTs`, or for the newest a timestamp of the present. */
  readonly nowTs: number;
  /** Transactions whose commit timestamps are known to be above `readTs`, or that are known to be rolled back. */
  readonly bypass: readonly number[];
};
export type Scan = {
  readonly kind: "scan";
  readonly range: KeyRange;
  readonly readTs: number;
  readonly bypass: readonly number[];
  /** At most so many entries, at least 1. */
  readonly limit: number;
};
export type Prewrite = {
  readonly kind: "prewrite";
  readonly startTs: number;
  readonly primary: Uint8Array;
  /** No two of one key. */
  readonly mutations: readonly TxnMutation[];
  readonly ttlMs: number;
  readonly txnSize: number;
  readonly minCommitTs: number;
  readonly checks: readonly Check[];
};
export type Commit = {
  readonly kind: "commit";
  readonly startTs: number;
  readonly commitTs: number;
  readonly keys: readonly Uint8Array[];
};
export type Rollback = {
  readonly kind: "rollback";
  readonly startTs: number;
  readonly primary: Uint8Array;
  readonly keys: readonly Uint8Array[];
};
export type CheckTxnStatus = {
  readonly kind: "check-txn-status";
  readonly primary: Uint8Array;
  readonly lockTs: number;
  /** A reader at this timestamp asks, and wants the transaction to commit above it; 0: nobody reads. */
  readonly callerTs: number;
  readonly currentTs: number;
  /** The lock that led here has outlived its time, so a primary that never came will not be waited for. */
  readonly rollbackIfMissing: boolean;
};
export type ResolveLock = {
  readonly kind: "resolve-lock";
  readonly verdicts: readonly Verdict[];
  readonly range: KeyRange;
  /** Looks at no more locks than that. */
  readonly limit: number;
};
export type TxnHeartBeat = {
  readonly kind: "txn-heart-beat";
  readonly primary: Uint8Array;
  readonly startTs: number;
  readonly ttlMs: number;
};
export type OnePhase = {
  readonly kind: "one-phase";
  readonly startTs: number;
  /** Stamped by the leader, after the keys were entered into its lock table. */
  readonly commitTs: number;
  readonly mutations: readonly TxnMutation[];
  readonly checks: readonly Check[];
  /** Ranges that were read at `startTs` and must not have changed: a serializable transaction. */
  readonly reads: readonly KeyRange[];
};
export type Atomic = {
  readonly kind: "atomic";
  /** A timestamp of its own, by which a repeated request is known. */
  readonly opId: number;
  readonly commitTs: number;
  readonly mutation: Mutation;
  readonly valueBytesMax: number;
};
export type Refresh = {
  readonly kind: "refresh";
  readonly ranges: readonly KeyRange[];
  readonly startTs: number;
  readonly commitTs: number;
  readonly bypass: readonly number[];
};
/** Locks that began below `belowTs`, for whoever resolves them. */
export type ScanLocks = {
  readonly kind: "scan-locks";
  readonly range: KeyRange;
  readonly belowTs: number;
  /** Looks at no more locks than that. */
  readonly limit: number;
};
export type SetGcFloor = { readonly kind: "set-gc-floor"; readonly floor: number };
export type CollectGarbage = {
  readonly kind: "collect-garbage";
  /** At most the floor. Every lock below it was resolved, in all regions. */
  readonly safePoint: number;
  readonly range: KeyRange;
  readonly limit: number;
};

/** What a region is asked. `get`, `scan`, `refresh` and `scan-locks` write nothing and need no place in the log. */
export type Command =
  | Get
  | Scan
  | Prewrite
  | Commit
  | Rollback
  | CheckTxnStatus
  | ResolveLock
  | TxnHeartBeat
  | OnePhase
  | Atomic
  | Refresh
  | ScanLocks
  | SetGcFloor
  | CollectGarbage;

/** What others are told of a lock. */
export interface LockInfo {
  readonly key: Uint8Array;
  readonly kind: LockKind;
  readonly startTs: number;
  readonly primary: Uint8Array;
  readonly ttlMs: number;
  readonly minCommitTs: number;
  readonly txnSize: number;
}

export type Refusal =
  | { readonly kind: "locked"; readonly lock: LockInfo }
  /** Somebody committed the key at `conflictTs`, after the transaction began. */
  | { readonly kind: "write-conflict"; readonly key: Uint8Array; readonly conflictTs: number }
  /** `lock`: of another transaction on the key that was to be checked. */
  | { readonly kind: "check-failed"; readonly key: Uint8Array; readonly lock: LockInfo | null }
  | { readonly kind: "rolled-back"; readonly key: Uint8Array }
  /** What was to be rolled back is committed. */
  | { readonly kind: "committed"; readonly key: Uint8Array; readonly commitTs: number }
  | { readonly kind: "commit-ts-expired"; readonly key: Uint8Array; readonly minCommitTs: number }
  /** No lock and no record: never prewritten here. */
  | { readonly kind: "txn-not-found"; readonly key: Uint8Array }
  /** Below the garbage collection's floor: it did not happen and will not. */
  | { readonly kind: "too-old"; readonly floor: number }
  /** Below the safe point, where records are gone: what happened is not known here. */
  | { readonly kind: "forgotten"; readonly safePoint: number }
  /** One-phase: the commit timestamp is not above `newestTs`; take another. */
  | { readonly kind: "retry"; readonly newestTs: number }
  /** A range that was read has changed since. */
  | { readonly kind: "changed"; readonly key: Uint8Array };

export type TxnStatus =
  | { readonly kind: "committed"; readonly commitTs: number }
  | { readonly kind: "rolled-back" }
  /** Just rolled back, for its time was over. */
  | { readonly kind: "expired" }
  /** It lives, and will not commit at or below callerTs. */
  | { readonly kind: "pushed"; readonly minCommitTs: number }
  | { readonly kind: "locked"; readonly lock: LockInfo }
  | { readonly kind: "not-found" }
  /** The lock found there names another primary. */
  | { readonly kind: "primary-mismatch"; readonly lock: LockInfo };

export interface ReadEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly expiresAtMs: number;
  /** Commit timestamp. */
  readonly version: number;
}

export type Response =
  | { readonly kind: "value"; readonly entry: ReadEntry | null }
  /** `next`: where to go on; null: the range is exhausted. `lock`: what stands at `next`. */
  | {
      readonly kind: "page";
      readonly entries: readonly ReadEntry[];
      readonly next: Uint8Array | null;
      readonly lock: LockInfo | null;
    }
  | { readonly kind: "prewritten"; readonly minCommitTs: number }
  | { readonly kind: "committed"; readonly commitTs: number }
  | { readonly kind: "rolled-back" }
  | { readonly kind: "status"; readonly status: TxnStatus }
  | { readonly kind: "resolved"; readonly count: number; readonly next: Uint8Array | null }
  | { readonly kind: "alive"; readonly ttlMs: number }
  | { readonly kind: "decided"; readonly commitTs: number; readonly outcome: Outcome }
  | { readonly kind: "unchanged" }
  | { readonly kind: "locks"; readonly locks: readonly LockInfo[]; readonly next: Uint8Array | null }
  | { readonly kind: "floor"; readonly floor: number }
  | { readonly kind: "collected"; readonly count: number; readonly next: Uint8Array | null }
  /** It did not happen; at most a record that says so was written. */
  | { readonly kind: "refused"; readonly refusals: readonly Refusal[] };

export function refused(...refusals: readonly Refusal[]): Response {
  return { kind: "refused", refusals };
}
