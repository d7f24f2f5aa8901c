import type { Check, Prewrite, Refusal, TxnMutation } from "./command.ts";
import { type Execution, answer, isAlive, lockInfo, newestCommit, refuse } from "./execution.ts";
import { type Lock, inlineValueBytesMax } from "./lock.ts";
import { timestampMax } from "./timestamp.ts";
import type { View, Write } from "./view.ts";

/** Locks all keys of the command or none. What is locked already stays as it is. */
export function prewrite(view: View, command: Prewrite): Execution {
  const { startTs, mutations, checks } = command;
  const refusals: Refusal[] = [];
  const fresh: TxnMutation[] = [];
  let minCommitTs = Math.max(command.minCommitTs, startTs + 1);
  let committedTs = 0;
  for (const mutation of mutations) {
    const { key } = mutation;
    const lock = view.lock(key);
    if (lock !== null && lock.startTs === startTs) {
      // A duplicate must not take back what a reader has pushed.
      minCommitTs = Math.max(minCommitTs, lock.minCommitTs);
      continue;
    }
    const record = view.record(key, startTs);
    if (record !== null && record.kind !== "rollback") committedTs = record.commitTs;
    else {
      const refusal = refusalOf(view, key, startTs, lock);
      if (refusal !== null) refusals.push(refusal);
      fresh.push(mutation);
    }
  }
  if (committedTs !== 0) return answer({ kind: "committed", commitTs: committedTs });
  // What the first copy found is what a duplicate is told: its own locks are no change.
  const isDuplicate = fresh.length === 0 && mutations.length > 0;
  if (!isDuplicate) for (const check of checks) refuseCheck(view, check, startTs, refusals);
  if (refusals.length > 0) return refuse(...refusals);
  const writes = fresh.flatMap((mutation) => lockWrites(mutation, command));
  return { response: { kind: "prewritten", minCommitTs }, writes };
}

function refusalOf(view: View, key: Uint8Array, startTs: number, lock: Lock | null): Refusal | null {
  if (view.record(key, startTs)?.kind === "rollback") return { kind: "rolled-back", key };
  if (startTs < view.gcFloor) return { kind: "too-old", floor: view.gcFloor };
  if (lock !== null) return { kind: "locked", lock: lockInfo(key, lock) };
  const conflictTs = newestCommit(view, key);
  return conflictTs > startTs ? { kind: "write-conflict", key, conflictTs } : null;
}

export function refuseCheck(view: View, check: Check, startTs: number, refusals: Refusal[]): void {
  const { key } = check;
  const lock = view.lock(key);
  if (lock !== null && lock.startTs !== startTs && lock.kind !== "lock") {
    refusals.push({ kind: "check-failed", key, lock: lockInfo(key, lock) });
  } else if (!holds(view, check, startTs)) {
    refusals.push({ kind: "check-failed", key, lock: null });
  }
}

function holds(view: View, check: Check, startTs: number): boolean {
  const data = view.data(check.key, timestampMax);
  if (check.kind === "absent") return !isAlive(data, startTs);
  return (data === null ? 0 : data.version) === check.version && (!check.alive || isAlive(data, startTs));
}

function lockWrites(mutation: TxnMutation, command: Prewrite): Write[] {
  const { key, kind } = mutation;
  const value = mutation.kind === "put" ? mutation.value : null;
  const isInline = value !== null && value.length <= inlineValueBytesMax;
  const lock: Lock = {
    kind,
    startTs: command.startTs,
    primary: command.primary,
    ttlMs: command.ttlMs,
    minCommitTs: Math.max(command.minCommitTs, command.startTs + 1),
    txnSize: command.txnSize,
    expiresAtMs: mutation.kind === "put" ? mutation.expiresAtMs : 0,
    value: isInline ? value : null,
  };
  const writes: Write[] = [{ kind: "lock", key, lock }];
  if (value !== null && !isInline) writes.push({ kind: "prewritten", key, value });
  return writes;
}
