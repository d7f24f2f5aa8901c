import { KeySlab } from "../key-slab.ts";
import { type Metrics, type Operate, type PhaseResult, runPhase } from "../phase.ts";
import type { BenchStore } from "../store.ts";
import { ValueSource } from "../value-source.ts";
import { Xorshift } from "../xorshift.ts";
import { Zipf } from "../zipf.ts";

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

const encoder = new TextEncoder();

/**
 * `user` and the decimal of |FNV-1a-64(id as 8 little-endian bytes)| as a signed integer. In two halves: a million
 * keys are made before each run, and bigints would take longer than the run.
 */
export function ycsbKey(id: number): Uint8Array {
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  const halves = [id >>> 0, Math.floor(id / 2 ** 32)];
  for (let i = 0; i < 8; i++) {
    low = (low ^ (((halves[i >> 2] ?? 0) >>> ((i & 3) * 8)) & 0xff)) >>> 0;
    // The prime is 2^40 + 0x1b3.
    const product = low * 0x1b3;
    high = (high * 0x1b3 + Math.floor(product / 2 ** 32) + ((low << 8) >>> 0)) % 2 ** 32;
    low = product % 2 ** 32;
  }
  const signed = BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
  const digits = (signed < 0n ? -signed : signed).toString().padStart(7, "0");
  return encoder.encode(`user${digits}`);
}

/** One load and timed runs over a store; every phase uses the same number of concurrent loops. */
export class Ycsb {
  readonly #store: BenchStore;
  readonly #options: YcsbOptions;
  readonly #keys: Uint8Array[] = [];
  #inserted: number;
  #misses = 0;
  #scanned = 0;

  constructor(store: BenchStore, options: YcsbOptions) {
    this.#store = store;
    this.#options = options;
    this.#inserted = options.records;
    // Keys are made before the clock starts: the harness should not be what is measured.
    // Two runs, cold and warm, insert 5 % each, give or take.
    const insertsMax = 2 * Math.ceil(options.operations * 0.06) + options.clients;
    const slab = new KeySlab();
    for (let id = 0; id < options.records + insertsMax; id++) this.#keys.push(slab.keep(ycsbKey(id)));
  }

  load(): Promise<PhaseResult> {
    const { records, clients, seed, valueBytes } = this.#options;
    let next = 0;
    const phase = { operations: records, clients, secondsMax: Number.POSITIVE_INFINITY };
    return runPhase(this.#store, phase, (client) => {
      const values = new ValueSource(seed + client + 1, valueBytes);
      return () => this.#store.set(this.#key(next++), values.next());
    });
  }

  /** `secondsMax`: slow stores are measured over fewer operations. */
  async run(name: WorkloadName, secondsMax: number): Promise<PhaseResult> {
    const { operations, clients } = this.#options;
    const shares = workloads[name];
    this.#misses = 0;
    this.#scanned = 0;
    const result = await runPhase(this.#store, { operations, clients, secondsMax }, (client) =>
      this.#client(client, shares),
    );
    const metrics: Metrics = { ...result.metrics, misses: this.#misses, scanned: this.#scanned };
    return { ...result, metrics };
  }

  #client(client: number, shares: Mix): Operate {
    const { seed, records, operations, valueBytes } = this.#options;
    const random = new Xorshift(seed * 1000 + client);
    const actor: Actor = {
      random,
      zipf: new Zipf(() => random.float(), 1.01, 1, records + 2 * operations),
      values: new ValueSource(seed + client + 1, valueBytes),
    };
    return () => this.#operation(shares, actor);
  }

  /** Returns a promise only when the store does: a synchronous read stays synchronous. */
  #operation(shares: Mix, actor: Actor): Promise<unknown> | undefined {
    let dice = actor.random.below(100);
    if ((dice -= shares.read) < 0) {
      this.#read(this.#choose(shares, actor));
      return undefined;
    }
    if ((dice -= shares.update) < 0) {
      return this.#store.set(this.#choose(shares, actor), actor.values.next());
    }
    // Others may read the new record before it is there, as in the original: that counts as a miss.
    if ((dice -= shares.insert) < 0) return this.#store.set(this.#key(this.#inserted++), actor.values.next());
    if ((dice -= shares.scan) < 0) {
      const length = 1 + actor.random.below(this.#options.scanLengthMax);
      return this.#scan(this.#choose(shares, actor), length);
    }
    const key = this.#choose(shares, actor);
    this.#read(key);
    return this.#store.set(key, actor.values.next());
  }

  #read(key: Uint8Array): void {
    if (this.#store.get(key) === undefined) this.#misses++;
  }

  #scan(start: Uint8Array, length: number): Promise<void> | undefined {
    const count = this.#store.scan(start, length);
    if (typeof count === "number") {
      this.#scanned += count;
      return undefined;
    }
    return count.then((visited) => {
      this.#scanned += visited;
    });
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
}

interface Actor {
  readonly random: Xorshift;
  readonly zipf: Zipf;
  readonly values: ValueSource;
}
