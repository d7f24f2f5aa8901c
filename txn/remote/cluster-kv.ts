import { assert } from "../../core/assert.ts";
import type { Clock } from "../../core/env/clock.ts";
import type { NokvError } from "../../core/errors.ts";
import type {
  Kv,
  KvEntry,
  MutateDone,
  Mutation,
  ReadDone,
  ScanDone,
  ScanRequest,
  TransactDone,
  Transaction,
  WatchDone,
} from "../../core/kv/kv.ts";
import type { ReadEntry } from "../percolator/command.ts";
import { successor } from "../percolator/view.ts";
import type { ClientTransaction } from "./client-transaction.ts";
import { ClearMachine } from "./clear-machine.ts";
import { copyMutation, copyTransaction, inputProblem, invalidInput, keysProblem } from "./kv-input.ts";
import { TransactMachine } from "./transact-machine.ts";
import type { TxnClient } from "./txn-client.ts";

/** Keys of one page of a count. */
const countedPerPage = 1_024;

/**
 * The cluster as a `Kv`. One key is read from its leader, without a timestamp; several at one timestamp. A mutation is
 * decided where its keys lie, in one region, or by one transaction over several. Every operation is linearizable; those
 * of one caller that must keep their order are to be begun one after the other.
 *
 * `clear` is no single instant: it removes page by page, each atomically, every key that was there when it was called.
 */
export class ClusterKv implements Kv {
  readonly ordered = false;
  readonly #client: TxnClient;
  readonly #clock: Clock;

  constructor(client: TxnClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  read(keys: readonly Uint8Array[], done: ReadDone): void {
    const problem = keysProblem(keys);
    if (problem !== null) return this.#refuse(problem, (error) => done(error, []));
    const [first] = keys;
    if (first !== undefined && keys.length === 1) {
      this.#client.get(first.slice(), {}, (error, entry) => done(error, error === null ? [kvEntry(entry)] : []));
      return;
    }
    this.#client.getMany(keys.map((key) => key.slice()), {}, (error, entries) => {
      done(error, entries === null ? [] : entries.map(kvEntry));
    });
  }

  mutate(mutation: Mutation, done: MutateDone): void {
    const problem = inputProblem(mutation, this.#client.options.valueBytesMax);
    if (problem !== null) return this.#refuse(problem, (error) => done(error, null));
    const copy = copyMutation(mutation);
    this.#client.atomic(copy, {}, (error, result) => {
      if (result === null) return done(error, null);
      if (result.kind === "decided") return done(null, result.outcome);
      this.#transact({ operations: [{ kind: "mutate", mutation: copy }], watched: [] }, (failure, results) => {
        const [only] = results ?? [];
        if (failure !== null) return done(failure, null);
        assert(only?.kind === "mutate", "a transaction of one mutation has one outcome");
        done(null, only.outcome);
      });
    });
  }

  scan({ after, limit }: ScanRequest, done: ScanDone): void {
    assert(limit >= 1, "a page has room for a key");
    const start = after === null ? new Uint8Array(0) : successor(after);
    this.#client.scan({ start, end: null }, { limit: limit + 1, readTs: null }, (error, entries) => {
      if (entries === null) return done(error, null);
      done(null, { keys: entries.slice(0, limit).map(({ key }) => key), exhausted: entries.length <= limit });
    });
  }

  count(done: (error: NokvError | null, count: number) => void): void {
    this.#client.timestamp({}, (error, readTs) => {
      if (readTs === null) done(error, 0);
      else this.#countFrom(new Uint8Array(0), { readTs, before: 0, done });
    });
  }

  clear(done: (error: NokvError | null) => void): void {
    new ClearMachine(this.#client, this.#clock, done).run();
  }

  watch(keys: readonly Uint8Array[], done: WatchDone): void {
    const problem = keysProblem(keys);
    if (problem !== null) return this.#refuse(problem, (error) => done(error, []));
    const copies = keys.map((key) => key.slice());
    this.#client.begin({}, (error, txn) => {
      if (txn === null) return done(error, []);
      // What has changed since a timestamp, the cluster knows without being told what was there. But whoever has a lock
      // may have its commit timestamp already: a read makes them commit later than it, or waits for them.
      this.#readAll(txn, copies, (failure) => {
        txn.abandon();
        const { startTs } = txn;
        const watched = copies.map((key) => ({ key, version: startTs, alive: false, sinceVersion: startTs }));
        done(failure, failure === null ? watched : []);
      });
    });
  }

  #readAll(txn: ClientTransaction, keys: readonly Uint8Array[], done: (error: NokvError | null) => void): void {
    let waiting = keys.length;
    let isOver = waiting === 0;
    if (isOver) return done(null);
    for (const key of keys) {
      txn.get(key, (error) => {
        if (isOver) return;
        waiting--;
        isOver = error !== null || waiting === 0;
        if (isOver) done(error);
      });
    }
  }

  transact(transaction: Transaction, done: TransactDone): void {
    for (const operation of transaction.operations) {
      const problem = operation.kind === "read"
        ? keysProblem(operation.keys)
        : inputProblem(operation.mutation, this.#client.options.valueBytesMax);
      if (problem !== null) return this.#refuse(problem, (error) => done(error, null));
    }
    this.#transact(copyTransaction(transaction), done);
  }

  #transact(transaction: Transaction, done: TransactDone): void {
    new TransactMachine(this.#client, this.#clock, transaction, done).run();
  }

  #countFrom(start: Uint8Array, walk: CountWalk): void {
    const { readTs, before, done } = walk;
    this.#client.scan({ start, end: null }, { limit: countedPerPage, readTs }, (error, entries) => {
      if (entries === null) return done(error, 0);
      const last = entries.at(-1);
      const count = before + entries.length;
      if (last === undefined || entries.length < countedPerPage) done(null, count);
      else this.#countFrom(successor(last.key), { ...walk, before: count });
    });
  }

  #refuse(problem: string, done: (error: NokvError) => void): void {
    this.#clock.soon(() => done(invalidInput(problem)));
  }
}

interface CountWalk {
  readonly readTs: number;
  readonly before: number;
  readonly done: (error: NokvError | null, count: number) => void;
}

function kvEntry(entry: ReadEntry | null): KvEntry | null {
  return entry === null ? null : { value: entry.value, expiresAtMs: entry.expiresAtMs };
}
