// Goal: an iterator of the facade shows one instant, in both directions, wherever it is sought to; loops close
// what they opened however they end; `for await` lets others run.
// Method: seeks against a sorted array, over tables and memory at once; the rest by example.
import { setImmediate as macrotask } from "node:timers/promises";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { compareKeys } from "../bytes/record.ts";
import { type Db, openDb, type ScanOptions } from "./db.ts";
import { bytesOf, type TestEnv, TestWorld, textOf } from "./test-world.test-support.ts";

let world: TestWorld;
let env: TestEnv;
let db: Db;

beforeEach(async () => {
  world = new TestWorld();
  env = world.boot();
  db = await world.run(openDb(env, "/db", { memtableBytes: 1 << 14 }));
});

async function fill(keys: Iterable<string>): Promise<void> {
  const batch = db.batch();
  for (const key of keys) batch.set(key, `${key}!`);
  await world.run(batch.commit());
}

function texts(keys: Iterable<Uint8Array>): (string | null)[] {
  return [...keys].map(textOf);
}

describe("seek", () => {
  const letters = ["b", "bb", "c", "d", "da", "f", "ff", "g"];
  const target = fc.string({ unit: fc.constantFrom("a", "b", "c", "d", "f", "g", "h"), maxLength: 3 });
  const bounds = fc.record(
    { gt: target, gte: target, lt: target, lte: target, reverse: fc.boolean(), limit: fc.integer({ min: -1, max: 6 }) },
    { requiredKeys: [] },
  );
  const moves = fc.array(fc.oneof(fc.constant(null), target), { maxLength: 12 });

  function within(key: string, { gt, gte, lt, lte }: ScanOptions): boolean {
    if (gte !== undefined ? key < gte : gt !== undefined && key <= gt) return false;
    return !(lte !== undefined ? key > lte : lt !== undefined && key >= lt);
  }

  /** What steps (null) and seeks (a target) show. */
  function expected(options: ScanOptions, steps: readonly (string | null)[]): (string | null)[] {
    const walk = letters.filter((key) => within(key, options));
    if (options.reverse === true) walk.reverse();
    let left = options.limit === undefined || options.limit < 0 ? Infinity : options.limit;
    let at = 0;
    return steps.flatMap((step) => {
      if (step !== null) {
        const reached = (key: string): boolean => (options.reverse === true ? key <= step : key >= step);
        const found = walk.findIndex(reached);
        at = found < 0 || !within(step, options) ? walk.length : found;
        return [];
      }
      if (at >= walk.length || left === 0) {
        at = walk.length;
        return [null];
      }
      left--;
      return [walk[at++] ?? null];
    });
  }

  test("goes where a sorted array says, in both directions, within bounds and limit", async () => {
    await fill(["a", "b", "bb", "c"]);
    await world.run(db.flush());
    await fill(["d", "da", "f", "ff", "g"]);
    await world.run(db.delete("a"));
    fc.assert(
      fc.property(bounds, moves, (options, steps) => {
        using iterator = db.iterator(options);
        const seen = steps.flatMap((step) => {
          if (step === null) return [iterator.next() ? textOf(iterator.key) : null];
          iterator.seek(step);
          return [];
        });
        expect(seen).toEqual(expected(options, steps));
      }),
      { numRuns: 300 },
    );
  });

  test("bytes order by value, a prefix first", () => {
    const order = [Uint8Array.of(), Uint8Array.of(0), Uint8Array.of(0, 0), Uint8Array.of(1), Uint8Array.of(255)];
    expect(order.toSorted(compareKeys)).toEqual(order);
    expect(compareKeys(bytesOf("a"), bytesOf("a"))).toBe(0);
  });

  test("does not come back once the iterator is closed", () => {
    const iterator = db.iterator();
    iterator.close();
    expect(() => iterator.seek("a")).toThrow("the iterator is closed");
  });
});

describe("loops", () => {
  test("keys, values and entries, as often as wanted, each time as of its beginning", async () => {
    await fill(["a", "b"]);
    const keys = db.keys();
    expect(texts(keys)).toEqual(["a", "b"]);
    expect(texts(db.values({ reverse: true }))).toEqual(["b!", "a!"]);
    expect([...db.entries({ prefix: "b" })].map((pair) => pair.map(textOf))).toEqual([["b", "b!"]]);
    await fill(["c"]);
    expect(texts(keys)).toEqual(["a", "b", "c"]);
    expect(db.stats().open).toEqual({ iterators: 0, snapshots: 0, openedAt: [] });
  });

  test("leaving a loop closes its iterator", async () => {
    await fill(["a", "b"]);
    for (const _ of db.iterator()) break;
    for (const _ of db.keys()) break;
    for await (const _ of db.iterator()) break;
    for await (const _ of db.entries()) break;
    expect(db.stats().openIterators).toBe(0);
  });

  test("for await lets others run", async () => {
    await fill(Array.from({ length: 600 }, (_, i) => `k${1_000 + i}`));
    let othersRan = false;
    const walked = (async (): Promise<number> => {
      let count = 0;
      for await (const _ of db.keys()) {
        if (++count === 1) env.clock.soon(() => (othersRan = true));
        if (count === 400) expect(othersRan).toBe(true);
      }
      return count;
    })();
    let walkedAll = false;
    void walked.then(() => (walkedAll = true));
    // A whole turn of promises is longer than the world's patience.
    while (!walkedAll) {
      await macrotask();
      world.events.step();
    }
    expect(await walked).toBe(600);
  });

  test("closing the database ends every walk", async () => {
    await fill(Array.from({ length: 600 }, (_, i) => `k${1_000 + i}`));
    const open = db.iterator();
    const walked = (async (): Promise<void> => {
      for await (const _ of db.keys()) if (db.stats().openIterators === 2) void db.close();
    })();
    await expect(world.run(walked)).rejects.toMatchObject({ code: "NOKV_CLOSED" });
    expect(() => open.next()).toThrow("the database is closed");
    expect(() => open.key).toThrow("the database is closed");
    open.close();
  });

  test("a signal ends it at the next step", async () => {
    await fill(["a", "b"]);
    const abort = new AbortController();
    using iterator = db.iterator({ signal: abort.signal });
    expect(iterator.next()).toBe(true);
    abort.abort(new Error("enough"));
    expect(textOf(iterator.key)).toBe("a");
    const aborted = expect.objectContaining({ code: "NOKV_ABORTED", cause: new Error("enough") });
    expect(() => iterator.next()).toThrow(aborted);
    expect(() => db.iterator({ signal: abort.signal })).toThrow(aborted);
    expect(db.stats().openIterators).toBe(1);
  });
});
