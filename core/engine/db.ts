import type { Env } from "../env/env.ts";
import { NokvError } from "../errors.ts";
import { Batch } from "./batch.ts";
import { type Engine, openEngine } from "./engine.ts";
import { invalidArgument } from "./failure.ts";
import type { EngineIterator, IteratorOptions } from "./iterator.ts";
import type { EngineOptions } from "./options.ts";
import type { Snapshot } from "./snapshot.ts";
import type { EngineStats } from "./stats.ts";

/** A key or a value: bytes, or text that is stored as UTF-8. */
export type Data = Uint8Array | string;

export interface ReadOptions {
  /** Read as of this snapshot instead of now. */
  readonly snapshot?: Snapshot | null | undefined;
}

export interface WriteOptions {
  /** Aborting before the call takes effect rejects with `NOKV_ABORTED`; afterwards it has no effect. */
  readonly signal?: AbortSignal | undefined;
}

export interface Lifetime {
  /** The value is gone after so many milliseconds. */
  readonly ttlMs?: number | undefined;
  /** The value is gone from this instant on, Unix milliseconds. Not together with `ttlMs`. */
  readonly expiresAtMs?: number | undefined;
}

export type BatchOperation =
  | ({ readonly type: "set"; readonly key: Data; readonly value: Data } & Lifetime)
  | { readonly type: "delete"; readonly key: Data };

/** Bounds as in `abstract-level`: `gte` and `lte` count before `gt` and `lt`. */
export interface ScanOptions extends Pick<IteratorOptions, "reverse" | "limit" | "keysOnly" | "snapshot"> {
  readonly gt?: Data | undefined;
  readonly gte?: Data | undefined;
  readonly lt?: Data | undefined;
  readonly lte?: Data | undefined;
  /** Only keys that begin with it. Not together with bounds. */
  readonly prefix?: Data | undefined;
}

/** A buffer that one large write left behind is given back. */
const keptBatchBytesMax = 1024 * 1024;

export async function openDb(env: Env, directory: string, options: Partial<EngineOptions> = {}): Promise<Db> {
  return new Db(await openEngine(env, directory, options));
}

/**
 * The embedded database. Reads are synchronous and see what is durable at the chosen level; writes resolve
 * when that level is met. Everything rejects or throws `NokvError`, whose `code` says what happened.
 */
export class Db {
  readonly engine: Engine;
  readonly #encoder = new TextEncoder();
  #batch = new Batch();

  constructor(engine: Engine) {
    this.engine = engine;
  }

  /** A copy of the value, or undefined. Copies may share one `ArrayBuffer`, as small `Buffer`s do. */
  get(key: Data, options: ReadOptions = {}): Uint8Array | undefined {
    return this.engine.get(this.#bytes(key, "key"), options.snapshot ?? null) ?? undefined;
  }

  /** The values of `keys` in their order, all as of one instant. */
  getMany(keys: readonly Data[], options: ReadOptions = {}): (Uint8Array | undefined)[] {
    if (!Array.isArray(keys)) throw invalidArgument("getMany expects an array of keys");
    const snapshot = options.snapshot ?? null;
    return keys.map((key) => this.engine.get(this.#bytes(key, "key"), snapshot) ?? undefined);
  }

  async set(key: Data, value: Data, options: WriteOptions & Lifetime = {}): Promise<void> {
    checkSignal(options.signal);
    const batch = this.#emptyBatch();
    this.#add(batch, { type: "set", key, value, ttlMs: options.ttlMs, expiresAtMs: options.expiresAtMs });
    await this.#commit(batch);
  }

  async delete(key: Data, options: WriteOptions = {}): Promise<void> {
    checkSignal(options.signal);
    const batch = this.#emptyBatch();
    this.#add(batch, { type: "delete", key });
    await this.#commit(batch);
  }

  /** All of `operations` or none, in their order. */
  async batch(operations: readonly BatchOperation[], options: WriteOptions = {}): Promise<void> {
    checkSignal(options.signal);
    if (!Array.isArray(operations)) throw invalidArgument("batch expects an array of operations");
    const batch = this.#emptyBatch();
    for (const operation of operations) this.#add(batch, operation);
    await this.#commit(batch);
  }

  /** The entries within bounds, in the order of their keys. Close it. */
  iterator(options: ScanOptions = {}): EngineIterator {
    const { prefix } = options;
    if (prefix === undefined) {
      return this.engine.iterator({
        ...options,
        gt: this.#bound(options.gt),
        gte: this.#bound(options.gte),
        lt: this.#bound(options.lt),
        lte: this.#bound(options.lte),
      });
    }
    for (const name of ["gt", "gte", "lt", "lte"] as const) {
      if (options[name] !== undefined) throw invalidArgument(`prefix and ${name} exclude each other`);
    }
    const gte = this.#bytes(prefix, "prefix");
    const { reverse, limit, keysOnly, snapshot } = options;
    return this.engine.iterator({ reverse, limit, keysOnly, snapshot, gte, lt: behindPrefix(gte) });
  }

  /** A view of what is visible now. Release it. */
  snapshot(): Snapshot {
    return this.engine.snapshot();
  }

  stats(): EngineStats {
    return this.engine.stats();
  }

  flush(): Promise<void> {
    return this.engine.flush();
  }

  compact(): Promise<void> {
    return this.engine.compact();
  }

  close(): Promise<void> {
    return this.engine.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #commit(batch: Batch): Promise<void> {
    return new Promise((resolve, reject) => {
      this.engine.commit(batch, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  /** One batch serves all calls: a commit copies it before it returns. */
  #emptyBatch(): Batch {
    if (this.#batch.byteLength > keptBatchBytesMax) this.#batch = new Batch();
    this.#batch.clear();
    return this.#batch;
  }

  #add(batch: Batch, operation: BatchOperation): void {
    switch (operation.type) {
      case "set": {
        const value = this.#bytes(operation.value, "value");
        batch.set(this.#bytes(operation.key, "key"), value, this.#expiresAtMs(operation));
        return;
      }
      case "delete":
        batch.delete(this.#bytes(operation.key, "key"));
        return;
      default: {
        const type: unknown = (operation as { type: unknown }).type;
        throw invalidArgument(`a batch operation is of type "set" or "delete", not ${String(type)}`);
      }
    }
  }

  #expiresAtMs(lifetime: Lifetime): number {
    const { ttlMs, expiresAtMs } = lifetime;
    if (ttlMs === undefined) return expiresAtMs ?? 0;
    if (expiresAtMs !== undefined) throw invalidArgument("ttlMs and expiresAtMs exclude each other");
    if (!Number.isSafeInteger(ttlMs) || ttlMs < 1) {
      throw invalidArgument(`ttlMs is ${String(ttlMs)}; it must be an integer of at least 1`);
    }
    return this.engine.nowMs() + ttlMs;
  }

  #bound(data: Data | undefined): Uint8Array | undefined {
    return data === undefined ? undefined : this.#bytes(data, "bound");
  }

  #bytes(data: Data, what: string): Uint8Array {
    if (typeof data === "string") return this.#encoder.encode(data);
    if (data instanceof Uint8Array) return data;
    throw invalidArgument(`the ${what} must be a Uint8Array or a string`);
  }
}

function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new NokvError("NOKV_ABORTED", "aborted before the write took effect", { cause: signal.reason });
}

/** The least key above all that begin with `prefix`; undefined when there is none. */
function behindPrefix(prefix: Uint8Array): Uint8Array | undefined {
  for (let length = prefix.length; length > 0; length--) {
    const last = prefix[length - 1] ?? 0;
    if (last === 0xff) continue;
    const behind = prefix.slice(0, length);
    behind[length - 1] = last + 1;
    return behind;
  }
  return undefined;
}
