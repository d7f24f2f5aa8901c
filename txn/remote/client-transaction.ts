import { NokvError } from "../../core/errors.ts";
import type { Check, KeyRange, ReadEntry } from "../percolator/command.ts";
import type { CommitOutcome } from "../client/commit-machine.ts";
import type { Operation } from "./operation.ts";
import type { ReadFailure } from "../client/reader.ts";
import { invalidInput, writtenProblem } from "./kv-input.ts";
import { unchangedSince } from "../client/unchanged.ts";
import type { Transaction } from "../client/transaction.ts";
import type { Done } from "./txn-client.ts";

/** One optimistic transaction of a client. Nothing of it is seen before `commit` has decided. */
export class ClientTransaction {
  /** What it reads is what was committed up to here. */
  readonly startTs: number;
  readonly #operation: Operation;
  readonly #transaction: Transaction;
  readonly #settle: () => void;

  constructor(operation: Operation, transaction: Transaction, owner: { settle(): void }) {
    this.startTs = transaction.startTs;
    this.#operation = operation;
    this.#transaction = transaction;
    this.#settle = (): void => owner.settle();
  }

  get(key: Uint8Array, done: Done<ReadEntry>): void {
    this.#operation.run(() => {
      this.#transaction.get(key, (failure, entry) => done(this.#errorOf(failure), entry));
    });
  }

  /** The first `limit` entries of `range`, its own writes among them. */
  scan(range: KeyRange, limit: number, done: Done<readonly ReadEntry[]>): void {
    this.#operation.run(() => {
      this.#transaction.scan(range, limit, (failure, entries) => {
        done(this.#errorOf(failure), failure === null ? entries : null);
      });
    });
  }

  put(key: Uint8Array, value: Uint8Array, expiresAtMs = 0): void {
    this.#transaction.put(key, value, expiresAtMs);
  }

  delete(key: Uint8Array): void {
    this.#transaction.delete(key);
  }

  /** Nobody writes `key` between the start and the commit, or there is no commit. */
  lock(key: Uint8Array): void {
    this.#transaction.lock(key);
  }

  /** `key` counts as read: a serializable transaction rests on it. */
  guard(key: Uint8Array): void {
    this.#transaction.guard(key);
  }

  /** Whether nobody wrote any of `keys` between `sinceTs` and the start, and no lifetime of theirs ended. */
  unchangedSince(keys: readonly Uint8Array[], sinceTs: number, done: Done<boolean>): void {
    const operation = this.#operation;
    operation.run(() => {
      unchangedSince(operation.calls, { keys, sinceTs, untilTs: this.startTs }, (change) => {
        if (change === "unknown") done(operation.unavailable(), null);
        else done(null, change === "unchanged");
      });
    });
  }

  check(check: Check): void {
    this.#transaction.check(check);
  }

  /**
   * The commit timestamp. NOKV_ABORTED: another transaction was in the way, and to try again from the beginning may
   * help; NOKV_BUSY: there was no time; NOKV_INVALID_ARGUMENT: it writes too much; after these it did not happen and
   * will not.
   */
  commit(done: Done<number>): void {
    const problem = writtenProblem(this.#transaction.writtenBytes);
    if (problem !== null) {
      this.abandon();
      return done(invalidInput(problem), null);
    }
    this.#operation.run(() => {
      this.#transaction.commit((outcome) => {
        const error = this.#failureOf(outcome);
        this.#settle();
        done(error, outcome.kind === "committed" ? outcome.commitTs : null);
      });
    });
  }

  /** It is over without a commit. Reads that are under way are answered with an error. */
  abandon(): void {
    this.#operation.cancel();
    this.#settle();
  }

  #errorOf(failure: ReadFailure | null): NokvError | null {
    if (failure === null) return null;
    if (failure === "unavailable") return this.#operation.unavailable();
    return new NokvError("NOKV_ABORTED", `what timestamp ${this.startTs} saw is no longer kept: begin anew`);
  }

  #failureOf(outcome: CommitOutcome): NokvError | null {
    if (outcome.kind === "committed") return null;
    if (outcome.kind === "undetermined") return this.#operation.undetermined();
    const { refusal } = outcome;
    if (refusal === null) return this.#operation.unavailable();
    return new NokvError("NOKV_ABORTED", `the transaction was refused: ${refusal.kind}`);
  }
}
