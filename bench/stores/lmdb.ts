import type { BenchEngine, BenchStore } from "../store.ts";
import { loadPeer, peerVersion } from "./peer-module.ts";

/** What this file uses of lmdb 3, with binary keys and values. */
interface Lmdb {
  /** A view of a buffer that the next read overwrites: no copy. */
  getBinaryFast(key: Uint8Array): Uint8Array | undefined;
  put(key: Uint8Array, value: Uint8Array): Promise<boolean>;
  transaction<T>(action: () => T): Promise<T>;
  getRange(options: {
    start?: Uint8Array;
    limit?: number;
    reverse?: boolean;
  }): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
  close(): Promise<void>;
}

const mapBytes = 16 * 2 ** 30;

class LmdbStore implements BenchStore {
  readonly #lmdb: Lmdb;

  constructor(lmdb: Lmdb) {
    this.#lmdb = lmdb;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#lmdb.getBinaryFast(key);
  }

  set(key: Uint8Array, value: Uint8Array): Promise<boolean> {
    return this.#lmdb.put(key, value);
  }

  setMany(keys: readonly Uint8Array[], values: readonly Uint8Array[]): Promise<unknown> {
    return this.#lmdb.transaction(() => {
      for (const [index, key] of keys.entries()) void this.#lmdb.put(key, values[index] ?? new Uint8Array(0));
    });
  }

  scan(start: Uint8Array, limit: number): number {
    return visit(this.#lmdb.getRange({ start, limit }));
  }

  scanAll(reverse: boolean): number {
    return visit(this.#lmdb.getRange({ reverse }));
  }

  close(): Promise<void> {
    return this.#lmdb.close();
  }

  counts(): Readonly<Record<string, number>> {
    return {};
  }
}

function visit(range: Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>): number {
  let touched = 0;
  let count = 0;
  for (const { key, value } of range) {
    touched += key.length + value.length;
    count++;
  }
  if (touched < 0) throw new RangeError("lengths are not negative");
  return count;
}

export function lmdbEngine(): BenchEngine {
  return {
    name: "lmdb",
    label: `lmdb ${peerVersion("lmdb")}, getBinaryFast`,
    immutableFile: null,
    open: async (options) => {
      const { open } = loadPeer("lmdb") as { open: (options: object) => Lmdb };
      const durability = options.durable
        // With overlapping syncs a put would resolve before its transaction is on the device.
        ? { overlappingSync: false }
        : { noSync: true };
      return new LmdbStore(
        open({
          path: options.directory,
          mapSize: mapBytes,
          keyEncoding: "binary",
          encoding: "binary",
          compression: false,
          ...durability,
        }),
      );
    },
  };
}
