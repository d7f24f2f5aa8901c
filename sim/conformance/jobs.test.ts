// Goal: worker threads and simulated workers run the same machines with the same outcome.
import * as fs from "node:fs";
import * as os from "node:os";
import { afterAll, describe, expect, test } from "vitest";
import { HostDisk } from "../../host/disk.ts";
import { HostJobs, sibling } from "../../host/jobs.ts";
import { inSimulation } from "../in-simulation.test-support.ts";
import { startConformanceJob } from "./job-kinds.ts";
import { jobsCases } from "./jobs.ts";

const jobs = new HostJobs(sibling("conformance-job-worker.test-support"));
const directory = fs.mkdtempSync(`${os.tmpdir()}/nokv-jobs-`);

afterAll(async () => {
  await jobs.close();
  fs.rmSync(directory, { recursive: true });
});

for (const [i, { name, run }] of jobsCases.entries()) {
  describe(`${name}`, () => {
    test("on the host", async () => {
      const root = `${directory}/${i}`;
      fs.mkdirSync(root);
      await expect(run({ jobs, disk: new HostDisk(), root })).resolves.toBeUndefined();
    });

    test("in the simulator", async () => {
      for (let seed = 0; seed < 8; seed++) {
        const result = await inSimulation({
          seed,
          startJob: startConformanceJob,
          run: async (world) => {
            const outcome = await world.machine("node").run(async (env) => {
              env.disk.mkdir("/jobs");
              await run({ jobs: env.jobs, disk: env.disk, root: "/jobs" });
            });
            if (outcome.kind !== "done") world.fail("conformance", outcome.kind);
          },
        });
        expect(result.verdict).toBe("clean");
      }
    });
  });
}
