import { assert } from "../../core/assert.ts";
import type { Commit, Refusal } from "./command.ts";
import { type Execution, refuse } from "./execution.ts";
import type { Lock } from "./lock.ts";
import { fenceTs } from "./txn-record.ts";
import type { View, Write } from "./view.ts";

/** Turns the transaction's locks on `keys` into versions at `commitTs`; all of them or none. */
export function commit(view: View, command: Commit): Execution {
  const { startTs, commitTs } = command;
  const refusals: Refusal[] = [];
  const writes: Write[] = [];
  for (const key of command.keys) {
    const lock = view.lock(key);
    if (lock === null || lock.startTs !== startTs) {
      const refusal = withoutLock(view, key, command);
      if (refusal !== null) refusals.push(refusal);
    } else if (startTs < view.gcFloor) {
      refusals.push({ kind: "too-old", floor: view.gcFloor });
    } else if (commitTs < lock.minCommitTs) {
      refusals.push({ kind: "commit-ts-expired", key, minCommitTs: lock.minCommitTs });
    } else {
      pushCommit(view, writes, { key, lock, commitTs });
    }
  }
  if (refusals.length > 0) return refuse(...refusals);
  return { response: { kind: "committed", commitTs }, writes };
}

/** Null: committed before, at this very timestamp. */
function withoutLock(view: View, key: Uint8Array, { startTs, commitTs }: Commit): Refusal | null {
  const record = view.record(key, startTs);
  if (record === null) {
    if (startTs < view.gcSafePoint) return { kind: "forgotten", safePoint: view.gcSafePoint };
    return { kind: "txn-not-found", key };
  }
  if (record.kind === "rollback") return { kind: "rolled-back", key };
  return record.commitTs === commitTs ? null : { kind: "committed", key, commitTs: record.commitTs };
}

interface KeyCommit {
  readonly key: Uint8Array;
  readonly lock: Lock;
  readonly commitTs: number;
}

/** The writes that commit what `lock` holds, and remove it. */
export function pushCommit(view: View, writes: Write[], { key, lock, commitTs }: KeyCommit): void {
  const { kind, startTs } = lock;
  if (kind === "lock") {
    const fence = view.record(key, fenceTs);
    const fenced = fence === null || fence.kind === "rollback" ? 0 : fence.commitTs;
    const newest = Math.max(fenced, commitTs);
    writes.push({ kind: "record", key, startTs: fenceTs, record: { kind: "lock", commitTs: newest } });
  } else {
    const isApart = kind === "put" && lock.value === null;
    const value = isApart ? view.prewritten(key) : lock.value;
    assert(kind === "delete" || value !== null, "a lock that puts has its value in it or beside it");
    writes.push({ kind: "data", key, version: commitTs, value, expiresAtMs: lock.expiresAtMs });
    if (isApart) writes.push({ kind: "prewritten", key, value: null });
  }
  writes.push({ kind: "record", key, startTs, record: { kind, commitTs } });
  writes.push({ kind: "lock", key, lock: null });
}
