import {
  checkOptions,
  type Data,
  type KeyBounds,
  type Lifetime,
  lifetimeNames,
  toBytes,
  toDeletedInterval,
  toExpiresAtMs,
} from "./arguments.ts";
import type { Batch } from "./batch.ts";

/** How a `WriteBatch` reaches its database. */
export interface BatchTarget {
  nowMs(): number;
  commit(batch: Batch, options: BatchCommitOptions): Promise<void>;
}

export interface BatchCommitOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes gathered one by one, to happen together or not at all. Keys and values are copied in at once, into one
 * buffer, which makes it the fastest way to load many; nothing is written before `commit`.
 */
export class WriteBatch {
  readonly #target: BatchTarget;
  readonly #batch: Batch;

  constructor(target: BatchTarget, batch: Batch) {
    this.#target = target;
    this.#batch = batch;
  }

  /** Operations gathered so far. */
  get count(): number {
    return this.#batch.count;
  }

  /** Bytes they take in the log; at most `batchBytesMax` may be committed. */
  get byteLength(): number {
    return this.#batch.byteLength;
  }

  set(key: Data, value: Data, options: Lifetime = noLifetime): this {
    if (options !== noLifetime) checkOptions(options, "set", lifetimeNames);
    const keyBytes = toBytes(key, "key");
    const expiresAtMs = toExpiresAtMs(options, () => this.#target.nowMs());
    this.#batch.set(keyBytes, toBytes(value, "value"), expiresAtMs);
    return this;
  }

  delete(key: Data): this {
    this.#batch.delete(toBytes(key, "key"));
    return this;
  }

  /** As `db.deleteRange`: also what this batch has set within bounds before. */
  deleteRange(bounds: KeyBounds): this {
    const range = toDeletedInterval(bounds, "deleteRange");
    if (range !== null) this.#batch.deleteRange(range.start, range.end);
    return this;
  }

  /** Forgets everything gathered, so that it can be filled again. */
  clear(): this {
    this.#batch.clear();
    return this;
  }

  /** As `db.batch(operations)`. It may be committed again, and again after `clear`. */
  commit(options: BatchCommitOptions = {}): Promise<void> {
    return this.#target.commit(this.#batch, options);
  }
}

const noLifetime: Lifetime = Object.freeze({});
