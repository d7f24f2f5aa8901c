// Goal: what the original's db_test.go asks of recovery, by its names, where no other test asks exactly that; the rest
// is in the table of docs/ORIGINAL-TESTS.md. Method: a database over a simulated disk whose process or power ends.
import { describe, expect, test } from "vitest";
import { NokvError } from "../errors.ts";
import { scanSegment } from "../wal/segment-scan.ts";
import { type Db, openDb } from "./db.ts";
import type { EngineOptions } from "./options.ts";
import { Crashed, TestWorld, textOf } from "./test-world.test-support.ts";

const directory = "/db";
const small: Partial<EngineOptions> = { memtableBytes: 1 << 14, blockBytes: 512, walSparesMax: 0 };

function opened(world: TestWorld, options: Partial<EngineOptions> = {}): Promise<Db> {
  return world.run(openDb(world.boot(), directory, { ...small, ...options }));
}

/** As `key=value`, in key order. */
function shown(db: Db): string[] {
  return [...db.entries()].map(([key, value]) => `${textOf(key)}=${textOf(value)}`);
}

function sets(...keys: readonly string[]): { readonly type: "set"; readonly key: string; readonly value: string }[] {
  return keys.map((key) => ({ type: "set", key, value: `v${key}` }));
}

describe("recovery", () => {
  test("TestRecoveryWALReplayRestoresData: of a process and of a machine that end", async () => {
    for (const ending of ["process", "power"] as const) {
      const world = new TestWorld();
      let db = await opened(world);
      await world.run(db.set("wal-crash-key", "wal-crash-value"));
      if (ending === "process") world.processCrash();
      else world.powerLoss();
      db = await opened(world);
      expect(shown(db)).toEqual(["wal-crash-key=wal-crash-value"]);
      expect(db.stats().recovery.framesReplayed).toBeGreaterThan(0);
    }
  });

  test("TestRecoveryWALReplayMixedBatchDeleteAndRangeDelete", async () => {
    const world = new TestWorld();
    let db = await opened(world);
    await world.run(db.batch(sets("a", "b", "c")));
    await world.run(db.deleteRange({ gte: "b", lt: "d" }));
    await world.run(db.set("c", "new"));
    await world.run(db.delete("a"));
    await world.run(db.batch(sets("d", "e")));
    world.powerLoss();
    db = await opened(world);
    expect(shown(db)).toEqual(["c=new", "d=vd", "e=ve"]);
    expect([db.get("a"), db.get("b")]).toEqual([undefined, undefined]);
  });

  test("TestRecoveryWALReplayIdempotentAcrossRepeatedReopen: also when replays are cut off", async () => {
    const world = new TestWorld();
    const first = await opened(world);
    await world.run(first.batch(sets("k1", "k2")));
    await world.run(first.deleteRange({ gte: "k2", lt: "k3" }));
    await world.run(first.set("k2", "new"));
    let calls = 1;
    for (; ; calls++) {
      world.powerLoss();
      const state = { struck: false, open: false };
      const env = world.boot();
      env.crashInCalls(calls, () => {
        state.struck = true;
        world.powerLoss(calls % 4);
      });
      openDb(env, directory, small).then(
        () => {
          state.open = true;
        },
        (error: unknown) => {
          if (!(error instanceof Crashed)) throw error;
        },
      );
      await world.until(() => state.struck || state.open);
      if (state.open) break;
      const db = await opened(world);
      expect(shown(db), `after ${calls} calls`).toEqual(["k1=vk1", "k2=new"]);
    }
    expect(calls).toBeGreaterThan(20);
  });

  test("TestRecoveryWALReplayTruncatedTailBatchIsNotPartiallyApplied: cut at each of its bytes", async () => {
    const world = new TestWorld();
    const writing = await opened(world, { durability: "none" });
    await world.run(writing.set("anchor", "ok"));
    const values = ["b1", "b2", "b3"].map((key) => ({ type: "set" as const, key, value: key.repeat(30) }));
    await world.run(writing.batch(values));
    world.processCrash();
    const image = world.disk.snapshot();
    const [path = ""] = world.disk.paths().filter((name) => /wal-\d+\.log$/.test(name));
    const whole = world.disk.inspect(path)?.cached ?? new Uint8Array(0);
    const header = new DataView(whole.buffer, whole.byteOffset);
    const numbers = [header.getUint32(12, true), header.getUint32(16, true)] as const;
    const length = scanSegment(path, whole, whole.length, ...numbers).goodBytes;
    const seen = { none: 0, all: 0, refused: 0 };
    for (let cut = 0; cut < 180; cut++) {
      world.disk.restore(image);
      const { disk } = world.boot();
      disk.remove(path);
      const file = disk.open(path, "create");
      file.write(0, whole, 0, length - cut);
      file.close();
      const db = await opened(world).catch((error: unknown) => {
        if (error instanceof NokvError) return error;
        throw error;
      });
      if (db instanceof NokvError) {
        expect(db.code).toBe("NOKV_CORRUPTION");
        seen.refused++;
        continue;
      }
      expect(textOf(db.get("anchor"))).toBe("ok");
      const found = ["b1", "b2", "b3"].filter((key) => db.has(key)).length;
      expect([0, 3]).toContain(found);
      seen[found === 0 ? "none" : "all"]++;
    }
    expect(seen.all).toBeGreaterThan(0);
    expect(seen.none).toBeGreaterThan(100);
  });

  test("TestRecoveryVlogPointerRoundTripAfterReopen", async () => {
    const world = new TestWorld();
    const options = { valueThresholdBytes: 100 };
    let db = await opened(world, options);
    const [one, two] = ["A".repeat(1_024), "B".repeat(1_536)];
    await world.run(db.set("vp-1", one));
    await world.run(db.set("vp-2", two));
    await world.run(db.flush());
    expect(db.stats().valuesSeparated).toBe(2);
    await world.run(db.close());
    db = await opened(world, options);
    expect([textOf(db.get("vp-1")), textOf(db.get("vp-2"))]).toEqual([one, two]);
    expect(shown(db)).toEqual([`vp-1=${one}`, `vp-2=${two}`]);
  });

  test("TestRecoverySkipsValueLogReplay: a file of values brings nothing back, though it was a log", async () => {
    const world = new TestWorld();
    const options = { valueThresholdBytes: 100 };
    let db = await opened(world, options);
    for (const key of ["gone", "kept"]) await world.run(db.set(key, key.repeat(200)));
    await world.run(db.flush());
    expect(db.stats().valueSegmentsKept).toBe(1);
    await world.run(db.delete("gone"));
    await world.run(db.flush());
    for (let openings = 0; openings < 2; openings++) {
      world.powerLoss();
      db = await opened(world, options);
      expect(db.stats().recovery.framesReplayed).toBe(0);
      expect(shown(db)).toEqual([`kept=${"kept".repeat(200)}`]);
    }
  });
});

test("TestAPIMixedOpsPersistAcrossFlushCompactionAndReopen", async () => {
  const world = new TestWorld();
  let db = await opened(world, { memtableBytes: 512, level0TablesMax: 2, tableBytes: 1024, blockBytes: 128 });
  await world.run(db.batch(sets("k1", "k2", "k3")));
  await world.run(db.delete("k1"));
  await world.run(db.deleteRange({ gte: "k2", lt: "k4" }));
  await world.run(db.set("k3", "new"));
  await world.run(db.batch(sets("k4", "k5")));
  await world.run(db.deleteRange({ gte: "k5", lt: "k6" }));
  for (let i = 0; i < 48; i++) await world.run(db.set(`pad-${i}`, "p".repeat(160)));
  await world.run(db.flush());
  expect(db.stats().compactions).toBeGreaterThan(0);
  const expected = ["k3=new", "k4=vk4"];
  const found = (): string[] => shown(db).filter((entry) => entry.startsWith("k"));
  expect(found()).toEqual(expected);
  await world.run(db.compact());
  expect(found()).toEqual(expected);
  await world.run(db.close());
  db = await opened(world);
  expect(found()).toEqual(expected);
  expect(shown(db).length).toBe(50);
});

test("TestDBIteratorLegitimateFilteringNoError, TestDBIteratorEmptyDatabaseNoError: an end is no error", async () => {
  const world = new TestWorld();
  const db = await opened(world);
  expect(shown(db)).toEqual([]);
  await world.run(db.set("deleted", "1"));
  await world.run(db.delete("deleted"));
  await world.run(db.set("expired", "1", { ttlMs: 1 }));
  world.wallMs += 10;
  expect(shown(db)).toEqual([]);
  expect([...db.entries({ reverse: true })]).toEqual([]);
});

test("TestOpenNormalizesLegacyUnsetFieldsWithoutMutatingCaller", async () => {
  const world = new TestWorld();
  const given = Object.freeze({ memtableBytes: 1 << 15 });
  const db = await world.run(openDb(world.boot(), directory, given));
  await world.run(db.set("a", "1"));
  expect(given).toEqual({ memtableBytes: 1 << 15 });
  expect(shown(db)).toEqual(["a=1"]);
});
