import type { Clock } from "../../core/env/clock.ts";
import type { Random } from "../../core/env/random.ts";
import { NokvError } from "../../core/errors.ts";
import type { Mutation, Outcome } from "../../core/kv/kv.ts";
import type { CoordinatorClient } from "../../coordinator/service/client.ts";
import type { Caller } from "../../coordinator/service/group-caller.ts";
import { Deadlines } from "../../net/rpc/deadlines.ts";
import type { KeyRange, ReadEntry } from "../percolator/command.ts";
import { timestampMax } from "../percolator/timestamp.ts";
import { AtomicMachine } from "../client/atomic-machine.ts";
import { type TxnClientOptions, txnClientOptions } from "./client-options.ts";
import { ClientTransaction } from "./client-transaction.ts";
import { CommandSender } from "./command-sender.ts";
import { Operation, type OperationWorld } from "./operation.ts";
import { OperationIds } from "./operation-ids.ts";
import { GarbageCollector } from "../client/garbage-collector.ts";
import { Reader } from "../client/reader.ts";
import { RegionCache } from "../client/region-cache.ts";
import { RegionLocator } from "./region-locator.ts";
import { RegionPlaces } from "./region-places.ts";
import { StoreLiveness } from "./store-liveness.ts";
import { Transaction } from "../client/transaction.ts";

export interface TxnClientParts {
  readonly clock: Clock;
  readonly random: Random;
  /** A transport, on which the stores and the Coordinator are reached. */
  readonly caller: Caller;
  readonly coordinator: Pick<CoordinatorClient, "timestamps" | "route">;
  readonly options: Partial<TxnClientOptions>;
}

export interface OperationOptions {
  /** For the whole operation; of a transaction, from its beginning to the end of its commit. */
  readonly timeoutMs?: number | undefined;
}

export interface BeginOptions extends OperationOptions {
  /** All that was read must be unchanged at the commit: strict serializability. Else snapshot isolation. */
  readonly serializable?: boolean;
}

export interface PageRequest extends OperationOptions {
  readonly limit: number;
  /** A timestamp that was given out; null: the present. */
  readonly readTs: number | null;
}

/** To give up: the operation ends soon, with NOKV_ABORTED or with what has become of it. */
export interface OperationHandle {
  cancel(): void;
}

/** Exactly one of the two matters; `value` is null with an error. */
export type Done<T> = (error: NokvError | null, value: T | null) => void;

/** What `mutation` did, or that its keys lie in more than one region: then it did not happen. */
export type AtomicResult =
  | { readonly kind: "decided"; readonly commitTs: number; readonly outcome: Outcome }
  | { readonly kind: "spread" };

const retryMsMax = 200;
/** A time at which everything that a cluster ever wrote is alive. */
const beginningTs = 1;

/**
 * A client of the cluster: finds regions, their leaders and the right time, tries again what can be tried again, and
 * says what became of every operation exactly once, on a later turn. Bytes that are passed in must not change until
 * then.
 *
 * - NOKV_BUSY: the cluster did not answer in time; it did not happen and will not.
 * - NOKV_UNDETERMINED: it may have happened, now or later.
 * - NOKV_ABORTED: it was cancelled, or a transaction met another; it did not happen and will not.
 * - NOKV_CLOSED: the client is closed.
 */
export class TxnClient {
  readonly options: TxnClientOptions;
  readonly #world: OperationWorld;
  readonly #deadlines: Deadlines;
  readonly #live = new Set<Operation>();
  #closed = false;

  constructor(parts: TxnClientParts) {
    const { clock, random, caller, coordinator } = parts;
    this.options = txnClientOptions(parts.options);
    this.#deadlines = new Deadlines(clock);
    const places = new RegionPlaces();
    const liveness = new StoreLiveness(clock);
    let draws = 0;
    this.#world = {
      clock,
      cache: new RegionCache(),
      sender: new CommandSender({ clock, caller, places, liveness, attemptMs: this.options.attemptMs }),
      locator: new RegionLocator(coordinator, places),
      coordinator,
      ids: new OperationIds(clock, coordinator),
      draw: (n) => random.u32("txn/client/backoff", 0, draws++) % n,
      live: this.#live,
    };
  }

  /** Operations that are not over; what follows a decision is one. */
  get active(): number {
    return this.#live.size;
  }

  /** On the clock by which operations end. */
  get nowMs(): number {
    return Math.floor(this.#world.clock.monotonicUs() / 1_000);
  }

  /** The newest entry of `key`, null where none is alive. Linearizable. */
  get(key: Uint8Array, options: OperationOptions, done: Done<ReadEntry>): OperationHandle {
    return this.#operate<ReadEntry>(options, done, (operation, finish) => {
      const { calls } = operation;
      const found = (entry: ReadEntry | null, isFinal: boolean): void => {
        if (entry === null || entry.expiresAtMs === 0 || isFinal) return finish(null, entry);
        // Whether it still is alive, only a timestamp of the present says.
        calls.timestamp((nowTs) => {
          if (nowTs === null) return finish(this.#unavailable(operation), null);
          this.#reader(operation, nowTs).get(key, (failure, alive) => {
            if (failure === null) found(alive, true);
            else finish(this.#unavailable(operation), null);
          });
        });
      };
      new Reader(calls, timestampMax, this.options.pageEntriesMax, beginningTs).get(key, (failure, entry) => {
        if (failure === null) found(entry, false);
        else finish(this.#unavailable(operation), null);
      });
    });
  }

  /** The entries of `keys` at one instant, in the order of the keys. */
  getMany(
    keys: readonly Uint8Array[],
    options: OperationOptions,
    done: Done<readonly (ReadEntry | null)[]>,
  ): OperationHandle {
    return this.#operate<readonly (ReadEntry | null)[]>(options, done, (operation, finish) => {
      if (keys.length === 0) return finish(null, []);
      operation.calls.timestamp((readTs) => {
        if (readTs === null) return finish(this.#unavailable(operation), null);
        this.#readAll(operation, readTs, keys, finish);
      });
    });
  }

  /** The first `limit` entries of `range`, in key order, at one instant. */
  scan(range: KeyRange, page: PageRequest, done: Done<readonly ReadEntry[]>): OperationHandle {
    return this.#operate<readonly ReadEntry[]>(page, done, (operation, finish) => {
      const read = (readTs: number): void => {
        this.#reader(operation, readTs).scan(range, page.limit, (failure, entries) => {
          finish(failure === null ? null : this.#unavailable(operation), failure === null ? entries : null);
        });
      };
      if (page.readTs !== null) return read(page.readTs);
      operation.calls.timestamp((ts) => {
        if (ts === null) finish(this.#unavailable(operation), null);
        else read(ts);
      });
    });
  }

  /** One decision on keys of one region, at one instant. */
  atomic(mutation: Mutation, options: OperationOptions, done: Done<AtomicResult>): OperationHandle {
    return this.#operate<AtomicResult>(options, done, (operation, finish) => {
      new AtomicMachine(operation.calls, mutation, this.options.valueBytesMax).run((outcome) => {
        if (outcome.kind === "unavailable") finish(this.#unavailable(operation), null);
        else if (outcome.kind === "undetermined") finish(this.#undetermined(operation), null);
        else finish(null, outcome);
      });
    });
  }

  /**
   * Collects what no reader at `safePoint` or above needs, in all regions; whoever began below it is too late. Not
   * finished: what was collected is, and it may be begun again. Answered is in how many regions.
   */
  collectGarbage(safePoint: number, options: OperationOptions, done: Done<number>): OperationHandle {
    return this.#operate<number>(options, done, (operation, finish) => {
      const collector = new GarbageCollector(operation.calls, safePoint);
      collector.run((collected) => {
        finish(collected ? null : this.#unavailable(operation), collected ? collector.regions : null);
      });
    });
  }

  /** A timestamp later than all that were given to anybody before. */
  timestamp(options: OperationOptions, done: Done<number>): OperationHandle {
    return this.#operate<number>(options, done, (operation, finish) => {
      operation.calls.timestamp((ts) => finish(ts === null ? this.#unavailable(operation) : null, ts));
    });
  }

  /** A transaction. Its time, too, is limited; when it is over, the transaction is. */
  begin(options: BeginOptions, done: Done<ClientTransaction>): OperationHandle {
    if (this.#closed) return this.#refuse(done);
    const operation = this.#operation(options);
    const { backgroundMs, lockMs, pageEntriesMax } = this.options;
    operation.run(() => {
      operation.calls.timestamp((startTs) => {
        if (startTs === null) {
          this.#settle(operation);
          return done(this.#unavailable(operation), null);
        }
        const transaction = new Transaction(
          operation.parts,
          {
            serializable: options.serializable ?? false,
            deadlineMs: operation.deadlineMs,
            backgroundMs,
            ttlMs: lockMs,
            pageEntriesMax,
          },
          operation.calls,
          startTs,
        );
        done(null, new ClientTransaction(operation, transaction, { settle: () => this.#settle(operation) }));
      });
    });
    return operation;
  }

  /** Before the next attempt of something that met others: longer each time, and not as long as theirs. */
  pause(attempts: number, run: () => void): void {
    const { clock, draw } = this.#world;
    const mostMs = Math.min(retryMsMax, 2 ** Math.min(attempts, 16));
    clock.after((Math.floor(mostMs / 2) + draw(mostMs)) * 1_000, run);
  }

  /** Everything ends: operations with NOKV_CLOSED or NOKV_UNDETERMINED, what follows decisions with nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const live = [...this.#live];
    for (const operation of live) operation.abandon();
  }

  // oxlint-disable-next-line max-params -- a snapshot, what is read of it, and the answer
  #readAll(
    operation: Operation,
    readTs: number,
    keys: readonly Uint8Array[],
    finish: Done<readonly (ReadEntry | null)[]>,
  ): void {
    const entries: (ReadEntry | null)[] = keys.map(() => null);
    let waiting = keys.length;
    let isOver = false;
    const reader = this.#reader(operation, readTs);
    for (const [i, key] of keys.entries()) {
      reader.get(key, (failure, entry) => {
        if (isOver) return;
        entries[i] = entry;
        waiting--;
        isOver = failure !== null || waiting === 0;
        if (failure !== null) finish(this.#unavailable(operation), null);
        else if (waiting === 0) finish(null, entries);
      });
    }
  }

  #reader(operation: Operation, readTs: number): Reader {
    return new Reader(operation.calls, readTs, this.options.pageEntriesMax);
  }

  #operation(options: OperationOptions): Operation {
    const operation = new Operation(this.#world, options.timeoutMs ?? this.options.operationMs);
    this.#deadlines.add(operation);
    return operation;
  }

  #operate<T>(
    options: OperationOptions,
    done: Done<T>,
    begin: (operation: Operation, finish: Done<T>) => void,
  ): OperationHandle {
    if (this.#closed) return this.#refuse(done);
    const operation = this.#operation(options);
    operation.run(() => {
      begin(operation, (error, value) => {
        if (operation.settled) return;
        this.#settle(operation);
        done(error, value);
      });
    });
    return operation;
  }

  #settle(operation: Operation): void {
    if (operation.settled) return;
    operation.settled = true;
    if (!operation.expired) this.#deadlines.settle();
  }

  #refuse<T>(done: Done<T>): OperationHandle {
    this.#world.clock.soon(() => done(new NokvError("NOKV_CLOSED", "the client of the cluster is closed"), null));
    return { cancel: () => {} };
  }

  #unavailable(operation: Operation): NokvError {
    if (this.#closed) return new NokvError("NOKV_CLOSED", "the client of the cluster is closed");
    return operation.unavailable();
  }

  #undetermined(operation: Operation): NokvError {
    return operation.undetermined();
  }
}
