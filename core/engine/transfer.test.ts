// Goal: what one database exports another takes into an empty range, whole or not at all, with its versions; and a
// range that is not empty is refused.
import { describe, expect, test } from "vitest";
import { Batch } from "./batch.ts";
import { type Engine, openEngine } from "./engine.ts";
import type { EngineOptions } from "./options.ts";
import { bytesOf, Crashed, TestWorld, textOf } from "./test-world.test-support.ts";

const tiny: Partial<EngineOptions> = {
  memtableBytes: 512, tableBytes: 1024, blockBytes: 128, level0TablesMax: 2, valueThresholdBytes: 60,
};
const family = 0;
const range = { family, start: bytesOf("k"), end: bytesOf("l") };

function commit(engine: Engine, batch: Batch): Promise<void> {
  return new Promise((resolve, reject) => {
    engine.commit(batch, (error) => (error === null ? resolve() : reject(error)));
  });
}

function put(engine: Engine, key: string, value: string): Promise<void> {
  return commit(engine, new Batch().set(bytesOf(key), bytesOf(value)));
}

/** Values inside tables and outside, overwritten ones, deletes, keys on both sides of the range. */
async function source(world: TestWorld): Promise<Engine> {
  const engine = await world.run(openEngine(world.boot(), "/source", tiny));
  for (let i = 0; i < 40; i++) await world.run(put(engine, `k${i % 25}`, `${i} ${"x".repeat((i * 7) % 90)}`));
  await world.run(commit(engine, new Batch().delete(bytesOf("k3")).deleteRange(bytesOf("k5"), bytesOf("k6"))));
  await world.run(put(engine, "j", "before the range"));
  await world.run(put(engine, "l", "behind the range"));
  return engine;
}

function contents(engine: Engine): [string | null, string | null][] {
  const found = [...engine.iterator({ gte: range.start, lt: range.end })];
  return found.map(([key, value]) => [textOf(key), textOf(value)]);
}

async function target(world: TestWorld): Promise<Engine> {
  const engine = await world.run(openEngine(world.neighbour(), "/target", tiny));
  for (const key of ["a", "j", "l", "z"]) await world.run(put(engine, key, "of the target"));
  return engine;
}

describe("a range that moves from one database to another", () => {
  for (const history of [false, true]) {
    test(`reads there as it did here, ${history ? "with" : "without"} its history`, async () => {
      const world = new TestWorld();
      const from = await source(world);
      const expected = contents(from);
      const exported = await world.run(from.transfer.exportTables(range, "/export", history));
      await world.run(put(from, "k1", "written after the export"));
      const to = await target(world);
      const taken = await world.run(to.transfer.ingest(range, "/export"));
      expect(taken.records).toBe(exported.records);
      expect(contents(to)).toEqual(expected);
      for (const [key, value] of expected) expect(textOf(to.get(bytesOf(key ?? "")))).toBe(value);
      expect(to.get(bytesOf("k3"))).toBeNull();
      expect(textOf(to.get(bytesOf("j")))).toBe("of the target");
      await world.run(put(to, "k2", "newer"));
      expect(textOf(to.get(bytesOf("k2")))).toBe("newer");
      await world.run(to.compact());
      await world.run(to.close());
      const again = await world.run(openEngine(world.neighbour(), "/target", tiny));
      expect(textOf(again.get(bytesOf("k2")))).toBe("newer");
      expect(contents(again)).toHaveLength(expected.length);
    });
  }

  test("nothing comes of an empty range", async () => {
    const world = new TestWorld();
    const from = await source(world);
    const nothing = { family, start: bytesOf("x"), end: null };
    const exported = await world.run(from.transfer.exportTables(nothing, "/export"));
    expect(exported).toMatchObject({ tables: 0, records: 0 });
    const to = await target(world);
    expect(await world.run(to.transfer.ingest(nothing, "/export"))).toMatchObject({ tables: 0 });
  });

  test("a range that holds something is refused, and stays as it was", async () => {
    const world = new TestWorld();
    const from = await source(world);
    await world.run(from.transfer.exportTables(range, "/export"));
    const to = await target(world);
    await world.run(put(to, "k7", "mine"));
    await expect(world.run(to.transfer.ingest(range, "/export"))).rejects.toMatchObject({ code: "NOKV_BUSY" });
    expect(contents(to)).toEqual([["k7", "mine"]]);
    // Nothing of the copy stays behind.
    const tables = world.disk.paths().filter((path) => path.startsWith("/target/table"));
    expect(tables).toHaveLength(to.stats().tablesPerLevel.reduce((sum, count) => sum + count, 0));
    await world.run(commit(to, new Batch().deleteRange(range.start, range.end)));
    const taken = await world.run(to.transfer.ingest(range, "/export"));
    expect(taken.tables).toBeGreaterThan(0);
    expect(contents(to)).toEqual(contents(from));
  });

  test("tables outside the range, damaged ones and a missing directory are refused by name", async () => {
    const world = new TestWorld();
    const from = await source(world);
    await world.run(from.transfer.exportTables(range, "/export"));
    const to = await target(world);
    const narrow = { family, start: bytesOf("k2"), end: bytesOf("l") };
    await expect(world.run(to.transfer.ingest(narrow, "/export"))).rejects.toThrow("outside the range");
    await expect(world.run(to.transfer.ingest(range, "/nowhere"))).rejects.toMatchObject({ code: "NOKV_IO" });
    await expect(world.run(to.transfer.ingest(range, "/source"))).rejects.toMatchObject({
      code: "NOKV_INVALID_ARGUMENT",
    });
    const file = world.neighbour().disk.open("/export/table-000001.sst", "write");
    file.write(40, new Uint8Array([255, 255, 255, 255]), 0, 4);
    file.close();
    await expect(world.run(to.transfer.ingest(range, "/export"))).rejects.toMatchObject({ code: "NOKV_CORRUPTION" });
    expect(contents(to)).toEqual([]);
  });

  test("a crash inside any call of an ingestion leaves all of it or nothing", async () => {
    let struckCalls = 0;
    for (let call = 1; ; call += 5) {
      const world = new TestWorld(call);
      const from = await source(world);
      const expected = contents(from);
      await world.run(from.transfer.exportTables(range, "/export"));
      await world.run(from.close());
      const to = await world.run(openEngine(world.boot(), "/target", tiny));
      await world.run(put(to, "a", "kept"));
      let struck = false;
      let done = false;
      world.live.crashInCalls(call, () => {
        struck = true;
        world.powerLoss(call % 3);
      });
      to.transfer.ingest(range, "/export").then(
        () => {
          done = true;
        },
        (error: unknown) => {
          if (!(error instanceof Crashed)) throw error;
        },
      );
      await world.until(() => struck || done);
      if (!struck) break;
      struckCalls++;
      const again = await world.run(openEngine(world.boot(), "/target", tiny));
      expect(textOf(again.get(bytesOf("a")))).toBe("kept");
      const found = contents(again);
      if (found.length > 0) expect(found).toEqual(expected);
    }
    expect(struckCalls).toBeGreaterThan(5);
  });
});
