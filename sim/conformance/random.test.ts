// Goal: real and simulated randomness are keyed alike; only the real one differs from process to process.
import { describe, expect, test } from "vitest";
import { HostRandom } from "../../host/random.ts";
import { inSimulation } from "../in-simulation.test-support.ts";
import { randomCases } from "./random.ts";

for (const { name, run } of randomCases) {
  describe(`${name}`, () => {
    test("on the host", () => {
      expect(() => run(new HostRandom())).not.toThrow();
    });

    test("in the simulator", async () => {
      for (const seed of [0, 1, 11, Number.MAX_SAFE_INTEGER]) {
        const result = await inSimulation({
          seed,
          run: async (world) => {
            const outcome = await world.machine("node").run(async (env) => run(env.random));
            if (outcome.kind !== "done") world.fail("conformance", outcome.kind);
          },
        });
        expect(result.verdict).toBe("clean");
      }
    });
  });
}

test("two processes draw differently", () => {
  const a = new HostRandom();
  const b = new HostRandom();
  const draws = [0, 1, 2, 3].filter((i) => a.u32("s", 0, i) === b.u32("s", 0, i));
  expect(draws.length).toBeLessThan(4);
});
