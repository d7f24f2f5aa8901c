// Goal: the real and the simulated clock keep the same promises, also when the simulated one drifts.
import { describe, expect, test } from "vitest";
import { HostClock } from "../../host/clock.ts";
import { inSimulation } from "../in-simulation.test-support.ts";
import { clockCases } from "./clock.ts";

const driftsPpm = [-500, 0, 500, 50_000];

for (const { name, run } of clockCases) {
  describe(`${name}`, () => {
    test("on the host", async () => {
      await expect(run(new HostClock())).resolves.toBeUndefined();
    });

    test("in the simulator", async () => {
      for (const [seed, ppm] of driftsPpm.entries()) {
        const result = await inSimulation({
          seed,
          run: async (world) => {
            const machine = world.machine("node");
            machine.clock.drift(0, ppm);
            const outcome = await machine.run((env) => run(env.clock));
            if (outcome.kind !== "done") world.fail("conformance", outcome.kind);
          },
        });
        expect(result.verdict).toBe("clean");
      }
    });
  });
}
