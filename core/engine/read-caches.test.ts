// Goal: point reads are answered from memory where they can be, and the answer never depends on it.
// Method: an engine over a simulated disk; calls of the disk are counted around each read.
import { beforeEach, describe, expect, test } from "vitest";
import { Batch } from "./batch.ts";
import { type Engine, openEngine } from "./engine.ts";
import type { EngineOptions } from "./options.ts";
import type { Snapshot } from "./snapshot.ts";
import { bytesOf, type TestEnv, TestWorld, textOf } from "./test-world.test-support.ts";

const directory = "/db";
const memtableBytes = 4096;
let world: TestWorld;
let env: TestEnv;
let engine: Engine;

async function open(options: Partial<EngineOptions>): Promise<void> {
  env = world.boot();
  engine = await world.run(openEngine(env, directory, { memtableBytes, blockCacheBytes: 0, ...options }));
}

beforeEach(() => {
  world = new TestWorld();
});

async function put(key: string, value: string | null): Promise<void> {
  const batch = new Batch();
  if (value === null) batch.delete(bytesOf(key));
  else batch.set(bytesOf(key), bytesOf(value));
  await world.run(new Promise<void>((resolve) => engine.commit(batch, () => resolve())));
}

async function flush(): Promise<void> {
  await world.run(engine.flush());
}

/** The value, and how many calls of the disk it took. */
function read(key: string, at: Snapshot | null = null): [string | null, number] {
  const before = env.callCount;
  const value = textOf(engine.get(bytesOf(key), at));
  return [value, env.callCount - before];
}

describe("retained memtables", () => {
  test("answer until newer ones need their memory", async () => {
    await open({ retainedMemtableBytes: 16_384, recordCacheBytes: 0 });
    await put("a", "1");
    await flush();
    expect(read("a")).toEqual(["1", 0]);
    expect(engine.stats().retainedMemtableHits).toBe(1);
    await put("a", "2");
    await flush();
    expect(read("a")).toEqual(["2", 0]);
    for (let i = 0; i < 4; i++) {
      await put("b", String(i));
      await flush();
      expect(engine.stats().retainedMemtableBytes).toBeLessThanOrEqual(16_384);
    }
    const [value, calls] = read("a");
    expect(value).toBe("2");
    expect(calls).toBeGreaterThan(0);
    await world.run(engine.close());
    expect(engine.stats().retainedMemtableBytes).toBe(0);
  });

  test("one that is too large takes the older ones with it", async () => {
    await open({ retainedMemtableBytes: 12_000, recordCacheBytes: 0 });
    await put("a", "old");
    await flush();
    // A batch beyond the size of a memtable gets an arena of its own.
    const batch = new Batch().set(bytesOf("a"), bytesOf("new")).set(bytesOf("b"), new Uint8Array(20_000));
    await world.run(new Promise<void>((resolve) => engine.commit(batch, () => resolve())));
    await flush();
    expect(read("a")[0]).toBe("new");
    expect(engine.stats().retainedMemtableBytes).toBe(0);
  });

  test("show a snapshot what it saw", async () => {
    await open({ retainedMemtableBytes: 1 << 20, recordCacheBytes: 0 });
    await put("a", "1");
    await flush();
    const snapshot = engine.snapshot();
    await put("a", "2");
    await put("a", null);
    await flush();
    expect(read("a", snapshot)).toEqual(["1", 0]);
    expect(read("a")).toEqual([null, 0]);
    snapshot.release();
  });
});

describe("record cache", () => {
  const cached = { retainedMemtableBytes: 0, recordCacheBytes: 1 << 16 };

  test("answers the second read of a record in tables", async () => {
    await open(cached);
    await put("a", "1");
    await put("gone", "1");
    await flush();
    await put("gone", null);
    await flush();
    expect(read("a")[1]).toBeGreaterThan(0);
    expect(read("a")).toEqual(["1", 0]);
    expect(read("gone")[0]).toBe(null);
    expect(read("gone")).toEqual([null, 0]);
    await world.run(engine.compact());
    expect(read("a")).toEqual(["1", 0]);
    expect(engine.stats().recordCacheHits).toBe(3);
  });

  test("forgets a key that is written", async () => {
    await open(cached);
    await put("a", "1");
    await flush();
    read("a");
    await put("a", "2");
    expect(read("a")).toEqual(["2", 0]);
    await flush();
    expect(read("a")[0]).toBe("2");
    expect(read("a")).toEqual(["2", 0]);
  });

  test("is not filled by a read that sees less than everything", async () => {
    await open(cached);
    await put("a", "1");
    const snapshot = engine.snapshot();
    await put("a", "2");
    await flush();
    expect(read("a", snapshot)[0]).toBe("1");
    expect(read("a")[0]).toBe("2");
    expect(read("a")).toEqual(["2", 0]);
    // Too new for the snapshot.
    expect(read("a", snapshot)[0]).toBe("1");
    expect(read("a")).toEqual(["2", 0]);
    snapshot.release();
  });

  test("is not filled with what a write under way will replace", async () => {
    await open({ ...cached, durability: "sync" });
    await put("a", "1");
    await flush();
    const batch = new Batch().set(bytesOf("a"), bytesOf("2"));
    const done = new Promise<void>((resolve) => engine.commit(batch, () => resolve()));
    expect(read("a")[0]).toBe("1");
    expect(engine.stats().recordCacheRecords).toBe(0);
    await world.run(done);
    await flush();
    expect(read("a")[0]).toBe("2");
  });
});

test("getInto copies a value that fits, and tells the length of one that does not", async () => {
  await open({});
  await put("a", "hello");
  await put("long", "x".repeat(100));
  const target = new Uint8Array(8).fill(0x2e);
  expect(engine.getInto(bytesOf("a"), target)).toBe(5);
  expect(textOf(target)).toBe("hello...");
  expect(engine.getInto(bytesOf("none"), target)).toBe(-1);
  expect(engine.getInto(bytesOf("long"), target)).toBe(100);
  expect(textOf(target)).toBe("hello...");
  const large = new Uint8Array(100);
  expect(engine.getInto(bytesOf("long"), large)).toBe(100);
  expect(textOf(large)).toBe("x".repeat(100));
});
