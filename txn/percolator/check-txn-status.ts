import type { CheckTxnStatus, TxnHeartBeat, TxnStatus } from "./command.ts";
import { type Execution, answer, lockInfo, refuse, sameKey } from "./execution.ts";
import type { Lock } from "./lock.ts";
import { pushRollback } from "./rollback.ts";
import { isExpired, timestampMax } from "./timestamp.ts";
import type { View, Write } from "./view.ts";

/** What has become of the transaction `lockTs`, by the word of its primary; ends it when its time is over. */
export function checkTxnStatus(view: View, command: CheckTxnStatus): Execution {
  const { primary, lockTs } = command;
  const lock = view.lock(primary);
  if (lock !== null && lock.startTs === lockTs) return withLock(view, command, lock);
  const record = view.record(primary, lockTs);
  if (record !== null && record.kind === "rollback") return status({ kind: "rolled-back" });
  if (record !== null) return status({ kind: "committed", commitTs: record.commitTs });
  // Where records are gone, none found means nothing.
  if (lockTs < view.gcSafePoint) return refuse({ kind: "forgotten", safePoint: view.gcSafePoint });
  if (!command.rollbackIfMissing) return status({ kind: "not-found" });
  const writes: Write[] = [];
  pushRollback(view, writes, { key: primary, startTs: lockTs, isProtected: true });
  return { response: { kind: "status", status: { kind: "rolled-back" } }, writes };
}

function withLock(view: View, command: CheckTxnStatus, lock: Lock): Execution {
  const { primary, lockTs, callerTs, currentTs } = command;
  const info = lockInfo(primary, lock);
  if (!sameKey(lock.primary, primary)) return status({ kind: "primary-mismatch", lock: info });
  if (isExpired(lock, currentTs)) {
    const writes: Write[] = [];
    pushRollback(view, writes, { key: primary, startTs: lockTs, isProtected: true });
    return { response: { kind: "status", status: { kind: "expired" } }, writes };
  }
  if (callerTs === 0) return status({ kind: "locked", lock: info });
  if (callerTs === timestampMax || callerTs < lock.minCommitTs) {
    return status({ kind: "pushed", minCommitTs: lock.minCommitTs });
  }
  const minCommitTs = Math.max(callerTs + 1, currentTs);
  return {
    response: { kind: "status", status: { kind: "pushed", minCommitTs } },
    writes: [{ kind: "lock", key: primary, lock: { ...lock, minCommitTs } }],
  };
}

function status(found: TxnStatus): Execution {
  return answer({ kind: "status", status: found });
}

/** Lets a transaction that is still at work live longer. */
export function txnHeartBeat(view: View, command: TxnHeartBeat): Execution {
  const { primary, startTs, ttlMs } = command;
  const lock = view.lock(primary);
  if (lock === null || lock.startTs !== startTs) return refuse({ kind: "txn-not-found", key: primary });
  if (startTs < view.gcFloor) return refuse({ kind: "too-old", floor: view.gcFloor });
  if (lock.ttlMs >= ttlMs) return answer({ kind: "alive", ttlMs: lock.ttlMs });
  return {
    response: { kind: "alive", ttlMs },
    writes: [{ kind: "lock", key: primary, lock: { ...lock, ttlMs } }],
  };
}
