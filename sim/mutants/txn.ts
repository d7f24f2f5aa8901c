import type { Mutant } from "./mutant.ts";

const scenario = "txn-model";
const seen = ["timestamps", "bank"];
const anyOf = [...seen, "hygiene", "liveness", "exception", "mirror"];

/** Actions of a region on its four families: the numbers are those of the survey's list. */
export const txnMutants: readonly Mutant[] = [
  {
    name: "txn-duplicate-prewrite-rewrites",
    file: "txn/percolator/prewrite.ts",
    find: `      minCommitTs = Math.max(minCommitTs, lock.minCommitTs);
      continue;`,
    replace: `      fresh.push(mutation);
      continue;`,
    oracles: seen,
    scenario,
    why: "A repeated message takes back what a reader was promised, and a commit appears in its past. (65)",
  },
  {
    name: "txn-scan-ignores-locks",
    file: "txn/percolator/read.ts",
    find: `  const blocked = firstLock(view, range, (lock) => blocks(lock, readTs, bypass));
  const reach`,
    replace: `  const blocked = firstLock(view, range, () => readTs < 0);
  const reach`,
    oracles: seen,
    scenario,
    why: "A scan misses what a transaction is about to commit below its timestamp. (67)",
  },
  {
    name: "txn-scan-sees-locks-on-data-only",
    file: "txn/percolator/read.ts",
    find: `  const blocked = firstLock(view, range, (lock) => blocks(lock, readTs, bypass));
  const reach`,
    replace: `  const met = firstLock(view, range, (lock) => blocks(lock, readTs, bypass));
  const blocked = met !== null && view.data(met.key, readTs) === null ? null : met;
  const reach`,
    oracles: seen,
    scenario,
    why: "A scan misses locks on keys that have no data yet. (67, D8)",
  },
  {
    name: "txn-get-ignores-locks",
    file: "txn/percolator/read.ts",
    find: `if (lock !== null && blocks(lock, readTs, bypass)) return refuse`,
    replace: `if (lock !== null && blocks(lock, 0, bypass)) return refuse`,
    oracles: seen,
    scenario,
    why: "A read sees one half of a transaction and not the other.",
  },
  {
    name: "txn-rollback-leaves-no-record",
    file: "txn/percolator/rollback.ts",
    find: `  writes.push({ kind: "record", key, startTs, record: { kind: "rollback", isProtected } });
`,
    replace: `  if (lock === null) return;
  writes.push({ kind: "record", key, startTs, record: { kind: "rollback", isProtected } });
`,
    oracles: anyOf,
    scenario,
    why: "A prewrite that comes after its rollback locks the key, and may commit half a transaction. (68)",
  },
  {
    name: "txn-primary-rollback-collapses",
    file: "txn/percolator/rollback.ts",
    find: `older.record.kind === "rollback" && !older.record.isProtected`,
    replace: `older.record.kind === "rollback"`,
    oracles: anyOf,
    scenario,
    why: "A very late duplicate brings a transaction back whose other half is rolled back. (69)",
  },
  {
    name: "txn-status-under-foreign-lock",
    file: "txn/percolator/check-txn-status.ts",
    find: `  const record = view.record(primary, lockTs);
  if (record !== null && record.kind === "rollback")`,
    replace: `  if (lock !== null) return status({ kind: "locked", lock: lockInfo(primary, lock) });
  const record = view.record(primary, lockTs);
  if (record !== null && record.kind === "rollback")`,
    oracles: anyOf,
    scenario,
    why: "A lock whose transaction is over stays as long as the primary's key is busy. (70, D15)",
  },
  {
    name: "txn-ttl-in-raw-timestamps",
    file: "txn/percolator/timestamp.ts",
    find: `return physicalMs(lock.startTs) + lock.ttlMs < physicalMs(currentTs);`,
    replace: `return lock.startTs + lock.ttlMs < currentTs;`,
    oracles: anyOf,
    scenario,
    why: "Locks expire four thousand times too early, and no slow transaction ever commits. (71, D12)",
  },
  {
    name: "txn-commit-ignores-min-commit-ts",
    file: "txn/percolator/commit.ts",
    find: `} else if (commitTs < lock.minCommitTs) {`,
    replace: `} else if (commitTs < lock.startTs) {`,
    oracles: seen,
    scenario,
    why: "A commit appears below a read that was told it would not. (72)",
  },
  {
    name: "txn-prewrite-half",
    file: "txn/percolator/prewrite.ts",
    find: `  if (refusals.length > 0) return refuse(...refusals);
  const writes = fresh.flatMap`,
    replace: `  if (refusals.length >= fresh.length && refusals.length > 0) return refuse(...refusals);
  const writes = fresh.flatMap`,
    oracles: anyOf,
    scenario,
    why: "A prewrite that is refused for one key says that it locked all. (75, D16)",
  },
  {
    name: "txn-prewrite-ignores-conflict",
    file: "txn/percolator/prewrite.ts",
    find: `return conflictTs > startTs ? {`,
    replace: `return conflictTs > startTs + 4_096_000_000 ? {`,
    oracles: anyOf,
    scenario,
    why: "Two transfers from one account at a time lose one of them.",
  },
  {
    name: "txn-lock-only-commit-no-conflict",
    file: "txn/percolator/commit.ts",
    find: `record: { kind: "lock", commitTs: newest } });`,
    replace: `record: { kind: "lock", commitTs: fenced } });`,
    oracles: seen,
    scenario,
    why: "A read that was promoted to a lock is written over by somebody who began before it ended.",
  },
  {
    name: "txn-one-phase-ignores-reads",
    file: "txn/percolator/one-phase.ts",
    find: `changeIn(view, command.reads, {`,
    replace: `changeIn(view, command.reads.slice(1), {`,
    oracles: seen,
    scenario,
    why: "Two doctors both go off call in one phase. (84)",
  },
  {
    name: "txn-refresh-keys-only",
    file: "txn/percolator/read.ts",
    find: `      if (data.version > startTs) return data.key;`,
    replace: `      if (data.version > startTs && view.data(data.key, startTs) !== null) return data.key;`,
    oracles: seen,
    scenario,
    why: "A serializable transaction does not see what was inserted into a range that it read. (84)",
  },
  {
    name: "txn-refresh-ignores-locks",
    file: "txn/percolator/read.ts",
    find: `lock.startTs !== startTs && blocks(lock, commitTs, bypass));`,
    replace: `lock.startTs !== startTs && blocks(lock, startTs, bypass));`,
    oracles: seen,
    scenario,
    why: "Two doctors both go off call, for each looked before the other had committed.",
  },
  {
    name: "txn-atomic-decided-twice",
    file: "txn/percolator/atomic.ts",
    find: `  const record = view.record(anchor, opId);
`,
    replace: `  const found = view.record(anchor, opId);
  const record = found !== null && found.kind === "put" ? null : found;
`,
    oracles: seen,
    scenario,
    why: "An INCR whose answer was lost counts twice. (78)",
  },
  {
    name: "txn-atomic-refusal-leaves-no-record",
    file: "txn/percolator/atomic.ts",
    find: `  writes.push({ kind: "record", key: anchor, startTs: opId, record: { kind, commitTs } });`,
    replace: `  if (writes.length === 0) return writes;
  writes.push({ kind: "record", key: anchor, startTs: opId, record: { kind, commitTs } });`,
    oracles: seen,
    scenario,
    why: "A SET NX that was refused happens after all, when a late copy of it comes.",
  },
  {
    name: "txn-atomic-below-newest",
    file: "txn/percolator/atomic.ts",
    find: `if (newestTs >= commitTs) return refuse`,
    replace: `if (newestTs >= commitTs + 4_096_000_000) return refuse`,
    oracles: anyOf,
    scenario,
    why: "An operation writes below a version that is there already.",
  },
  {
    name: "txn-atomic-ignores-locks",
    file: "txn/percolator/atomic.ts",
    find: `    if (lock !== null) return refuse`,
    replace: `    if (lock !== null && lock.kind === "delete") return refuse`,
    oracles: anyOf,
    scenario,
    why: "An INCR in the midst of a transaction on its key is lost.",
  },
  {
    name: "txn-gc-lets-old-in",
    file: "txn/percolator/prewrite.ts",
    find: `  if (startTs < view.gcFloor) return { kind: "too-old", floor: view.gcFloor };
`,
    replace: "",
    oracles: anyOf,
    scenario,
    why: "A transaction from before the floor prewrites where nobody remembers what it missed. (79)",
  },
  {
    name: "txn-gc-lets-old-reads-in",
    file: "txn/percolator/read.ts",
    find: `  const { key, readTs, nowTs, bypass } = command;
  if (readTs < view.gcFloor) return`,
    replace: `  const { key, readTs, nowTs, bypass } = command;
  if (readTs < 0) return`,
    oracles: seen,
    scenario,
    why: "A read below the safe point finds nothing where there was something. (79)",
  },
  {
    name: "txn-gc-before-resolution",
    file: "txn/client/garbage-collector.ts",
    find: `      this.#resolveLocks((resolved) => {
        if (!resolved) return then(false);
        this.#collect(then);
      });`,
    replace: `      this.#collect(then);`,
    oracles: anyOf,
    scenario,
    why: "The record of a commit is collected while its other half is still locked. (80)",
  },
  {
    name: "txn-gc-drops-newest-put",
    file: "txn/percolator/gc.ts",
    find: `      if (isAlive(data, safePoint)) kept.push(data);
      break;`,
    replace: `      break;`,
    oracles: anyOf,
    scenario,
    why: "Garbage collection takes values that nobody has replaced. (81)",
  },
];
