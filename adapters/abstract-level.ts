import { AbstractLevel, type AbstractDatabaseOptions, type AbstractSnapshot } from "abstract-level";
import { assert } from "../core/assert.ts";
import type { BatchOperation, Db, ScanOptions } from "../core/engine/db.ts";
import type { DbIterator } from "../core/engine/db-iterator.ts";
import { engineOptionsDefault } from "../core/engine/options.ts";
import type { Snapshot } from "../core/engine/snapshot.ts";
import { open, type OpenOptions } from "../host/open.ts";
import { LevelBatch } from "./level-batch.ts";
import { inLevelTerms, inLevelTermsLater } from "./level-error.ts";
import { LevelIterator, LevelKeyIterator, LevelValueIterator, type WalkOptions } from "./level-iterator.ts";
import { LevelSnapshot } from "./level-snapshot.ts";

export { NokvLevelError } from "./level-error.ts";

/** Opens the database beneath; by default `open` of `nokv`. */
export type Opener = (directory: string, options: OpenOptions) => Promise<Db>;

/** The options of `abstract-level` and those of `nokv`'s `open`, side by side. */
export interface NokvLevelOptions<K, V>
  extends AbstractDatabaseOptions<K, V>, Omit<OpenOptions, "createIfMissing" | "errorIfExists"> {
  readonly opener?: Opener | undefined;
}

/** What `abstract-level` hands to the private methods. */
interface PrivateReadOptions {
  readonly snapshot?: AbstractSnapshot | undefined;
}

interface PrivateRange extends PrivateReadOptions, WalkOptions {
  readonly gt?: Uint8Array;
  readonly gte?: Uint8Array;
  readonly lt?: Uint8Array;
  readonly lte?: Uint8Array;
  readonly reverse: boolean;
  readonly limit: number;
}

type PrivateOperation =
  | { readonly type: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: "del"; readonly key: Uint8Array };

const manifest = {
  encodings: { view: true },
  seek: true,
  has: true,
  getSync: true,
  permanence: true,
  implicitSnapshots: true,
  explicitSnapshots: true,
  createIfMissing: true,
  errorIfExists: true,
  signals: { iterators: true },
  additionalMethods: { flush: true, compact: true, stats: true },
};

/** What `open` of `nokv` knows; the rest of the options is `abstract-level`'s. */
const openNames = new Set([...Object.keys(engineOptionsDefault), "signal", "trackLeaks"]);

/** Keys deleted by one batch of `clear`, when it has a limit or a snapshot. */
const clearedPerBatchMax = 10_000;

/**
 * A `nokv` database with the interface of `abstract-level` 3, for everything that is written against `level`:
 * `new NokvLevel("./data", { valueEncoding: "json" })`. Errors carry `LEVEL_*` codes; their `cause` is the
 * `NokvError`. A write resolves when the durability level the database was opened with is met.
 */
export class NokvLevel<K = string, V = string> extends AbstractLevel<Uint8Array, K, V> {
  readonly location: string;
  readonly #opener: Opener;
  #db: Db | null = null;

  constructor(location: string, options: NokvLevelOptions<K, V> = {}) {
    const { opener = open, ...forward } = options;
    super(manifest, forward as AbstractDatabaseOptions<K, V>);
    this.location = location;
    this.#opener = opener;
  }

  /** The database beneath, for what `abstract-level` has no word for. Open while this is. */
  get db(): Db {
    assert(this.#db !== null, "the database is open");
    return this.#db;
  }

  flush(): Promise<void> {
    return inLevelTermsLater(() => this.db.flush());
  }

  compact(): Promise<void> {
    return inLevelTermsLater(() => this.db.compact());
  }

  stats(): ReturnType<Db["stats"]> {
    return this.db.stats();
  }

  async _open(options: Readonly<Record<string, unknown>>): Promise<void> {
    const known = Object.entries(options).filter(([name]) => openNames.has(name));
    this.#db = await inLevelTermsLater(() => this.#opener(this.location, Object.fromEntries(known)));
  }

  async _close(): Promise<void> {
    const { db } = this;
    await inLevelTermsLater(() => db.close());
    this.#db = null;
  }

  async _get(key: Uint8Array, options: PrivateReadOptions): Promise<Uint8Array | undefined> {
    return this._getSync(key, options);
  }

  _getSync(key: Uint8Array, options: PrivateReadOptions): Uint8Array | undefined {
    return inLevelTerms(() => this.db.get(key, { snapshot: beneath(options) }));
  }

  async _getMany(keys: Uint8Array[], options: PrivateReadOptions): Promise<(Uint8Array | undefined)[]> {
    return inLevelTerms(() => this.db.getMany(keys, { snapshot: beneath(options) }));
  }

  async _has(key: Uint8Array, options: PrivateReadOptions): Promise<boolean> {
    return inLevelTerms(() => this.db.has(key, { snapshot: beneath(options) }));
  }

  async _hasMany(keys: Uint8Array[], options: PrivateReadOptions): Promise<boolean[]> {
    const snapshot = beneath(options);
    return inLevelTerms(() => keys.map((key) => this.db.has(key, { snapshot })));
  }

  async _put(key: Uint8Array, value: Uint8Array): Promise<void> {
    await inLevelTermsLater(() => this.db.set(key, value));
  }

  async _del(key: Uint8Array): Promise<void> {
    await inLevelTermsLater(() => this.db.delete(key));
  }

  async _batch(operations: readonly PrivateOperation[]): Promise<void> {
    await inLevelTermsLater(() => this.db.batch(operations.map(operationOf)));
  }

  _chainedBatch(): LevelBatch<this, K, V> {
    return new LevelBatch(this, this.db.batch());
  }

  /** All at once without limit and snapshot; else in batches. */
  async _clear(options: PrivateRange): Promise<void> {
    await inLevelTermsLater(async () => {
      const { reverse: _, snapshot, ...bounds } = rangeOf(options);
      if (options.limit < 0 && snapshot === null) {
        const some = Object.values(bounds).some((bound) => bound !== undefined);
        return await this.db.deleteRange(some ? bounds : { prefix: "" });
      }
      using iterator = this.db.iterator({ ...rangeOf(options), keysOnly: true, limit: options.limit });
      const batch = this.db.batch();
      while (iterator.next()) {
        batch.delete(iterator.key);
        if (batch.count < clearedPerBatchMax) continue;
        await batch.commit();
        batch.clear();
      }
      await batch.commit();
    });
  }

  _iterator(options: PrivateRange): LevelIterator<this, K, V> {
    return new LevelIterator<this, K, V>(this, options, this.#walk(options, options.values !== false));
  }

  _keys(options: PrivateRange): LevelKeyIterator<this, K> {
    return new LevelKeyIterator<this, K>(this, options, this.#walk(options, false));
  }

  _values(options: PrivateRange): LevelValueIterator<this, K, V> {
    return new LevelValueIterator<this, K, V>(this, options, this.#walk(options, true));
  }

  _snapshot(options: object): LevelSnapshot {
    return new LevelSnapshot(options, inLevelTerms(() => this.db.snapshot()));
  }

  /** `limit` stays with `abstract-level`, which counts over seeks. */
  #walk(options: PrivateRange, values: boolean): DbIterator {
    // It refuses each step of a walk through a closed snapshot, but not the walk.
    if (beneath(options)?.released === true) return this.db.iterator({ limit: 0 });
    return inLevelTerms(() => this.db.iterator({ ...rangeOf(options), keysOnly: !values }));
  }
}

function beneath({ snapshot }: PrivateReadOptions): Snapshot | null {
  if (snapshot === undefined || snapshot === null) return null;
  if (snapshot instanceof LevelSnapshot) return snapshot.snapshot;
  throw new TypeError("the snapshot belongs to another kind of database");
}

function rangeOf(options: PrivateRange): ScanOptions {
  const { gt, gte, lt, lte, reverse } = options;
  return { gt, gte, lt, lte, reverse, snapshot: beneath(options) };
}

function operationOf(operation: PrivateOperation): BatchOperation {
  const { key } = operation;
  return operation.type === "put" ? { type: "set", key, value: operation.value } : { type: "delete", key };
}
