import type { OnePhase, Refusal } from "./command.ts";
import { refused } from "./command.ts";
import { type Execution, answer, lockInfo, newestCommit, refuse } from "./execution.ts";
import { refuseCheck } from "./prewrite.ts";
import { changeIn } from "./read.ts";
import { fenceTs } from "./txn-record.ts";
import type { View, Write } from "./view.ts";

/** A whole transaction in one region: no lock is ever seen. */
export function onePhase(view: View, command: OnePhase): Execution {
  const { startTs, commitTs, mutations, checks } = command;
  for (const { key } of mutations) {
    const record = view.record(key, startTs);
    if (record === null) continue;
    if (record.kind === "rollback") return refuse({ kind: "rolled-back", key });
    return answer({ kind: "committed", commitTs: record.commitTs });
  }
  if (startTs < view.gcSafePoint) return refuse({ kind: "forgotten", safePoint: view.gcSafePoint });
  if (startTs < view.gcFloor) return refuse({ kind: "too-old", floor: view.gcFloor });
  const refusals: Refusal[] = [];
  let newestTs = 0;
  for (const { key } of mutations) {
    const lock = view.lock(key);
    if (lock !== null) refusals.push({ kind: "locked", lock: lockInfo(key, lock) });
    const conflictTs = newestCommit(view, key);
    if (conflictTs > startTs) refusals.push({ kind: "write-conflict", key, conflictTs });
    newestTs = Math.max(newestTs, conflictTs);
  }
  for (const check of checks) refuseCheck(view, check, startTs, refusals);
  const change = changeIn(view, command.reads, { startTs, commitTs, bypass: [] });
  if (change !== null) refusals.push(change);
  if (refusals.length > 0) return { response: refused(...refusals), writes: doom(refusals, command) };
  if (newestTs >= commitTs) return refuse({ kind: "retry", newestTs });
  return { response: { kind: "committed", commitTs }, writes: mutations.flatMap((m) => writesOf(m, command)) };
}

/**
 * A check that failed may hold later: its record keeps a late duplicate from finding it so. Conflicts and changes are
 * final by themselves, and locks are waited for.
 */
function doom(refusals: readonly Refusal[], { startTs, mutations }: OnePhase): Write[] {
  const isFinal = refusals.some((refusal) => refusal.kind === "check-failed" && refusal.lock === null);
  const [first] = mutations;
  if (!isFinal || first === undefined) return [];
  return [{ kind: "record", key: first.key, startTs, record: { kind: "rollback", isProtected: true } }];
}

function writesOf(mutation: OnePhase["mutations"][number], { startTs, commitTs }: OnePhase): Write[] {
  const { key, kind } = mutation;
  const record: Write = { kind: "record", key, startTs, record: { kind, commitTs } };
  if (kind === "lock") {
    return [record, { kind: "record", key, startTs: fenceTs, record: { kind: "lock", commitTs } }];
  }
  const value = kind === "put" ? mutation.value : null;
  const expiresAtMs = kind === "put" ? mutation.expiresAtMs : 0;
  return [{ kind: "data", key, version: commitTs, value, expiresAtMs }, record];
}
