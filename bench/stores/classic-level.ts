import type { BenchEngine, BenchStore } from "../store.ts";
import { loadPeer, peerVersion } from "./peer-module.ts";

/** What this file uses of classic-level 3, with keys and values as views. */
interface Level {
  open(): Promise<void>;
  close(): Promise<void>;
  getSync(key: Uint8Array): Uint8Array | undefined;
  put(key: Uint8Array, value: Uint8Array, options: { sync: boolean }): Promise<void>;
  batch(
    operations: readonly { type: "put"; key: Uint8Array; value: Uint8Array }[],
    options: { sync: boolean },
  ): Promise<void>;
  iterator(options: { gte?: Uint8Array; limit?: number; reverse?: boolean }): LevelIterator;
}

interface LevelIterator {
  nextv(size: number): Promise<readonly (readonly [Uint8Array, Uint8Array])[]>;
  close(): Promise<void>;
}

class ClassicLevelStore implements BenchStore {
  readonly #level: Level;
  readonly #writeOptions: { readonly sync: boolean };

  constructor(level: Level, durable: boolean) {
    this.#level = level;
    this.#writeOptions = { sync: durable };
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#level.getSync(key);
  }

  set(key: Uint8Array, value: Uint8Array): Promise<void> {
    return this.#level.put(key, value, this.#writeOptions);
  }

  setMany(keys: readonly Uint8Array[], values: readonly Uint8Array[]): Promise<void> {
    const operations = keys.map((key, index) => ({
      type: "put" as const,
      key,
      value: values[index] ?? new Uint8Array(0),
    }));
    return this.#level.batch(operations, this.#writeOptions);
  }

  scan(start: Uint8Array, limit: number): Promise<number> {
    return this.#visit(this.#level.iterator({ gte: start, limit }), limit);
  }

  scanAll(reverse: boolean): Promise<number> {
    return this.#visit(this.#level.iterator({ reverse }), 1_000);
  }

  async #visit(iterator: LevelIterator, step: number): Promise<number> {
    let touched = 0;
    let count = 0;
    for (;;) {
      const entries = await iterator.nextv(step);
      for (const [key, value] of entries) touched += key.length + value.length;
      count += entries.length;
      if (entries.length < step) break;
    }
    await iterator.close();
    if (touched < 0) throw new RangeError("lengths are not negative");
    return count;
  }

  close(): Promise<void> {
    return this.#level.close();
  }

  counts(): Readonly<Record<string, number>> {
    return {};
  }
}

export function classicLevelEngine(): BenchEngine {
  return {
    name: "classic-level",
    label: `classic-level ${peerVersion("classic-level")}, getSync`,
    immutableFile: /\.ldb$/,
    open: async (options) => {
      const { ClassicLevel } = loadPeer("classic-level") as {
        ClassicLevel: new (location: string, options: object) => Level;
      };
      const level = new ClassicLevel(options.directory, {
        keyEncoding: "view",
        valueEncoding: "view",
        compression: false,
        writeBufferSize: options.memtableBytes,
        cacheSize: options.cacheBytes,
      });
      await level.open();
      return new ClassicLevelStore(level, options.durable);
    },
  };
}
