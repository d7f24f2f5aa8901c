// Goal: a synchronous commit has met its level when it returns, whatever was under way; a promise shared by a group
// is kept when all of the group is. Method: power loss right behind the call, at every level.
import { expect, test } from "vitest";
import { bytesOf, TestWorld, textOf } from "./test-world.test-support.ts";
import { Batch } from "./batch.ts";
import { openEngine } from "./engine.ts";
import type { Durability } from "./options.ts";

function write(key: string, value: string): Batch {
  return new Batch().set(bytesOf(key), bytesOf(value));
}

test.each(["sync", "interval", "none"] as const)("has met level %s when it returns", async (durability: Durability) => {
  const world = new TestWorld();
  const options = { durability, memtableBytes: 1024 };
  const engine = await world.run(openEngine(world.boot(), "/db", options));
  const told: string[] = [];
  for (let i = 0; i < 30; i++) {
    // Some are under way, their sync too, when the synchronous one comes.
    engine.commit(write(`async${i}`, "x"), (error) => told.push(`${i} ${error?.code ?? "done"}`));
    if (i % 3 === 0) await world.pass(1);
    engine.commitSync(write(`sync${i}`, `${i}`));
    expect(engine.visibleVersion).toBe(engine.pendingVersion);
    expect(told).toHaveLength(i + 1);
  }
  expect(told).toEqual(Array.from({ length: 30 }, (_, i) => `${i} done`));
  if (durability === "sync") world.powerLoss();
  const again = await world.run(openEngine(world.boot(), "/db", options));
  for (let i = 0; i < 30; i++) expect(textOf(again.get(bytesOf(`sync${i}`)))).toBe(`${i}`);
  await world.run(again.close());
});

test("a failure while it waits is told by the call, and the store takes no more", async () => {
  const world = new TestWorld();
  const engine = await world.run(openEngine(world.boot(), "/db"));
  engine.commitSync(write("a", "1"));
  world.faults.syncFailed = 1_000_000;
  expect(() => engine.commitSync(write("b", "2"))).toThrow(expect.objectContaining({ code: "NOKV_UNDETERMINED" }));
  expect(() => engine.commitSync(write("c", "3"))).toThrow(expect.objectContaining({ code: "NOKV_POISONED" }));
  expect(textOf(engine.get(bytesOf("a")))).toBe("1");
});

test("stands still where an asynchronous commit is slowed, and is refused only when memory is full", async () => {
  const world = new TestWorld();
  const sizes = { memtableBytes: 1024, immutableMemtablesMax: 2, slowestBytesPerSecond: 4096, jobRetryMs: 60_000 };
  const options = { durability: "none" as const, ...sizes };
  const engine = await world.run(openEngine(world.boot(), "/db", options));
  // No flush ever succeeds.
  world.live.refuse = (operation, path) => (operation === "open" && path.endsWith(".sst") ? "EMFILE" : null);
  let taken = 0;
  const fill = (): void => {
    for (;;) {
      engine.commitSync(write(`key${taken}`, "x".repeat(60)));
      expect(engine.visibleVersion).toBe(engine.pendingVersion);
      taken++;
    }
  };
  expect(fill).toThrow(expect.objectContaining({ code: "NOKV_BUSY" }));
  expect(engine.stats().immutableMemtables).toBe(2);
  expect(taken).toBeGreaterThanOrEqual(3 * 7);
  const { slowdowns, slowdownMs, longestSlowdownMs, slowdownsByCause } = engine.stats();
  expect(slowdowns).toBe(slowdownsByCause.memtables);
  expect(world.gaveWayUs).toBeGreaterThan(0);
  expect(Math.trunc(world.gaveWayUs / 1000)).toBe(slowdownMs);
  expect(longestSlowdownMs).toBeLessThanOrEqual(slowdownMs);
  world.live.refuse = () => null;
  await world.pass(200_000);
  engine.commitSync(write("again", "1"));
  for (let i = 0; i < taken; i++) expect(engine.has(bytesOf(`key${i}`))).toBe(true);
  await world.run(engine.close());
});

test.each([
  { durability: "sync", valueThresholdBytes: 0 },
  { durability: "interval", valueThresholdBytes: 16 },
  { durability: "none", valueThresholdBytes: 16 },
  { durability: "none", valueThresholdBytes: 0 },
] as const)("a loop without a pause goes on when memory is full: $durability", async (level) => {
  const world = new TestWorld();
  const sizes = { memtableBytes: 1024, immutableMemtablesMax: 1, level0TablesMax: 2, level0TablesStop: 3 };
  const options = { ...level, manifestBytesMax: 256, ...sizes };
  const engine = await world.run(openEngine(world.boot(), "/db", options));
  // No turn of the loop of events passes: what ends is heard inside the calls.
  for (let i = 0; i < 600; i++) engine.commitSync(write(`key${i % 50}`, `${i} ${"x".repeat(60)}`));
  const { flushes, compactions, immutableMemtables } = engine.stats();
  expect(flushes).toBeGreaterThan(10);
  expect(compactions).toBeGreaterThan(3);
  expect(immutableMemtables).toBeLessThanOrEqual(2);
  if (level.durability === "sync") world.powerLoss();
  else await world.run(engine.close());
  const again = await world.run(openEngine(world.boot(), "/db", options));
  const read = (key: string): string | null => textOf(again.get(bytesOf(key)));
  for (let i = 550; i < 600; i++) expect(read(`key${i % 50}`)).toBe(`${i} ${"x".repeat(60)}`);
  await world.run(again.close());
});

test("the commits of a turn share a promise; those of later turns do not join it", async () => {
  const world = new TestWorld();
  const engine = await world.run(openEngine(world.boot(), "/db"));
  const first = engine.commitShared(write("a", "1"));
  expect(engine.commitShared(write("b", "1"))).toBe(first);
  const callback = new Promise<void>((resolve) => engine.commit(write("c", "1"), () => resolve()));
  const behind = engine.commitShared(write("d", "1"));
  expect(behind).not.toBe(first);
  await world.run(Promise.all([first, callback, behind]));
  expect(engine.visibleVersion).toBe(engine.pendingVersion);
  expect(engine.commitShared(write("e", "1"))).not.toBe(behind);
  await world.run(engine.close());
});
