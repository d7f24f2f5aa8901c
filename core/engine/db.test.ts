// Goal: the promise facade says what the engine does, takes text and bytes, and refuses the rest by name.
import { beforeEach, describe, expect, test } from "vitest";
import type { Data } from "./arguments.ts";
import { type Db, openDb } from "./db.ts";
import { bytesOf, TestWorld, textOf } from "./test-world.test-support.ts";

let world: TestWorld;
let db: Db;

beforeEach(async () => {
  world = new TestWorld();
  db = await world.run(openDb(world.boot(), "/db", { memtableBytes: 1 << 14, blockBytes: 512 }));
});

function entries(iterator: Iterable<[Uint8Array, Uint8Array]>): string[] {
  return [...iterator].map(([key, value]) => `${textOf(key)}=${textOf(value)}`);
}

describe("db", () => {
  test("sets, gets and deletes, by text or bytes", async () => {
    await world.run(db.set("a", "1"));
    await world.run(db.set(bytesOf("b"), bytesOf("2")));
    await world.run(db.set("naïve", "ü"));
    expect(textOf(db.get("a"))).toBe("1");
    expect(db.get(bytesOf("naïve"))).toEqual(bytesOf("ü"));
    expect(db.getMany(["b", "x", bytesOf("a")]).map(textOf)).toEqual(["2", null, "1"]);
    await world.run(db.delete("a"));
    expect(db.get("a")).toBeUndefined();
  });

  test("a batch happens together", async () => {
    await world.run(db.set("old", "1"));
    const writing = db.batch([
      { type: "set", key: "a", value: "1" },
      { type: "set", key: "b", value: bytesOf("2") },
      { type: "delete", key: "old" },
    ]);
    expect(entries(db.iterator())).toEqual(["old=1"]);
    await world.run(writing);
    expect(entries(db.iterator())).toEqual(["a=1", "b=2"]);
    await world.run(db.batch([]));
  });

  test("a batch with one wrong operation does nothing", async () => {
    const wrong = db.batch([
      { type: "set", key: "a", value: "1" },
      { type: "put", key: "b", value: "2" } as unknown as { type: "delete"; key: Data },
    ]);
    await expect(world.run(wrong)).rejects.toMatchObject({ code: "NOKV_INVALID_ARGUMENT" });
    expect(entries(db.iterator())).toEqual([]);
  });

  test("lifetimes", async () => {
    await world.run(db.set("ttl", "1", { ttlMs: 10 }));
    await world.run(db.set("at", "1", { expiresAtMs: world.wallMs + 20 }));
    await world.run(db.batch([{ type: "set", key: "batched", value: "1", ttlMs: 30 }]));
    expect(entries(db.iterator({ keysOnly: true }))).toEqual(["at=", "batched=", "ttl="]);
    world.wallMs += 15;
    expect(entries(db.iterator({ keysOnly: true }))).toEqual(["at=", "batched="]);
    world.wallMs += 10;
    expect(entries(db.iterator({ keysOnly: true }))).toEqual(["batched="]);
  });

  test("bounds and prefixes", async () => {
    for (const key of ["a", "ab", "ab\u00ff", "ac", "b"]) await world.run(db.set(key, "1"));
    const keys = (options: Parameters<Db["iterator"]>[0]): string[] =>
      [...db.iterator(options)].map(([key]) => textOf(key) ?? "");
    expect(keys({ prefix: "ab" })).toEqual(["ab", "ab\u00ff"]);
    expect(keys({ prefix: "a", reverse: true, limit: 2 })).toEqual(["ac", "ab\u00ff"]);
    expect(keys({ prefix: "" })).toEqual(["a", "ab", "ab\u00ff", "ac", "b"]);
    expect(keys({ gt: "a", lte: bytesOf("ac") })).toEqual(["ab", "ab\u00ff", "ac"]);
    await world.run(db.set(Uint8Array.of(0xff, 0xff, 1), "1"));
    expect([...db.iterator({ prefix: Uint8Array.of(0xff, 0xff) })].length).toBe(1);
    expect(() => db.iterator({ prefix: "a", gt: "b" })).toThrow("prefix and gt exclude each other");
  });

  test("snapshots", async () => {
    await world.run(db.set("a", "1"));
    const snapshot = db.snapshot();
    await world.run(db.set("a", "2"));
    expect(textOf(db.get("a", { snapshot }))).toBe("1");
    expect(db.getMany(["a"], { snapshot }).map(textOf)).toEqual(["1"]);
    expect(entries(db.iterator({ snapshot }))).toEqual(["a=1"]);
    snapshot[Symbol.dispose]();
    expect(() => db.get("a", { snapshot })).toThrow("the snapshot is closed");
  });

  test("a signal that fired before rejects, and afterwards it has no effect", async () => {
    const abort = new AbortController();
    const written = db.set("a", "1", { signal: abort.signal });
    abort.abort(new Error("enough"));
    await world.run(written);
    expect(textOf(db.get("a"))).toBe("1");
    for (const refused of [
      db.set("a", "2", { signal: abort.signal }),
      db.delete("a", { signal: abort.signal }),
      db.batch([], { signal: abort.signal }),
    ]) {
      const reason = { code: "NOKV_ABORTED", cause: { message: "enough" } };
      await expect(world.run(refused)).rejects.toMatchObject(reason);
    }
    expect(textOf(db.get("a"))).toBe("1");
  });

  test("writes of one turn are done in order and share a sync", async () => {
    const before = db.stats().walSyncs;
    const order: number[] = [];
    const writes = [1, 2, 3].map((n) => db.set("a", String(n)).then(() => order.push(n)));
    await world.run(Promise.all(writes));
    expect(order).toEqual([1, 2, 3]);
    expect(textOf(db.get("a"))).toBe("3");
    expect(db.stats().walSyncs).toBe(before + 1);
  });

  test("a batch filled by calls", async () => {
    const batch = db.batch().set("a", "1").set("b", "2", { ttlMs: 5 }).delete("a");
    expect(batch.count).toBe(3);
    expect(batch.byteLength).toBeGreaterThan(0);
    expect(entries(db.iterator())).toEqual([]);
    await world.run(batch.commit());
    expect(entries(db.iterator())).toEqual(["b=2"]);
    await world.run(batch.clear().set("c", "3").commit());
    expect(entries(db.iterator())).toEqual(["b=2", "c=3"]);
    world.wallMs += 10;
    expect(db.has("b")).toBe(false);
    expect(db.has("c")).toBe(true);
    const signal = AbortSignal.abort();
    await expect(world.run(batch.commit({ signal }))).rejects.toMatchObject({ code: "NOKV_ABORTED" });
  });

  test("ranges are deleted, alone and within batches, whatever their bounds", async () => {
    const all = async (): Promise<void> => {
      await world.run(db.batch(["a", "b", "c", "d"].map((key) => ({ type: "set", key, value: "" }))));
    };
    const left = (): string => [...db.keys()].map(textOf).join("");
    const cases = [
      [{ gt: "a", lte: "c" }, "ad"],
      [{ gte: "a", lt: "c" }, "cd"],
      [{ gt: "b" }, "ab"],
      [{ lte: "b" }, "cd"],
      [{ prefix: "c" }, "abd"],
      [{ gte: "c", lt: "b" }, "abcd"],
      [{ gt: "b", lt: "b" }, "abcd"],
      [{ gt: new Uint8Array(65_535).fill(255) }, "abcd"],
      [{ lte: new Uint8Array(65_535).fill(1) }, "abcd"],
      [{ prefix: "" }, ""],
    ] as const;
    for (const [bounds, expected] of cases) {
      await all();
      await world.run(db.deleteRange(bounds));
      expect(left(), JSON.stringify(bounds)).toBe(expected);
    }
    await world.run(db.batch([{ type: "set", key: "x", value: "" }, { type: "deleteRange", gte: "x" }]));
    await world.run(db.batch().set("y", "").deleteRange({ prefix: "y" }).set("yy", "").commit());
    expect(left()).toBe("yy");
  });

  test("getInto fills the caller's bytes", async () => {
    await world.run(db.set("a", "123"));
    const target = new Uint8Array(4);
    expect(db.getInto("a", target)).toBe(3);
    expect(textOf(target)).toBe("123\0");
    expect(db.getInto("a", new Uint8Array(2))).toBe(3);
    expect(db.getInto("b", target)).toBe(-1);
    using iterator = db.iterator();
    iterator.next();
    expect([textOf(iterator.keyView), textOf(iterator.valueView)]).toEqual(["a", "123"]);
  });

  test("getMany judges lifetimes at one instant", async () => {
    await world.run(db.set("a", "1", { expiresAtMs: world.wallMs + 10 }));
    await world.run(db.set("b", "1", { expiresAtMs: world.wallMs + 10 }));
    // The clock ticks at each reading.
    const now = world.wallMs + 9;
    let readings = 0;
    Object.defineProperty(world, "wallMs", { get: () => now + readings++ });
    const [a, b] = db.getMany(["a", "b"]);
    expect(a === undefined).toBe(b === undefined);
    expect(db.stats().openSnapshots).toBe(0);
  });

  test("an abort ends the wait for a flush, not the flush", async () => {
    await world.run(db.set("a", "1"));
    const abort = new AbortController();
    const flushed = db.flush({ signal: abort.signal });
    abort.abort();
    await expect(world.run(flushed)).rejects.toThrow("aborted the wait for the flush, which goes on");
    await world.until(() => db.stats().flushes === 1);
    await expect(world.run(db.compact({ signal: abort.signal }))).rejects.toThrow("before the compact began");
    await world.run(db.compact({ signal: new AbortController().signal }));
  });

  test("an abort while opening leaves nothing open", async () => {
    await world.run(db.close());
    const env = world.boot();
    const abort = new AbortController();
    const opening = openDb(env, "/db", {}, { signal: abort.signal });
    abort.abort();
    await expect(world.run(opening)).rejects.toMatchObject({ code: "NOKV_ABORTED" });
    await expect(openDb(env, "/db", {}, { signal: abort.signal })).rejects.toThrow("before anything was opened");
    await world.run((await world.run(openDb(env, "/db"))).close());
  });

  test("a checkpoint is a database of its own, and ranges have sizes", async () => {
    const batch = db.batch();
    for (let i = 100; i < 200; i++) batch.set(`k${i}`, "x".repeat(400));
    await world.run(batch.commit());
    await world.run(db.flush());
    const all = db.sizeOf();
    const half = db.sizeOf({ gt: "k149", lte: "k199" });
    expect(Math.abs(all.records - 100)).toBeLessThan(20);
    expect(half.tableBytes).toBeGreaterThan(0);
    expect(half.tableBytes).toBeLessThan(all.tableBytes);
    expect(db.sizeOf({ prefix: "none" }).records).toBe(0);
    expect(db.sampleKeys(1, { prefix: "k" })).toHaveLength(1);
    expect(await world.run(db.checkpoint("/copy"))).toMatchObject({ directory: "/copy" });
    await world.run(db.delete("k150"));
    const copy = await world.run(openDb(world.neighbour(), "/copy"));
    expect(copy.has("k150")).toBe(true);
    await world.run(copy.close());
  });

  test("disposing closes", async () => {
    await world.run(db[Symbol.asyncDispose]());
    expect(() => db.get("a")).toThrow("the database is closed");
    await expect(world.run(db.set("a", "1"))).rejects.toMatchObject({ code: "NOKV_CLOSED" });
  });
});
