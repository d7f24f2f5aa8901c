import { join } from "node:path";
import { type Metrics, type Operate, type PhaseResult, runPhase } from "../phase.ts";
import { type BenchStore, storeDefaults } from "../store.ts";
import type { Finding, SuiteContext } from "../suite.ts";
import { ValueSource } from "../value-source.ts";
import { Xorshift } from "../xorshift.ts";

const valueBytes = 100;
const batchLength = 1_000;
const scanLength = 100;

/** Sixteen decimal digits, as LevelDB's db_bench writes them. */
export function dbBenchKey(id: number): Uint8Array {
  return new TextEncoder().encode(String(id).padStart(16, "0"));
}

/**
 * LevelDB's db_bench set in one process: sequential and batched fills of stores of their own, then a random fill,
 * overwrites, and every way of reading what they left. Random keys are drawn with replacement, so that a few of
 * them were never written.
 */
export async function dbBenchSuite(context: SuiteContext): Promise<readonly Finding[]> {
  const bench = new DbBench(context);
  const findings: Finding[] = [];
  for (const work of ["fillseq", "fillbatch"] as const) {
    const store = await bench.open(work);
    findings.push({ work, metrics: (await bench.fill(store, work)).metrics });
    await store.close();
  }
  let store = await bench.open("fillrandom");
  findings.push({ work: "fillrandom", metrics: (await bench.fill(store, "fillrandom")).metrics });
  findings.push({ work: "overwrite", metrics: (await bench.fill(store, "overwrite")).metrics });
  findings.push({ work: "readrandom", metrics: await bench.readRandom(store) });
  for (const reverse of [false, true]) {
    findings.push({ work: reverse ? "readreverse" : "readseq", metrics: await bench.readAll(store, reverse) });
  }
  findings.push({ work: "scan100", metrics: await bench.scans(store) });
  await store.close();
  const startedAt = performance.now();
  store = await bench.open("fillrandom");
  store.get(dbBenchKey(0));
  findings.push({ work: "reopen", metrics: { openMs: performance.now() - startedAt } });
  await store.close();
  return findings;
}

type Fill = "fillseq" | "fillrandom" | "fillbatch" | "overwrite";

class DbBench {
  readonly #context: SuiteContext;
  readonly #entries: number;
  readonly #keys: readonly Uint8Array[];

  constructor(context: SuiteContext) {
    this.#context = context;
    this.#entries = context.scale.dbBenchEntries;
    this.#keys = Array.from({ length: this.#entries }, (_, id) => dbBenchKey(id));
  }

  open(name: string): Promise<BenchStore> {
    const { engine, directory, scale } = this.#context;
    const cacheBytes = scale.cacheMiB * 2 ** 20;
    return engine.open({ ...storeDefaults, directory: join(directory, name), cacheBytes });
  }

  fill(store: BenchStore, work: Fill): Promise<PhaseResult> {
    const { clients } = this.#context.scale;
    const random = new Xorshift(work === "overwrite" ? 302 : 301);
    if (work === "fillbatch") return this.#fillBatches(store, random);
    let next = 0;
    const choose = work === "fillseq" ? () => next++ : () => random.below(this.#entries);
    return this.#phase(store, this.#entries, clients, (client) => {
      const values = new ValueSource(client + 1, valueBytes);
      return () => store.set(this.#key(choose()), values.next());
    });
  }

  async #fillBatches(store: BenchStore, random: Xorshift): Promise<PhaseResult> {
    const values = Array.from({ length: batchLength }, (_, index) => new ValueSource(index + 1, valueBytes));
    const batches = Math.max(1, Math.floor(this.#entries / batchLength));
    const result = await this.#phase(store, batches, 1, () => () => {
      const keys = values.map(() => this.#key(random.below(this.#entries)));
      return store.setMany(keys, values.map((source) => source.next()));
    });
    return { ...result, metrics: perEntry(result.metrics, batches * batchLength) };
  }

  async readRandom(store: BenchStore): Promise<Metrics> {
    const random = new Xorshift(303);
    let misses = 0;
    const { metrics } = await this.#phase(store, this.#entries, 1, () => () => {
      if (store.get(this.#key(random.below(this.#entries))) === undefined) misses++;
      return undefined;
    });
    return { ...metrics, misses };
  }

  async readAll(store: BenchStore, reverse: boolean): Promise<Metrics> {
    let entries = 0;
    const { metrics } = await this.#phase(store, 1, 1, () => async () => {
      entries += await store.scanAll(reverse);
    });
    return perEntry(metrics, entries);
  }

  async scans(store: BenchStore): Promise<Metrics> {
    const random = new Xorshift(304);
    let entries = 0;
    const count = Math.max(1, Math.floor(this.#entries / scanLength));
    const { metrics } = await this.#phase(store, count, 1, () => () => {
      const visited = store.scan(this.#key(random.below(this.#entries)), scanLength);
      if (typeof visited !== "number") return visited.then((late) => void (entries += late));
      entries += visited;
      return undefined;
    });
    return perEntry(metrics, entries);
  }

  #phase(
    store: BenchStore,
    operations: number,
    clients: number,
    client: (id: number) => Operate,
  ): Promise<PhaseResult> {
    return runPhase(store, { operations, clients, secondsMax: 60 }, client);
  }

  #key(id: number): Uint8Array {
    const key = this.#keys[id];
    if (key === undefined) throw new RangeError(`entry ${id} has no key`);
    return key;
  }
}

/** The rate counts entries; latencies stay those of whole operations. */
function perEntry(metrics: Metrics, entries: number): Metrics {
  const { seconds = 0, cpuUs = 0, operations = 0 } = metrics;
  return { ...metrics, entries, perSecond: entries / seconds, cpuUs: (cpuUs * operations) / entries };
}
