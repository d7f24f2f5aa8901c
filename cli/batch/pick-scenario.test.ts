// Goal: a mixed batch gives each scenario its share, and a seed always stands for the same one.
import { expect, test } from "vitest";
import { broken, flaky, steady } from "./fake-simulator.test-support.ts";
import { pickScenario } from "./pick-scenario.ts";

test("scenarios get their weight's share of the seeds", () => {
  const scenarios = [steady, broken, flaky];
  const counts = new Map<string, number>();
  for (let seed = 0; seed < 5_000; seed++) {
    const { name } = pickScenario(seed, scenarios);
    counts.set(name, (counts.get(name) ?? 0) + 1);
    expect(pickScenario(seed, scenarios).name).toBe(name);
  }
  for (const { name, weight } of scenarios) {
    const expected = (5_000 * weight) / 5;
    expect(Math.abs((counts.get(name) ?? 0) - expected)).toBeLessThan(200);
  }
});
