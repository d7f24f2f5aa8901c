import type { Clock } from "../../core/env/clock.ts";
import { NokvError } from "../../core/errors.ts";
import { evaluateTransaction, keysReadBy } from "../../core/kv/evaluate-transaction.ts";
import type { Write } from "../../core/kv/evaluate.ts";
import type { KvEntry, OperationResult, TransactDone, Transaction, WatchedKey } from "../../core/kv/kv.ts";
import { versionMs } from "../../core/lsm/drop-rules.ts";
import type { ClientTransaction } from "./client-transaction.ts";
import type { TxnClient } from "./txn-client.ts";

/**
 * Runs a list of operations as one serializable transaction: what it reads, and what was watched, is unchanged up to
 * the instant of its commit. When another transaction was in the way it begins anew, on a new snapshot, for nobody has
 * seen anything of it yet; a change of a watched key is final.
 */
export class TransactMachine {
  readonly #client: TxnClient;
  readonly #clock: Clock;
  readonly #transaction: Transaction;
  readonly #deadlineUs: number;
  #attempts = 0;
  readonly #done: TransactDone;

  // oxlint-disable-next-line max-params -- a client, its time, what to do and whom to tell
  constructor(client: TxnClient, clock: Clock, transaction: Transaction, done: TransactDone) {
    this.#client = client;
    this.#clock = clock;
    this.#transaction = transaction;
    this.#done = done;
    this.#deadlineUs = clock.monotonicUs() + client.options.operationMs * 1_000;
  }

  run(): void {
    // Until its deadline another attempt may begin, and none is cut short: half a commit is told as undetermined.
    const timeoutMs = this.#client.options.operationMs;
    this.#attempts++;
    this.#client.begin({ serializable: true, timeoutMs }, (error, txn) => {
      if (txn === null) this.#done(error, null);
      else this.#verify(txn);
    });
  }

  #verify(txn: ClientTransaction): void {
    const { watched } = this.#transaction;
    if (watched.length === 0) return this.#read(txn);
    for (const { key } of watched) txn.guard(key);
    this.#verifyFrom(txn, bySince(watched), 0);
  }

  #verifyFrom(txn: ClientTransaction, groups: readonly (readonly WatchedKey[])[], index: number): void {
    const group = groups[index];
    const [first] = group ?? [];
    if (group === undefined || first === undefined) return this.#read(txn);
    const keys = group.map(({ key }) => key);
    txn.unchangedSince(keys, first.sinceVersion, (error, unchanged) => {
      if (unchanged === null) return this.#failed(txn, error);
      if (unchanged) return this.#verifyFrom(txn, groups, index + 1);
      txn.abandon();
      this.#done(null, null);
    });
  }

  #read(txn: ClientTransaction): void {
    const keys = keysReadBy(this.#transaction.operations);
    const present: (KvEntry | null)[] = keys.map(() => null);
    let waiting = keys.length;
    let isOver = false;
    if (waiting === 0) return this.#decide(txn, present);
    for (const [i, key] of keys.entries()) {
      txn.get(key, (error, entry) => {
        if (isOver) return;
        present[i] = entry === null ? null : { value: entry.value, expiresAtMs: entry.expiresAtMs };
        waiting--;
        isOver = error !== null || waiting === 0;
        if (error !== null) this.#failed(txn, error);
        else if (waiting === 0) this.#decide(txn, present);
      });
    }
  }

  #decide(txn: ClientTransaction, present: readonly (KvEntry | null)[]): void {
    const { results, writes } = evaluateTransaction(this.#transaction.operations, present, {
      nowMs: versionMs(txn.startTs),
      valueBytesMax: this.#client.options.valueBytesMax,
    });
    this.#commit(txn, writes, results);
  }

  #commit(txn: ClientTransaction, writes: readonly Write[], results: readonly OperationResult[]): void {
    for (const { key, value, expiresAtMs } of writes) {
      if (value === null) txn.delete(key);
      else txn.put(key, value, expiresAtMs);
    }
    txn.commit((error) => {
      if (error === null) this.#done(null, results);
      else this.#failed(txn, error);
    });
  }

  #failed(txn: ClientTransaction, error: NokvError | null): void {
    txn.abandon();
    const isLate = this.#clock.monotonicUs() >= this.#deadlineUs;
    if (error?.code === "NOKV_ABORTED" && !isLate) {
      this.#client.pause(this.#attempts, () => this.run());
    } else if (error?.code === "NOKV_ABORTED") {
      const message = `others were in the way ${this.#attempts} times: ${error.message}`;
      this.#done(new NokvError("NOKV_BUSY", message, { cause: error }), null);
    } else {
      this.#done(error, null);
    }
  }
}

/** Keys watched at the same time, the oldest first. */
function bySince(watched: readonly WatchedKey[]): readonly (readonly WatchedKey[])[] {
  const groups = new Map<number, WatchedKey[]>();
  for (const each of watched) {
    const group = groups.get(each.sinceVersion);
    if (group === undefined) groups.set(each.sinceVersion, [each]);
    else group.push(each);
  }
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group);
}
