// Goal: writes slow before they stop, the more the nearer they are to it, and go on when the background has caught up.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesOf, TestWorld } from "./test-world.test-support.ts";
import { Backpressure, type Backlog } from "./backpressure.ts";
import { Batch } from "./batch.ts";
import { openEngine } from "./engine.ts";

const limits = {
  level0TablesMax: 4, level0TablesStop: 20, compactionDebtBytesMax: 1000, slowestBytesPerSecond: 1_000_000,
};
const idle: Backlog = { memoryBytes: 0, memoryBytesMax: 400, level0Tables: 0, debtBytes: 0 };

class StoppedClock {
  us = 0;
  monotonicUs(): number {
    return this.us;
  }
  wallMs(): number {
    return 0;
  }
  wallUncertaintyMs(): number {
    return 0;
  }
  after(): never {
    throw new Error("no timers here");
  }
  soon(): void {}
}

function under(backlog: Partial<Backlog>): Backpressure {
  const backpressure = new Backpressure(new StoppedClock(), limits);
  backpressure.measure({ ...idle, ...backlog });
  return backpressure;
}

describe("pressure", () => {
  test("begins late, is full at the bound, and names its cause", () => {
    const states = [
      [{ memoryBytes: 300 }, 0, "none"], [{ memoryBytes: 350 }, 500, "memtables"],
      [{ memoryBytes: 500 }, 1000, "memtables"], [{ level0Tables: 12 }, 0, "none"],
      [{ level0Tables: 16 }, 500, "level-0"], [{ level0Tables: 20 }, 1000, "level-0"],
      [{ debtBytes: 500 }, 0, "none"], [{ debtBytes: 750, memoryBytes: 310 }, 500, "compaction-debt"],
    ] as const;
    for (const [backlog, pressure, cause] of states) {
      expect([backlog, under(backlog).pressure, under(backlog).cause]).toEqual([backlog, pressure, cause]);
    }
  });

  test("makes a group wait with its square", () => {
    expect(under({ level0Tables: 20 }).charge(10_000)).toBe(10_000);
    expect(under({ level0Tables: 16 }).charge(10_000)).toBe(2_500);
    expect(under({ level0Tables: 14 }).charge(100_000)).toBe(6_250);
    expect(under({}).charge(1_000_000)).toBe(0);
  });

  test("what is too short for a timer adds up, and none of it is lost", () => {
    const groups = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1 });
    fc.assert(
      fc.property(groups, fc.integer({ min: 13, max: 20 }), (sizes, level0Tables) => {
        const backpressure = under({ level0Tables });
        let waited = 0;
        for (const bytes of sizes) waited += backpressure.charge(bytes);
        const bytes = sizes.reduce((sum, size) => sum + size, 0);
        const owed = (bytes * backpressure.pressure ** 2) / 1_000_000;
        expect(waited).toBeLessThanOrEqual(owed);
        expect(waited).toBeGreaterThan(owed - 1000 - sizes.length - 1);
        expect(backpressure.slowdownUs).toBe(waited);
      }),
    );
  });

  test("counts stops, their time and the longest", () => {
    const clock = new StoppedClock();
    const backpressure = new Backpressure(clock, limits);
    for (const took of [3, 9, 5]) {
      backpressure.hold();
      backpressure.hold();
      clock.us += took;
      backpressure.letGo();
      backpressure.letGo();
    }
    expect(backpressure).toMatchObject({ stalls: 3, stallUs: 17, longestStallUs: 9, held: false });
    expect(backpressure.level0Resume).toBe(15);
  });
});

test("a store whose compactions are slow slows its writes, stops them, and gets going again", async () => {
  const world = new TestWorld();
  const env = world.boot();
  const engine = await world.run(
    openEngine(env, "/db", {
      durability: "none", memtableBytes: 1024, level0TablesMax: 2, level0TablesStop: 8,
      slowestBytesPerSecond: 10_000, retainedMemtableBytes: 0,
    }),
  );
  // A compaction gets nowhere for now; flushes do.
  const run = env.jobs.run.bind(env.jobs);
  const waiting: (() => void)[] = [];
  env.jobs.run = (job, done) => {
    if (job.kind === "compaction") waiting.push(() => run(job, done));
    else run(job, done);
  };
  let told = 0;
  const stops: number[] = [];
  for (let i = 0; i < 200 && engine.stats().stallCount === 0; i++) {
    const batch = new Batch().set(bytesOf(`key${i}`), new Uint8Array(200));
    engine.commit(batch, () => told++);
    for (let ms = 0; told <= i && ms < 2000; ms += 10) await world.pass(10);
    stops.push(engine.stats().slowdownMs);
  }
  const stats = engine.stats();
  expect(stats).toMatchObject({ stallCount: 1, unslowedStalls: 0, pressureCause: "level-0" });
  expect(stats.slowdowns).toBeGreaterThan(3);
  expect(stats.slowdownMs).toBeGreaterThan(20);
  // The later a write, the longer it waited.
  expect(stops.at(-1)).toBe(Math.max(...stops));
  for (const resume of waiting.splice(0)) resume();
  env.jobs.run = run;
  await world.pass(5000);
  expect(told).toBe(stops.length);
  expect(engine.stats().longestStallMs).toBeGreaterThan(0);
  await world.run(engine.close());
});
