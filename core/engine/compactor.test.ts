// Goal: while memtables wait for their flush, level 0 is merged in larger steps; at rest, at its bound.
// Method: an engine whose flushes are let through one by one, and a look at the inputs of its merges.
import { expect, test } from "vitest";
import type { Job } from "../env/jobs.ts";
import type { CompactionJob } from "../lsm/compaction-job.ts";
import { Batch } from "./batch.ts";
import { type Engine, openEngine } from "./engine.ts";
import { bytesOf, TestWorld } from "./test-world.test-support.ts";

const options = {
  durability: "none", memtableBytes: 1024, immutableMemtablesMax: 20, level0TablesMax: 4, level0TablesStop: 20,
} as const;

/** Runs `work` on an engine whose flushes wait in `flushes`; how many tables the merges of level 0 took. */
async function mergesDuring(
  work: (engine: Engine, flushes: (() => void)[], world: TestWorld) => Promise<void>,
): Promise<number[]> {
  const world = new TestWorld();
  const env = world.boot();
  const engine = await world.run(openEngine(env, "/db", options));
  const run = env.jobs.run.bind(env.jobs);
  const flushes: (() => void)[] = [];
  const taken: number[] = [];
  env.jobs.run = (job: Job, done) => {
    if (job.kind === "compaction") taken.push((job as CompactionJob).inputs.filter(({ level }) => level === 0).length);
    if (job.kind === "flush") flushes.push(() => run(job, done));
    else run(job, done);
  };
  await work(engine, flushes, world);
  env.jobs.run = run;
  for (const flush of flushes.splice(0)) flush();
  await world.run(engine.close());
  return taken;
}

/** Two of them do not fit one memtable, and all of them overlap. */
function put(engine: Engine): void {
  engine.commit(new Batch().set(bytesOf("a"), new Uint8Array(600)).set(bytesOf("z"), bytesOf("last")), () => {});
}

test("merges take more tables of level 0 while memtables wait for their flush", async () => {
  const taken = await mergesDuring(async (engine, flushes, world) => {
    for (let i = 0; i < 16; i++) put(engine);
    for (let i = 0; i < 12; i++) {
      await world.pass(100);
      flushes.shift()?.();
    }
    await world.pass(1000);
  });
  expect(taken[0]).toBe(8);
});

test("at rest level 0 is merged at its bound", async () => {
  const taken = await mergesDuring(async (engine, flushes, world) => {
    for (let i = 0; i < 16; i++) {
      put(engine);
      await world.pass(100);
      flushes.shift()?.();
      await world.pass(100);
    }
  });
  expect(taken[0]).toBe(4);
});
