// Goal: the whole embedded API agrees with a sorted map on the real disk, with real timers and worker threads.
// Method: the programs of `core/engine/db-commands.test-support.ts` in fresh directories; shrunk by fast-check.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import {
  dbCommands,
  DbModel,
  DbUnderTest,
  judgeAll,
  type Subject,
} from "../core/engine/db-commands.test-support.ts";
import type { EngineOptions } from "../core/engine/options.ts";
import { open } from "./open.ts";

const base = mkdtempSync(join(tmpdir(), "nokv-db-model-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const optionSets: readonly Partial<EngineOptions>[] = [
  { durability: "sync", memtableBytes: 16 * 1024, blockBytes: 512, tableBytes: 8 * 1024, level0TablesMax: 2 },
  { durability: "none", memtableBytes: 2048, blockBytes: 64, tableBytes: 1024, bloomBitsPerKey: 0 },
  { durability: "interval", syncIntervalMs: 1 },
];

test("the embedded database on the real disk agrees with a sorted map", async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...optionSets), dbCommands(30), async (options, program) => {
      const path = join(base, String(++runs), "db");
      const subject: Subject = { path, open: (at, given) => open(at, given), settle: (promise) => promise };
      const real = new DbUnderTest(subject, options, await open(path, options));
      const model = new DbModel();
      await fc.asyncModelRun(() => ({ model, real }), program);
      judgeAll(model, real);
      expect(await real.db.close()).toMatchObject({ iterators: 0, snapshots: real.snapshots.length });
    }),
    { numRuns: 25 },
  );
});
