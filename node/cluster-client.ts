import { assert } from "../core/assert.ts";
import type { Data } from "../core/engine/arguments.ts";
import { NokvError } from "../core/errors.ts";
import type { Mutation, Outcome } from "../core/kv/kv.ts";
import type { ReadEntry } from "../txn/percolator/command.ts";
import type { ClientTransaction } from "../txn/remote/client-transaction.ts";
import { inputProblem, invalidInput } from "../txn/remote/kv-input.ts";
import type { AtomicResult, Done, OperationHandle, TxnClient } from "../txn/remote/txn-client.ts";
import { checkBody, checkCall, checkCount, checkDelta, copyOf, keyBytes, valueBytes } from "./cluster-arguments.ts";

export interface CallOptions {
  /** For the whole operation, retries included; by default the client's `operationMs`. */
  readonly timeoutMs?: number | undefined;
  /** Ends it early: NOKV_ABORTED when it did not happen, NOKV_UNDETERMINED when nobody knows. */
  readonly signal?: AbortSignal | undefined;
}

export interface SetOptions extends CallOptions {
  /** From the commit on. */
  readonly ttlMs?: number | undefined;
}

export interface TransactOptions extends CallOptions {
  /** All that was read is unchanged at the commit (the default); false: a snapshot, and no lost updates. */
  readonly serializable?: boolean | undefined;
}

const callNames = ["timeoutMs", "signal"];
const setNames = [...callNames, "ttlMs"];
const transactNames = [...callNames, "serializable"];

/**
 * The cluster for programs that work with promises. They reject with `NokvError` alone: NOKV_UNDETERMINED says that
 * nobody knows whether it happened; the others, NOKV_INVALID_ARGUMENT, NOKV_BUSY, NOKV_ABORTED and NOKV_CLOSED, that it
 * did not and will not.
 */
export class ClusterClient {
  readonly #client: TxnClient;
  readonly #close: () => void;

  constructor(client: TxnClient, close: () => void) {
    this.#client = client;
    this.#close = close;
  }

  /** The newest value; null where none is alive. */
  async get(key: Data, options: CallOptions = {}): Promise<Uint8Array | null> {
    checkCall(options, "get", callNames);
    const copy = keyBytes(key);
    const entry = await promised<ReadEntry>(options, (done) => this.#client.get(copy, options, done));
    return entry === null ? null : entry.value;
  }

  /** The values at one instant. */
  async getMany(keys: readonly Data[], options: CallOptions = {}): Promise<(Uint8Array | null)[]> {
    checkCall(options, "getMany", callNames);
    const copies = Array.from(keys, keyBytes);
    const entries = await promised<readonly (ReadEntry | null)[]>(options, (done) => {
      return this.#client.getMany(copies, options, done);
    });
    return (entries ?? []).map((entry) => (entry === null ? null : entry.value));
  }

  async set(key: Data, value: Data, options: SetOptions = {}): Promise<void> {
    checkCall(options, "set", setNames);
    const { ttlMs } = options;
    const expiry = ttlMs === undefined ? ({ kind: "never" } as const) : ({ kind: "after", ms: ttlMs } as const);
    const facts = { kind: "put", expiry, condition: "always", returning: false } as const;
    await this.#decide({ ...facts, key: keyBytes(key), value: copyOf(value, "value") }, options);
  }

  /** Whether it was there. */
  async delete(key: Data, options: CallOptions = {}): Promise<boolean> {
    checkCall(options, "delete", callNames);
    return (await this.#decide({ kind: "delete", keys: [keyBytes(key)] }, options)).applied;
  }

  /** The counter afterwards; null: what is there is no integer, or would not be one any more. */
  async increment(key: Data, delta = 1n, options: CallOptions = {}): Promise<bigint | null> {
    checkCall(options, "increment", callNames);
    checkDelta(delta);
    const outcome = await this.#decide({ kind: "increment", key: keyBytes(key), delta }, options);
    return outcome.rejected === null ? outcome.integer : null;
  }

  /**
   * Runs `body` and commits what it wrote, all or nothing. When another transaction was in the way, `body` runs again,
   * on a new snapshot, as long as there is time: it must do nothing but read and write through `txn`. What it throws
   * ends the transaction.
   */
  async transact<T>(body: (txn: ClusterTransaction) => T | Promise<T>, options: TransactOptions = {}): Promise<T> {
    checkCall(options, "transact", transactNames);
    checkBody(body);
    const { serializable = true, signal, timeoutMs = this.#client.options.operationMs } = options;
    const untilMs = this.#client.nowMs + timeoutMs;
    for (let attempts = 1; ; attempts++) {
      const begun = { serializable, timeoutMs: Math.max(1, untilMs - this.#client.nowMs) };
      const txn = await promised<ClientTransaction>(options, (done) => this.#client.begin(begun, done));
      assert(txn !== null, "a transaction that was not refused has begun");
      const outcome = await this.#attempt(txn, body, signal);
      if (outcome.kind === "done") return outcome.value;
      const { error } = outcome;
      if (signal?.aborted === true) throw error;
      if (error.code !== "NOKV_ABORTED") throw afterOthers(error, attempts - 1);
      await new Promise<void>((resolve) => this.#client.pause(attempts, resolve));
      if (this.#client.nowMs >= untilMs) throw afterOthers(error, attempts);
    }
  }

  /** Everything that is under way ends: NOKV_CLOSED, or NOKV_UNDETERMINED for what may have happened. */
  close(): void {
    this.#client.close();
    this.#close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #attempt<T>(
    txn: ClientTransaction,
    body: (txn: ClusterTransaction) => T | Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<Attempt<T>> {
    const abandon = (): void => txn.abandon();
    signal?.addEventListener("abort", abandon);
    try {
      const value = await body(new ClusterTransaction(txn, this.#client.options.valueBytesMax));
      await promised<number>({}, (done) => txn.commit(done));
      return { kind: "done", value };
    } catch (error) {
      txn.abandon();
      if (error instanceof NokvError) return { kind: "failed", error };
      throw error;
    } finally {
      signal?.removeEventListener("abort", abandon);
    }
  }

  async #decide(mutation: Mutation, options: CallOptions): Promise<Outcome> {
    const problem = inputProblem(mutation, this.#client.options.valueBytesMax);
    if (problem !== null) throw invalidInput(problem);
    const result = await promised<AtomicResult>(options, (done) => {
      return this.#client.atomic(mutation, options, done);
    });
    assert(result?.kind === "decided", "one key lies in one region");
    return result.outcome;
  }
}

/** Why a transaction has no time left, where others were in the way so often. */
function afterOthers(error: NokvError, times: number): NokvError {
  if (times === 0 || (error.code !== "NOKV_BUSY" && error.code !== "NOKV_ABORTED")) return error;
  return new NokvError("NOKV_BUSY", `others were in the way ${times} times: ${error.message}`, { cause: error });
}

type Attempt<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "failed"; readonly error: NokvError };

/** Reads at one instant, its own writes among them; nobody sees those before the commit. */
export class ClusterTransaction {
  readonly #txn: ClientTransaction;
  readonly #valueBytesMax: number;

  constructor(txn: ClientTransaction, valueBytesMax: number) {
    this.#txn = txn;
    this.#valueBytesMax = valueBytesMax;
  }

  async get(key: Data): Promise<Uint8Array | null> {
    const copy = keyBytes(key);
    const entry = await promised<ReadEntry>({}, (done) => this.#txn.get(copy, done));
    return entry === null ? null : entry.value;
  }

  /** The first `limit` entries from `start` on, below `end` (null: to the last), in key order. */
  async scan(start: Data, end: Data | null, limit: number): Promise<[key: Uint8Array, value: Uint8Array][]> {
    checkCount(limit, "limit");
    const range = { start: keyBytes(start), end: end === null ? null : keyBytes(end) };
    const entries = await promised<readonly ReadEntry[]>({}, (done) => this.#txn.scan(range, limit, done));
    return (entries ?? []).map(({ key, value }) => [key, value]);
  }

  set(key: Data, value: Data): void {
    this.#txn.put(keyBytes(key), valueBytes(value, this.#valueBytesMax));
  }

  delete(key: Data): void {
    this.#txn.delete(keyBytes(key));
  }
}

function promised<T>(options: CallOptions, begin: (done: Done<T>) => OperationHandle | void): Promise<T | null> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    let isOver = false;
    const cancel = (): void => handle?.cancel();
    const handle = begin((error, value) => {
      isOver = true;
      signal?.removeEventListener("abort", cancel);
      if (error === null) resolve(value);
      else reject(error);
    });
    if (isOver) return;
    signal?.addEventListener("abort", cancel);
    // It fired while `transact` was between two attempts.
    if (signal?.aborted === true) cancel();
  });
}
