// Goal: records bear the versions they were given, whatever the order of batches; what is in memory is read at once;
// a crash leaves a prefix of the batches that holds what was told durable; and what nobody reads any more goes.
import { describe, expect, test } from "vitest";
import { columnFamily, versionMax } from "../bytes/record.ts";
import { Batch } from "./batch.ts";
import { type Engine, openEngine } from "./engine.ts";
import type { EngineOptions } from "./options.ts";
import { bytesOf, TestWorld, textOf } from "./test-world.test-support.ts";
import { VersionedBatch } from "./versioned-batch.ts";

const { data, lock, txn } = columnFamily;
const given: Partial<EngineOptions> = {
  versions: "given", checkVersions: true, durability: "none", memtableBytes: 512, tableBytes: 1024, blockBytes: 128,
  level0TablesMax: 2, valueThresholdBytes: 60,
};

function open(world: TestWorld, options: Partial<EngineOptions> = {}): Promise<Engine> {
  return world.run(openEngine(world.boot(), "/db", { ...given, ...options }));
}

// oxlint-disable-next-line max-params
function put(engine: Engine, key: string, version: number, value: string, family: number = data): number {
  const batch = new VersionedBatch();
  batch.set(family, bytesOf(key), version, bytesOf(value));
  return engine.apply(batch);
}

function read(engine: Engine, key: string, version: number = versionMax, family: number = data): string | null {
  const found = engine.newest(family, bytesOf(key), version);
  return found === null ? null : `${found.version} ${textOf(found.value) ?? "deleted"}`;
}

function durable(world: TestWorld, engine: Engine, ticket: number): Promise<void> {
  return world.run(
    new Promise((resolve, reject) => {
      engine.whenDurable(ticket, (error) => (error === null ? resolve() : reject(error)));
    }),
  );
}

describe("versions that were given", () => {
  test("are read at once, in any order over keys", async () => {
    const engine = await open(new TestWorld());
    put(engine, "b", 900, "late");
    put(engine, "a", 100, "early");
    put(engine, "a", 500, "later");
    expect(read(engine, "a")).toBe("500 later");
    expect(read(engine, "a", 499)).toBe("100 early");
    expect(read(engine, "a", 99)).toBeNull();
    expect(read(engine, "b", 900)).toBe("900 late");
    expect(read(engine, "b", 899)).toBeNull();
  });

  test("differ within a batch, over families, and come back after a power loss as told", async () => {
    const world = new TestWorld();
    let engine = await open(world);
    const batch = new VersionedBatch();
    batch.set(data, bytesOf("k"), 700, bytesOf("value"), 5);
    batch.set(lock, bytesOf("k"), engine.nextVersion(), bytesOf("held"));
    batch.delete(txn, bytesOf("k"), engine.nextVersion());
    const ticket = engine.apply(batch);
    put(engine, "old", 3, "of an old transaction");
    await durable(world, engine, ticket + 1);
    const taken = engine.newest(txn, bytesOf("k"), versionMax)?.version ?? Infinity;
    world.powerLoss();
    engine = await open(world);
    expect(engine.newest(data, bytesOf("k"), 700)).toEqual({ version: 700, value: bytesOf("value"), expiresAtMs: 5 });
    expect(read(engine, "k", versionMax, lock)).toContain("held");
    expect(read(engine, "k", versionMax, txn)).toContain("deleted");
    expect(read(engine, "old")).toBe("3 of an old transaction");
    expect(engine.nextVersion()).toBeGreaterThan(taken);
    // And once more: what was replayed was written anew.
    world.powerLoss();
    engine = await open(world);
    expect(read(engine, "old")).toBe("3 of an old transaction");
    await world.run(engine.close());
  });

  test("stay in order through flushes, merges and a look at the directory", async () => {
    const world = new TestWorld();
    let engine = await open(world);
    for (let round = 1; round <= 6; round++) {
      // Each batch of a round is below the one before it.
      for (let i = 20; i > 0; i--) {
        while (!engine.hasRoom(200)) await world.run(new Promise<void>((resolve) => engine.whenRoom(resolve)));
        put(engine, `k${i}`, round * 100 + i, `${round} ${"x".repeat((i * 13) % 80)}`);
      }
      await world.run(engine.flush());
      if (round === 3) await world.run(engine.compact());
    }
    const look = (from: Engine): void => {
      for (let i = 1; i <= 20; i++) {
        expect(read(from, `k${i}`)).toContain(`${600 + i} 6`);
        expect(read(from, `k${i}`, 300 + i)).toContain(`${300 + i} 3`);
      }
      const wish = { family: data, start: bytesOf("k1"), end: bytesOf("k2"), versionMax: 320, limit: 100, live: true };
      const expected = [301, 310, 311, 312, 313, 314, 315, 316, 317, 318, 319];
      expect(from.scan(wish).map(({ version }) => version)).toEqual(expected);
    };
    look(engine);
    expect((await world.run(engine.verify())).findings).toEqual([]);
    await world.run(engine.close());
    engine = await open(world);
    look(engine);
    await world.run(engine.close());
  });

  test("of the engine's own come in no more, and the other way round", async () => {
    const world = new TestWorld();
    const engine = await open(world);
    expect(() => engine.commit(new Batch().delete(bytesOf("k")), () => {})).toThrow("versions are given");
    await world.run(engine.close());
    const own = await open(world, { versions: "own" });
    expect(() => own.nextVersion()).toThrow('open it with versions "given"');
    expect(() => own.apply(new VersionedBatch())).toThrow('open it with versions "given"');
  });

  test("below the newest of a key are a defect", async () => {
    const world = new TestWorld();
    const engine = await open(world);
    put(engine, "k", 50, "a");
    expect(() => put(engine, "k", 50, "b")).toThrow("above the newest");
    await world.run(engine.flush());
    expect(() => put(engine, "k", 49, "b")).toThrow("above the newest");
    put(engine, "k", 51, "c");
  });
});

test("a directory that was written embedded goes on with given versions, and can be looked at", async () => {
  const world = new TestWorld();
  const own = await open(world, { versions: "own", durability: "sync" });
  const write = (batch: Batch): Promise<void> => world.run(own.commitShared(batch));
  await write(new Batch().set(bytesOf("a"), bytesOf("1")).set(bytesOf("b"), bytesOf("2")));
  await write(new Batch().deleteRange(bytesOf("b"), bytesOf("c")));
  const { pendingVersion } = own;
  await world.run(own.close());
  const engine = await open(world);
  expect(read(engine, "a")).toContain(" 1");
  expect(read(engine, "b")).toContain("deleted");
  expect(engine.nextVersion()).toBeGreaterThan(pendingVersion);
  put(engine, "z", 7, "z");
  put(engine, "b", pendingVersion + 1000, "again");
  expect(read(engine, "b")).toContain("again");
  await world.run(engine.close());
  const after = await open(world, { versions: "own" });
  expect(textOf(after.get(bytesOf("b")))).toBe("again");
  expect(textOf(after.get(bytesOf("z")))).toBe("z");
  await world.run(after.commitShared(new Batch().set(bytesOf("z"), bytesOf("own"))));
  world.powerLoss();
  expect(textOf((await open(world, { versions: "own" })).get(bytesOf("z")))).toBe("own");
});

describe("what nobody reads any more", () => {
  function versions(engine: Engine, key: string, family: number = data): number[] {
    const found: number[] = [];
    for (let at = versionMax; ; ) {
      const record = engine.newest(family, bytesOf(key), at);
      if (record === null) return found;
      found.push(record.version);
      at = record.version - 1;
    }
  }

  test("goes: below the safe point what is shadowed, elsewhere all but the newest", async () => {
    const world = new TestWorld();
    const engine = await open(world, { retainedMemtableBytes: 0 });
    for (let i = 1; i <= 5; i++) {
      put(engine, "k", i * 100, `${i}`);
      put(engine, "k", engine.nextVersion(), `${i}`, lock);
    }
    const tombstone = new VersionedBatch();
    tombstone.delete(lock, bytesOf("gone"), engine.nextVersion());
    engine.apply(tombstone);
    await world.run(engine.compact());
    expect(versions(engine, "k")).toEqual([500, 400, 300, 200, 100]);
    expect(versions(engine, "k", lock)).toHaveLength(1);
    expect(engine.newest(lock, bytesOf("gone"), versionMax)).toBeNull();
    engine.advanceSafePoint(350);
    await world.run(engine.compact());
    expect(versions(engine, "k")).toEqual([500, 400, 300]);
    // It never goes back.
    engine.advanceSafePoint(100);
    expect(read(engine, "k", 350)).toBe("300 3");
  });
});
