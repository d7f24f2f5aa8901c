// Goal: what the machine refuses is reported in the right words, loses nothing that was acknowledged, and
// is over when the machine is well again. Method: one disk call after another refused, in every phase; and
// longer faults turned on and off.
import { describe, expect, test } from "vitest";
import { compactionBeforeManifest, failpoints, flushBeforeManifest } from "../../failpoints/catalog.ts";
import type { DiskErrorCode } from "../env/disk.ts";
import { NokvError, type NokvErrorCode } from "../errors.ts";
import { Batch } from "./batch.ts";
import { type Engine, openEngine } from "./engine.ts";
import type { EngineOptions } from "./options.ts";
import { bytesOf, type TestEnv, TestWorld, textOf } from "./test-world.test-support.ts";

const directory = "/db";
const tiny: Partial<EngineOptions> = {
  memtableBytes: 512, tableBytes: 1024, blockBytes: 128, level0TablesMax: 2, manifestBytesMax: 512,
  immutableMemtablesMax: 1, level0TablesStop: 4, jobRetryMs: 10, valueThresholdBytes: 40,
};

/** Commits one write; its value is its number, so what is found tells how far the history goes. */
class Writer {
  next = 1;
  acknowledged = 0;
  readonly outcomes = new Set<NokvErrorCode | "done">();

  commit(engine: Engine): Promise<void> {
    const n = this.next;
    return new Promise((resolve) => {
      const over = (error: NokvError | null): void => {
        this.outcomes.add(error?.code ?? "done");
        if (error === null) this.acknowledged = n;
        resolve();
      };
      try {
        const batch = new Batch().set(bytesOf("last"), bytesOf(String(n)));
        batch.set(bytesOf(`k${n % 7}`), new Uint8Array(50));
        engine.commit(batch, over);
        this.next++;
      } catch (error) {
        if (!(error instanceof NokvError)) throw error;
        over(error);
      }
    });
  }
}

function last(engine: Engine): number {
  return Number(textOf(engine.get(bytesOf("last"))) ?? "0");
}

async function expectHealthy(world: TestWorld, writer: Writer): Promise<void> {
  world.boot();
  const engine = await world.run(openEngine(world.boot(), directory, tiny));
  expect(last(engine)).toBeGreaterThanOrEqual(writer.acknowledged);
  expect(last(engine)).toBeLessThan(writer.next);
  await world.run(writer.commit(engine));
  expect(last(engine)).toBe(writer.next - 1);
  await world.run(engine.close());
  expect(world.disk.openFiles).toBe(0);
}

/** Refuses call number `n` from now, once. */
function refuseCall(env: TestEnv, n: number, code: DiskErrorCode): () => boolean {
  const at = env.callCount + n;
  let hit = false;
  env.refuse = (operation) => {
    if (env.callCount !== at || operation === "close" || operation === "unlock") return null;
    hit = true;
    return code;
  };
  return () => hit;
}

describe.each<DiskErrorCode>(["ENOSPC", "EIO", "EMFILE", "EROFS"])("%s at any call", (code) => {
  test("of an opening is reported, leaves nothing open, and is over with the next opening", async () => {
    for (const fresh of [true, false]) {
      let calls = 1;
      for (; ; calls++) {
        const world = new TestWorld();
        const writer = new Writer();
        if (!fresh) {
          const engine = await world.run(openEngine(world.boot(), directory, tiny));
          for (let i = 0; i < 15; i++) await world.run(writer.commit(engine));
          world.processCrash();
        }
        const env = world.boot();
        const hit = refuseCall(env, calls, code);
        let error: unknown = null;
        try {
          const engine = await world.run(openEngine(env, directory, tiny));
          await world.run(engine.close());
        } catch (caught) {
          error = caught;
        }
        expect(world.disk.openFiles).toBe(0);
        if (error !== null) {
          expect(error).toBeInstanceOf(NokvError);
          // A close that could not be completed does not know what survives.
          expect(["NOKV_IO", "NOKV_NO_SPACE", "NOKV_UNDETERMINED"]).toContain((error as NokvError).code);
          if (code !== "ENOSPC") expect((error as NokvError).code).not.toBe("NOKV_NO_SPACE");
        }
        await expectHealthy(world, writer);
        if (!hit() && calls > 100) break;
      }
      expect(calls).toBeGreaterThan(10);
    }
  });

  test("of a life is survived or poisons, and loses nothing", async () => {
    let poisoned = 0;
    for (let calls = 1; calls < 260; calls += 3) {
      const world = new TestWorld();
      const env = world.boot();
      const writer = new Writer();
      const engine = await world.run(openEngine(env, directory, tiny));
      refuseCall(env, calls, code);
      for (let i = 0; i < 25; i++) await world.run(writer.commit(engine));
      await world.pass(100);
      const stats = engine.stats();
      if (stats.poisoned) poisoned++;
      const allowed = ["done", "NOKV_BUSY", "NOKV_NO_SPACE"];
      if (stats.poisoned) allowed.push("NOKV_UNDETERMINED", "NOKV_POISONED");
      for (const outcome of writer.outcomes) expect(allowed).toContain(outcome);
      // Reads of what was acknowledged go on.
      expect(last(engine)).toBeGreaterThanOrEqual(writer.acknowledged);
      if (!stats.poisoned) {
        await world.run(writer.commit(engine));
        expect(last(engine)).toBe(writer.next - 1);
      }
      world.processCrash();
      await expectHealthy(world, writer);
    }
    if (code === "EIO") expect(poisoned).toBeGreaterThan(0);
  });
});

describe("a full disk", () => {
  test("refuses writes definitely, keeps reading, and goes on by itself when there is room", async () => {
    const world = new TestWorld();
    const writer = new Writer();
    const engine = await world.run(openEngine(world.boot(), directory, tiny));
    for (let i = 0; i < 10; i++) await world.run(writer.commit(engine));
    await world.pass(100);
    world.faults.quotaBytes = world.disk.usedBytes + 200;
    const pending: Promise<void>[] = [];
    for (let i = 0; i < 60; i++) {
      pending.push(writer.commit(engine));
      await world.pass(20);
    }
    expect(writer.outcomes).toContain("NOKV_NO_SPACE");
    expect(writer.outcomes).not.toContain("NOKV_UNDETERMINED");
    expect(engine.stats().poisoned).toBe(false);
    expect(last(engine)).toBe(writer.acknowledged);
    world.faults.quotaBytes = Number.MAX_SAFE_INTEGER;
    await world.pass(1000);
    await world.run(Promise.all(pending));
    expect(writer.acknowledged).toBe(writer.next - 1);
    await world.run(writer.commit(engine));
    expect(last(engine)).toBe(writer.next - 1);
    await world.run(engine.close());
    await expectHealthy(world, writer);
  });
});

describe("a flush that fails", () => {
  test("is tried again, and meanwhile memory is bounded and nobody hangs", async () => {
    const world = new TestWorld();
    const env = world.boot();
    const writer = new Writer();
    const engine = await world.run(openEngine(env, directory, tiny));
    env.refuse = (operation, path) => (operation === "open" && path.endsWith(".sst") ? "EIO" : null);
    for (let i = 0; i < 60; i++) await world.run(writer.commit(engine));
    expect(writer.outcomes).toContain("NOKV_BUSY");
    expect(engine.stats().flushFailures).toBeGreaterThan(0);
    expect(engine.stats().memtableBytes).toBeLessThan(4 * 512);
    await expect(world.run(engine.flush())).rejects.toMatchObject({ code: "NOKV_IO" });
    env.refuse = () => null;
    await world.pass(1000);
    expect(engine.stats().immutableMemtables).toBe(0);
    await world.run(writer.commit(engine));
    expect(last(engine)).toBe(writer.next - 1);
    expect(world.disk.paths().filter((path) => path.endsWith(".sst")).length).toBe(
      engine.stats().tablesPerLevel.reduce((sum, count) => sum + count, 0),
    );
  });

  test("whose table can not be opened is tried again with another table", async () => {
    const world = new TestWorld();
    const env = world.boot();
    const writer = new Writer();
    const engine = await world.run(openEngine(env, directory, tiny));
    let refused = 0;
    const opens = new Map<string, number>();
    env.refuse = (operation, path) => {
      if (operation !== "open" || !path.endsWith(".sst")) return null;
      const count = (opens.get(path) ?? 0) + 1;
      opens.set(path, count);
      // The second opening of a new table is the one that checks it.
      if (count !== 2 || refused === 2) return null;
      refused++;
      return "EMFILE";
    };
    for (let i = 0; i < 40; i++) await world.run(writer.commit(engine));
    await world.pass(1000);
    expect(refused).toBe(2);
    expect(engine.stats()).toMatchObject({ poisoned: false, immutableMemtables: 0 });
    world.powerLoss();
    await expectHealthy(world, writer);
  });
});

describe("held back", () => {
  test("writes wait while the background is behind, and all of them are done in the end", async () => {
    const world = new TestWorld(1, { syncUsMin: 3000, syncUsMax: 3000 });
    const writer = new Writer();
    const engine = await world.run(openEngine(world.boot(), directory, tiny));
    const pending: Promise<void>[] = [];
    for (let i = 0; i < 100; i++) {
      pending.push(writer.commit(engine));
      await world.pass(1);
    }
    await world.run(Promise.all(pending));
    expect(engine.stats().stallCount).toBeGreaterThan(0);
    for (const outcome of writer.outcomes) expect(["done", "NOKV_BUSY"]).toContain(outcome);
    expect(last(engine)).toBe(writer.next - 1);
    expect(engine.stats().memtableBytes).toBeLessThan(4 * 512);
  });

  test("closing lets them go", async () => {
    const world = new TestWorld(1, { syncUsMin: 3000, syncUsMax: 3000 });
    const writer = new Writer();
    const engine = await world.run(openEngine(world.boot(), directory, tiny));
    const pending = Array.from({ length: 12 }, () => writer.commit(engine));
    await world.run(engine.close());
    await world.run(Promise.all(pending));
    expect(writer.acknowledged).toBe(writer.next - 1);
    world.powerLoss();
    await expectHealthy(world, writer);
  });

  test("beyond the bound of pending bytes writes are refused, and nothing happened", async () => {
    const world = new TestWorld(1, { syncUsMin: 3000, syncUsMax: 3000 });
    const writer = new Writer();
    const options = { memtableBytes: 1 << 16, pendingBytesMax: 1000 };
    const engine = await world.run(openEngine(world.boot(), directory, options));
    const pending = Array.from({ length: 30 }, () => writer.commit(engine));
    expect(writer.outcomes).toContain("NOKV_BUSY");
    const taken = writer.next - 1;
    expect(taken).toBeGreaterThan(2);
    expect(taken).toBeLessThan(30);
    await world.run(Promise.all(pending));
    expect(last(engine)).toBe(taken);
  });
});

describe("poison", () => {
  test("pending writes are undetermined, later ones refused, and listeners told once", async () => {
    const world = new TestWorld();
    const writer = new Writer();
    const engine = await world.run(openEngine(world.boot(), directory, tiny));
    await world.run(writer.commit(engine));
    world.faults.syncFailed = 1_000_000;
    const told: string[] = [];
    engine.onPoisoned((error) => told.push(error.code));
    await world.run(Promise.all([writer.commit(engine), writer.commit(engine)]));
    await world.run(writer.commit(engine));
    engine.onPoisoned((error) => told.push(error.code));
    expect([...writer.outcomes]).toEqual(["done", "NOKV_UNDETERMINED", "NOKV_POISONED"]);
    expect(told).toEqual(["NOKV_POISONED", "NOKV_POISONED"]);
    expect(engine.stats().poisoned).toBe(true);
    expect(last(engine)).toBe(1);
    const outcomes: string[] = [];
    engine.whenVisible(engine.pendingVersion, (error) => outcomes.push(error?.code ?? "done"));
    engine.whenVisible(engine.visibleVersion, (error) => outcomes.push(error?.code ?? "done"));
    expect(outcomes).toEqual(["NOKV_UNDETERMINED", "done"]);
    await expect(world.run(engine.flush())).rejects.toMatchObject({ code: "NOKV_POISONED" });
    await expect(world.run(engine.compact())).rejects.toMatchObject({ code: "NOKV_POISONED" });
    world.faults.syncFailed = 0;
    await world.run(engine.close());
    expect(world.disk.openFiles).toBe(0);
    world.powerLoss();
    await expectHealthy(world, writer);
  });

  test("a close that can not make everything durable says so, and frees the directory", async () => {
    const world = new TestWorld();
    const writer = new Writer();
    const engine = await world.run(openEngine(world.boot(), directory, { ...tiny, durability: "none" }));
    await world.run(writer.commit(engine));
    world.faults.syncFailed = 1_000_000;
    await expect(world.run(engine.close())).rejects.toMatchObject({ code: "NOKV_UNDETERMINED" });
    expect(world.disk.openFiles).toBe(0);
    world.faults.syncFailed = 0;
    writer.acknowledged = 0;
    await expectHealthy(world, writer);
  });
});

test("a lock file that can not be cleared fails the close with a typed error, and nothing is lost", async () => {
  const world = new TestWorld();
  const writer = new Writer();
  const env = world.boot();
  const engine = await world.run(openEngine(env, directory, tiny));
  await world.run(writer.commit(engine));
  env.refuse = (operation) => (operation === "unlock" ? "EIO" : null);
  await expect(world.run(engine.close())).rejects.toMatchObject({ code: "NOKV_IO" });
  world.processCrash();
  await expectHealthy(world, writer);
});

describe("failpoints", () => {
  const ofThisRoom = failpoints.filter(({ name }) => name.startsWith("core/"));

  test.each(ofThisRoom)("a crash at $name loses nothing", async (point) => {
    const world = new TestWorld();
    const writer = new Writer();
    let visits = 0;
    for (let life = 0; life < 4; life++) {
      const env = world.boot();
      env.failpoints.arm(point, { kind: "crash", percent: 100, count: 1 });
      let engine: Engine | null = null;
      const living = (async (): Promise<void> => {
        engine = await openEngine(env, directory, tiny);
        for (let i = 0; i < 40; i++) await writer.commit(engine);
        await engine.compact();
      })();
      let over = false;
      living.then(() => (over = true), () => (over = true));
      await world.until(() => over || !env.alive());
      visits += env.failpoints.visitCount(point);
      world.powerLoss(life);
    }
    expect(visits).toBeGreaterThan(0);
    await expectHealthy(world, writer);
  });

  test("tables that no manifest names are gone after the next opening", async () => {
    for (const point of [flushBeforeManifest, compactionBeforeManifest]) {
      const world = new TestWorld();
      const writer = new Writer();
      const env = world.boot();
      env.failpoints.arm(point, { kind: "crash", percent: 100, count: 1 });
      const engine = await world.run(openEngine(env, directory, tiny));
      const living = (async (): Promise<void> => {
        for (let i = 0; i < 60; i++) await writer.commit(engine);
      })();
      living.catch(() => {});
      await world.until(() => !env.alive());
      const again = await world.run(openEngine(world.boot(), directory, tiny));
      await world.run(again.close());
      const tables = again.stats().tablesPerLevel.reduce((sum, count) => sum + count, 0);
      expect(world.disk.paths().filter((path) => path.endsWith(".sst")).length).toBe(tables);
    }
  });
});
