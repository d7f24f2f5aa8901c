// Goal: with a limit, a key that is written too often is refused by name and nothing else is; without one, keys are
// counted and shown; off, nothing is kept.
import { expect, test } from "vitest";
import { Batch } from "./batch.ts";
import { openEngine } from "./engine.ts";
import type { EngineOptions } from "./options.ts";
import { bytesOf, TestWorld, textOf } from "./test-world.test-support.ts";

async function opened(given: Partial<EngineOptions>): Promise<{
  world: TestWorld;
  write: (key: string) => string;
  hot: () => string[];
  limited: () => number;
}> {
  const world = new TestWorld(1);
  const engine = await world.run(openEngine(world.boot(), "/db", { memtableBytes: 65_536, ...given }));
  const write = (key: string): string => {
    try {
      engine.commit(new Batch().set(bytesOf(key), bytesOf("v")), () => {});
      return "taken";
    } catch (error) {
      return String(error);
    }
  };
  const hot = (): string[] => engine.stats().hotKeys.map(({ key, recent }) => `${textOf(key) ?? ""} ${recent}`);
  return { world, write, hot, limited: () => engine.stats().hotKeyLimited };
}

test("a key beyond its limit is refused by name until the second has passed", async () => {
  const { world, write, hot, limited } = await opened({ hotKeysMax: 10, hotKeyWritesMax: 3 });
  expect([1, 2, 3].map(() => write("counter"))).toEqual(["taken", "taken", "taken"]);
  expect(write("counter")).toContain('key "counter" was written 3 times within a second; hotKeyWritesMax');
  expect(write("other")).toBe("taken");
  expect(limited()).toBe(1);
  expect(hot()).toEqual(["counter 3", "other 1"]);
  await world.pass(1_100);
  expect(write("counter")).toBe("taken");
});

test("without a limit keys are only counted, and off nothing is", async () => {
  const counted = await opened({ hotKeysMax: 10 });
  for (let i = 0; i < 50; i++) expect(counted.write(`key${i % 2}`)).toBe("taken");
  expect(counted.hot()).toEqual(["key0 25", "key1 25"]);
  const off = await opened({});
  for (let i = 0; i < 50; i++) off.write("key");
  expect([off.hot(), off.limited()]).toEqual([[], 0]);
  await expect(opened({ hotKeyWritesMax: 3 })).rejects.toMatchObject({ code: "NOKV_INVALID_ARGUMENT" });
});
