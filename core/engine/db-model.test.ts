// Goal: the whole embedded API agrees with a sorted map, whatever the options, on the simulated disk; and the
// answers do not depend on the options at all.
// Method: random programs of commands, shrunk by fast-check; then the same program under several sets of options.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dbCommands, DbModel, DbUnderTest, judgeAll, type Subject } from "./db-commands.test-support.ts";
import { openDb } from "./db.ts";
import { engineOptionExtremes, type EngineOptions } from "./options.ts";
import { TestWorld } from "./test-world.test-support.ts";

function subjectOf(world: TestWorld): Subject {
  return {
    path: "/db",
    open: (path, options) => openDb(path === "/db" ? world.boot() : world.neighbour(), path, options),
    settle: (promise) => world.run(promise),
  };
}

/** Any set of options, tiny ones above all: every program then rotates, flushes and merges. */
const anyOptions: fc.Arbitrary<Partial<EngineOptions>> = fc
  .record(
    {
      durability: fc.constantFrom("sync", "interval", "none" as const),
      ...Object.fromEntries(
        Object.entries(engineOptionExtremes)
          // A bound on what is taken at once refuses programs instead of changing how they are served.
          .filter(([name]) => name !== "pendingBytesMax")
          .map(([name, values]) => [name, fc.constantFrom(...values)]),
      ),
    },
    { requiredKeys: [] },
  )
  .map((drawn): Partial<EngineOptions> => {
    const options: Partial<EngineOptions> = drawn;
    const stop = Math.max(options.level0TablesStop ?? 8, options.level0TablesMax ?? 8);
    return { ...options, level0TablesStop: stop };
  });

async function runProgram(options: Partial<EngineOptions>, program: Iterable<unknown>): Promise<void> {
  const world = new TestWorld();
  const subject = subjectOf(world);
  const db = await subject.settle(subject.open(subject.path, options));
  const real = new DbUnderTest(subject, options, db);
  const model = new DbModel();
  await fc.asyncModelRun(() => ({ model, real }), program as Iterable<fc.AsyncCommand<DbModel, DbUnderTest>>);
  judgeAll(model, real);
  await world.run(real.db.close());
  expect(world.disk.openFiles).toBe(0);
}

describe("the embedded database", () => {
  test("agrees with a sorted map, whatever its options", async () => {
    await fc.assert(
      fc.asyncProperty(anyOptions, dbCommands(40), async (options, program) => runProgram(options, program)),
      { numRuns: 150 },
    );
  });

  test("gives the same answers to one program under many sets of options", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyOptions, { minLength: 4, maxLength: 8 }), dbCommands(25), async (sets, program) => {
        for (const options of sets) await runProgram(options, program);
      }),
      { numRuns: 25 },
    );
  });
});
