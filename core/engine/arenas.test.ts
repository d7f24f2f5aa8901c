// Goal: memory is used again only once nobody reads it, and a memtable over used memory is an empty one.
import { expect, test } from "vitest";
import { bytesOf, TestWorld, textOf } from "./test-world.test-support.ts";
import { Batch } from "./batch.ts";
import { Arenas } from "./arenas.ts";
import { type Engine, openEngine } from "./engine.ts";

const jobs = {
  shared: (bytes: number): Uint8Array => new Uint8Array(bytes),
  run: (): void => {},
  giveWay: (): void => {},
  standBy: () => false,
};

test("what was given back is taken again, empty; odd lengths and too many are not kept", () => {
  const arenas = new Arenas(jobs, 1024);
  const first = arenas.take(100);
  expect(first.arena.length).toBe(1024);
  const record = new Batch().set(bytesOf("k"), bytesOf("v"));
  first.arena.set(record.bytes.subarray(0, record.byteLength), 64);
  first.add(64);
  expect(first.find(0, bytesOf("k"), 10)).toBe(64);
  arenas.give(first);
  const again = arenas.take(1024);
  expect(again.arena).toBe(first.arena);
  expect(again.count).toBe(0);
  expect(again.find(0, bytesOf("k"), 10)).toBe(-1);
  expect(arenas.reuseCount).toBe(1);
  const large = arenas.take(5000);
  arenas.give(large);
  expect(arenas.take(5000).arena).not.toBe(large.arena);
  const many = [arenas.take(1), arenas.take(1), arenas.take(1)];
  for (const memtable of many) arenas.give(memtable);
  expect(new Set([arenas.take(1).arena, arenas.take(1).arena, arenas.take(1).arena]).size).toBe(3);
  expect(arenas.reuseCount).toBe(3);
});

test("an iterator reads what it found, however many memtables came and went since", async () => {
  const world = new TestWorld();
  const engine = await world.run(openEngine(world.boot(), "/db", { memtableBytes: 2048, retainedMemtableBytes: 0 }));
  await fill(world, engine, "old");
  const iterator = engine.iterator();
  for (let round = 0; round < 8; round++) {
    await fill(world, engine, `new${round}`);
    await world.run(engine.flush());
  }
  expect(engine.stats().arenasReused).toBeGreaterThan(2);
  let count = 0;
  while (iterator.next()) {
    expect(textOf(iterator.value)).toBe(`old ${count}`);
    expect(textOf(iterator.key)).toBe(`k${10 + count}`);
    count++;
  }
  expect(count).toBe(10);
  iterator.close();
  await world.run(engine.close());
});

async function fill(world: TestWorld, engine: Engine, what: string): Promise<void> {
  for (let i = 0; i < 10; i++) {
    const batch = new Batch().set(bytesOf(`k${10 + i}`), bytesOf(`${what} ${i}`));
    await world.run(new Promise<void>((resolve) => engine.commit(batch, () => resolve())));
  }
}
