// Goal: a database that is closed in order leaves nothing to be written again, unless something stands against it.
// Method: openings that count what they replay, over closings with little, much and refused work.
import { expect, test } from "vitest";
import { DiskError } from "../env/disk.ts";
import { Batch } from "./batch.ts";
import { type Engine, openEngine } from "./engine.ts";
import { bytesOf, TestWorld, textOf } from "./test-world.test-support.ts";

const memtableBytes = 4096;

function put(engine: Engine, key: string, value: Uint8Array): Promise<void> {
  return new Promise((resolve) => engine.commit(new Batch().set(bytesOf(key), value), () => resolve()));
}

async function reopened(world: TestWorld): Promise<Engine> {
  return world.run(openEngine(world.boot(), "/db", { memtableBytes }));
}

test.each([
  { bytes: 1000, frames: 0, tables: 1 },
  { bytes: 100, frames: 1, tables: 0 },
])("a log of $bytes bytes leaves $frames frames", async ({ bytes, frames, tables }) => {
  const world = new TestWorld();
  const engine = await reopened(world);
  await world.run(put(engine, "a", new Uint8Array(bytes)));
  await world.run(engine.close());
  const next = await reopened(world);
  expect(next.stats().recovery.framesReplayed).toBe(frames);
  expect(next.stats().tablesPerLevel.reduce((sum, some) => sum + some, 0)).toBe(tables);
  expect(next.get(bytesOf("a"))).toHaveLength(bytes);
  await world.run(next.close());
});

test("closing while writes are under way loses none", async () => {
  const world = new TestWorld();
  const engine = await reopened(world);
  for (let i = 0; i < 20; i++) void put(engine, `key${i}`, new Uint8Array(500));
  await world.run(engine.close());
  const next = await reopened(world);
  for (let i = 0; i < 20; i++) expect(next.get(bytesOf(`key${i}`))).toHaveLength(500);
  await world.run(next.close());
});

test("a flush that fails leaves everything in the log", async () => {
  const world = new TestWorld();
  const engine = await reopened(world);
  await world.run(put(engine, "a", bytesOf("x".repeat(1000))));
  const { jobs } = world.live;
  const run = jobs.run.bind(jobs);
  let refused = 0;
  jobs.run = (job, done) => {
    if (job.kind !== "flush") return run(job, done);
    refused++;
    world.live.clock.soon(() => done(new DiskError("EIO", "write", "/db"), null));
  };
  await world.run(engine.close());
  expect(refused).toBe(1);
  const next = await reopened(world);
  expect(next.stats().recovery.framesReplayed).toBe(1);
  expect(textOf(next.get(bytesOf("a")))).toBe("x".repeat(1000));
  await world.run(next.close());
});
