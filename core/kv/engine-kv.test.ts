// Goal: the embedded store means what `Kv` says while writes are pending, after they became durable, and
// after durability failed. Method: a real engine over a disk in memory whose syncs complete by hand.
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import type { Engine } from "../engine/engine.ts";
import type { EngineOptions } from "../engine/options.ts";
import type { NokvError } from "../errors.ts";
import { bytes, limits, put, TestEnv, text } from "./engine-kv.test-support.ts";
import { EngineKv } from "./engine-kv.ts";
import type { Kv, KvEntry, Mutation, Operation, Outcome, ScanPage, WatchedKey } from "./kv.ts";
import { MapKv } from "./map-kv.ts";

/** A log of completions, in order. */
class Asker {
  readonly log: string[] = [];
  readonly #kv: Kv;

  constructor(kv: Kv) {
    this.#kv = kv;
  }

  mutate(name: string, mutation: Mutation): void {
    this.#kv.mutate(mutation, (error, outcome) => this.log.push(`${name}: ${shown(error, outcome)}`));
  }

  read(...keys: string[]): void {
    this.#kv.read(keys.map(bytes), (error, entries) => {
      const values = entries.map((entry) => (entry === null ? "-" : text(entry.value))).join(" ");
      this.log.push(`${keys.join(" ")}: ${error === null ? values : error.code}`);
    });
  }

  scan(after: string | null, limit: number): void {
    this.#kv.scan({ after: after === null ? null : bytes(after), limit }, (error, page) => {
      this.log.push(`scan: ${error?.code ?? showPage(page)}`);
    });
  }

  count(): void {
    this.#kv.count((error, count) => this.log.push(`count: ${error?.code ?? count}`));
  }

  clear(): void {
    this.#kv.clear((error) => this.log.push(`clear: ${error?.code ?? "done"}`));
  }

  take(): string[] {
    return this.log.splice(0);
  }
}

function shown(error: NokvError | null, outcome: Outcome | null): string {
  if (error !== null) return error.code;
  return outcome?.applied === true ? "applied" : "refused";
}

function showPage(page: ScanPage | null): string {
  return page === null ? "?" : `${page.keys.map(text).join(" ")}${page.exhausted ? "." : "…"}`;
}

let world: TestEnv;
let engine: Engine;
let ask: Asker;

async function start(options: Partial<EngineOptions> = {}, kvLimits = limits): Promise<void> {
  world = new TestEnv();
  // Time stands still: every sync would look like one that is worth waiting for.
  engine = await world.open({ waitedSyncUs: 0, ...options });
  ask = new Asker(new EngineKv(engine, world.env.clock, kvLimits));
}

beforeEach(() => start());

describe("while writes are pending", () => {
  test("they are seen in order, and nothing completes before its ground is durable", () => {
    ask.read("a");
    ask.mutate("put", put("a", "1"));
    ask.mutate("add", { kind: "increment", key: bytes("a"), delta: 1n });
    ask.mutate("nx", put("a", "3", { condition: "absent" }));
    ask.read("a");
    ask.read("b");
    ask.scan(null, 9);
    ask.count();
    world.turn();
    expect(ask.take()).toEqual(["a: -", "b: -"]);
    world.settle();
    expect(ask.take().toSorted()).toEqual(
      ["put: applied", "add: applied", "nx: refused", "a: 2", "scan: a.", "count: 1"].toSorted(),
    );
    ask.read("a");
    expect(ask.take()).toEqual(["a: 2"]);
  });

  test("writes of one turn share a sync", () => {
    const before = engine.stats().walGroups;
    for (let i = 0; i < 100; i++) ask.mutate("put", put(`k${i}`, "v"));
    world.settle();
    expect(ask.take().length).toBe(100);
    expect(engine.stats().walGroups - before).toBe(1);
  });

  test("arguments may be overwritten as soon as the call has returned", () => {
    const mutation = { ...put("key", "value"), kind: "put" } as Extract<Mutation, { kind: "put" }>;
    ask.mutate("put", mutation);
    mutation.value.fill(0);
    const key = bytes("key");
    const seen: (KvEntry | null)[] = [];
    new EngineKv(engine, world.env.clock, limits).read([key], (_, entries) => seen.push(...entries));
    key.fill(0);
    world.settle();
    expect(seen.map((entry) => (entry === null ? null : text(entry.value)))).toEqual(["value"]);
  });

  test("removal of everything is one batch", () => {
    for (const key of ["a", "b", "c"]) ask.mutate(key, put(key, "v"));
    const { batches } = engine.stats();
    ask.clear();
    ask.scan(null, 9);
    expect(engine.stats().batches - batches).toBe(1);
    world.settle();
    expect(ask.take().slice(-2)).toEqual(["clear: done", "scan: ."]);
    ask.clear();
    world.settle();
    expect(ask.take()).toEqual(["clear: done"]);
  });
});

test("a page goes on right behind the last key, and only the last says so", () => {
  for (const key of ["a", "a\0", "a\0\0", "ab", "b"]) ask.mutate("put", put(key, "v"));
  world.settle();
  ask.take();
  ask.scan(null, 2);
  ask.scan("a", 2);
  ask.scan("a\0", 2);
  ask.scan("ab", 1);
  ask.scan("b", 1);
  ask.scan(null, 5);
  expect(ask.take()).toEqual([
    "scan: a a\0…",
    "scan: a\0 a\0\0…",
    "scan: a\0\0 ab…",
    "scan: b.",
    "scan: .",
    "scan: a a\0 a\0\0 ab b.",
  ]);
});

test("what a mutation writes is one batch, so a crash leaves all of it or nothing", () => {
  const { batches } = engine.stats();
  const keys = ["a", "b", "c"].map(bytes);
  ask.mutate("mset", { kind: "put-many", keys, values: keys, condition: "always" });
  ask.mutate("del", { kind: "delete", keys });
  world.settle();
  expect(ask.take()).toEqual(["mset: applied", "del: applied"]);
  expect(engine.stats().batches - batches).toBe(2);
});

describe("after durability failed", () => {
  beforeEach(() => {
    ask.mutate("old", put("a", "old"));
    ask.mutate("gone", put("gone", "x", { expiry: { kind: "after", ms: 1000 } }));
    world.settle();
    world.disk.failAfter = 1;
    ask.mutate("put", put("a", "new"));
    ask.mutate("nx", put("a", "x", { condition: "absent" }));
    ask.read("a", "gone");
    ask.scan(null, 9);
    ask.count();
    world.settle();
  });

  test("writes are undetermined, refusals definite, reads show what is visible", () => {
    expect(ask.take()).toEqual([
      "old: applied",
      "gone: applied",
      "put: NOKV_UNDETERMINED",
      "nx: NOKV_POISONED",
      "a gone: old x",
      "scan: a gone.",
      "count: 2",
    ]);
  });

  test("later writes are refused and later reads still show what is visible", () => {
    ask.take();
    ask.mutate("put", put("b", "1"));
    ask.mutate("xx", put("none", "1", { condition: "present" }));
    ask.mutate("nx", put("a", "x", { condition: "absent" }));
    ask.clear();
    ask.read("a", "b");
    ask.count();
    world.nowMs += 1000;
    ask.read("gone");
    world.settle();
    expect(ask.take()).toEqual([
      "put: NOKV_POISONED",
      "xx: refused",
      "nx: NOKV_POISONED",
      "clear: NOKV_POISONED",
      "a b: old -",
      "count: 2",
      "gone: -",
    ]);
  });
});

describe("limits", () => {
  test("a read of too much is refused, not attempted", async () => {
    await start({}, { ...limits, readBytesMax: 10 });
    ask.mutate("put", put("a", "12345"));
    world.settle();
    ask.read("a", "a");
    ask.read("a", "a", "a");
    expect(ask.take()).toEqual(["put: applied", "a a: 12345 12345", "a a a: NOKV_INVALID_ARGUMENT"]);
  });

  test("removing every key takes one small write, whatever their number", async () => {
    await start({ batchBytesMax: 100 });
    for (let i = 0; i < 10; i++) ask.mutate("put", put(`key${i}`, "v"));
    world.settle();
    ask.take();
    ask.clear();
    ask.read("key1");
    ask.mutate("put", put("key3", "later"));
    ask.count();
    world.settle();
    expect(ask.take()).toEqual(["clear: done", "key1: -", "put: applied", "count: 1"]);
  });

  test("what the engine refuses is an answer", () => {
    ask.mutate("key", put("k".repeat(70_000), "v"));
    ask.read("k".repeat(70_000));
    expect(ask.take()).toEqual([
      "key: NOKV_INVALID_ARGUMENT",
      `${"k".repeat(70_000)}: NOKV_INVALID_ARGUMENT`,
    ]);
  });

  test("a closed engine answers so", async () => {
    ask.mutate("put", put("a", "1"));
    const closing = engine.close();
    for (let i = 0; i < 50; i++) {
      world.settle();
      await Promise.resolve();
    }
    await closing;
    ask.take();
    ask.mutate("put", put("a", "2"));
    ask.mutate("nx", put("a", "2", { condition: "absent" }));
    ask.read("a");
    ask.scan(null, 1);
    ask.count();
    ask.clear();
    const code = "NOKV_CLOSED";
    expect(ask.take()).toEqual([
      `put: ${code}`,
      `nx: ${code}`,
      `a: ${code}`,
      `scan: ${code}`,
      `count: ${code}`,
      `clear: ${code}`,
    ]);
  });
});

test("counting lets others in", () => {
  for (let i = 0; i < 20_000; i++) ask.mutate("put", put(`key${i}`, ""));
  world.settle();
  ask.take();
  ask.count();
  expect(ask.take()).toEqual([]);
  world.turn();
  expect(ask.take()).toEqual(["count: 20000"]);
});

test("random sequences agree with the map, whenever syncs complete", async () => {
  const key = fc.constantFrom("a", "b", "c");
  const expiry = fc.oneof(
    fc.constant({ kind: "never" } as const),
    fc.constant({ kind: "keep" } as const),
    fc.record({ kind: fc.constant("after" as const), ms: fc.integer({ min: -1, max: 3 }) }),
  );
  const mutation: fc.Arbitrary<Mutation> = fc.oneof(
    fc.record({
      kind: fc.constant("put" as const),
      key: key.map(bytes),
      value: fc.constantFrom("1", "x", "").map(bytes),
      expiry,
      condition: fc.constantFrom("always" as const, "absent" as const, "present" as const),
      returning: fc.boolean(),
    }),
    fc.record({ kind: fc.constant("delete" as const), keys: fc.array(key.map(bytes), { minLength: 1 }) }),
    fc.record({ kind: fc.constant("take" as const), key: key.map(bytes) }),
    fc.record({
      kind: fc.constant("increment" as const),
      key: key.map(bytes),
      delta: fc.constantFrom(1n, -3n),
    }),
    fc.record({
      kind: fc.constant("append" as const),
      key: key.map(bytes),
      suffix: fc.constantFrom("", "7").map(bytes),
    }),
    fc.record({
      kind: fc.constant("expire" as const),
      key: key.map(bytes),
      expiry,
      condition: fc.constantFrom("always" as const, "none" as const, "some" as const, "later" as const),
    }),
  );
  const step = fc.oneof(
    mutation.map((value) => ({ kind: "mutate" as const, value })),
    fc.constant({ kind: "read" as const }),
    fc.constant({ kind: "settle" as const }),
    fc.constant({ kind: "tick" as const }),
    fc.record({
      kind: fc.constant("transact" as const),
      watched: fc.subarray(["a", "b", "c"]),
      between: fc.array(mutation, { maxLength: 2 }),
      passes: fc.nat(2),
      mutations: fc.array(mutation, { maxLength: 4 }),
    }),
    fc.constant({ kind: "clear" as const }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      await start({ memtableBytes: 4096 });
      const map = new MapKv(() => world.nowMs);
      const kv = new EngineKv(engine, world.env.clock, limits);
      const expected: unknown[] = [];
      const actual: unknown[] = [];
      for (const each of steps) {
        const at = expected.length;
        const keys = ["a", "b", "c"].map(bytes);
        if (each.kind === "mutate") {
          map.mutate(each.value, (error, outcome) => (expected[at] = { error, outcome }));
          kv.mutate(each.value, (error, outcome) => (actual[at] = { error, outcome }));
        } else if (each.kind === "read") {
          map.read(keys, (error, entries) => (expected[at] = { error, entries }));
          kv.read(keys, (error, entries) => (actual[at] = { error, entries }));
        } else if (each.kind === "clear") {
          map.clear((error) => (expected[at] = { error }));
          kv.clear((error) => (actual[at] = { error }));
        } else if (each.kind === "transact") {
          // What the store says of a watch comes when it is durable; what it stands for was when it was asked for.
          let [watchedInMap, watchedInEngine]: [readonly WatchedKey[], readonly WatchedKey[]] = [[], []];
          map.watch(each.watched.map(bytes), (_, watched) => (watchedInMap = watched));
          kv.watch(each.watched.map(bytes), (_, watched) => (watchedInEngine = watched));
          for (const mutation of each.between) {
            map.mutate(mutation, () => {});
            kv.mutate(mutation, () => {});
          }
          world.nowMs += each.passes;
          if (each.watched.length > 0) world.settle();
          const operations: Operation[] = [
            { kind: "read", keys },
            ...each.mutations.map((mutation) => ({ kind: "mutate" as const, mutation })),
            { kind: "read", keys },
          ];
          map.transact({ operations, watched: watchedInMap }, (error, results) => (expected[at] = { error, results }));
          kv.transact({ operations, watched: watchedInEngine }, (error, results) => (actual[at] = { error, results }));
        } else if (each.kind === "settle") {
          world.settle();
        } else {
          world.nowMs++;
        }
      }
      world.settle();
      expect(actual).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});
