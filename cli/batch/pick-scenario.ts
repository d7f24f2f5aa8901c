import { assert } from "../../core/assert.ts";
import { KeyedRandom } from "../../sim/keyed-random.ts";
import type { Scenario } from "../../sim/scenario.ts";

/** The scenario that `seed` stands for in a mixed batch: each gets its weight's share of the seeds. */
export function pickScenario(seed: number, scenarios: readonly Scenario[]): Scenario {
  const total = scenarios.reduce((sum, { weight }) => sum + weight, 0);
  assert(total >= 1, "there is a scenario to pick");
  let rest = KeyedRandom.ofSeed(seed).u32("cli/pick-scenario", 0, 0) % total;
  for (const scenario of scenarios) {
    if (rest < scenario.weight) return scenario;
    rest -= scenario.weight;
  }
  assert(false, "the draw is below the sum of the weights");
}
