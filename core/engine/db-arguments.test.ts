// Goal: every call of the facade that makes no sense is refused by name, says what to do instead, and changes
// nothing.
// Method: a table of calls, each against a database with one entry, which must be all there is afterwards.
import { expect, test } from "vitest";
import { openDb, type Db } from "./db.ts";
import { TestWorld, textOf } from "./test-world.test-support.ts";

/** A value of the wrong type, as a caller without types would pass it. */
function wrong<T>(value: unknown): T {
  return value as T;
}

/** As `postMessage(bytes, [bytes.buffer])` leaves what it was given. */
function detached(): Uint8Array {
  const bytes = new Uint8Array(3);
  bytes.buffer.transfer();
  return bytes;
}

const calls: readonly (readonly [name: string, call: (db: Db) => unknown, message: string])[] = [
  ["get of nothing", (db) => db.get(wrong(undefined)), "the key must be a Uint8Array or a string, not undefined"],
  ["get of null", (db) => db.get(wrong(null)), "not null"],
  ["get of a number", (db) => db.get(wrong(7)), "not a number"],
  ["get of an array", (db) => db.get(wrong([1])), "not an array"],
  ["get of a buffer's memory", (db) => db.get(wrong(new ArrayBuffer(1))), "not a ArrayBuffer"],
  ["get of a wide array", (db) => db.get(wrong(new Uint16Array(1))), "not a Uint16Array"],
  ["get of half a character", (db) => db.get("\ud800"), "half a surrogate pair"],
  ["get of a long key", (db) => db.get("k".repeat(65_536)), "key of 65536 bytes; at most 65535"],
  ["get with null", (db) => db.get("a", wrong(null)), "the options of get must be an object, not null"],
  ["get with text", (db) => db.get("a", wrong("utf8")), "must be an object, not a string"],
  ["get with an encoding", (db) => db.get("a", wrong({ encoding: "utf8" })), "get has no option encoding"],
  ["get at a version", (db) => db.get("a", { snapshot: wrong(5) }), "must be what db.snapshot() returned"],
  ["has of nothing", (db) => db.has(wrong(undefined)), "the key must be"],
  ["has of a long key", (db) => db.has("k".repeat(65_536)), "at most 65535"],
  ["getMany of text", (db) => db.getMany(wrong("ab")), "getMany takes an array of keys, not a string"],
  ["getMany of a hole", (db) => db.getMany(["a", wrong(undefined)]), "the key must be"],
  ["getMany with a signal", (db) => db.getMany(["a"], wrong({ signal: null })), "no option signal"],
  ["set without a value", (db) => db.set("a", wrong(undefined)), "the value must be"],
  ["set of an object", (db) => db.set("a", wrong({})), "the value must be a Uint8Array or a string, not a Object"],
  ["set of half a character", (db) => db.set("a", "\udc00"), "the value holds half a surrogate pair"],
  ["set with null", (db) => db.set("a", "1", wrong(null)), "the options of set must be an object"],
  ["set with ttl", (db) => db.set("a", "1", wrong({ ttl: 5 })), "set has no option ttl; it has ttlMs"],
  ["set for no time", (db) => db.set("a", "1", { ttlMs: 0 }), "ttlMs is 0; it must be an integer of at least 1"],
  ["set for half a time", (db) => db.set("a", "1", { ttlMs: 0.5 }), "ttlMs is 0.5"],
  ["set for NaN", (db) => db.set("a", "1", { ttlMs: NaN }), "ttlMs is NaN"],
  ["set for text", (db) => db.set("a", "1", { ttlMs: wrong("5") }), "ttlMs is 5; it must be an integer"],
  ["set until before", (db) => db.set("a", "1", { expiresAtMs: -1 }), "expiresAtMs is -1"],
  ["set until and for", (db) => db.set("a", "1", { expiresAtMs: 1, ttlMs: 1 }), "exclude each other"],
  ["set with a controller", (db) => db.set("a", "1", { signal: wrong(new AbortController()) }), "an AbortSignal"],
  ["get of a key that went elsewhere", (db) => db.get(detached()), "the key is in a detached ArrayBuffer; pass it"],
  ["set of a value that went elsewhere", (db) => db.set("a", detached()), "the value is in a detached ArrayBuffer"],
  ["batch of bytes that went elsewhere", (db) => db.batch([{ type: "delete", key: detached() }]), "is in a detached"],
  ["delete of nothing", (db) => db.delete(wrong(undefined)), "the key must be"],
  ["delete for a time", (db) => db.delete("a", wrong({ ttlMs: 1 })), "delete has no option ttlMs; it has signal"],
  ["getInto nothing", (db) => db.getInto("a", wrong([])), "the target of getInto must be a Uint8Array"],
  ["deleteRange of all", (db) => db.deleteRange({}), 'would delete everything; if that is meant, say { prefix: "" }'],
  ["deleteRange of nothing", (db) => db.deleteRange(wrong(undefined)), "the options of deleteRange must be an object"],
  ["deleteRange in reverse", (db) => db.deleteRange(wrong({ gt: "a", reverse: true })), "has no option reverse"],
  ["deleteRange from two", (db) => db.deleteRange({ prefix: "a", gt: "a" }), "prefix and gt exclude each other"],
  ["deleteRange of keys", (db) => db.deleteRange({ gte: wrong(1) }), "the gte must be"],
  ["batch of all", (db) => db.batch([{ type: "deleteRange" }]), "would delete everything"],
  ["chained range of all", (db) => db.batch().deleteRange({}), "would delete everything"],
  ["batch of nothing", (db) => db.batch(wrong(undefined)), "batch takes an array of operations, not undefined"],
  ["batch of an object", (db) => db.batch(wrong({})), "batch takes an array of operations, not a Object"],
  ["batch of a hole", (db) => db.batch([wrong(null)]), "a batch operation must be an object"],
  ["batch of a put", (db) => db.batch([wrong({ type: "put", key: "a" })]), 'a "delete" or a "deleteRange", not put'],
  ["batch of misspelt", (db) => db.batch([wrong({ type: "set", key: "a", val: "2" })]), "has no option val"],
  ["batch half right", (db) => db.batch([{ type: "delete", key: "a" }, wrong({ type: "set", key: "b" })]), "the value"],
  ["batch with sync", (db) => db.batch([], wrong({ sync: true })), "batch has no option sync"],
  ["chained set of nothing", (db) => db.batch().set(wrong(undefined), "1"), "the key must be"],
  ["chained set with ttl", (db) => db.batch().set("a", "1", wrong({ ttl: 1 })), "set has no option ttl"],
  ["chained delete of a number", (db) => db.batch().delete(wrong(1)), "the key must be"],
  ["chained commit with sync", (db) => db.batch().delete("a").commit(wrong({ sync: true })), "commit has no option"],
  ["iterator with null", (db) => db.iterator(wrong(null)), "the options of iterator must be an object"],
  ["iterator from a number", (db) => db.iterator({ gte: wrong(5) }), "the gte must be"],
  ["iterator with start", (db) => db.iterator(wrong({ start: "a" })), "iterator has no option start; it has gt"],
  ["iterator of two kinds", (db) => db.iterator({ prefix: "a", lt: "b" }), "prefix and lt exclude each other"],
  ["iterator of half", (db) => db.iterator({ limit: 0.5 }), "limit is 0.5"],
  ["iterator of less than none", (db) => db.iterator({ limit: -2 }), "limit is -2"],
  ["iterator of text", (db) => db.iterator({ limit: wrong("1") }), "limit is 1; it must be"],
  ["iterator in reverse of text", (db) => db.iterator({ reverse: wrong("yes") }), "reverse must be true or false"],
  ["iterator of some keys", (db) => db.iterator({ keysOnly: wrong(1) }), "keysOnly must be true or false"],
  ["iterator at a version", (db) => db.iterator({ snapshot: wrong({ version: 1 }) }), "what db.snapshot() returned"],
  ["iterator without next", (db) => db.iterator().key, "the iterator stands on no entry: call next() first"],
  ["seek to nothing", (db) => db.iterator().seek(wrong(undefined)), "the target must be"],
  ["keys with start", (db) => [...db.keys(wrong({ start: "a" }))], "no option start"],
  ["entries of half", (db) => [...db.entries({ limit: 1.5 })], "limit is 1.5"],
  ["flush with a timeout", (db) => db.flush(wrong({ timeout: 1 })), "flush has no option timeout; it has signal"],
  ["checkpoint nowhere", (db) => db.checkpoint(""), "the target of checkpoint must be a directory's path"],
  ["checkpoint with force", (db) => db.checkpoint("/c", wrong({ force: true })), "checkpoint has no option force"],
  ["sizeOf a half", (db) => db.sizeOf({ lt: wrong(1) }), "the lt must be"],
  ["sizeOf with limit", (db) => db.sizeOf(wrong({ limit: 1 })), "sizeOf has no option limit"],
  ["sampleKeys of half", (db) => db.sampleKeys(0.5), "count is 0.5; it must be a non-negative integer"],
  ["sampleKeys of too many", (db) => db.sampleKeys(1e9), "1000000000"],
  ["compact with text", (db) => db.compact(wrong("all")), "the options of compact must be an object"],
];

test.each(calls)("%s is refused", async (_, call, message) => {
  const world = new TestWorld();
  const db = await world.run(openDb(world.boot(), "/db", { memtableBytes: 1 << 14 }));
  await world.run(db.set("a", "1"));
  const { batches } = db.stats();
  const outcome = (async (): Promise<void> => void (await call(db)))();
  await expect(world.run(outcome)).rejects.toMatchObject({ code: "NOKV_INVALID_ARGUMENT" });
  await expect(outcome).rejects.toThrow(message);
  expect([...db.entries()].map((entry) => entry.map(textOf))).toEqual([["a", "1"]]);
  expect(db.stats()).toMatchObject({ batches, flushes: 0, openSnapshots: 0 });
});

test("after close every call says that the database is closed", async () => {
  const world = new TestWorld();
  const db = await world.run(openDb(world.boot(), "/db"));
  const batch = db.batch().set("a", "1");
  const snapshot = db.snapshot();
  const iterator = db.iterator();
  await world.run(db.close());
  const late: readonly (() => unknown)[] = [
    () => db.get("a"),
    () => db.getMany(["a"]),
    () => db.has("a"),
    () => db.set("a", "1"),
    () => db.delete("a"),
    () => db.batch([]),
    () => batch.commit(),
    () => db.iterator(),
    () => [...db.keys()],
    () => db.snapshot(),
    () => db.flush(),
    () => db.compact(),
    () => iterator.next(),
    () => db.get("a", { snapshot }),
  ];
  for (const call of late) {
    const outcome = (async (): Promise<void> => void (await call()))();
    await expect(outcome, call.toString()).rejects.toMatchObject({ code: "NOKV_CLOSED" });
  }
  snapshot.release();
  iterator.close();
  expect(await db.close()).toEqual({ iterators: 1, snapshots: 1, openedAt: [] });
});
