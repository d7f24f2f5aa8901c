// Goal: whatever the interleaving of writes, flushes, compactions, crashes and reopenings, the engine
// agrees with a sorted map of values and their expiry, through gets, iterators in both directions, and
// snapshots. Method: random programs over few keys, so that they collide, run on both; fast-check shrinks a
// failure.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { diskFaultsPowerLoss } from "../../sim/disk/disk-faults.ts";
import { Batch } from "./batch.ts";
import { type Engine, openEngine } from "./engine.ts";
import type { IteratorOptions } from "./iterator.ts";
import type { EngineOptions } from "./options.ts";
import type { Snapshot } from "./snapshot.ts";
import { bytesOf, TestWorld, textOf } from "./test-world.test-support.ts";

interface Entry {
  readonly value: string;
  readonly expiresAtMs: number;
}

type Entries = ReadonlyMap<string, Entry>;

/** One write: null deletes. `ttlMs` 0: for ever. */
interface Write {
  readonly key: string;
  readonly value: string | null;
  readonly ttlMs: number;
}

type Step =
  | { readonly kind: "write"; readonly writes: readonly Write[] }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "scan"; readonly options: ScanOptions }
  | { readonly kind: "flush" | "compact" | "snapshot" | "release" | "reopen" | "crash" | "power" };

interface ScanOptions {
  readonly from: string | null;
  readonly fromIncluded: boolean;
  readonly to: string | null;
  readonly toIncluded: boolean;
  readonly reverse: boolean;
  readonly limit: number;
}

const keys = ["", "a", "ab", "b", "c\u0000", "d"];
const key = fc.constantFrom(...keys);
const write: fc.Arbitrary<Write> = fc.record({
  key,
  value: fc.option(fc.string({ maxLength: 30 }), { freq: 3 }),
  ttlMs: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 20 }) },
  ),
});
const scanOptions: fc.Arbitrary<ScanOptions> = fc.record({
  from: fc.option(key), fromIncluded: fc.boolean(), to: fc.option(key), toIncluded: fc.boolean(),
  reverse: fc.boolean(), limit: fc.integer({ min: -1, max: 4 }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      writes: fc.array(write, { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("scan" as const), options: scanOptions }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: -5, max: 30 }) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom("flush", "compact", "snapshot", "release", "reopen", "crash", "power" as const),
    }),
  },
);

const tiny: Partial<EngineOptions> = {
  memtableBytes: 400, tableBytes: 1024, blockBytes: 64, level0TablesMax: 2, levelBytesBase: 1024,
  manifestBytesMax: 512, blockCacheBytes: 300,
};

class Run {
  readonly world = new TestWorld(1, diskFaultsPowerLoss);
  readonly #model = new Map<string, Entry>();
  readonly #snapshots: { readonly snapshot: Snapshot; readonly entries: Entries }[] = [];
  #engine: Engine | null = null;

  get engine(): Engine {
    if (this.#engine === null) throw new Error("not open");
    return this.#engine;
  }

  async open(): Promise<void> {
    this.#engine = await this.world.run(openEngine(this.world.boot(), "/db", tiny));
    this.#snapshots.length = 0;
  }

  async take(taken: Step): Promise<void> {
    switch (taken.kind) {
      case "write":
        return this.#write(taken.writes);
      case "scan":
        return this.#scan(taken.options);
      case "wait":
        this.world.wallMs += taken.ms;
        return this.world.pass(Math.max(0, taken.ms));
      case "flush":
        return this.world.run(this.engine.flush());
      case "compact":
        return this.world.run(this.engine.compact());
      case "snapshot":
        this.#snapshots.push({ snapshot: this.engine.snapshot(), entries: this.#live() });
        return;
      case "release":
        this.#snapshots.shift()?.snapshot.release();
        return;
      case "reopen":
        await this.world.run(this.engine.close());
        return this.open();
      case "crash":
        this.world.processCrash();
        return this.open();
      case "power":
        this.world.powerLoss();
        return this.open();
    }
  }

  check(): void {
    const live = this.#live();
    for (const name of keys) {
      const expected = live.get(name)?.value ?? null;
      expect(textOf(this.engine.get(bytesOf(name)))).toBe(expected);
      expect(textOf(this.engine.latest(bytesOf(name)).value)).toBe(expected);
      for (const { snapshot, entries } of this.#snapshots) {
        expect(textOf(this.engine.get(bytesOf(name), snapshot))).toBe(entries.get(name)?.value ?? null);
      }
    }
    expect(this.engine.stats().openIterators).toBe(0);
  }

  async #write(writes: readonly Write[]): Promise<void> {
    const batch = new Batch();
    const nowMs = this.engine.nowMs();
    for (const { key: name, value, ttlMs } of writes) {
      const expiresAtMs = ttlMs === 0 ? 0 : nowMs + ttlMs;
      if (value === null) batch.delete(bytesOf(name));
      else batch.set(bytesOf(name), bytesOf(value), expiresAtMs);
      if (value === null) this.#model.delete(name);
      else this.#model.set(name, { value, expiresAtMs });
    }
    await this.world.run(
      new Promise<void>((resolve, reject) => {
        this.engine.commit(batch, (error) => (error === null ? resolve() : reject(error)));
      }),
    );
  }

  #scan(options: ScanOptions): void {
    const sources: { readonly snapshot: Snapshot | null; readonly entries: Entries }[] = [
      { snapshot: null, entries: this.#live() },
      ...this.#snapshots,
    ];
    for (const { snapshot, entries } of sources) {
      const found = [...this.engine.iterator({ ...boundsOf(options), snapshot })];
      const shown = found.map(([name, value]) => [textOf(name), textOf(value)]);
      expect(shown).toEqual(expectedScan(entries, options));
    }
  }

  #live(): Entries {
    const nowMs = this.engine.nowMs();
    const isLive = ({ expiresAtMs }: Entry): boolean => expiresAtMs === 0 || expiresAtMs > nowMs;
    return new Map([...this.#model].filter(([, entry]) => isLive(entry)));
  }
}

function boundsOf(options: ScanOptions): IteratorOptions {
  const from = options.from === null ? undefined : bytesOf(options.from);
  const to = options.to === null ? undefined : bytesOf(options.to);
  return {
    reverse: options.reverse,
    limit: options.limit,
    ...(options.fromIncluded ? { gte: from } : { gt: from }),
    ...(options.toIncluded ? { lte: to } : { lt: to }),
  };
}

function expectedScan(entries: Entries, options: ScanOptions): [string, string][] {
  const { from, to } = options;
  const found = [...entries]
    .filter(([name]) => from === null || name > from || (options.fromIncluded && name === from))
    .filter(([name]) => to === null || name < to || (options.toIncluded && name === to))
    .map(([name, { value }]): [string, string] => [name, value])
    .sort(([a], [b]) => (a < b ? -1 : 1));
  if (options.reverse) found.reverse();
  return options.limit < 0 ? found : found.slice(0, options.limit);
}

describe("the engine", () => {
  test("agrees with a map", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (program) => {
        const run = new Run();
        await run.open();
        for (const taken of program) {
          await run.take(taken);
          run.check();
        }
        await run.world.run(run.engine.close());
        expect(run.world.disk.openFiles).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});
