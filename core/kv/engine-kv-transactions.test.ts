// Goal: a transaction of the embedded store is one durable batch, and no change of a watched key escapes it.
import { beforeEach, describe, expect, test } from "vitest";
import type { Engine } from "../engine/engine.ts";
import { bytes, limits, put, TestEnv } from "./engine-kv.test-support.ts";
import { EngineKv } from "./engine-kv.ts";
import type { Mutation, Operation, WatchedKey } from "./kv.ts";

let world: TestEnv;
let engine: Engine;

beforeEach(async () => {
  world = new TestEnv();
  engine = await world.open({ waitedSyncUs: 0 });
});

function mutate(...mutations: Mutation[]): void {
  for (const mutation of mutations) new EngineKv(engine, world.env.clock, limits).mutate(mutation, () => {});
}

describe("transactions", () => {
  function transact(watched: readonly WatchedKey[], ...mutations: Mutation[]): string[] {
    const log: string[] = [];
    const operations = mutations.map((mutation): Operation => ({ kind: "mutate", mutation }));
    new EngineKv(engine, world.env.clock, limits).transact({ operations, watched }, (error, results) => {
      const said = results?.map((each) => {
        if (each.kind === "read") return "read";
        return each.outcome.applied ? "applied" : "refused";
      });
      log.push(error?.code ?? said?.join(" ") ?? "changed");
    });
    return log;
  }

  function watch(...keys: string[]): readonly WatchedKey[] {
    let seen: readonly WatchedKey[] = [];
    new EngineKv(engine, world.env.clock, limits).watch(keys.map(bytes), (_, watched) => (seen = watched));
    world.settle();
    return seen;
  }

  test("one batch, acknowledged when it is durable", () => {
    const { batches } = engine.stats();
    const log = transact([], put("a", "1"), put("b", "2"), put("a", "3", { condition: "absent" }));
    world.turn();
    expect(log).toEqual([]);
    world.settle();
    expect(log).toEqual(["applied applied refused"]);
    expect(engine.stats().batches - batches).toBe(1);
  });

  test("that nothing was written is told when what was seen is durable", () => {
    mutate(put("a", "1"));
    const log = transact([], put("a", "2", { condition: "absent" }));
    world.turn();
    expect(log).toEqual([]);
    world.settle();
    expect(log).toEqual(["refused"]);
  });

  test("a removal that may be forgotten counts as one that was", async () => {
    const watched = watch("gone");
    expect(watched).toMatchObject([{ version: 0, alive: false }]);
    mutate(put("gone", "1"), { kind: "delete", keys: [bytes("gone")] });
    world.settle();
    const flushing = engine.flush();
    for (let i = 0; i < 50; i++) {
      world.settle();
      await Promise.resolve();
    }
    await flushing;
    const log = transact(watched, put("a", "1"));
    world.settle();
    const again = transact(watch("gone"), put("a", "1"));
    world.settle();
    expect([...log, ...again]).toEqual(["changed", "applied"]);
  });

  test("after durability failed nothing is promised", () => {
    mutate(put("a", "1"));
    const watched = watch("a");
    world.disk.failAfter = 1;
    const log = [...transact(watched, put("a", "2")), ...transact(watched, put("b", "2"))];
    expect(log).toEqual([]);
    const first = transact([], put("c", "2"));
    const second = transact(watched, put("c", "2", { condition: "present" }));
    world.settle();
    expect([...first, ...second]).toEqual(["NOKV_UNDETERMINED", "NOKV_POISONED"]);
  });
});

