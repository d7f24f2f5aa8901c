/**
 * What a benchmark asks of a store. Reads are synchronous where the store can; a write answers a promise, or
 * undefined when it is already done. Keys and values may be reused by the caller once the call has returned or,
 * for a promise, has resolved: a store that keeps them copies.
 */
export interface BenchStore {
  /** The value, or undefined. May be a view that is valid until the next call. */
  get(key: Uint8Array): Uint8Array | undefined;
  set(key: Uint8Array, value: Uint8Array): Promise<unknown> | undefined;
  /** `keys[i]` to `values[i]`, all or none. */
  setMany(keys: readonly Uint8Array[], values: readonly Uint8Array[]): Promise<unknown> | undefined;
  /** Visits up to `limit` entries from `start` on, touches key and value, and returns how many there were. */
  scan(start: Uint8Array, limit: number): number | Promise<number>;
  /** Visits every entry and returns how many there were. */
  scanAll(reverse: boolean): number | Promise<number>;
  close(): Promise<void>;
  /** Counts worth reporting beside the time: syncs, stalls, bytes and so on. */
  counts(): Readonly<Record<string, number>>;
}

export interface StoreOptions {
  /** Where the store lies; its parent exists. A store that is there already is opened as it is. */
  readonly directory: string;
  /** Every write is on the device before it is acknowledged; otherwise no write waits for the device. */
  readonly durable: boolean;
  /** Total of all read caches, for stores that have one. */
  readonly cacheBytes: number;
  readonly memtableBytes: number;
  /** Values from here on may be kept apart from their keys, for stores that can. */
  readonly valueThresholdBytes: number;
}

export const storeDefaults: Omit<StoreOptions, "directory"> = {
  durable: false,
  cacheBytes: 512 * 2 ** 20,
  memtableBytes: 64 * 2 ** 20,
  valueThresholdBytes: 2_048,
};

/** One engine of the comparison. */
export interface BenchEngine {
  readonly name: string;
  /** Package and version, and how it is called. */
  readonly label: string;
  /** Files that are never written again once they have this name: a copy of a directory may link them. */
  readonly immutableFile: RegExp | null;
  open(options: StoreOptions): Promise<BenchStore>;
}
