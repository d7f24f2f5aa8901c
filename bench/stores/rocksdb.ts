import type { BenchEngine, BenchStore } from "../store.ts";
import { loadPeer, peerVersion } from "./peer-module.ts";

/** What this file uses of @nxtedition/rocksdb 12. Its synchronous calls are not documented. */
interface Rocks {
  open(): Promise<void>;
  close(): Promise<void>;
  _getManySync(keys: readonly Uint8Array[]): readonly (Uint8Array | undefined)[];
  batch(
    operations: readonly { type: "put"; key: Uint8Array; value: Uint8Array }[],
    options: { sync: boolean },
  ): Promise<void>;
  iterator(options: { gte?: Uint8Array; limit?: number; reverse?: boolean }): RocksIterator;
}

interface RocksIterator {
  _nextvSync(size: number, options: object): { readonly rows: readonly Uint8Array[]; readonly finished: boolean };
  close(): Promise<void>;
}

class RocksStore implements BenchStore {
  readonly #rocks: Rocks;
  readonly #writeOptions: { readonly sync: boolean };

  constructor(rocks: Rocks, durable: boolean) {
    this.#rocks = rocks;
    this.#writeOptions = { sync: durable };
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#rocks._getManySync([key])[0];
  }

  /** `put` drops `sync`; only a batch honours it. */
  set(key: Uint8Array, value: Uint8Array): Promise<void> {
    return this.#rocks.batch([{ type: "put", key, value }], this.#writeOptions);
  }

  setMany(keys: readonly Uint8Array[], values: readonly Uint8Array[]): Promise<void> {
    const operations = keys.map((key, index) => ({
      type: "put" as const,
      key,
      value: values[index] ?? new Uint8Array(0),
    }));
    return this.#rocks.batch(operations, this.#writeOptions);
  }

  scan(start: Uint8Array, limit: number): Promise<number> {
    return visit(this.#rocks.iterator({ gte: start, limit }), limit);
  }

  scanAll(reverse: boolean): Promise<number> {
    return visit(this.#rocks.iterator({ reverse }), 1_000);
  }

  close(): Promise<void> {
    return this.#rocks.close();
  }

  counts(): Readonly<Record<string, number>> {
    return {};
  }
}

/** A step may answer fewer entries than asked although there are more: it is bounded in bytes too. */
async function visit(iterator: RocksIterator, step: number): Promise<number> {
  let touched = 0;
  let count = 0;
  for (;;) {
    const { rows, finished } = iterator._nextvSync(step, {});
    for (const bytes of rows) touched += bytes.length;
    count += rows.length / 2;
    if (finished || rows.length === 0) break;
  }
  await iterator.close();
  if (touched < 0) throw new RangeError("lengths are not negative");
  return count;
}

export function rocksEngine(): BenchEngine {
  return {
    name: "rocksdb",
    label: `@nxtedition/rocksdb ${peerVersion("@nxtedition/rocksdb")}, _getManySync`,
    immutableFile: /\.(?:sst|blob)$/,
    open: async (options) => {
      const { RocksLevel } = loadPeer("@nxtedition/rocksdb") as {
        RocksLevel: new (location: string, options: object) => Rocks;
      };
      const rocks = new RocksLevel(options.directory, {
        keyEncoding: "buffer",
        valueEncoding: "buffer",
        compression: false,
        cacheSize: options.cacheBytes,
        memtableMemoryBudget: 4 * options.memtableBytes,
        parallelism: 2,
      });
      await rocks.open();
      return new RocksStore(rocks, options.durable);
    },
  };
}
