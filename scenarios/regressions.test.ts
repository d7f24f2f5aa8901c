import { expect, test } from "vitest";
import { runInMacrotask, simHost } from "../host/settle.ts";
import { simulate } from "../sim/simulate.ts";
import { scenarios } from "./index.ts";
import { regressions } from "./regressions.ts";

// Goal: what was found once is not forgotten. Method: run the seed again and expect no violation.

for (const { scenario, seed, why } of regressions) {
  test(`${scenario} seed ${seed}: ${why}`, async () => {
    const chosen = scenarios.find(({ name }) => name === scenario);
    if (chosen === undefined) throw new RangeError(`no scenario ${scenario}`);
    const result = await runInMacrotask(() => simulate(chosen, seed, simHost));
    expect(`${result.verdict}: ${result.message ?? ""}`).toBe("clean: ");
  });
}
