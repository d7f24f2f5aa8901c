import { assert } from "../../core/assert.ts";
import type { CollectGarbage, ScanLocks, SetGcFloor } from "./command.ts";
import { type Execution, answer, isAlive, lockInfo, refuse } from "./execution.ts";
import { firstLock } from "./read.ts";
import { fenceTs } from "./txn-record.ts";
import { type DataRecord, type KeyedTxnRecord, type View, type Write, successor } from "./view.ts";

/** From now on nothing that began below `floor` is let in. It never goes down. */
export function setGcFloor(view: View, { floor }: SetGcFloor): Execution {
  if (floor <= view.gcFloor) return answer({ kind: "floor", floor: view.gcFloor });
  return { response: { kind: "floor", floor }, writes: [{ kind: "gc-floor", ts: floor }] };
}

export function scanLocks(view: View, { range, belowTs, limit }: ScanLocks): Execution {
  const page = view.locksIn(range, limit);
  const locks = page.filter(({ lock }) => lock.startTs < belowTs).map(({ key, lock }) => lockInfo(key, lock));
  const last = page.at(-1);
  return answer({ kind: "locks", locks, next: last === undefined || page.length < limit ? null : successor(last.key) });
}

/**
 * Removes what nobody can ask for any more: records of transactions that began below the safe point, and fences below
 * it. Before this the floor is at least the safe point in all regions, and all locks below it are resolved in all
 * regions; what can be seen of that here is checked.
 */
export function collectGarbage(view: View, command: CollectGarbage): Execution {
  const { safePoint, range, limit } = command;
  if (safePoint > view.gcFloor) return refuse({ kind: "too-old", floor: view.gcFloor });
  const left = firstLock(view, range, (lock) => lock.startTs < safePoint);
  if (left !== null) return refuse({ kind: "locked", lock: lockInfo(left.key, left.lock) });
  const records = view.recordsIn(range, limit);
  const garbage = records.filter((record) => isGarbage(record, safePoint));
  const writes: Write[] = [];
  // First of all: whoever finds no record must know that it may have been collected.
  if (safePoint > view.gcSafePoint) writes.push({ kind: "gc-safe-point", ts: safePoint });
  for (const { key, startTs } of garbage) writes.push({ kind: "record", key, startTs, record: null });
  const last = records.at(-1);
  const next = last === undefined || records.length < limit ? null : successor(last.key);
  return { response: { kind: "collected", count: garbage.length, next }, writes };
}

function isGarbage({ startTs, record }: KeyedTxnRecord, safePoint: number): boolean {
  if (startTs < safePoint) return true;
  return startTs === fenceTs && record.kind !== "rollback" && record.commitTs < safePoint;
}

/**
 * The versions of a key, newest first, that readers at `safePoint` and above need. The engine's merges keep at least
 * these when their horizon is the safe point; this says it once more, in a form that a model can use.
 */
export function keptVersions<R extends DataRecord>(versions: readonly R[], safePoint: number): readonly R[] {
  const kept: R[] = [];
  for (const [i, data] of versions.entries()) {
    const newer = i === 0 ? undefined : versions[i - 1];
    assert(newer === undefined || newer.version > data.version, "versions come newest first");
    if (data.version > safePoint) kept.push(data);
    else {
      // The newest at or below: what a reader at the safe point sees, if it sees anything.
      if (isAlive(data, safePoint)) kept.push(data);
      break;
    }
  }
  return kept;
}
