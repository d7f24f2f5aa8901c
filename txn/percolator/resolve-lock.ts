import type { ResolveLock } from "./command.ts";
import { pushCommit } from "./commit.ts";
import { type Execution, sameKey } from "./execution.ts";
import { pushRollback } from "./rollback.ts";
import { type View, type Write, successor } from "./view.ts";

/** Carries the verdicts of primaries out on the locks of a range, at most `limit` locks at a time. */
export function resolveLock(view: View, command: ResolveLock): Execution {
  const { verdicts, range, limit } = command;
  const decided = new Map(verdicts.map(({ startTs, commitTs }) => [startTs, commitTs]));
  const locks = view.locksIn(range, limit);
  const writes: Write[] = [];
  let count = 0;
  for (const { key, lock } of locks) {
    const commitTs = decided.get(lock.startTs);
    if (commitTs === undefined) continue;
    count++;
    if (commitTs > 0) pushCommit(view, writes, { key, lock, commitTs });
    else pushRollback(view, writes, { key, startTs: lock.startTs, isProtected: sameKey(key, lock.primary) });
  }
  const last = locks.at(-1);
  const next = last === undefined || locks.length < limit ? null : successor(last.key);
  return { response: { kind: "resolved", count, next }, writes };
}
