import type { Clock } from "../env/clock.ts";
import type { Env } from "../env/env.ts";
import { NokvError } from "../errors.ts";
import {
  aborted,
  checkOptions,
  checkSignal,
  type Data,
  type KeyBounds,
  type Lifetime,
  lifetimeNames,
  nameOf,
  boundNames,
  toBounds,
  toBytes,
  toDeletedInterval,
  toExpiresAtMs,
  toInterval,
} from "./arguments.ts";
import { Batch } from "./batch.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { DbIterator, Entries, entryOf } from "./db-iterator.ts";
import { type Engine, openEngine } from "./engine.ts";
import { invalidArgument } from "./failure.ts";
import type { Ingestion } from "./ingester.ts";
import type { HandleTracker, OpenHandles } from "./open-handles.ts";
import type { EngineOptions } from "./options.ts";
import type { RangeSize } from "./range-estimate.ts";
import { Snapshot } from "./snapshot.ts";
import type { EngineStats } from "./stats.ts";
import type { Export } from "./table-transfer.ts";
import type { VerifyReport } from "./verify.ts";
import { WriteBatch } from "./write-batch.ts";

export interface ReadOptions {
  /** Read as of this snapshot instead of now. */
  readonly snapshot?: Snapshot | null | undefined;
}

export interface SignalOptions {
  /** Each method says what an abort does to it. */
  readonly signal?: AbortSignal | undefined;
}

/** An abort before the call rejects with `NOKV_ABORTED`: nothing was written. Later it has no effect. */
export type WriteOptions = SignalOptions;

export type BatchOperation =
  | ({ readonly type: "set"; readonly key: Data; readonly value: Data } & Lifetime)
  | { readonly type: "delete"; readonly key: Data }
  | ({ readonly type: "deleteRange" } & KeyBounds);

export interface ScanOptions extends KeyBounds, ReadOptions, SignalOptions {
  /** From the last key to the first. */
  readonly reverse?: boolean | undefined;
  /** At most so many entries; absent or -1: no bound. */
  readonly limit?: number | undefined;
  /** Values are not read: `value` is empty. */
  readonly keysOnly?: boolean | undefined;
}

export interface ExportOptions extends KeyBounds, SignalOptions {
  /** All versions that are still there, instead of what can be read now. */
  readonly history?: boolean | undefined;
}

export interface DbStats extends EngineStats {
  /** Iterators and snapshots that nobody has closed. */
  readonly open: OpenHandles;
}

/** What is not the engine's business. */
export interface DbContext extends SignalOptions {
  readonly tracker?: HandleTracker | null | undefined;
  /** Gives back what the database ran on; called once, when it was closed. */
  readonly release?: (() => Promise<void>) | undefined;
}

const readNames = ["snapshot"];
const signalNames = ["signal"];
const writeNames = [...lifetimeNames, ...signalNames];
const scanNames = [...boundNames, ...readNames, ...signalNames, "reverse", "limit", "keysOnly"];
const operationNames = ["type", "key", "value", ...lifetimeNames, ...boundNames];

const none = Object.freeze({});
const nothingToRelease = (): Promise<void> => Promise.resolve();

/** A buffer that one large write left behind is given back. */
const keptBatchBytesMax = 1024 * 1024;

export async function openDb(
  env: Env,
  directory: string,
  options: Partial<EngineOptions> = {},
  context: DbContext = {},
): Promise<Db> {
  const { signal } = context;
  checkSignal(signal, "before anything was opened");
  const engine = await openEngine(env, directory, options);
  if (signal?.aborted === true) {
    await engine.close();
    throw aborted(signal, "while opening; the database is closed again");
  }
  return new Db(engine, env.clock, context);
}

/**
 * The embedded database: an ordered map from bytes to bytes. Keys order byte by byte. Reads are synchronous and
 * see what is durable at the chosen level; writes take effect in the order of the calls, and resolve when that
 * level is met.
 *
 * Whatever fails throws or rejects with `NokvError`; its `code` says what happened: `NOKV_INVALID_ARGUMENT` for a
 * call that makes no sense, `NOKV_CLOSED` after `close`, `NOKV_CORRUPTION` and `NOKV_IO` for a disk that does not
 * give back what was written, and for writes `NOKV_BUSY`, `NOKV_NO_SPACE` (nothing happened), `NOKV_UNDETERMINED`
 * (it may or may not survive) and `NOKV_POISONED` (no more writes until it is reopened).
 */
export class Db {
  readonly engine: Engine;
  readonly #clock: Clock;
  readonly #tracker: HandleTracker | null;
  readonly #release: () => Promise<void>;
  #batch = new Batch();
  #closing: Promise<OpenHandles> | null = null;

  constructor(engine: Engine, clock: Clock, { tracker, release }: DbContext = {}) {
    this.engine = engine;
    this.#clock = clock;
    this.#tracker = tracker ?? null;
    this.#release = release ?? nothingToRelease;
  }

  /** A copy of the value, or undefined. Copies may share one `ArrayBuffer`, as small `Buffer`s do. */
  get(key: Data, options: ReadOptions = none): Uint8Array | undefined {
    return this.engine.get(toBytes(key, "key"), toSnapshot(options, "get")) ?? undefined;
  }

  /**
   * Copies the value into `target`, from its start, if it fits. The value's length, which may be more than
   * `target` holds, or -1 when there is none. The fastest read: no memory is allocated for the value.
   */
  getInto(key: Data, target: Uint8Array, options: ReadOptions = none): number {
    if (!(target instanceof Uint8Array)) {
      throw invalidArgument(`the target of getInto must be a Uint8Array, not ${nameOf(target)}`);
    }
    return this.engine.getInto(toBytes(key, "key"), target, toSnapshot(options, "getInto"));
  }

  /** The values of `keys` in their order, all as of one instant. */
  getMany(keys: readonly Data[], options: ReadOptions = none): (Uint8Array | undefined)[] {
    if (!Array.isArray(keys)) throw invalidArgument(`getMany takes an array of keys, not ${nameOf(keys)}`);
    const snapshot = toSnapshot(options, "getMany");
    const wanted = (keys as readonly Data[]).map((key) => toBytes(key, "key"));
    // Time passes between two keys: without a pin one could be alive when another has expired.
    const at = snapshot ?? this.engine.snapshot();
    try {
      return wanted.map((key) => this.engine.get(key, at) ?? undefined);
    } finally {
      if (snapshot === null) at.release();
    }
  }

  /** Whether `get` would return a value. Does not read the value. */
  has(key: Data, options: ReadOptions = none): boolean {
    return this.engine.has(toBytes(key, "key"), toSnapshot(options, "has"));
  }

  /** Writes `value` under `key`. Options: `ttlMs` or `expiresAtMs`, `signal`. */
  set(key: Data, value: Data, options: WriteOptions & Lifetime = none): Promise<void> {
    // No `async`: the promise of the group is returned as it is, the only one of all its writes.
    try {
      if (options !== none) checkOptions(options, "set", writeNames);
      checkSignal(options.signal, "before the write took effect");
      const batch = this.#emptyBatch();
      const keyBytes = toBytes(key, "key");
      batch.set(keyBytes, toBytes(value, "value"), this.#expiresAtMs(options));
      return this.engine.commitShared(batch);
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      return Promise.reject(error);
    }
  }

  /** Removes `key`; that it was not there is no error. */
  async delete(key: Data, options: WriteOptions = none): Promise<void> {
    if (options !== none) checkOptions(options, "delete", signalNames);
    checkSignal(options.signal, "before the write took effect");
    const batch = this.#emptyBatch();
    batch.delete(toBytes(key, "key"));
    await this.engine.commitShared(batch);
  }

  /**
   * As `set`, and returns when the durability level is met: nothing else of this thread runs meanwhile, so one
   * `set` after another is much faster where many may be under way. Throws where `set` rejects. A long loop of
   * synchronous writes must let other things run now and then, or `NOKV_BUSY` ends it: memory empties only then.
   */
  setSync(key: Data, value: Data, options: Lifetime = none): void {
    if (options !== none) checkOptions(options, "setSync", lifetimeNames);
    const batch = this.#emptyBatch();
    const keyBytes = toBytes(key, "key");
    batch.set(keyBytes, toBytes(value, "value"), this.#expiresAtMs(options));
    this.engine.commitSync(batch);
  }

  /** As `delete`, and returns when it is done; see `setSync`. */
  deleteSync(key: Data): void {
    const batch = this.#emptyBatch();
    batch.delete(toBytes(key, "key"));
    this.engine.commitSync(batch);
  }

  /** As `batch` of operations, and returns when it is done; see `setSync`. */
  batchSync(operations: readonly BatchOperation[]): void {
    this.engine.commitSync(this.#fill(operations, "batchSync"));
  }

  /**
   * Removes every key within bounds, at the cost of one small record however many they are. Later writes in the
   * range live. Empty bounds remove nothing; to remove everything, say `{ prefix: "" }`.
   */
  async deleteRange(bounds: KeyBounds, options: WriteOptions = none): Promise<void> {
    checkWriteOptions(options, "deleteRange");
    const range = toDeletedInterval(bounds, "deleteRange");
    if (range === null) return this.engine.commit(this.#emptyBatch(), () => {});
    const batch = this.#emptyBatch();
    batch.deleteRange(range.start, range.end);
    await this.engine.commitShared(batch);
  }

  /**
   * All of `operations` or none, in their order; of several for one key the last wins. Without arguments: an
   * empty batch to fill by calls.
   */
  batch(): WriteBatch;
  batch(operations: readonly BatchOperation[], options?: WriteOptions): Promise<void>;
  batch(...given: [operations?: readonly BatchOperation[], options?: WriteOptions]): WriteBatch | Promise<void> {
    const [operations, options = none] = given;
    // Not by `undefined`: a variable that was forgotten must not pass for a wish.
    if (given.length > 0) return this.#batchOf(operations, options);
    return new WriteBatch(
      {
        nowMs: () => this.engine.nowMs(),
        commit: (batch, options) => this.#commitFilled(batch, options),
      },
      new Batch(),
    );
  }

  /** The entries within bounds, in the order of their keys, as of now or of a snapshot. Close it. */
  iterator(options: ScanOptions = none): DbIterator {
    if (options !== none) checkOptions(options, "iterator", scanNames);
    const { reverse, limit, keysOnly, signal } = options;
    checkSignal(signal, "before the iterator was made");
    checkFlag(reverse, "reverse");
    checkFlag(keysOnly, "keysOnly");
    const iterator = new DbIterator({
      iterator: this.engine.iterator({
        ...toBounds(options),
        reverse,
        limit,
        keysOnly,
        snapshot: toSnapshotOf(options.snapshot),
      }),
      clock: this.#clock,
      signal,
    });
    if (this.#tracker !== null) iterator.onClosed(this.#tracker.opened("iterator", iterator));
    return iterator;
  }

  /** The keys within bounds, for `for` and `for await`: `for (const key of db.keys({ prefix: "user:" }))`. */
  keys(options: ScanOptions = none): Entries<Uint8Array> {
    return this.#entries({ ...options, keysOnly: true }, (iterator) => iterator.key);
  }

  /** The values within bounds, in the order of their keys. */
  values(options: ScanOptions = none): Entries<Uint8Array> {
    return this.#entries(options, (iterator) => iterator.value);
  }

  /** Key and value of every entry within bounds. */
  entries(options: ScanOptions = none): Entries<[Uint8Array, Uint8Array]> {
    return this.#entries(options, entryOf);
  }

  /** A view of what is visible now. It holds back the space of what it sees: release it, or use `using`. */
  snapshot(): Snapshot {
    const snapshot = this.engine.snapshot();
    if (this.#tracker !== null) snapshot.onReleased = this.#tracker.opened("snapshot", snapshot);
    return snapshot;
  }

  /** What was done since the database was opened, and what it holds now. */
  stats(): DbStats {
    return { ...this.engine.stats(), open: this.#openHandles() };
  }

  /** Moves everything in memory into tables. An abort rejects at once, and the flush goes on. */
  flush(options: SignalOptions = none): Promise<void> {
    return this.#abortable(options, "flush", () => this.engine.flush());
  }

  /** Merges all tables into one sorted level. An abort rejects at once, and the merge goes on. */
  compact(options: SignalOptions = none): Promise<void> {
    return this.#abortable(options, "compact", () => this.engine.compact());
  }

  /**
   * Makes `target`, a directory that is missing or empty and on the same file system, a database of its own with
   * everything written before the call. It shares files with this one by hard links, so it costs no room at
   * first; both go on independently. Rejects with `NOKV_FOREIGN_DIRECTORY` or `NOKV_INVALID_ARGUMENT` when
   * something stands there. An abort rejects at once, and the checkpoint may still appear.
   */
  async checkpoint(target: string, options: SignalOptions = none): Promise<Checkpoint> {
    checkDirectory(target, "target", "checkpoint");
    return await this.#abortable(options, "checkpoint", () => this.engine.checkpoint(target));
  }

  /**
   * Writes what lies within bounds into `target`, a directory that is missing or empty, as tables that `ingest` of
   * any database takes. Everything written before the call is in it. `history`: with all versions that are still
   * there, deletes and lifetimes too. An abort rejects at once, and the export may still appear.
   */
  async exportRange(target: string, options: ExportOptions = none): Promise<Export> {
    checkDirectory(target, "target", "exportRange");
    if (options !== none) checkOptions(options, "exportRange", [...boundNames, ...signalNames, "history"]);
    const { history, signal, ...bounds } = options;
    checkFlag(history, "history");
    const range = toInterval(bounds);
    const { transfer } = this.engine;
    return await this.#abortable({ signal }, "exportRange", () => transfer.exportTables(range, target, history));
  }

  /**
   * Takes in what `exportRange` wrote into `source`, with its versions: all of it at once, or nothing. The range
   * within bounds, by default everything, must hold nothing, deletes of late included, and all that comes must lie
   * within: else it rejects with `NOKV_BUSY` or `NOKV_INVALID_ARGUMENT`. `source` is left as it is.
   */
  async ingest(source: string, options: KeyBounds & SignalOptions = none): Promise<Ingestion> {
    checkDirectory(source, "source", "ingest");
    if (options !== none) checkOptions(options, "ingest", [...boundNames, ...signalNames]);
    const { signal, ...bounds } = options;
    const range = toInterval(bounds);
    return await this.#abortable({ signal }, "ingest", () => this.engine.transfer.ingest(range, source));
  }

  /** How much lies within bounds, estimated from indexes without reading any block. */
  sizeOf(bounds: KeyBounds = none): RangeSize {
    if (bounds !== none) checkOptions(bounds, "sizeOf", boundNames);
    return this.engine.sizeOf(toInterval(bounds));
  }

  /** At most `count` keys, in order, that divide a range into parts of about equal size. */
  sampleKeys(count: number, bounds: KeyBounds = none): Uint8Array[] {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw invalidArgument(`count is ${String(count)}; it must be a non-negative integer`);
    }
    if (bounds !== none) checkOptions(bounds, "sampleKeys", boundNames);
    return this.engine.sampleKeys(toInterval(bounds), count);
  }

  /**
   * Reads every byte of the database and judges it, file after file and in the background: what is unreadable or
   * contradicts itself is a finding of the report, not an error. An abort rejects at once.
   */
  verify(options: SignalOptions = none): Promise<VerifyReport> {
    return this.#abortable(options, "verify", () => this.engine.verify());
  }

  /**
   * Ends in order: everything written becomes durable, whatever the level, and the directory is free. Resolves
   * to what the caller had left open; it is closed too. Rejects with `NOKV_UNDETERMINED` when writes may be
   * lost. May be called again.
   */
  close(): Promise<OpenHandles> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<OpenHandles> {
    const open = this.#openHandles();
    if (open.iterators + open.snapshots > 0) this.#tracker?.leaked(open);
    try {
      await this.engine.close();
    } finally {
      await this.#release();
    }
    return open;
  }

  #openHandles(): OpenHandles {
    const { openIterators, openSnapshots } = this.engine.stats();
    const openedAt = this.#tracker?.openedAt() ?? [];
    return { iterators: openIterators, snapshots: openSnapshots, openedAt };
  }

  #entries<T>(options: ScanOptions, pick: (iterator: DbIterator) => T): Entries<T> {
    return new Entries(() => this.iterator(options), this.#clock, pick);
  }

  async #batchOf(operations: readonly BatchOperation[] | undefined, options: WriteOptions): Promise<void> {
    checkWriteOptions(options, "batch");
    await this.engine.commitShared(this.#fill(operations, "batch"));
  }

  #fill(operations: readonly BatchOperation[] | undefined, call: string): Batch {
    if (!Array.isArray(operations)) {
      throw invalidArgument(`${call} takes an array of operations, not ${nameOf(operations)}`);
    }
    const batch = this.#emptyBatch();
    for (const operation of operations as readonly BatchOperation[]) this.#add(batch, operation);
    return batch;
  }

  async #commitFilled(batch: Batch, options: WriteOptions): Promise<void> {
    checkWriteOptions(options, "commit");
    await this.engine.commitShared(batch);
  }

  /** One batch serves all calls: a commit copies it before it returns. */
  #emptyBatch(): Batch {
    if (this.#batch.byteLength > keptBatchBytesMax) this.#batch = new Batch();
    this.#batch.clear();
    return this.#batch;
  }

  #add(batch: Batch, operation: BatchOperation): void {
    checkOptions(operation, "a batch operation", operationNames);
    switch (operation.type) {
      case "set": {
        const key = toBytes(operation.key, "key");
        batch.set(key, toBytes(operation.value, "value"), this.#expiresAtMs(operation));
        return;
      }
      case "delete":
        batch.delete(toBytes(operation.key, "key"));
        return;
      case "deleteRange": {
        const { type: _, ...bounds } = operation;
        const range = toDeletedInterval(bounds, "a deleteRange operation");
        if (range !== null) batch.deleteRange(range.start, range.end);
        return;
      }
      default: {
        const type: unknown = (operation as { type: unknown }).type;
        throw invalidArgument(`a batch operation is a "set", a "delete" or a "deleteRange", not ${String(type)}`);
      }
    }
  }

  #expiresAtMs(lifetime: Lifetime): number {
    return toExpiresAtMs(lifetime, () => this.engine.nowMs());
  }

  async #abortable<T>(options: SignalOptions, call: string, run: () => Promise<T>): Promise<T> {
    if (options !== none) checkOptions(options, call, signalNames);
    const { signal } = options;
    checkSignal(signal, `before the ${call} began`);
    if (signal === undefined) return await run();
    return await new Promise<T>((resolve, reject) => {
      const abort = (): void => reject(aborted(signal, `the wait for the ${call}, which goes on`));
      signal.addEventListener("abort", abort, { once: true });
      run().then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    });
  }
}

function checkWriteOptions(options: WriteOptions, call: string): void {
  if (options !== none) checkOptions(options, call, signalNames);
  checkSignal(options.signal, "before the write took effect");
}

// oxlint-disable-next-line max-params
function checkDirectory(path: unknown, name: string, call: string): void {
  if (typeof path === "string" && path !== "") return;
  throw invalidArgument(`the ${name} of ${call} must be a directory's path, not ${nameOf(path)}`);
}

function checkFlag(flag: unknown, name: string): void {
  if (flag === undefined || typeof flag === "boolean") return;
  throw invalidArgument(`${name} must be true or false, not ${nameOf(flag)}`);
}

function toSnapshot(options: ReadOptions, call: string): Snapshot | null {
  if (options === none) return null;
  checkOptions(options, call, readNames);
  return toSnapshotOf(options.snapshot);
}

function toSnapshotOf(snapshot: Snapshot | null | undefined): Snapshot | null {
  if (snapshot === null || snapshot === undefined) return null;
  if (snapshot instanceof Snapshot) return snapshot;
  throw invalidArgument(`snapshot must be what db.snapshot() returned, not ${nameOf(snapshot)}`);
}
