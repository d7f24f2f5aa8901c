// Goal: a log segment written over the file of an obsolete one keeps every promise: what is left of the earlier
// one is never taken for its own, damage is still told from a torn tail, and a full disk gets its room back.
import { describe, expect, test } from "vitest";
import { bytesOf, TestWorld, textOf } from "./test-world.test-support.ts";
import { Batch } from "./batch.ts";
import { type Engine, openEngine } from "./engine.ts";
import type { EngineOptions } from "./options.ts";

const directory = "/db";
const options: Partial<EngineOptions> = {
  memtableBytes: 2048, tableBytes: 1024, blockBytes: 128, level0TablesMax: 2, walSparesMax: 1,
};

async function put(world: TestWorld, engine: Engine, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    const batch = new Batch().set(bytesOf(`key${10 + (i % 60)}`), bytesOf(`value ${i}`));
    const done = new Promise<void>((resolve, reject) => {
      engine.commit(batch, (error) => (error === null ? resolve() : reject(error)));
    });
    await world.run(done);
  }
}

/** A world whose active segment was written over an older one's file and is not full. */
async function recycled(): Promise<{ world: TestWorld; engine: Engine; next: number }> {
  const world = new TestWorld();
  const engine = await world.run(openEngine(world.boot(), directory, options));
  let next = 0;
  while (engine.stats().walRecycled < 2) await put(world, engine, next, ++next);
  await put(world, engine, next, next + 5);
  await world.pass(1000);
  return { world, engine, next: next + 5 };
}

function logOf(world: TestWorld): string {
  const [path] = world.disk.paths().filter((name) => name.includes("wal-"));
  if (path === undefined) throw new Error("no log");
  return path;
}

function expectContents(engine: Engine, next: number): void {
  for (let i = Math.max(0, next - 60); i < next; i++) {
    expect(textOf(engine.get(bytesOf(`key${10 + (i % 60)}`)) ?? null)).toBe(`value ${i}`);
  }
}

describe("a segment over an older one's file", () => {
  test.each(["process crash", "power loss"])("is recovered after a %s", async (how) => {
    const { world, next } = await recycled();
    const image = world.disk.inspect(logOf(world));
    if (how === "power loss") world.powerLoss();
    const engine = await world.run(openEngine(world.boot(), directory, options));
    expectContents(engine, next);
    // Behind its end stood what the older one had left.
    expect(engine.stats().recovery.bytesTorn).toBeGreaterThan(0);
    expect(engine.stats().recovery.bytesTorn).toBeLessThan(image?.cached.length ?? 0);
    await world.run(engine.close());
    expect(world.disk.paths().filter((path) => path.includes("spare-"))).toEqual([]);
  });

  test("a bit flipped in a durable frame is damage, not a torn tail", async () => {
    const { world } = await recycled();
    const path = logOf(world);
    world.processCrash();
    const env = world.boot();
    const file = env.disk.open(path, "write");
    const byte = new Uint8Array(1);
    file.read(70, byte, 0, 1);
    byte[0] = (byte[0] ?? 0) ^ 1;
    file.write(70, byte, 0, 1);
    file.close();
    const opening = world.run(openEngine(world.boot(), directory, options));
    await expect(opening).rejects.toMatchObject({ code: "NOKV_CORRUPTION", path });
  });

  test("a full disk takes spare files back when a flush needs the room", async () => {
    let helped = 0;
    for (let lack = 200; lack <= 2000; lack += 100) {
      const { world, engine, next } = await recycled();
      expect(engine.stats().walSpares).toBe(1);
      world.faults.quotaBytes = world.disk.usedBytes - lack;
      const flushing = engine.flush().catch(() => {});
      await world.pass(5000);
      const { walSpares, poisoned } = engine.stats();
      expect([lack, poisoned]).toEqual([lack, false]);
      // Nobody wrote since: it was given up for the flush or its edit.
      if (walSpares === 0) helped++;
      world.faults.quotaBytes = Number.MAX_SAFE_INTEGER;
      await world.pass(40_000);
      await world.run(flushing);
      expect(engine.stats().immutableMemtables).toBe(0);
      expectContents(engine, next);
      await world.run(engine.close());
    }
    expect(helped).toBeGreaterThan(0);
  });
});
