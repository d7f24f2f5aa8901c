import { expect, test } from "vitest";
import type { BenchStore } from "../store.ts";
import { workloadNames, workloads, Ycsb, ycsbDefaults, ycsbKey } from "./ycsb.ts";

/** A sorted map that counts what it is asked. */
class CountingStore implements BenchStore {
  readonly entries = new Map<string, number>();
  gets = 0;
  sets = 0;
  scans: number[] = [];

  get(key: Uint8Array): Uint8Array | undefined {
    this.gets++;
    return this.entries.has(text(key)) ? key : undefined;
  }

  set(key: Uint8Array, value: Uint8Array): Promise<void> | undefined {
    this.sets++;
    this.entries.set(text(key), value.length);
    return this.sets % 2 === 0 ? Promise.resolve() : undefined;
  }

  setMany(): undefined {}

  scan(_start: Uint8Array, limit: number): number | Promise<number> {
    this.scans.push(limit);
    return this.scans.length % 2 === 0 ? Promise.resolve(limit) : limit;
  }

  scanAll(): number {
    return this.entries.size;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  counts(): Readonly<Record<string, number>> {
    return {};
  }
}

function text(key: Uint8Array): string {
  return new TextDecoder().decode(key);
}

function exactKey(id: number): string {
  let hash = 0xcbf29ce484222325n;
  for (let i = 0n; i < 8n; i++) {
    hash ^= (BigInt(id) >> (i * 8n)) & 0xffn;
    hash = BigInt.asUintN(64, hash * 0x100000001b3n);
  }
  const signed = BigInt.asIntN(64, hash);
  return `user${(signed < 0n ? -signed : signed).toString().padStart(7, "0")}`;
}

test("keys are the original's: FNV-1a of the number, its absolute value in decimal", () => {
  const ids = [0, 1, 255, 256, 65_535, 999_999, 1_000_000, 2 ** 31, 2 ** 32 - 1, 2 ** 32 + 7, 2 ** 53 - 1];
  for (const id of ids) expect(text(ycsbKey(id))).toBe(exactKey(id));
  for (let id = 0; id < 2_000; id++) expect(text(ycsbKey(id * 977))).toBe(exactKey(id * 977));
});

test("the mixes add up", () => {
  for (const name of workloadNames) {
    const { read, update, insert, scan, modify } = workloads[name];
    expect(read + update + insert + scan + modify).toBe(100);
  }
});

async function ran(name: (typeof workloadNames)[number]): Promise<{ store: CountingStore; misses: number }> {
  const store = new CountingStore();
  const ycsb = new Ycsb(store, { ...ycsbDefaults, records: 2_000, operations: 10_000 });
  await ycsb.load();
  expect(store.entries.size).toBe(2_000);
  expect([...new Set(store.entries.values())]).toEqual([1_000]);
  store.sets = 0;
  const { metrics } = await ycsb.run(name, 60);
  expect(metrics["operations"]).toBe(10_000);
  return { store, misses: metrics["misses"] ?? Number.NaN };
}

test("each workload asks in its proportions, and misses nothing that is there", async () => {
  const expected = { A: [0.5, 0.5], B: [0.95, 0.05], C: [1, 0], D: [0.95, 0.05], E: [0, 0.05], F: [1, 0.5] } as const;
  for (const name of workloadNames) {
    const { store, misses } = await ran(name);
    const [reads, writes] = expected[name];
    expect(Math.abs(store.gets / 10_000 - reads)).toBeLessThan(0.02);
    expect(Math.abs(store.sets / 10_000 - writes)).toBeLessThan(0.02);
    expect(misses).toBe(0);
    const inserts = name === "D" || name === "E" ? store.sets : 0;
    expect(store.entries.size).toBe(2_000 + inserts);
  }
});

test("scans are one to a hundred long, evenly", async () => {
  const { store } = await ran("E");
  expect(Math.min(...store.scans)).toBe(1);
  expect(Math.max(...store.scans)).toBe(100);
  const mean = store.scans.reduce((sum, length) => sum + length, 0) / store.scans.length;
  expect(Math.abs(mean - 50.5)).toBeLessThan(1);
});
