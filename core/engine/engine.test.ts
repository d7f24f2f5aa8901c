// Goal: what the engine promises of single operations: visibility, arguments, snapshots, iterators, closing.
// Method: an engine over a simulated disk whose time the test moves.
import { beforeEach, describe, expect, test } from "vitest";
import { NokvError } from "../errors.ts";
import { Batch } from "./batch.ts";
import { type Engine, openEngine } from "./engine.ts";
import type { IteratorOptions } from "./iterator.ts";
import type { EngineOptions } from "./options.ts";
import { bytesOf, TestWorld, textOf } from "./test-world.test-support.ts";

const directory = "/db";
let world: TestWorld;
let engine: Engine;

async function open(options: Partial<EngineOptions> = {}): Promise<Engine> {
  engine = await world.run(openEngine(world.boot(), directory, { memtableBytes: 1 << 16, ...options }));
  return engine;
}

beforeEach(async () => {
  world = new TestWorld();
  await open();
});

/** Commits without waiting; the outcome is a promise. */
function commit(batch: Batch): Promise<NokvError | null> {
  return new Promise((resolve) => engine.commit(batch, resolve));
}

function put(key: string, value: string, expiresAtMs = 0): Promise<NokvError | null> {
  return commit(new Batch().set(bytesOf(key), bytesOf(value), expiresAtMs));
}

function get(key: string): string | null {
  return textOf(engine.get(bytesOf(key)));
}

function scan(options: IteratorOptions = {}): string[] {
  return [...engine.iterator(options)].map(([key, value]) => `${textOf(key)}=${textOf(value)}`);
}

function codeOf(action: () => unknown): string {
  try {
    action();
    return "none";
  } catch (error) {
    if (error instanceof NokvError) return error.code;
    throw error;
  }
}

describe("visibility", () => {
  test("a commit is seen by latest at once, and by plain reads when it is durable", async () => {
    const done = put("a", "1");
    expect(textOf(engine.latest(bytesOf("a")).value)).toBe("1");
    expect(get("a")).toBe(null);
    expect(scan()).toEqual([]);
    expect(scan({ latest: true })).toEqual(["a=1"]);
    expect(engine.pendingVersion).toBeGreaterThan(engine.visibleVersion);
    expect(await world.run(done)).toBe(null);
    expect(get("a")).toBe("1");
    expect(engine.visibleVersion).toBe(engine.pendingVersion);
    expect(engine.latest(bytesOf("a")).version).toBe(engine.visibleVersion);
  });

  test("whenVisible tells at once, later, or refuses what was never given out", async () => {
    const told: string[] = [];
    engine.whenVisible(engine.visibleVersion, () => told.push("now"));
    expect(told).toEqual(["now"]);
    const done = put("a", "1");
    engine.whenVisible(engine.pendingVersion, () => told.push("later"));
    expect(told).toEqual(["now"]);
    await world.run(done);
    expect(told).toEqual(["now", "later"]);
    const beyond = engine.pendingVersion + 1;
    expect(codeOf(() => engine.whenVisible(beyond, () => {}))).toBe("NOKV_INVALID_ARGUMENT");
  });

  test("a batch is one version, and its last write of a key counts", async () => {
    const batch = new Batch().set(bytesOf("a"), bytesOf("1")).delete(bytesOf("a"));
    await world.run(commit(batch.set(bytesOf("b"), bytesOf("2"))));
    await world.run(commit(new Batch().delete(bytesOf("c")).set(bytesOf("c"), bytesOf("3"))));
    expect(scan()).toEqual(["b=2", "c=3"]);
    expect(engine.latest(bytesOf("a"))).toMatchObject({ value: null });
    expect(engine.latest(bytesOf("a")).version).toBe(engine.latest(bytesOf("b")).version);
    await world.run(engine.flush());
    expect(scan()).toEqual(["b=2", "c=3"]);
  });

  test("an empty batch is done at once", () => {
    let done = 0;
    engine.commit(new Batch(), () => done++);
    expect(done).toBe(1);
  });

  test("a callback may commit again", async () => {
    let last: Promise<NokvError | null> = Promise.resolve(null);
    const first = new Promise<void>((resolve) => {
      engine.commit(new Batch().set(bytesOf("a"), bytesOf("1")), () => {
        last = put("b", "2");
        resolve();
      });
    });
    await world.run(first);
    await world.run(last);
    expect(scan()).toEqual(["a=1", "b=2"]);
  });

  test("what is returned belongs to the caller, and what was given may change", async () => {
    const key = bytesOf("a");
    const value = bytesOf("1");
    const batch = new Batch().set(key, value);
    const done = commit(batch);
    key.fill(0);
    value.fill(0);
    batch.clear();
    await world.run(done);
    const returned = engine.get(bytesOf("a"));
    returned?.fill(0x7a);
    expect(get("a")).toBe("1");
  });
});

describe("expiry", () => {
  test("a value is gone from its instant on, and never comes back", async () => {
    await world.run(put("a", "1", world.wallMs + 10));
    expect(get("a")).toBe("1");
    world.wallMs += 9;
    expect(get("a")).toBe("1");
    world.wallMs += 1;
    expect(get("a")).toBe(null);
    expect(engine.latest(bytesOf("a"))).toMatchObject({ value: null, expiresAtMs: 0 });
    expect(scan()).toEqual([]);
    world.wallMs -= 1000;
    expect(get("a")).toBe(null);
    await world.run(engine.compact());
    expect(get("a")).toBe(null);
  });

  test("a snapshot judges by its own instant, also after a compaction", async () => {
    await world.run(put("a", "1", world.wallMs + 10));
    const snapshot = engine.snapshot();
    world.wallMs += 100;
    expect(get("a")).toBe(null);
    expect(textOf(engine.get(bytesOf("a"), snapshot))).toBe("1");
    await world.run(engine.compact());
    expect(scan({ snapshot })).toEqual(["a=1"]);
    snapshot.release();
    await world.run(engine.compact());
    expect(engine.stats().tablesPerLevel.every((count) => count === 0)).toBe(true);
  });

  test("an expired value does not bring back the one before it", async () => {
    await world.run(put("a", "old"));
    await world.run(put("a", "new", world.wallMs + 10));
    world.wallMs += 10;
    expect(get("a")).toBe(null);
    await world.run(engine.compact());
    expect(get("a")).toBe(null);
  });
});

describe("snapshots and iterators", () => {
  beforeEach(async () => {
    for (const key of ["a", "b", "c", "d"]) await world.run(put(key, "1"));
  });

  test("show what was, across writes, flushes and compactions", async () => {
    const snapshot = engine.snapshot();
    const iterator = engine.iterator();
    for (const key of ["a", "b", "c", "d", "e"]) await world.run(put(key, "2"));
    await world.run(commit(new Batch().delete(bytesOf("b"))));
    await world.run(engine.flush());
    await world.run(engine.compact());
    const was = ["a=1", "b=1", "c=1", "d=1"];
    expect(scan({ snapshot })).toEqual(was);
    expect([...iterator].map(([key, value]) => `${textOf(key)}=${textOf(value)}`)).toEqual(was);
    expect(scan()).toEqual(["a=2", "c=2", "d=2", "e=2"]);
    snapshot.release();
    expect(codeOf(() => engine.get(bytesOf("a"), snapshot))).toBe("NOKV_CLOSED");
    expect(codeOf(() => engine.iterator({ snapshot }))).toBe("NOKV_CLOSED");
    snapshot.release();
    expect(engine.stats().openSnapshots).toBe(0);
  });

  test.each<[IteratorOptions, string[]]>([
    [{}, ["a", "b", "c", "d"]],
    [{ reverse: true }, ["d", "c", "b", "a"]],
    [{ gt: bytesOf("a"), lt: bytesOf("d") }, ["b", "c"]],
    [{ gte: bytesOf("b"), lte: bytesOf("c") }, ["b", "c"]],
    [{ gt: bytesOf("a"), lt: bytesOf("d"), reverse: true }, ["c", "b"]],
    [{ gte: bytesOf("b"), lte: bytesOf("c"), reverse: true }, ["c", "b"]],
    [{ gte: bytesOf("b"), gt: bytesOf("c"), lte: bytesOf("c"), lt: bytesOf("b") }, ["b", "c"]],
    [{ gt: bytesOf("aa"), lt: bytesOf("cc"), reverse: true, limit: 1 }, ["c"]],
    [{ limit: 2 }, ["a", "b"]],
    [{ limit: 0 }, []],
    [{ limit: -1 }, ["a", "b", "c", "d"]],
    [{ gt: bytesOf("d") }, []],
    [{ lt: bytesOf("a"), reverse: true }, []],
    [{ gte: bytesOf("c"), lte: bytesOf("b") }, []],
    [{ keysOnly: true, limit: 1 }, ["a"]],
  ])("bounds %o", async (options, keys) => {
    const found = (): string[] => [...engine.iterator(options)].map(([key]) => textOf(key) ?? "");
    expect(found()).toEqual(keys);
    await world.run(engine.flush());
    expect(found()).toEqual(keys);
  });

  test("keys only show no values", () => {
    expect(scan({ keysOnly: true, limit: 1 })).toEqual(["a="]);
  });

  test("an iterator that stands nowhere, or is closed, says so", () => {
    const iterator = engine.iterator();
    expect(codeOf(() => iterator.key)).toBe("NOKV_INVALID_ARGUMENT");
    expect(iterator.next()).toBe(true);
    expect(iterator.expiresAtMs).toBe(0);
    iterator.close();
    iterator.close();
    expect(codeOf(() => iterator.next())).toBe("NOKV_CLOSED");
    expect(codeOf(() => iterator.value)).toBe("NOKV_CLOSED");
    expect(engine.stats().openIterators).toBe(0);
    expect(codeOf(() => engine.iterator({ limit: 1.5 }))).toBe("NOKV_INVALID_ARGUMENT");
    const snapshot = engine.snapshot();
    expect(codeOf(() => engine.iterator({ snapshot, latest: true }))).toBe("NOKV_INVALID_ARGUMENT");
    snapshot.release();
  });

  test("a snapshot of another database is refused", async () => {
    const snapshot = engine.snapshot();
    const other = await world.run(openEngine(world.boot(), "/other", { memtableBytes: 1024 }));
    expect(codeOf(() => other.get(bytesOf("a"), snapshot))).toBe("NOKV_CLOSED");
  });
});

describe("arguments", () => {
  test("keys and values at their limits are kept, and beyond refused with the limit named", async () => {
    await open({ valueBytesMax: 1000, batchBytesMax: 70_000 });
    const key = new Uint8Array(65_535).fill(1);
    await world.run(commit(new Batch().set(key, new Uint8Array(1000).fill(2))));
    expect(engine.get(key)?.length).toBe(1000);
    await world.run(commit(new Batch().set(new Uint8Array(0), new Uint8Array(0))));
    expect(engine.get(new Uint8Array(0))).toEqual(new Uint8Array(0));
    const before = engine.pendingVersion;
    const large = new Batch().set(bytesOf("a"), new Uint8Array(1001));
    expect(() => engine.commit(large, () => {})).toThrow("value of 1001 bytes; valueBytesMax is 1000");
    const many = new Batch();
    for (let i = 0; i < 100; i++) many.set(Uint8Array.of(i), new Uint8Array(1000));
    expect(() => engine.commit(many, () => {})).toThrow(/batch of \d+ bytes; batchBytesMax is 70000/);
    expect(() => engine.get(new Uint8Array(65_536))).toThrow("key of 65536 bytes; at most 65535");
    expect(engine.pendingVersion).toBe(before);
  });

  test("a batch larger than a memtable gets one of its own", async () => {
    await open({ memtableBytes: 512 });
    await world.run(commit(new Batch().set(bytesOf("big"), new Uint8Array(5000).fill(7))));
    await world.run(put("small", "1"));
    await world.run(engine.flush());
    expect(engine.get(bytesOf("big"))?.length).toBe(5000);
    await open({ memtableBytes: 512 });
    expect(engine.get(bytesOf("big"))?.every((byte) => byte === 7)).toBe(true);
  });
});

describe("flush and compaction", () => {
  test("leave every value where reads find it, and nothing twice", async () => {
    const tables = { tableBytes: 2048, blockBytes: 128, level0TablesMax: 2, levelBytesBase: 4096 };
    await open({ memtableBytes: 1024, ...tables });
    const expected = new Map<string, string>();
    for (let i = 0; i < 300; i++) {
      const key = `key${10 + ((i * 37) % 90)}`;
      await world.run(put(key, `value${i}`));
      expected.set(key, `value${i}`);
    }
    await world.run(engine.compact());
    const stats = engine.stats();
    expect(stats.flushes).toBeGreaterThan(5);
    expect(stats.compactions).toBeGreaterThan(1);
    expect(stats.tablesPerLevel[0]).toBe(0);
    expect(scan()).toEqual([...expected].map(([key, value]) => `${key}=${value}`).sort());
    for (const [key, value] of expected) expect(get(key)).toBe(value);
    expect(stats.puts).toBe(300);
    expect(stats.immutableMemtables).toBe(0);
    const files = world.disk.paths().filter((path) => path.endsWith(".sst"));
    expect(files.length).toBe(stats.tablesPerLevel.reduce((sum, count) => sum + count, 0));
  });

  test("are asked for by scans that look into many tables, unless they are worth nothing", async () => {
    for (const [walkWorthBytes, left] of [[0, 3], [100, 0]] as const) {
      await open({ walkWorthBytes, level0TablesMax: 8 });
      for (let i = 0; i < 3; i++) {
        await world.run(put(`key${i}`, "v".repeat(100)));
        await world.run(put(`key${9 - i}`, "v".repeat(100)));
        await world.run(engine.flush());
      }
      for (let i = 0; i < 40; i++) expect(scan().length).toBeGreaterThan(5);
      await world.pass(1_000);
      expect(engine.stats().tablesPerLevel[0]).toBe(left);
      expect(scan().length).toBe(6);
    }
  });

  test("of nothing are done at once", async () => {
    await world.run(engine.flush());
    await world.run(engine.compact());
    expect(engine.stats()).toMatchObject({ flushes: 0, compactions: 0 });
  });
});

describe("closing", () => {
  test("makes everything durable, whatever the level, and frees the directory", async () => {
    for (const durability of ["sync", "interval", "none"] as const) {
      await open({ durability });
      const done = put("a", durability);
      await world.run(engine.close());
      expect(await done).toBe(null);
      world.powerLoss();
      await open({ durability });
      expect(get("a")).toBe(durability);
      expect(engine.stats().recovery.bytesTorn).toBe(0);
      await world.run(engine.close());
      expect(world.disk.openFiles).toBe(0);
    }
  });

  test("may be asked for twice, and everything else is refused afterwards", async () => {
    await world.run(put("a", "1"));
    const iterator = engine.iterator();
    const snapshot = engine.snapshot();
    const closing = engine.close();
    expect(engine.close()).toBe(closing);
    expect(codeOf(() => engine.get(bytesOf("a")))).toBe("NOKV_CLOSED");
    await world.run(closing);
    expect(codeOf(() => iterator.next())).toBe("NOKV_CLOSED");
    expect(codeOf(() => engine.commit(new Batch().delete(bytesOf("a")), () => {}))).toBe("NOKV_CLOSED");
    expect(codeOf(() => engine.latest(bytesOf("a")))).toBe("NOKV_CLOSED");
    expect(codeOf(() => engine.snapshot())).toBe("NOKV_CLOSED");
    expect(codeOf(() => engine.iterator())).toBe("NOKV_CLOSED");
    expect(codeOf(() => engine.nowMs())).toBe("NOKV_CLOSED");
    await expect(world.run(engine.flush())).rejects.toMatchObject({ code: "NOKV_CLOSED" });
    await expect(world.run(engine.compact())).rejects.toMatchObject({ code: "NOKV_CLOSED" });
    iterator.close();
    snapshot.release();
  });

  test("ends a flush that somebody waits for", async () => {
    await world.run(put("a", "1"));
    const flushing = engine.flush().then(() => "flushed", (error: NokvError) => error.code);
    await world.run(engine.close());
    expect(["flushed", "NOKV_CLOSED"]).toContain(await world.run(flushing));
    await open();
    expect(get("a")).toBe("1");
  });
});

describe("the lock", () => {
  test("a second opening is refused with the first one's name, in this process and in another", async () => {
    const env = world.boot();
    engine = await world.run(openEngine(env, directory, { owner: "pid 42 on here" }));
    for (const other of [env, world.neighbour()]) {
      await expect(world.run(openEngine(other, directory))).rejects.toMatchObject({
        code: "NOKV_LOCKED",
        message: "/db is in use by pid 42 on here",
        path: "/db/LOCK",
      });
    }
    await world.run(put("a", "1"));
    await world.run(engine.close());
    engine = await world.run(openEngine(env, directory));
    expect(get("a")).toBe("1");
  });

  test("what LOCK contains does not matter, and a dead owner holds nothing", async () => {
    world.processCrash();
    const { disk } = world.boot();
    const file = disk.open("/db/LOCK", "write");
    file.write(0, bytesOf("\u0000garbage"), 0, 8);
    file.close();
    await open();
    expect(get("a")).toBe(null);
  });
});
