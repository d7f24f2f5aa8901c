import { compareKeys } from "../../core/bytes/record.ts";
import { assert } from "../../core/assert.ts";
import type { Check, KeyRange, LockInfo, Refusal, Response, TxnMutation } from "../percolator/command.ts";
import { covers } from "../percolator/read.ts";
import { LockResolver } from "./lock-resolver.ts";
import { earlier, later } from "./reader.ts";
import type { RegionCalls, Turn } from "./region-calls.ts";
import { HeartBeat } from "./heart-beat.ts";

export interface CommitOrder {
  readonly startTs: number;
  /** At least one, no two of one key. */
  readonly mutations: readonly TxnMutation[];
  readonly checks: readonly Check[];
  /** What was read at `startTs` and must be as it was at the commit; none: snapshot isolation. */
  readonly reads: readonly KeyRange[];
  readonly ttlMs: number;
  /** Since it began: lifetimes of locks are counted from there, and reading may have taken longer than one. */
  readonly ageMs: number;
}

export type CommitOutcome =
  | { readonly kind: "committed"; readonly commitTs: number }
  /** It is not committed and will not be. Null: the budget ran out before it could be decided. */
  | { readonly kind: "aborted"; readonly refusal: Refusal | null }
  /** It may be committed, now or later: the answer to a commit did not come. */
  | { readonly kind: "undetermined" };

/** A commit timestamp that readers have pushed past is replaced; a serializable transaction then refreshes again. */
const commitAttemptsMax = 4;

/** Refusals of a commit after which none of the same timestamp can succeed, however late it comes. */
const finalRefusals: readonly Refusal["kind"][] = ["rolled-back", "txn-not-found", "too-old"];

/**
 * Commits one transaction: in one phase where all keys lie in one region, else by locks on all keys, a timestamp, and
 * the primary's commit, which decides. What follows the decision goes on in the background and changes nothing.
 */
export class CommitMachine {
  readonly #calls: RegionCalls;
  /** For what goes on after the decision, under a budget of its own. */
  readonly #background: RegionCalls;
  readonly #resolver: LockResolver;
  readonly #order: CommitOrder;
  readonly #mutations: readonly TxnMutation[];
  readonly #primary: Uint8Array;
  readonly #heartBeat: HeartBeat;
  readonly #bypass: number[] = [];
  #onePhaseSent = false;
  /** Before the last command was made. */
  #onePhaseSentBefore = false;
  #minCommitTs = 0;
  #attempts = 0;
  #then: ((outcome: CommitOutcome) => void) | null;

  // oxlint-disable-next-line max-params -- two budgets, the order, the answer
  constructor(
    calls: RegionCalls,
    background: RegionCalls,
    order: CommitOrder,
    then: (outcome: CommitOutcome) => void,
  ) {
    assert(order.mutations.length > 0, "there is something to commit");
    this.#calls = calls;
    this.#background = background;
    this.#resolver = new LockResolver(calls);
    this.#order = order;
    this.#mutations = [...order.mutations].sort((a, b) => compareKeys(a.key, b.key));
    this.#primary = (this.#mutations[0] as TxnMutation).key;
    this.#heartBeat = new HeartBeat(background, { startTs: order.startTs, primary: this.#primary });
    this.#then = then;
  }

  start(): void {
    const { startTs, checks, reads } = this.#order;
    // Checks and reads go with the keys: where they lie elsewhere, it takes two phases.
    const items = [...this.#mutations, ...checks].map(({ key }) => ({ key }));
    this.#calls.run(
      items,
      {
        command: () => {
          this.#onePhaseSentBefore = this.#onePhaseSent;
          this.#onePhaseSent = true;
          return { kind: "one-phase", startTs, commitTs: 0, mutations: this.#mutations, checks, reads };
        },
        reply: (response, turn) => this.#onePhaseReply(response, turn),
        notDone: () => void (this.#onePhaseSent = this.#onePhaseSentBefore),
        whole: { fits: ({ range }) => reads.every((read) => covers(range, read)), spread: () => this.#prewrite() },
      },
      () => this.#finish(this.#onePhaseSent ? { kind: "undetermined" } : { kind: "aborted", refusal: null }),
    );
  }

  #onePhaseReply<T extends { readonly key: Uint8Array }>(response: Response, turn: Turn<T>): void {
    if (response.kind === "committed") return this.#finish(response);
    const refusals = response.kind === "refused" ? response.refusals : [];
    const lock = foreignLock(refusals);
    if (lock !== null) return this.#passThen(lock, 0, turn);
    const refusal = refusals[0] ?? null;
    if (refusal?.kind === "retry") return turn.again(turn.items, "busy");
    this.#finish(refusal?.kind === "forgotten" ? { kind: "undetermined" } : { kind: "aborted", refusal });
  }

  #prewrite(): void {
    const { startTs, checks, ttlMs, ageMs } = this.#order;
    this.#heartBeat.start(ttlMs, ageMs);
    let refusal: Refusal | null = null;
    const items = [
      ...this.#mutations.map((mutation) => ({ key: mutation.key, mutation, check: null })),
      ...checks.map((check) => ({ key: check.key, mutation: null, check })),
    ];
    this.#calls.run<PrewriteItem>(
      items,
      {
        command: (group) => ({
          kind: "prewrite",
          startTs,
          primary: this.#primary,
          mutations: group.flatMap(({ mutation }) => (mutation === null ? [] : [mutation])),
          ttlMs: ageMs + ttlMs,
          txnSize: this.#mutations.length,
          minCommitTs: startTs + 1,
          checks: group.flatMap(({ check }) => (check === null ? [] : [check])),
        }),
        reply: (response, turn) => {
          if (response.kind === "prewritten") {
            this.#minCommitTs = Math.max(this.#minCommitTs, response.minCommitTs);
            return turn.done();
          }
          // In one phase, by an attempt whose answer never came.
          if (response.kind === "committed") return this.#finish(response);
          const refusals = response.kind === "refused" ? response.refusals : [];
          const lock = foreignLock(refusals);
          if (lock !== null) return this.#passThen(lock, 0, turn);
          refusal = refusals[0] ?? null;
          turn.fail();
        },
      },
      (done) => (done ? this.#stamp() : this.#abort(refusal)),
    );
  }

  /** Strictly after the last prewrite: whoever reads above this timestamp meets the locks. */
  #stamp(): void {
    if (this.#then === null) return;
    if (++this.#attempts > commitAttemptsMax && this.#order.reads.length > 0) return this.#abort(null);
    // Who was pushed above the last timestamp may commit below the next one.
    this.#bypass.length = 0;
    this.#calls.timestamp((commitTs) => {
      if (commitTs === null) return this.#abort(null);
      if (commitTs < this.#minCommitTs) return this.#stamp();
      this.#refresh(0, commitTs);
    });
  }

  #refresh(index: number, commitTs: number): void {
    const range = this.#order.reads[index];
    if (range === undefined) return this.#commitPrimary(commitTs);
    this.#refreshFrom(range.start, range.end, commitTs, (failure) => {
      if (failure === "unchanged") this.#refresh(index + 1, commitTs);
      else this.#abort(failure);
    });
  }

  // oxlint-disable-next-line max-params -- a cursor, its end, a timestamp, and what follows
  #refreshFrom(
    start: Uint8Array,
    end: Uint8Array | null,
    commitTs: number,
    then: (failure: Refusal | "unchanged" | null) => void,
  ): void {
    const { startTs } = this.#order;
    let next: Uint8Array | null = null;
    let refusal: Refusal | null = null;
    this.#calls.run(
      [{ key: start }],
      {
        command: (_, region) => {
          const ranges = [{ start, end: earlier(end, region.range.end) }];
          return { kind: "refresh", ranges, startTs, commitTs, bypass: [...this.#bypass] };
        },
        reply: (response, turn) => {
          if (response.kind === "unchanged") {
            next = later(end, turn.region.range.end);
            return turn.done();
          }
          const refusals = response.kind === "refused" ? response.refusals : [];
          const lock = foreignLock(refusals);
          if (lock !== null) return this.#passThen(lock, commitTs, turn);
          refusal = refusals[0] ?? null;
          turn.fail();
        },
      },
      (done) => {
        if (!done) then(refusal);
        else if (next === null) then("unchanged");
        else this.#refreshFrom(next, end, commitTs, then);
      },
    );
  }

  #commitPrimary(commitTs: number): void {
    const { startTs } = this.#order;
    let answer: Response | null = null;
    this.#calls.run(
      [{ key: this.#primary }],
      {
        command: () => ({ kind: "commit", startTs, commitTs, keys: [this.#primary] }),
        reply: (response, turn) => {
          answer = response;
          turn.done();
        },
      },
      (done) => this.#decided(commitTs, done ? answer : null),
    );
  }

  #decided(commitTs: number, answer: Response | null): void {
    if (answer?.kind === "committed") return this.#succeed(commitTs);
    const refusal = answer?.kind === "refused" ? answer.refusals[0] : undefined;
    if (refusal?.kind === "commit-ts-expired") {
      this.#minCommitTs = Math.max(this.#minCommitTs, refusal.minCommitTs);
      return this.#stamp();
    }
    if (refusal?.kind === "committed") return this.#succeed(refusal.commitTs);
    if (refusal !== undefined && finalRefusals.includes(refusal.kind)) return this.#abort(refusal);
    // Sent, and nobody knows whether it was executed: neither success nor failure may be said.
    this.#finish({ kind: "undetermined" });
  }

  #succeed(commitTs: number): void {
    const { startTs } = this.#order;
    this.#finish({ kind: "committed", commitTs });
    const secondaries = this.#mutations.slice(1);
    if (secondaries.length === 0) return;
    // The primary has decided; whatever happens to these, readers will find out.
    this.#background.run(
      secondaries,
      {
        command: (group) => ({ kind: "commit", startTs, commitTs, keys: group.map(({ key }) => key) }),
        reply: (_, turn) => turn.done(),
      },
      () => {},
    );
  }

  /** Before the primary's commit was sent, or after it was refused for good. */
  #abort(refusal: Refusal | null): void {
    if (this.#then === null) return;
    if (this.#onePhaseSent) return this.#fence(refusal);
    this.#finish({ kind: "aborted", refusal });
    this.#rollback(this.#mutations, () => {});
  }

  /** An attempt in one phase may have done it all: only the primary's rollback can tell that it did not. */
  #fence(refusal: Refusal | null): void {
    let answer: Response | null = null;
    this.#rollback(
      this.#mutations.slice(0, 1),
      (response) => (answer = response),
      () => {
        const [found] = answer?.kind === "refused" ? answer.refusals : [];
        if (found?.kind === "committed") return this.#finish({ kind: "committed", commitTs: found.commitTs });
        if (answer?.kind !== "rolled-back") return this.#finish({ kind: "undetermined" });
        this.#finish({ kind: "aborted", refusal });
        this.#rollback(this.#mutations.slice(1), () => {});
      },
    );
  }

  #rollback(
    mutations: readonly TxnMutation[],
    answered: (response: Response) => void,
    settled: () => void = () => {},
  ): void {
    if (mutations.length === 0) return;
    const { startTs } = this.#order;
    this.#background.run(
      mutations,
      {
        command: (group) => ({ kind: "rollback", startTs, primary: this.#primary, keys: group.map(({ key }) => key) }),
        reply: (response, turn) => {
          answered(response);
          turn.done();
        },
      },
      settled,
    );
  }

  #passThen<T extends { readonly key: Uint8Array }>(lock: LockInfo, callerTs: number, turn: Turn<T>): void {
    this.#resolver.resolve(lock, callerTs, (resolution) => {
      if (resolution === "failed") return turn.fail();
      if (resolution === "bypass" && callerTs > 0) this.#bypass.push(lock.startTs);
      turn.again(turn.items, "lock");
    });
  }

  #finish(outcome: CommitOutcome): void {
    this.#heartBeat.stop();
    const then = this.#then;
    this.#then = null;
    then?.(outcome);
  }
}

interface PrewriteItem {
  readonly key: Uint8Array;
  readonly mutation: TxnMutation | null;
  readonly check: Check | null;
}

/** A lock that can be waited for or resolved, unless something final stands beside it. */
function foreignLock(refusals: readonly Refusal[]): LockInfo | null {
  let lock: LockInfo | null = null;
  for (const refusal of refusals) {
    if (refusal.kind === "locked") lock ??= refusal.lock;
    else if (refusal.kind === "check-failed" && refusal.lock !== null) lock ??= refusal.lock;
    else return null;
  }
  return lock;
}
