import type { Mutant } from "./mutant.ts";

const scenario = "txn-model";
const seen = ["timestamps", "bank"];
const anyOf = [...seen, "hygiene", "liveness", "exception", "mirror", "stuck"];

/** The leader's and the client's machines. */
export const txnMachineMutants: readonly Mutant[] = [
  {
    name: "txn-commit-ts-before-prewrite",
    file: "txn/client/commit-machine.ts",
    find: `      if (commitTs < this.#minCommitTs) return this.#stamp();
      this.#refresh(0, commitTs);`,
    replace: `      this.#refresh(0, this.#attempts > 1 ? commitTs : this.#order.startTs + 1);`,
    oracles: anyOf,
    scenario,
    why: "A commit appears below reads that have already been made: torn multi-key reads. (64, D9)",
  },
  {
    name: "txn-bypass-outlives-its-timestamp",
    file: "txn/client/commit-machine.ts",
    find: `    this.#bypass.length = 0;
`,
    replace: "",
    oracles: seen,
    scenario,
    why: "Who was pushed above the first commit timestamp commits below the second, unseen by the refresh.",
  },
  {
    name: "txn-secondary-failure-fails",
    file: "txn/client/commit-machine.ts",
    find: `    const { startTs } = this.#order;
    this.#finish({ kind: "committed", commitTs });
    const secondaries = this.#mutations.slice(1);`,
    replace: `    const { startTs } = this.#order;
    if (this.#attempts > 1) this.#finish({ kind: "aborted", refusal: null });
    this.#finish({ kind: "committed", commitTs });
    const secondaries = this.#mutations.slice(1);`,
    oracles: seen,
    scenario,
    why: "A transaction that is committed is reported as failed. (73, D13)",
  },
  {
    name: "txn-unknown-is-failure",
    file: "txn/client/commit-machine.ts",
    find: `    // Sent, and nobody knows whether it was executed: neither success nor failure may be said.
    this.#finish({ kind: "undetermined" });`,
    replace: `    this.#abort(null);`,
    oracles: seen,
    scenario,
    why: "A commit whose answer was lost is reported as failed. (73, D13)",
  },
  {
    name: "txn-one-phase-unknown-is-failure",
    file: "txn/client/commit-machine.ts",
    find: `this.#finish(this.#onePhaseSent ? { kind: "undetermined" } : { kind: "aborted", refusal: null })`,
    replace: `this.#finish({ kind: "aborted", refusal: null })`,
    oracles: seen,
    scenario,
    why: "The same, of a transaction of one phase. (73)",
  },
  {
    name: "txn-one-phase-forgotten-by-two",
    file: "txn/client/commit-machine.ts",
    find: `    if (this.#onePhaseSent) return this.#fence(refusal);
`,
    replace: "",
    oracles: seen,
    scenario,
    why: "An attempt in one phase did it all, and the attempt in two phases after it says that it failed.",
  },
  {
    name: "txn-no-refresh",
    file: "txn/client/commit-machine.ts",
    find: `    if (range === undefined) return this.#commitPrimary(commitTs);
    this.#refreshFrom`,
    replace: `    if (range === undefined || commitTs > 0) return this.#commitPrimary(commitTs);
    this.#refreshFrom`,
    oracles: seen,
    scenario,
    why: "Serializable transactions are not: write skew. (84)",
  },
  {
    name: "txn-secondary-decides",
    file: "txn/client/lock-resolver.ts",
    find: `      case "locked":
      case "not-found":`,
    replace: `      case "not-found":
        return this.#remove(lock, { startTs, commitTs: 0 }, then);
      case "locked":`,
    oracles: anyOf,
    scenario,
    why: "A lock is rolled back before its primary has said so; the transaction commits without that key. (74)",
  },
  {
    name: "txn-resolver-trusts-the-lock",
    file: "txn/client/lock-resolver.ts",
    find: `      if (currentTs === null) then("failed");
      else this.#ask`,
    replace: `      if (currentTs === null) then("failed");
      else if (isExpired(lock, currentTs)) this.#remove(lock, { startTs: lock.startTs, commitTs: 0 }, then);
      else this.#ask`,
    oracles: anyOf,
    scenario,
    why: "A secondary whose time is over is rolled back although its primary has committed. (74)",
  },
  {
    name: "txn-regroup-skipped",
    file: "txn/client/region-calls.ts",
    find: `    this.#exchange.wait(delayMs, () => {
      this.#open--;
      this.send(items);
    });`,
    replace: `    const first = items[0];
    const region = first === undefined ? null : this.#cache.find(first.key);
    this.#exchange.wait(delayMs, () => {
      if (region !== null) return this.#sendGroup(region, items);
      this.#open--;
      this.send(items);
    });`,
    oracles: anyOf,
    scenario,
    why: "After a split a client asks one of the two regions for the keys of both, for ever. (82, D24)",
  },
  {
    name: "txn-scan-continues-too-far",
    file: "txn/percolator/view.ts",
    find: `  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;`,
    replace: `  const next = key.slice();
  next[key.length - 1] = (key.at(-1) ?? 0) + 1;
  return next;`,
    oracles: anyOf,
    scenario,
    why: "A scan that goes on after a page skips the keys that its last key is a prefix of. (83, D29)",
  },
  {
    name: "txn-scan-ignores-the-lock-it-met",
    file: "txn/client/reader.ts",
    find: `            if (response.lock !== null) return this.#passLock(response.lock, turn);
            return turn.done();`,
    replace: `            if (response.lock !== null) next = later(range.end, turn.region.range.end);
            return turn.done();`,
    oracles: seen,
    scenario,
    why: "A scan leaves out everything from the first locked key on. (D30)",
  },
  {
    name: "txn-scan-ends-with-the-region",
    file: "txn/client/reader.ts",
    find: `            next = response.next ?? later(range.end, turn.region.range.end);`,
    replace: `            next = response.next;`,
    oracles: seen,
    scenario,
    why: "A scan ends where its first region ends.",
  },
  {
    name: "txn-term-not-checked",
    file: "txn/region-leader.ts",
    find: `    if (stamped.term !== this.#term) {
      this.drop(token);
      this.outputs.push({ kind: "not-leader", token });
      return;
    }
    if (!this.table.stamp(token, ts)) this`,
    replace: `    if (this.#term === 0) {
      this.drop(token);
      this.outputs.push({ kind: "not-leader", token });
      return;
    }
    if (stamped.term === this.#term && !this.table.stamp(token, ts)) this`,
    oracles: seen,
    scenario,
    why: "Leadership lost and won again while a timestamp was fetched: a commit below reads that were answered. (76)",
  },
  {
    name: "txn-reads-do-not-wait-for-claims",
    file: "txn/region-leader.ts",
    find: `    if (this.#isClaimed(ranges, upTo)) this.#parked`,
    replace: `    if (this.#isClaimed(ranges, -1)) this.#parked`,
    oracles: seen,
    scenario,
    why: "A read above the timestamp of an operation that is not applied yet misses it.",
  },
  {
    name: "txn-claimed-after-its-timestamp",
    file: "txn/lock-table.ts",
    find: `some(([, { orders }]) => oldest(orders) <= order);`,
    replace: `some(([, { orders, stampedTs }]) => stampedTs > 0 && oldest(orders) <= order);`,
    oracles: seen,
    scenario,
    why: "A read is not held up by an operation whose timestamp is on its way, and is below it.",
  },
  {
    name: "txn-log-order-unlike-timestamps",
    file: "txn/lock-table.ts",
    find: `    for (const key of held.keys) if (ts <= this.#claimsOf(key).stampedTs) return false;
`,
    replace: "",
    oracles: seen,
    scenario,
    why: "A SET NX is refused for a value that, by the timestamps, was written after it.",
  },
  {
    name: "txn-read-ranges-not-claimed",
    file: "txn/lock-table.ts",
    find: `    for (const reader of this.#readers.values()) if (isWrittenBy(reader, keys)) return false;
`,
    replace: "",
    oracles: seen,
    scenario,
    why: "A serializable transaction of one phase is overtaken by a write below its timestamp into what it read.",
  },
  {
    name: "txn-mirror-misses-removals",
    file: "txn/lock-table.ts",
    find: `if (write.kind === "lock") this.#locks.set(write.key, owned(write.lock));`,
    replace: `if (write.kind === "lock" && write.lock !== null) this.#locks.set(write.key, owned(write.lock));`,
    oracles: ["mirror", "stuck", "liveness", "runaway"],
    scenario,
    why: "The leader keeps locks in memory that are gone, and reads wait for nobody.",
  },
];
