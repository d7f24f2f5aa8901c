// Goal: whatever durable file of a store rots, one pass finds it; and the pace is the one that was asked for.
// Method: the directory of a store on a simulated machine, where one byte at a time is another one.
import { expect, test } from "vitest";
import { scrubOptionsDefault } from "../core/engine/scrubber.ts";
import { readFully } from "../core/env/whole-io.ts";
import type { Disk } from "../core/env/disk.ts";
import type { NokvError } from "../core/errors.ts";
import { startJob } from "../core/lsm/job-starter.ts";
import { inSimulation } from "../sim/in-simulation.test-support.ts";
import { testTopology } from "./cluster.test-support.ts";
import { openStoreDirectory } from "./store-directory.ts";
import { scrubOptions, storeScrubber } from "./store-scrub.ts";

const options = { ...scrubOptionsDefault, passMs: 2_000 };

function flip(disk: Disk, path: string, at: number): void {
  const file = disk.open(path, "write");
  const byte = new Uint8Array(1);
  readFully(file, at, byte, 0, 1);
  file.write(at, Uint8Array.of((byte[0] ?? 0) ^ 0x10), 0, 1);
  file.close();
}

test("what a store holds does not rot unseen", async () => {
  await inSimulation({
    seed: 1,
    startJob,
    run: async (world) => {
      const machine = world.machine("store-1");
      const env = machine.boot();
      const workDir = "/data";
      const { engine, log } = await openStoreDirectory(env, {
        workDir, clusterId: "test", storeId: 1, engine: {}, failed: () => {},
      });
      await log.submitted([{ op: "hard", group: 1, hard: { term: 3, vote: 1, commit: 0 } }]);
      await world.sleep(1_000);
      const pass = async (): Promise<NokvError | null> => {
        let found: NokvError | null = null;
        const failed = (error: NokvError): void => void (found ??= error);
        const scrubber = storeScrubber(env, { workDir, engine, log, options, failed });
        scrubber.start();
        await world.sleep(options.passMs * 2);
        await scrubber.stop();
        expect(scrubber.stats().passes).toBeGreaterThan(found === null ? 0 : -1);
        return found;
      };
      expect(await pass()).toBeNull();
      const sizes = [...engine.scrub.files(), ...log.scrubFiles()].map(({ path, sizeBytes }) => ({ path, sizeBytes }));
      const mode = { path: "/data/MODE", sizeBytes: machine.disk.inspect("/data/MODE")?.cached.length ?? 0 };
      expect(sizes.map(({ path }) => path).join()).toMatch(/CURRENT.*MANIFEST-\d+.*wal-\d+\.log.*raft-\d+\.log/);
      for (const { path, sizeBytes } of [...sizes, mode]) {
        for (let at = 1; at < sizeBytes; at += 25) {
          flip(env.disk, path, at);
          const found = await pass();
          expect(found, `byte ${at} of ${path}`).toMatchObject({ code: "NOKV_CORRUPTION", path });
          expect(found?.offset ?? 0).toBeLessThanOrEqual(at);
          flip(env.disk, path, at);
        }
      }
      expect(await pass()).toBeNull();
      await log.close();
      await engine.close();
      expect(machine.disk.openFiles).toBe(0);
    },
  });
});

test("the pace is what was given, what the topology says, or usual", () => {
  const topology = testTopology(3, [""]);
  expect(scrubOptions({}, topology)).toEqual(scrubOptionsDefault);
  const said = { ...topology, scrubPassSeconds: 60 };
  expect(scrubOptions({}, said)).toEqual({ ...scrubOptionsDefault, passMs: 60_000 });
  expect(scrubOptions({ passMs: 5 }, said)).toEqual({ ...scrubOptionsDefault, passMs: 5 });
  expect(scrubOptions({}, { ...topology, scrubPassSeconds: 0 }).passMs).toBe(0);
});
