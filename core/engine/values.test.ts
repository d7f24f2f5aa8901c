// Goal: values that stand outside tables are read, held, collected, recovered and refused as values in tables are.
// Method: an engine over a simulated disk, with a threshold of a few bytes.
import { describe, expect, test } from "vitest";
import type { NokvError } from "../errors.ts";
import { Batch } from "./batch.ts";
import { type Engine, openEngine } from "./engine.ts";
import type { EngineOptions } from "./options.ts";
import { bytesOf, TestWorld, textOf } from "./test-world.test-support.ts";

const directory = "/db";
const small: Partial<EngineOptions> = {
  memtableBytes: 8192, tableBytes: 4096, blockBytes: 512, valueThresholdBytes: 100, jobRetryMs: 5,
};

async function openIn(world: TestWorld, options: Partial<EngineOptions> = {}): Promise<Engine> {
  return world.run(openEngine(world.boot(), directory, { ...small, ...options }));
}

async function put(world: TestWorld, engine: Engine, entries: readonly (readonly [string, string])[]): Promise<void> {
  const batch = new Batch();
  for (const [key, value] of entries) batch.set(bytesOf(key), bytesOf(value));
  const told = await world.run(new Promise<NokvError | null>((resolve) => engine.commit(batch, resolve)));
  expect(told).toBe(null);
}

function valueOf(key: string, round: number): string {
  return `${key}/${round}/`.repeat(80);
}

async function fill(world: TestWorld, engine: Engine, round: number, keys = 12): Promise<void> {
  for (let i = 0; i < keys; i++) {
    await put(world, engine, [[`k${String(i).padStart(2, "0")}`, valueOf(`k${i}`, round)]]);
  }
}

function scan(engine: Engine): string[] {
  return [...engine.iterator()].map(([key, value]) => `${textOf(key)}=${textOf(value)}`);
}

function expected(round: number, keys = 12): string[] {
  return Array.from({ length: keys }, (_, i) => `k${String(i).padStart(2, "0")}=${valueOf(`k${i}`, round)}`);
}

function valueNames(world: TestWorld): string[] {
  return world.live.disk.list(directory).filter((name) => name.endsWith(".vlog"));
}

describe("large values", () => {
  test("stay in the segment they were written to, and are found in it after a crash", async () => {
    const world = new TestWorld();
    let engine = await openIn(world);
    await fill(world, engine, 1);
    await world.run(engine.flush());
    expect(engine.stats()).toMatchObject({ valueSegmentsKept: 1, valueBytesWritten: 0, valuesSeparated: 12 });
    expect(engine.stats().bytesFlushed).toBeLessThan(2000);
    expect(scan(engine)).toEqual(expected(1));
    world.powerLoss();
    engine = await openIn(world);
    expect(engine.stats()).toMatchObject({ valueSegments: 1, recovery: { framesReplayed: 0 } });
    expect(scan(engine)).toEqual(expected(1));
    expect(textOf(engine.get(bytesOf("k03")))).toBe(valueOf("k3", 1));
    await world.run(engine.close());
    expect(world.disk.openFiles).toBe(0);
  });

  test("among many small ones are copied once, and merges do not copy them again", async () => {
    const world = new TestWorld();
    const engine = await openIn(world, { memtableBytes: 1 << 16 });
    for (let i = 0; i < 100; i++) await put(world, engine, [[`small-${i}`, "x".repeat(90)]]);
    await fill(world, engine, 1);
    await world.run(engine.flush());
    const { valueBytesWritten } = engine.stats();
    expect(valueBytesWritten).toBeGreaterThan(4000);
    expect(engine.stats().valueSegmentsKept).toBe(0);
    await world.run(engine.compact());
    expect(engine.stats()).toMatchObject({ valueBytesWritten, valuesRelocated: 0 });
    expect(scan(engine).filter((entry) => entry.startsWith("k"))).toEqual(expected(1));
    await world.run(engine.close());
  });

  test("are not touched by who looks at keys alone", async () => {
    const world = new TestWorld();
    const engine = await openIn(world);
    await fill(world, engine, 1);
    await world.run(engine.flush());
    const keys = [...engine.iterator({ keysOnly: true })].map(([key]) => textOf(key));
    expect(keys).toHaveLength(12);
    expect(engine.stats().valueReads).toBe(0);
    expect(engine.iterator({ limit: 3 }).next()).toBe(true);
    expect(engine.stats().valueReads).toBe(0);
    await world.run(engine.close());
  });

  for (const durability of ["none", "interval"] as const) {
    test(`that tables point to are durable at level "${durability}"`, async () => {
      const world = new TestWorld();
      let engine = await openIn(world, { durability, syncIntervalMs: 3_600_000 });
      await fill(world, engine, 1);
      await world.run(engine.flush());
      expect(engine.stats().valueSegmentsKept).toBe(1);
      await fill(world, engine, 2);
      world.powerLoss(3);
      engine = await openIn(world, { durability });
      expect(scan(engine).map((entry) => entry.slice(0, 4))).toEqual(expected(1).map((entry) => entry.slice(0, 4)));
      expect(textOf(engine.get(bytesOf("k11")))).toMatch(/^k11/);
      await world.run(engine.close());
    });
  }
});

describe("garbage", () => {
  test("is collected by a compaction, and its files are gone", async () => {
    const world = new TestWorld();
    const engine = await openIn(world);
    for (let round = 1; round <= 4; round++) {
      await fill(world, engine, round, round === 4 ? 11 : 12);
      await world.run(engine.flush());
    }
    await world.run(engine.compact());
    const stats = engine.stats();
    // One value of the third round outlives the rest of its file.
    expect(stats.valuesRelocated).toBeGreaterThanOrEqual(1);
    expect(stats.valueGarbageBytes).toBe(0);
    expect(stats.valueBytes).toBeLessThan((stats.valueLiveBytes * 8) / 7 + 64);
    expect(stats.valueFilesRemoved).toBeGreaterThanOrEqual(3);
    expect(scan(engine)).toEqual([...expected(4, 11), `k11=${valueOf("k11", 3)}`]);
    await world.run(engine.close());
  });

  test("stays readable for iterators and snapshots that began before", async () => {
    const world = new TestWorld();
    const engine = await openIn(world, { valueFilesOpenMax: 1 });
    await fill(world, engine, 1);
    await world.run(engine.flush());
    const snapshot = engine.snapshot();
    await fill(world, engine, 2);
    await world.run(engine.flush());
    const iterator = engine.iterator();
    await fill(world, engine, 3);
    await world.run(engine.compact());
    expect([...iterator].map(([key, value]) => `${textOf(key)}=${textOf(value)}`)).toEqual(expected(2));
    expect(textOf(engine.get(bytesOf("k05"), snapshot))).toBe(valueOf("k5", 1));
    snapshot.release();
    await world.run(engine.compact());
    expect(engine.stats().valueFilesLingering).toBe(0);
    expect(scan(engine)).toEqual(expected(3));
    expect(engine.stats().valueGarbageBytes).toBe(0);
    await world.run(engine.close());
    expect(world.disk.openFiles).toBe(0);
  });

  test("lingers on the disk as long as an iterator holds it, and not after", async () => {
    const world = new TestWorld();
    const engine = await openIn(world);
    await fill(world, engine, 1);
    await world.run(engine.flush());
    const iterator = engine.iterator();
    await fill(world, engine, 2);
    await world.run(engine.compact());
    expect(engine.stats().valueFilesLingering).toBe(1);
    iterator.close();
    expect(engine.stats()).toMatchObject({ valueFilesLingering: 0, valueFilesRemoved: 1 });
    await world.run(engine.close());
  });

  test("of values in a damaged file stays, and everything else goes on", async () => {
    const world = new TestWorld();
    const engine = await openIn(world, { level0TablesMax: 2 });
    for (let round = 1; round <= 2; round++) {
      await fill(world, engine, round, round === 2 ? 9 : 12);
      await world.run(engine.flush());
    }
    const name = world.live.disk.list(directory).find((each) => /^wal-.*\.log$/.test(each)) ?? "";
    const file = world.live.disk.open(`${directory}/${name}`, "write");
    const size = file.sizeBytes();
    file.write(size - 600, new Uint8Array(40).fill(9), 0, 40);
    file.close();
    const failed = await world.run(engine.compact().then(() => null, (error: unknown) => error));
    const problem = failed as NokvError | null;
    if (problem !== null) expect(problem).toMatchObject({ code: "NOKV_CORRUPTION" });
    await fill(world, engine, 5, 3);
    await world.run(engine.compact());
    expect(textOf(engine.get(bytesOf("k01")))).toBe(valueOf("k1", 5));
    expect(textOf(engine.get(bytesOf("k08")))).toBe(valueOf("k8", 2));
    expect(() => scan(engine)).toThrow(`${directory}/${name}`);
    await world.run(engine.close());
  });

  test("is no reason to keep a value outside once the threshold is raised", async () => {
    const world = new TestWorld();
    let engine = await openIn(world);
    for (let round = 1; round <= 2; round++) {
      await fill(world, engine, round, round === 2 ? 9 : 12);
      await world.run(engine.flush());
    }
    await world.run(engine.close());
    engine = await openIn(world, { valueThresholdBytes: 0, valueGarbagePercent: 1 });
    await world.run(engine.compact());
    expect(engine.stats()).toMatchObject({ valuesRelocated: 3, valueBytesWritten: 0 });
    expect(scan(engine)).toHaveLength(12);
    expect(valueNames(world)).toEqual([]);
    await world.run(engine.close());
  });
});

describe("opening", () => {
  async function prepared(): Promise<{ world: TestWorld; name: string }> {
    const world = new TestWorld();
    const engine = await openIn(world);
    await fill(world, engine, 1);
    await world.run(engine.flush());
    await world.run(engine.close());
    const name = world.live.disk.list(directory).find((each) => /^wal-.*\.log$/.test(each)) ?? "";
    return { world, name };
  }

  test("refuses a directory that misses a value file, and names it", async () => {
    const { world, name } = await prepared();
    world.live.disk.remove(`${directory}/${name}`);
    await expect(openIn(world)).rejects.toMatchObject({ code: "NOKV_CORRUPTION", path: `${directory}/${name}` });
  });

  test("refuses a value file of another size", async () => {
    const { world, name } = await prepared();
    const file = world.live.disk.open(`${directory}/${name}`, "write");
    file.truncate(file.sizeBytes() - 4);
    file.close();
    await expect(openIn(world)).rejects.toThrow("the manifest says");
    const again = world.live.disk.open(`${directory}/${name}`, "read");
    expect(again.sizeBytes()).toBeGreaterThan(5000);
    again.close();
  });

  test("removes value files that the manifest does not name", async () => {
    const { world } = await prepared();
    const orphan = world.live.disk.open(`${directory}/value-000900.vlog`, "create");
    orphan.write(0, new Uint8Array(100), 0, 100);
    orphan.close();
    const engine = await openIn(world);
    expect(valueNames(world)).toEqual([]);
    expect(engine.stats().recovery.filesRemoved).toBeGreaterThan(0);
    expect(scan(engine)).toEqual(expected(1));
    await world.run(engine.close());
  });
});
