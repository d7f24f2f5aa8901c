import type { LockInfo, TxnStatus, Verdict } from "../percolator/command.ts";
import { pointRange } from "../percolator/read.ts";
import { isExpired } from "../percolator/timestamp.ts";
import type { RegionCalls } from "./region-calls.ts";

/** What became of a lock that was in the way. */
export type Resolution =
  /** It is gone. */
  | "gone"
  /** Its transaction will commit above the caller's timestamp, or never: the caller may look past it. */
  | "bypass"
  /** Its transaction is at work. */
  | "wait"
  /** The budget ran out. */
  | "failed";

const locksPerCommand = 64;

/** Removes locks of others, by the word of their primary and by nothing else. */
export class LockResolver {
  readonly #calls: RegionCalls;

  constructor(calls: RegionCalls) {
    this.#calls = calls;
  }

  /** `callerTs`: a read at this timestamp wants past the lock; 0: a write wants it gone. */
  resolve(lock: LockInfo, callerTs: number, then: (resolution: Resolution) => void): void {
    this.#calls.timestamp((currentTs) => {
      if (currentTs === null) then("failed");
      else this.#ask(lock, { callerTs, currentTs }, then);
    });
  }

  #ask(
    lock: LockInfo,
    when: { readonly callerTs: number; readonly currentTs: number },
    then: (resolution: Resolution) => void,
  ): void {
    const { primary, startTs } = lock;
    const rollbackIfMissing = isExpired(lock, when.currentTs);
    let found: TxnStatus | null = null;
    this.#calls.run(
      [{ key: primary }],
      {
        command: () => ({ kind: "check-txn-status", primary, lockTs: startTs, ...when, rollbackIfMissing }),
        reply: (response, turn) => {
          if (response.kind === "status") found = response.status;
          turn.done();
        },
      },
      (done) => (done ? this.#carryOut(lock, found, then) : then("failed")),
    );
  }

  #carryOut(lock: LockInfo, found: TxnStatus | null, then: (resolution: Resolution) => void): void {
    const { startTs } = lock;
    switch (found?.kind) {
      case "committed":
        return this.#remove(lock, { startTs, commitTs: found.commitTs }, then);
      case "rolled-back":
      case "expired":
        return this.#remove(lock, { startTs, commitTs: 0 }, then);
      case "pushed":
        return then("bypass");
      case "locked":
      case "not-found":
      case "primary-mismatch":
      case undefined:
        return then("wait");
    }
  }

  /** All locks of the transaction in that region, if it has more than the one. */
  #remove(lock: LockInfo, verdict: Verdict, then: (resolution: Resolution) => void): void {
    this.#calls.run(
      [{ key: lock.key, from: lock.key }],
      {
        command: ([item], { range }) => ({
          kind: "resolve-lock",
          verdicts: [verdict],
          range: lock.txnSize > 1 ? { start: item?.from ?? range.start, end: range.end } : pointRange(lock.key),
          limit: locksPerCommand,
        }),
        reply: (_, turn) => turn.done(),
      },
      (done) => then(done ? "gone" : "failed"),
    );
  }
}
