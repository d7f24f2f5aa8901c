import { compareKeys } from "../../core/bytes/record.ts";
import type { Get, KeyRange, ReadEntry, Refresh, Refusal, Scan } from "./command.ts";
import { type Execution, answer, isAlive, lockInfo, refuse } from "./execution.ts";
import type { Lock } from "./lock.ts";
import { timestampMax } from "./timestamp.ts";
import { type KeyedLock, type View, successor } from "./view.ts";

/** Records looked at by one step of a walk. */
const pageSize = 256;

/** A lock that promises no write, or none at or below `readTs`, is in nobody's way. */
export function blocks(lock: Lock, readTs: number, bypass: readonly number[]): boolean {
  if (lock.kind === "lock" || lock.startTs > readTs) return false;
  // Who reads the newest there is meets every lock.
  if (lock.minCommitTs > readTs && readTs !== timestampMax) return false;
  return !bypass.includes(lock.startTs);
}

export function get(view: View, command: Get): Execution {
  const { key, readTs, nowTs, bypass } = command;
  if (readTs < view.gcFloor) return refuse({ kind: "too-old", floor: view.gcFloor });
  const lock = view.lock(key);
  if (lock !== null && blocks(lock, readTs, bypass)) return refuse({ kind: "locked", lock: lockInfo(key, lock) });
  const data = view.data(key, readTs);
  if (!isAlive(data, nowTs)) return answer({ kind: "value", entry: null });
  const { value, expiresAtMs, version } = data;
  return answer({ kind: "value", entry: { key, value, expiresAtMs, version } });
}

/**
 * Walks locks and data side by side: a lock on a key that has no data yet is met as well. Stops before the first
 * key that is locked, and after `limit` entries.
 */
export function scan(view: View, command: Scan): Execution {
  const { range, readTs, bypass, limit } = command;
  if (readTs < view.gcFloor) return refuse({ kind: "too-old", floor: view.gcFloor });
  const blocked = firstLock(view, range, (lock) => blocks(lock, readTs, bypass));
  const reach = blocked === null ? range : { start: range.start, end: blocked.key };
  const entries: ReadEntry[] = [];
  let start = reach.start;
  for (;;) {
    const page = view.dataIn({ start, end: reach.end }, readTs, pageSize);
    for (const data of page) {
      if (!isAlive(data, readTs)) continue;
      const { key, value, expiresAtMs, version } = data;
      entries.push({ key, value, expiresAtMs, version });
      if (entries.length === limit) return answer({ kind: "page", entries, next: successor(key), lock: null });
    }
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) break;
    start = successor(last.key);
  }
  const lock = blocked === null ? null : lockInfo(blocked.key, blocked.lock);
  return answer({ kind: "page", entries, next: blocked === null ? null : blocked.key, lock });
}

/** The first lock of `range` of which `isMet` is true. */
export function firstLock(view: View, range: KeyRange, isMet: (lock: Lock) => boolean): KeyedLock | null {
  let start = range.start;
  for (;;) {
    const page = view.locksIn({ start, end: range.end }, pageSize);
    const met = page.find(({ lock }) => isMet(lock));
    if (met !== undefined) return met;
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return null;
    start = successor(last.key);
  }
}

/** Whether what was read of `ranges` at `startTs` would be read at `commitTs` too. Gaps belong to a range. */
export function refresh(view: View, command: Refresh): Execution {
  const { startTs, commitTs, bypass } = command;
  if (startTs < view.gcFloor) return refuse({ kind: "too-old", floor: view.gcFloor });
  const refusal = changeIn(view, command.ranges, { startTs, commitTs, bypass });
  return refusal === null ? answer({ kind: "unchanged" }) : refuse(refusal);
}

interface RefreshTerms {
  readonly startTs: number;
  readonly commitTs: number;
  readonly bypass: readonly number[];
}

/**
 * Why `ranges` can not be said to be as they were; null: they are. A lock that could still commit in between counts.
 */
export function changeIn(view: View, ranges: readonly KeyRange[], terms: RefreshTerms): Refusal | null {
  const { startTs, commitTs, bypass } = terms;
  for (const range of ranges) {
    const met = firstLock(view, range, (lock) => lock.startTs !== startTs && blocks(lock, commitTs, bypass));
    const changed = changedKey(view, range, startTs, commitTs);
    // A change is final; a lock may still go away.
    if (changed !== null) return { kind: "changed", key: changed };
    if (met !== null) return { kind: "locked", lock: lockInfo(met.key, met.lock) };
  }
  return null;
}

function changedKey(view: View, range: KeyRange, startTs: number, commitTs: number): Uint8Array | null {
  let start = range.start;
  for (;;) {
    const page = view.dataIn({ start, end: range.end }, commitTs, pageSize);
    for (const data of page) {
      if (data.version > startTs) return data.key;
      // A lifetime that ended in between is a change that nobody wrote.
      if (isAlive(data, startTs) !== isAlive(data, commitTs)) return data.key;
    }
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return null;
    start = successor(last.key);
  }
}

export function pointRange(key: Uint8Array): KeyRange {
  return { start: key, end: successor(key) };
}

export function contains(range: KeyRange, key: Uint8Array): boolean {
  return compareKeys(range.start, key) <= 0 && (range.end === null || compareKeys(key, range.end) < 0);
}

/** Every key of `inner` is in `range`. */
export function covers(range: KeyRange, inner: KeyRange): boolean {
  if (compareKeys(range.start, inner.start) > 0) return false;
  return range.end === null || (inner.end !== null && compareKeys(inner.end, range.end) <= 0);
}
