import { Histogram } from "./histogram.ts";
import { Xorshift } from "./xorshift.ts";
import { Zipf } from "./zipf.ts";

/** What a benchmark asks of a store. Reads are synchronous where the store can; writes complete by promise. */
export interface BenchStore {
  /** The value, or undefined. */
  get(key: Uint8Array): Uint8Array | undefined;
  set(key: Uint8Array, value: Uint8Array): Promise<void>;
  /** Visits up to `limit` entries from `start` on and returns how many there were. */
  scan(start: Uint8Array, limit: number): number;
  close(): Promise<void>;
  /** Counts worth reporting beside the time: syncs, bytes and so on. */
  counts(): Readonly<Record<string, number>>;
}

export const workloadNames = ["A", "B", "C", "D", "E", "F"] as const;
export type WorkloadName = (typeof workloadNames)[number];

interface Mix {
  readonly read: number;
  readonly update: number;
  readonly insert: number;
  readonly scan: number;
  readonly modify: number;
  readonly latest: boolean;
}

const mix = (part: Partial<Mix>): Mix => ({
  read: 0,
  update: 0,
  insert: 0,
  scan: 0,
  modify: 0,
  latest: false,
  ...part,
});

/** Percentages of the original's harness (YCSB core workloads; E and D insert new records). */
export const workloads: Readonly<Record<WorkloadName, Mix>> = {
  A: mix({ read: 50, update: 50 }),
  B: mix({ read: 95, update: 5 }),
  C: mix({ read: 100 }),
  D: mix({ read: 95, insert: 5, latest: true }),
  E: mix({ scan: 95, insert: 5 }),
  F: mix({ read: 50, modify: 50 }),
};

export interface YcsbOptions {
  readonly records: number;
  readonly operations: number;
  readonly clients: number;
  readonly valueBytes: number;
  readonly scanLengthMax: number;
  readonly seed: number;
}

export const ycsbDefaults: YcsbOptions = {
  records: 1_000_000,
  operations: 1_000_000,
  clients: 16,
  valueBytes: 1_000,
  scanLengthMax: 100,
  seed: 42,
};

export interface PhaseResult {
  readonly operations: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly cpuMicrosPerOperation: number;
  readonly p50Us: number;
  readonly p95Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxMs: number;
  readonly misses: number;
}

const encoder = new TextEncoder();

/** `user` and the decimal of |FNV-1a-64(id as 8 little-endian bytes)| as a signed integer. */
export function ycsbKey(id: number): Uint8Array {
  let hash = 0xcbf29ce484222325n;
  for (let i = 0n; i < 8n; i++) {
    hash ^= (BigInt(id) >> (i * 8n)) & 0xffn;
    hash = BigInt.asUintN(64, hash * 0x100000001b3n);
  }
  const signed = BigInt.asIntN(64, hash);
  const digits = (signed < 0n ? -signed : signed).toString().padStart(7, "0");
  return encoder.encode(`user${digits}`);
}

/** One load and one timed run over a store; both phases use the same `clients` concurrent loops. */
export class Ycsb {
  readonly #store: BenchStore;
  readonly #options: YcsbOptions;
  readonly #keys: Uint8Array[] = [];
  #inserted: number;
  #misses = 0;

  constructor(store: BenchStore, options: YcsbOptions) {
    this.#store = store;
    this.#options = options;
    this.#inserted = options.records;
    // Keys are made before the clock starts: the harness should not be what is measured.
    // Two runs, cold and warm, insert 5 % each, give or take.
    const insertsMax = 2 * Math.ceil(options.operations * 0.06) + options.clients;
    for (let id = 0; id < options.records + insertsMax; id++) this.#keys.push(ycsbKey(id));
  }

  async load(): Promise<PhaseResult> {
    const { records, clients, seed } = this.#options;
    let next = 0;
    return this.#phase(records, async (client, latencies) => {
      const values = new ValueSource(seed + client + 1, this.#options.valueBytes);
      while (next < records) {
        const id = next++;
        const startedAt = performance.now();
        await this.#store.set(this.#key(id), values.next());
        latencies.add((performance.now() - startedAt) * 1e6);
      }
    }, clients);
  }

  async run(name: WorkloadName): Promise<PhaseResult> {
    const { operations, clients } = this.#options;
    const shares = workloads[name];
    let next = 0;
    this.#misses = 0;
    return this.#phase(operations, async (client, latencies) => {
      const actor = this.#actor(client);
      while (next < operations) {
        next++;
        const startedAt = performance.now();
        await this.#operation(shares, actor);
        latencies.add((performance.now() - startedAt) * 1e6);
      }
    }, clients);
  }

  #actor(client: number): Actor {
    const { seed, records, operations, valueBytes } = this.#options;
    const random = new Xorshift(seed * 1000 + client);
    return {
      random,
      zipf: new Zipf(() => random.float(), 1.01, 1, records + 2 * operations),
      values: new ValueSource(seed + client + 1, valueBytes),
    };
  }

  /** Returns a promise only when the operation writes: a synchronous read stays synchronous. */
  #operation(shares: Mix, actor: Actor): Promise<void> | undefined {
    let dice = actor.random.below(100);
    if ((dice -= shares.read) < 0) {
      this.#read(this.#choose(shares, actor));
      return undefined;
    }
    if ((dice -= shares.update) < 0) {
      return this.#store.set(this.#choose(shares, actor), actor.values.next());
    }
    if ((dice -= shares.insert) < 0) return this.#store.set(this.#key(this.#inserted++), actor.values.next());
    if ((dice -= shares.scan) < 0) {
      const length = 1 + actor.random.below(this.#options.scanLengthMax);
      this.#store.scan(this.#choose(shares, actor), length);
      return undefined;
    }
    const key = this.#choose(shares, actor);
    this.#read(key);
    return this.#store.set(key, actor.values.next());
  }

  #read(key: Uint8Array): void {
    if (this.#store.get(key) === undefined) this.#misses++;
  }

  #choose(shares: Mix, actor: Actor): Uint8Array {
    const rank = actor.zipf.nextBelow(this.#inserted);
    return this.#key(shares.latest ? this.#inserted - 1 - rank : rank);
  }

  #key(id: number): Uint8Array {
    const key = this.#keys[id];
    if (key === undefined) throw new RangeError(`record ${id} has no key`);
    return key;
  }

  async #phase(
    operations: number,
    loop: (client: number, latencies: Histogram) => Promise<void>,
    clients: number,
  ): Promise<PhaseResult> {
    const latencies = new Histogram();
    const cpuBefore = process.cpuUsage();
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: clients }, (_, client) => loop(client, latencies)));
    const seconds = (performance.now() - startedAt) / 1000;
    const cpu = process.cpuUsage(cpuBefore);
    return {
      operations,
      seconds,
      perSecond: operations / seconds,
      cpuMicrosPerOperation: (cpu.user + cpu.system) / operations,
      p50Us: latencies.quantile(0.5) / 1000,
      p95Us: latencies.quantile(0.95) / 1000,
      p99Us: latencies.quantile(0.99) / 1000,
      p999Us: latencies.quantile(0.999) / 1000,
      maxMs: latencies.max / 1e6,
      misses: this.#misses,
    };
  }
}

interface Actor {
  readonly random: Xorshift;
  readonly zipf: Zipf;
  readonly values: ValueSource;
}

/** Random values, made inside the timed operation as the original does. */
class ValueSource {
  readonly #random: Xorshift;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;

  constructor(seed: number, valueBytes: number) {
    this.#random = new Xorshift(seed);
    this.#words = new Uint32Array(Math.ceil(valueBytes / 4));
    this.#bytes = new Uint8Array(this.#words.buffer, 0, valueBytes);
  }

  /** Valid until the next call: a store copies what it keeps. */
  next(): Uint8Array {
    this.#random.fill(this.#words);
    return this.#bytes;
  }
}
