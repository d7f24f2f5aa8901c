import { compareKeys } from "../../core/bytes/record.ts";
import { versionMs } from "../../core/lsm/drop-rules.ts";
import type { LockInfo, Refusal, Response } from "./command.ts";
import { refused } from "./command.ts";
import type { Lock } from "./lock.ts";
import { fenceTs } from "./txn-record.ts";
import { timestampMax } from "./timestamp.ts";
import type { DataRecord, View, Write } from "./view.ts";

/** What a command does: the answer, and what to write. Refusals write nothing. */
export interface Execution {
  readonly response: Response;
  readonly writes: readonly Write[];
}

const nothing: readonly Write[] = [];

export function answer(response: Response): Execution {
  return { response, writes: nothing };
}

export function refuse(...refusals: readonly Refusal[]): Execution {
  return { response: refused(...refusals), writes: nothing };
}

export function lockInfo(key: Uint8Array, lock: Lock): LockInfo {
  const { kind, startTs, primary, ttlMs, minCommitTs, txnSize } = lock;
  return { key, kind, startTs, primary, ttlMs, minCommitTs, txnSize };
}

export function sameKey(a: Uint8Array, b: Uint8Array): boolean {
  return compareKeys(a, b) === 0;
}

/** The newest commit timestamp that a later writer of `key` must not have missed; lock-only commits count. */
export function newestCommit(view: View, key: Uint8Array): number {
  const data = view.data(key, timestampMax);
  const fence = view.record(key, fenceTs);
  const fenced = fence === null || fence.kind === "rollback" ? 0 : fence.commitTs;
  return Math.max(data === null ? 0 : data.version, fenced);
}

/** Whether a reader at `ts` finds a value there: lifetimes, too, are judged by the timestamp. */
export function isAlive(data: DataRecord | null, ts: number): data is DataRecord & { readonly value: Uint8Array } {
  if (data === null || data.value === null) return false;
  return data.expiresAtMs === 0 || data.expiresAtMs > versionMs(ts);
}
