// Goal: what the engine promises of single operations, across flush, compaction and reopening.
import { describe, expect, test } from "vitest";
import { Batch } from "./batch.ts";
import { type Engine, openEngine } from "./engine.ts";
import { bytesOf, TestWorld, textOf } from "./test-world.test-support.ts";

function put(engine: Engine, key: string, value: string): Promise<void> {
  return new Promise((resolve, reject) => {
    engine.commit(new Batch().set(bytesOf(key), bytesOf(value)), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

describe("engine", () => {
  test("smoke", async () => {
    const world = new TestWorld();
    let engine = await world.run(openEngine(world.boot(), "/db", { memtableBytes: 1024 }));
    for (let i = 0; i < 200; i++) await world.run(put(engine, `key${i % 50}`, `value${i}`));
    expect(textOf(engine.get(bytesOf("key3")))).toBe("value153");
    await world.run(engine.flush());
    await world.run(engine.compact());
    console.log(engine.stats(), world.disk.paths());
    await world.run(engine.close());
    console.log(world.disk.paths());
    engine = await world.run(openEngine(world.boot(), "/db", { memtableBytes: 1024 }));
    expect(textOf(engine.get(bytesOf("key3")))).toBe("value153");
    const iterator = engine.iterator({ reverse: true, limit: 3 });
    expect([...iterator].map(([key]) => textOf(key))).toEqual(["key9", "key8", "key7"]);
  });
});
