import type { Refusal, Rollback } from "./command.ts";
import { type Execution, refuse, sameKey } from "./execution.ts";
import type { View, Write } from "./view.ts";

/** Makes sure that the transaction never commits `keys`, prewritten or not. */
export function rollback(view: View, command: Rollback): Execution {
  const { startTs, primary } = command;
  const refusals: Refusal[] = [];
  const writes: Write[] = [];
  for (const key of command.keys) {
    const record = view.record(key, startTs);
    if (record !== null && record.kind !== "rollback") {
      refusals.push({ kind: "committed", key, commitTs: record.commitTs });
    } else if (startTs < view.gcSafePoint && view.lock(key)?.startTs !== startTs) {
      refusals.push({ kind: "forgotten", safePoint: view.gcSafePoint });
    } else {
      pushRollback(view, writes, { key, startTs, isProtected: sameKey(key, primary) });
    }
  }
  if (refusals.length > 0) return refuse(...refusals);
  return { response: { kind: "rolled-back" }, writes };
}

interface KeyRollback {
  readonly key: Uint8Array;
  readonly startTs: number;
  readonly isProtected: boolean;
}

/**
 * The writes that remove the transaction's lock on a key, if there is one, and keep a late prewrite out. The record
 * below gives way, unless it is protected: on a secondary a very late prewrite leaves at worst a lock that its primary
 * dooms, and records do not pile up.
 */
export function pushRollback(view: View, writes: Write[], { key, startTs, isProtected }: KeyRollback): void {
  const lock = view.lock(key);
  if (lock !== null && lock.startTs === startTs) {
    writes.push({ kind: "lock", key, lock: null });
    if (lock.kind === "put" && lock.value === null) writes.push({ kind: "prewritten", key, value: null });
  }
  const present = view.record(key, startTs);
  if (present !== null && present.kind === "rollback" && (present.isProtected || !isProtected)) return;
  writes.push({ kind: "record", key, startTs, record: { kind: "rollback", isProtected } });
  const older = view.recordBefore(key, startTs);
  if (older !== null && older.record.kind === "rollback" && !older.record.isProtected) {
    writes.push({ kind: "record", key, startTs: older.startTs, record: null });
  }
}
