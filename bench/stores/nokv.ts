import { engineOptionsDefault } from "../../core/engine/options.ts";
import type { Db } from "../../core/engine/db.ts";
import { open } from "../../host/open.ts";
import type { BenchEngine, BenchStore, StoreOptions } from "../store.ts";

/** This engine behind the benchmark's interface. */
class NokvStore implements BenchStore {
  readonly #db: Db;
  /** Reads copy into one buffer, as those of the original's harness do. */
  #target = new Uint8Array(4096);

  constructor(db: Db) {
    this.#db = db;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const length = this.#db.getInto(key, this.#target);
    if (length < 0) return undefined;
    if (length <= this.#target.length) return this.#target;
    this.#target = new Uint8Array(length);
    return this.get(key);
  }

  set(key: Uint8Array, value: Uint8Array): Promise<void> {
    return this.#db.set(key, value);
  }

  setMany(keys: readonly Uint8Array[], values: readonly Uint8Array[]): Promise<void> {
    return this.#db.batch(
      keys.map((key, index) => ({ type: "set", key, value: values[index] ?? new Uint8Array(0) })),
    );
  }

  scan(start: Uint8Array, limit: number): number {
    return this.#visit({ gte: start, limit });
  }

  scanAll(reverse: boolean): number {
    return this.#visit({ reverse });
  }

  async close(): Promise<void> {
    await this.#db.close();
  }

  counts(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const [name, value] of Object.entries(this.#db.stats())) {
      if (typeof value === "number") counts[name] = value;
    }
    return { ...counts, level0Tables: this.#db.stats().tablesPerLevel[0] ?? 0 };
  }

  #visit(options: { gte?: Uint8Array; limit?: number; reverse?: boolean }): number {
    const iterator = this.#db.iterator(options);
    let touched = 0;
    let count = 0;
    while (iterator.next()) {
      touched += iterator.keyView.length + iterator.valueLength;
      count++;
    }
    iterator.close();
    if (touched < 0) throw new RangeError("lengths are not negative");
    return count;
  }
}

/** The options of the comparison as far as this tree has them: one total for all read caches, like the peers. */
function nokvOptions(options: StoreOptions): Readonly<Record<string, number | string>> {
  const wanted: Record<string, number | string> = {
    durability: options.durable ? "sync" : "none",
    memtableBytes: options.memtableBytes,
    valueThresholdBytes: options.valueThresholdBytes,
    ...cacheShares(options.cacheBytes),
  };
  return Object.fromEntries(Object.entries(wanted).filter(([name]) => Object.hasOwn(engineOptionsDefault, name)));
}

/** How the total is divided; a tree that has only a block cache gives it everything. */
function cacheShares(totalBytes: number): Record<string, number> {
  if (!Object.hasOwn(engineOptionsDefault, "recordCacheBytes")) return { blockCacheBytes: totalBytes };
  const share = Math.floor(totalBytes / 16);
  return {
    recordCacheBytes: 8 * share,
    blockCacheBytes: 4 * share,
    retainedMemtableBytes: 3 * share,
    pointIndexBytes: share,
  };
}

export const nokvEngine: BenchEngine = {
  name: "nokv",
  label: "nokv",
  immutableFile: /\.(?:sst|vlog)$/,
  open: async (options) => new NokvStore(await open(options.directory, nokvOptions(options))),
};

/** What the options allow memtables and caches together. */
export function nokvBudgetMiB(options: StoreOptions): number {
  const all: Readonly<Record<string, unknown>> = { ...engineOptionsDefault, ...nokvOptions(options) };
  const caches = Object.entries(all)
    .filter(([name]) => /CacheBytes$|^retainedMemtableBytes$|^pointIndexBytes$/.test(name))
    .reduce((sum, [, bytes]) => sum + Number(bytes), 0);
  const memtables = options.memtableBytes * (1 + engineOptionsDefault.immutableMemtablesMax);
  return (caches + memtables) / 2 ** 20;
}
