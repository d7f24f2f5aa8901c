// Goal: a checkpoint is a whole database or a directory that is refused, whatever ends its making, and it costs the
// original nothing.
// Method: the engine on the simulated disk; a power loss inside each of the calls of a checkpoint.
import { describe, expect, test } from "vitest";
import { diskFaultsPowerLoss } from "../../sim/disk/disk-faults.ts";
import { NokvError } from "../errors.ts";
import { Batch } from "./batch.ts";
import { type Engine, openEngine } from "./engine.ts";
import { bytesOf, Crashed, TestWorld, textOf } from "./test-world.test-support.ts";

const tiny = { memtableBytes: 512, tableBytes: 1024, blockBytes: 128, level0TablesMax: 2 };

function put(engine: Engine, key: string, value: string): Promise<void> {
  return new Promise((resolve, reject) => {
    engine.commit(new Batch().set(bytesOf(key), bytesOf(value)), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

async function opened(world: TestWorld): Promise<Engine> {
  const engine = await world.run(openEngine(world.boot(), "/db", tiny));
  for (let i = 0; i < 20; i++) await world.run(put(engine, `k${i}`, `v${i}`));
  return engine;
}

describe("a checkpoint", () => {
  test("is a database of its own that holds what was committed before", async () => {
    const world = new TestWorld();
    const engine = await opened(world);
    const late = put(engine, "late", "committed");
    const made = await world.run(engine.checkpoint("/backup/monday"));
    await world.run(late);
    expect(made.version).toBeGreaterThanOrEqual(engine.visibleVersion);
    await world.run(put(engine, "k3", "changed"));
    const copy = await world.run(openEngine(world.neighbour(), "/backup/monday", tiny));
    expect(textOf(copy.get(bytesOf("k3")))).toBe("v3");
    expect(textOf(copy.get(bytesOf("late")))).toBe("committed");
    await world.run(put(copy, "k4", "other"));
    await world.run(copy.compact());
    expect(textOf(engine.get(bytesOf("k4")))).toBe("v4");
    await world.run(engine.compact());
    await world.run(copy.close());
    const again = await world.run(openEngine(world.neighbour(), "/backup/monday", tiny));
    expect(textOf(again.get(bytesOf("k4")))).toBe("other");
  });

  test("an empty database has an empty one", async () => {
    const world = new TestWorld();
    const engine = await world.run(openEngine(world.boot(), "/db", tiny));
    await world.run(engine.checkpoint("/copy"));
    const copy = await world.run(openEngine(world.neighbour(), "/copy", { createIfMissing: false }));
    expect(copy.get(bytesOf("k"))).toBeNull();
    await world.run(put(copy, "k", "v"));
    expect(textOf(copy.get(bytesOf("k")))).toBe("v");
  });

  test("refuses a place that is taken, and leaves it alone", async () => {
    const world = new TestWorld();
    const engine = await opened(world);
    await world.run(engine.checkpoint("/copy"));
    const before = world.disk.paths();
    for (const [target, code] of [
      ["/copy", "NOKV_FOREIGN_DIRECTORY"],
      ["/db", "NOKV_FOREIGN_DIRECTORY"],
      ["/db/CURRENT", "NOKV_INVALID_ARGUMENT"],
      ["", "NOKV_INVALID_ARGUMENT"],
    ] as const) {
      await expect(world.run(engine.checkpoint(target))).rejects.toMatchObject({ code });
    }
    expect(world.disk.paths()).toEqual(before);
  });

  test("a full disk takes nothing with it", async () => {
    const world = new TestWorld();
    const engine = await opened(world);
    await world.run(engine.flush());
    world.faults.eioMetadata = 1_000_000;
    await expect(world.run(engine.checkpoint("/copy"))).rejects.toMatchObject({ code: "NOKV_IO" });
    world.faults.eioMetadata = 0;
    world.disk.heal();
    await world.run(engine.checkpoint("/copy"));
    expect(textOf(engine.get(bytesOf("k7")))).toBe("v7");
  });

  test("a power loss inside any call leaves it whole or refused", async () => {
    let refused = 0;
    for (let call = 1; ; call++) {
      const world = new TestWorld(call, diskFaultsPowerLoss);
      const engine = await opened(world);
      let struck = false;
      let done = false;
      world.live.crashInCalls(call, () => {
        struck = true;
        world.powerLoss(call % 4);
      });
      engine.checkpoint("/copy").then(
        () => {
          done = true;
        },
        (error: unknown) => {
          if (!(error instanceof Crashed)) throw error;
        },
      );
      await world.until(() => struck || done);
      if (!struck) break;
      const original = await world.run(openEngine(world.boot(), "/db", tiny));
      for (let i = 0; i < 20; i++) expect(textOf(original.get(bytesOf(`k${i}`)))).toBe(`v${i}`);
      try {
        const copy = await world.run(openEngine(world.neighbour(), "/copy", { createIfMissing: false }));
        for (let i = 0; i < 20; i++) expect(textOf(copy.get(bytesOf(`k${i}`)))).toBe(`v${i}`);
      } catch (error) {
        if (!(error instanceof NokvError)) throw error;
        expect(["NOKV_NOT_FOUND", "NOKV_CORRUPTION"]).toContain(error.code);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(10);
  });
});

describe("a batch in tables", () => {
  test("is told after the flush that brings it there, and at once from then on", async () => {
    const world = new TestWorld();
    const engine = await opened(world);
    const version = engine.pendingVersion;
    let told = 0;
    engine.whenInTables(version, () => told++);
    expect(told).toBe(0);
    await world.run(engine.flush());
    expect(told).toBe(1);
    engine.whenInTables(version, () => told++);
    expect(told).toBe(2);
    expect(engine.stats().flushedVersion).toBe(version);
    expect(() => engine.whenInTables(version + 1, () => {})).toThrow("was never given out");
  });
});
