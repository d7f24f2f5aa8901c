// Goal: range deletes and column families by example, over memory, tables, snapshots, crashes and caches.
// Method: an engine over a simulated disk; calls of the disk are counted where reading must be saved.
import { beforeEach, describe, expect, test } from "vitest";
import type { NokvError } from "../errors.ts";
import { Batch } from "./batch.ts";
import { type Engine, openEngine } from "./engine.ts";
import type { IteratorOptions } from "./iterator.ts";
import type { EngineOptions } from "./options.ts";
import { bytesOf, type TestEnv, TestWorld, textOf } from "./test-world.test-support.ts";

const directory = "/db";
let world: TestWorld;
let env: TestEnv;
let engine: Engine;

async function open(options: Partial<EngineOptions> = {}): Promise<void> {
  env = world.boot();
  const small = { memtableBytes: 1 << 16, retainedMemtableBytes: 0, recordCacheBytes: 0 };
  engine = await world.run(openEngine(env, directory, { ...small, ...options }));
}

beforeEach(async () => {
  world = new TestWorld();
  await open();
});

async function commit(batch: Batch): Promise<void> {
  const error = await world.run(new Promise<NokvError | null>((resolve) => engine.commit(batch, resolve)));
  expect(error).toBe(null);
}

async function fill(keys: string, value = "1"): Promise<void> {
  const batch = new Batch();
  for (const key of keys) batch.set(bytesOf(key), bytesOf(value));
  await commit(batch);
}

function range(start: string, end: string | null, family = 0): Batch {
  return new Batch().deleteRange(bytesOf(start), end === null ? null : bytesOf(end), family);
}

function scan(options: IteratorOptions = {}): string {
  return [...engine.iterator(options)].map(([key]) => textOf(key)).join("");
}

function gets(keys: string): string {
  return keys.split("").filter((key) => engine.get(bytesOf(key)) !== null).join("");
}

describe("a range delete", () => {
  test.each(["in memory", "over tables", "in tables", "merged"])("hides what is older, %s", async (where) => {
    await fill("abcdef");
    if (where === "over tables") await world.run(engine.flush());
    await commit(range("b", "e"));
    await fill("c", "2");
    if (where === "in tables") await world.run(engine.flush());
    if (where === "merged") await world.run(engine.compact());
    expect([gets("abcdef"), scan(), scan({ reverse: true })]).toEqual(["acef", "acef", "feca"]);
    expect(engine.has(bytesOf("b"))).toBe(false);
    expect(engine.has(bytesOf("c"))).toBe(true);
    if (where === "merged") expect(engine.stats()).toMatchObject({ rangeTombstones: 0, rangeDeletes: 1 });
  });

  test("is seen by who reads at its version, and by nobody before", async () => {
    await fill("abc");
    const before = engine.snapshot();
    await commit(range("a", null));
    await world.run(engine.flush());
    await fill("b", "2");
    await world.run(engine.compact());
    expect(scan()).toBe("b");
    expect(scan({ snapshot: before })).toBe("abc");
    expect(textOf(engine.get(bytesOf("b"), before))).toBe("1");
    before.release();
    await world.run(engine.compact());
    expect(scan({ reverse: true })).toBe("b");
  });

  test("is the newest word on a key for latest, whether or not anything was there", async () => {
    await fill("a");
    await commit(range("a", "c"));
    for (const key of ["a", "b"]) {
      expect(engine.latest(bytesOf(key))).toEqual({ value: null, expiresAtMs: 0, version: engine.visibleVersion });
    }
    expect(engine.latest(bytesOf("c")).version).toBe(0);
  });

  test("takes what its batch wrote before, and leaves what it writes after", async () => {
    const batch = new Batch();
    for (const key of "abc") batch.set(bytesOf(key), bytesOf("1"));
    batch.set(bytesOf("b"), bytesOf("other"), 0, 1);
    batch.deleteRange(bytesOf("b"), null).set(bytesOf("c"), bytesOf("2"));
    expect(batch.count).toBe(4);
    await commit(batch);
    expect(scan()).toBe("ac");
    expect(textOf(engine.get(bytesOf("b"), null, 1))).toBe("other");
    await world.run(engine.flush());
    expect(scan()).toBe("ac");
  });

  test("survives a restart from the log and from tables", async () => {
    await fill("abcd");
    await commit(range("b", "d"));
    await world.run(engine.close());
    await open();
    expect(scan()).toBe("ad");
    await world.run(engine.flush());
    await world.run(engine.close());
    await open();
    expect([scan(), gets("abcd")]).toEqual(["ad", "ad"]);
  });

  test("alone in a memtable becomes a table of its own", async () => {
    await fill("abc");
    await world.run(engine.flush());
    await commit(range("a", "c"));
    await world.run(engine.flush());
    expect(engine.stats().tablesPerLevel[0]).toBe(2);
    expect([scan(), gets("abc")]).toEqual(["c", "c"]);
    await world.run(engine.close());
    await open();
    expect([scan(), gets("abc")]).toEqual(["c", "c"]);
  });

  test("an empty or reversed one is refused, and a family that does not exist", () => {
    const batch = new Batch();
    expect(() => batch.deleteRange(bytesOf("a"), bytesOf("a"))).toThrow("empty");
    expect(() => batch.deleteRange(bytesOf("b"), bytesOf("a"))).toThrow("empty");
    expect(() => batch.deleteRange(bytesOf(""), bytesOf(""))).toThrow("empty");
    for (const family of [-1, 255, 1.5]) {
      expect(() => batch.deleteRange(bytesOf("a"), null, family)).toThrow("family");
      expect(() => batch.set(bytesOf("a"), bytesOf(""), 0, family)).toThrow("family");
      expect(() => batch.delete(bytesOf("a"), family)).toThrow("family");
      expect(() => engine.iterator({ family })).toThrow("family");
    }
    expect(batch.count).toBe(0);
  });
});

describe("families", () => {
  test("hold the same keys apart, the last one too", async () => {
    for (const family of [0, 1, 254]) {
      await commit(new Batch().set(bytesOf("k"), bytesOf(String(family)), 0, family));
    }
    await commit(range("", null, 1));
    for (const merged of [false, true]) {
      if (merged) await world.run(engine.compact());
      expect([0, 1, 254].map((family) => textOf(engine.get(bytesOf("k"), null, family)))).toEqual(["0", null, "254"]);
      expect([0, 1, 254].map((family) => scan({ family, reverse: true }))).toEqual(["k", "", "k"]);
    }
    await commit(range("", null, 254));
    expect(scan({ family: 254 })).toBe("");
    expect(engine.latest(bytesOf("k"), 0).version).toBeGreaterThan(0);
  });
});

describe("what is saved", () => {
  const keys = Array.from({ length: 3000 }, (_, i) => `key${String(i).padStart(5, "0")}`);

  async function fillMany(): Promise<void> {
    for (let at = 0; at < keys.length; at += 100) {
      const batch = new Batch();
      for (const key of keys.slice(at, at + 100)) batch.set(bytesOf(key), new Uint8Array(100));
      await commit(batch);
    }
  }

  test.each([false, true])("a scan (reverse: %s) jumps over hidden tables instead of reading them", async (reverse) => {
    await world.run(engine.close());
    await open({ blockCacheBytes: 0, tableBytes: 16_384 });
    await fillMany();
    await world.run(engine.compact());
    await commit(range("key00100", "key02900"));
    const before = env.callCount;
    expect([...engine.iterator({ reverse })]).toHaveLength(200);
    expect(env.callCount - before).toBeLessThan(60);
  });

  test("a compaction drops hidden tables unread", async () => {
    await world.run(engine.close());
    await open({ tableBytes: 16_384 });
    await fillMany();
    await world.run(engine.compact());
    const tables = engine.stats().tablesPerLevel.reduce((sum, count) => sum + count, 0);
    expect(tables).toBeGreaterThan(10);
    await commit(range("", null));
    await world.run(engine.flush());
    const opened = env.callCount;
    await world.run(engine.compact());
    expect(env.callCount - opened).toBeLessThan(3 * tables);
    expect(engine.stats().tableBytesPerLevel.every((bytes) => bytes === 0)).toBe(true);
    expect(scan()).toBe("");
  });

  test("caches do not outlive the range tombstone that hid what they hold", async () => {
    await world.run(engine.close());
    await open({ retainedMemtableBytes: 1 << 20, recordCacheBytes: 1 << 16 });
    await fill("ab");
    await world.run(engine.flush());
    await commit(range("a", null));
    expect(gets("ab")).toBe("");
    await world.run(engine.compact());
    expect(engine.stats().rangeTombstones).toBe(0);
    expect(gets("ab")).toBe("");
  });
});
