import { assert } from "../core/assert.ts";
import { NokvError } from "../core/errors.ts";
import type { Mutation, Outcome } from "../core/kv/kv.ts";
import type { ReadEntry } from "../txn/percolator/command.ts";
import type { ClientTransaction } from "../txn/remote/client-transaction.ts";
import type { AtomicResult, Done, OperationHandle, TxnClient } from "../txn/remote/txn-client.ts";

/** Text is its UTF-8 bytes. */
export type Bytes = Uint8Array | string;

export interface CallOptions {
  /** For the whole operation, retries included; by default the client's `operationMs`. */
  readonly timeoutMs?: number;
  /** Ends it early: NOKV_ABORTED when it did not happen, NOKV_UNDETERMINED when nobody knows. */
  readonly signal?: AbortSignal;
}

export interface SetOptions extends CallOptions {
  /** From the commit on. */
  readonly ttlMs?: number;
}

export interface TransactOptions extends CallOptions {
  /** All that was read is unchanged at the commit (the default); false: a snapshot, and no lost updates. */
  readonly serializable?: boolean;
}

const encoder = new TextEncoder();
const empty = new Uint8Array(0);

/** A copy: what a caller passes in is the caller's again at once. */
function bytesOf(value: Bytes): Uint8Array {
  return typeof value === "string" ? encoder.encode(value) : value.slice();
}

/**
 * The cluster for programs that work with promises. They reject with `NokvError` alone: NOKV_BUSY and NOKV_ABORTED say
 * that it did not happen, NOKV_UNDETERMINED that nobody knows.
 */
export class ClusterClient {
  readonly #client: TxnClient;
  readonly #close: () => void;

  constructor(client: TxnClient, close: () => void) {
    this.#client = client;
    this.#close = close;
  }

  /** The newest value; null where none is alive. */
  async get(key: Bytes, options: CallOptions = {}): Promise<Uint8Array | null> {
    const entry = await promised<ReadEntry>(options, (done) => this.#client.get(bytesOf(key), options, done));
    return entry === null ? null : entry.value;
  }

  /** The values at one instant. */
  async getMany(keys: readonly Bytes[], options: CallOptions = {}): Promise<(Uint8Array | null)[]> {
    const copies = keys.map(bytesOf);
    const entries = await promised<readonly (ReadEntry | null)[]>(options, (done) => {
      return this.#client.getMany(copies, options, done);
    });
    return (entries ?? []).map((entry) => (entry === null ? null : entry.value));
  }

  async set(key: Bytes, value: Bytes, options: SetOptions = {}): Promise<void> {
    const { ttlMs } = options;
    const expiry = ttlMs === undefined ? ({ kind: "never" } as const) : ({ kind: "after", ms: ttlMs } as const);
    const facts = { kind: "put", expiry, condition: "always", returning: false } as const;
    await this.#decide({ ...facts, key: bytesOf(key), value: bytesOf(value) }, options);
  }

  /** Whether it was there. */
  async delete(key: Bytes, options: CallOptions = {}): Promise<boolean> {
    return (await this.#decide({ kind: "delete", keys: [bytesOf(key)] }, options)).applied;
  }

  /** The counter afterwards; null: what is there is no integer, or would not be one any more. */
  async increment(key: Bytes, delta = 1n, options: CallOptions = {}): Promise<bigint | null> {
    const outcome = await this.#decide({ kind: "increment", key: bytesOf(key), delta }, options);
    return outcome.rejected === null ? outcome.integer : null;
  }

  /**
   * Runs `body` and commits what it wrote, all or nothing. When another transaction was in the way, `body` runs again,
   * on a new snapshot: it must do nothing but read and write through `txn`. What it throws ends the transaction.
   */
  async transact<T>(body: (txn: ClusterTransaction) => Promise<T>, options: TransactOptions = {}): Promise<T> {
    const { serializable = true, signal } = options;
    const begun = { ...options, serializable };
    for (let attempts = 1; ; attempts++) {
      const txn = await promised<ClientTransaction>(options, (done) => this.#client.begin(begun, done));
      assert(txn !== null, "a transaction that was not refused has begun");
      const outcome = await this.#attempt(txn, body, signal);
      if (outcome.kind === "done") return outcome.value;
      if (outcome.error.code !== "NOKV_ABORTED" || signal?.aborted === true || attempts >= attemptsMax) {
        throw outcome.error;
      }
      await new Promise<void>((resolve) => this.#client.pause(attempts, resolve));
    }
  }

  /** Everything that is under way ends. */
  close(): void {
    this.#client.close();
    this.#close();
  }

  async #attempt<T>(
    txn: ClientTransaction,
    body: (txn: ClusterTransaction) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<Attempt<T>> {
    const abandon = (): void => txn.abandon();
    signal?.addEventListener("abort", abandon);
    try {
      const value = await body(new ClusterTransaction(txn));
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
    const result = await promised<AtomicResult>(options, (done) => {
      return this.#client.atomic(mutation, options, done);
    });
    assert(result?.kind === "decided", "one key lies in one region");
    return result.outcome;
  }
}

/** So often a transaction that meets others is tried. */
const attemptsMax = 32;

type Attempt<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "failed"; readonly error: NokvError };

/** Reads at one instant, its own writes among them; nobody sees those before the commit. */
export class ClusterTransaction {
  readonly #txn: ClientTransaction;

  constructor(txn: ClientTransaction) {
    this.#txn = txn;
  }

  async get(key: Bytes): Promise<Uint8Array | null> {
    const entry = await promised<ReadEntry>({}, (done) => this.#txn.get(bytesOf(key), done));
    return entry === null ? null : entry.value;
  }

  /** The first `limit` entries from `start` on, below `end` (null: to the last), in key order. */
  async scan(start: Bytes, end: Bytes | null, limit: number): Promise<[key: Uint8Array, value: Uint8Array][]> {
    const range = { start: start === "" ? empty : bytesOf(start), end: end === null ? null : bytesOf(end) };
    const entries = await promised<readonly ReadEntry[]>({}, (done) => this.#txn.scan(range, limit, done));
    return (entries ?? []).map(({ key, value }) => [key, value]);
  }

  set(key: Bytes, value: Bytes): void {
    this.#txn.put(bytesOf(key), bytesOf(value));
  }

  delete(key: Bytes): void {
    this.#txn.delete(bytesOf(key));
  }
}

function promised<T>(options: CallOptions, begin: (done: Done<T>) => OperationHandle | void): Promise<T | null> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(new NokvError("NOKV_ABORTED", "cancelled before it began"));
      return;
    }
    const cancel = (): void => handle?.cancel();
    const handle = begin((error, value) => {
      signal?.removeEventListener("abort", cancel);
      if (error === null) resolve(value);
      else reject(error);
    });
    signal?.addEventListener("abort", cancel);
  });
}
