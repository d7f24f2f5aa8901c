import { runInMacrotask, simHost } from "../host/settle.ts";
import type { JobStarter } from "../core/env/jobs.ts";
import { type SimResult, type SimulateOptions, runToEnd } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { startToyJob } from "./toy.test-support.ts";
import type { World } from "./world.ts";

export interface SimulationPlan {
  readonly seed: number;
  readonly run: (world: World) => Promise<void>;
  readonly startJob?: JobStarter;
  readonly options?: SimulateOptions;
}

/** Runs `plan.run` as a scenario and reports what came of it. */
export function simulateOnce(plan: SimulationPlan): Promise<SimResult> {
  const { seed, run, startJob = startToyJob, options = {} } = plan;
  const scenario: Scenario = { name: "test", why: "a test", weight: 1, run };
  return runInMacrotask(() => runToEnd({ scenario, seed, host: simHost, startJob, options }));
}

/** Runs `plan.run` as a scenario and rejects unless it ends cleanly. */
export async function inSimulation(plan: SimulationPlan): Promise<SimResult> {
  const result = await simulateOnce(plan);
  if (result.verdict === "violation") {
    throw new Error(`seed ${plan.seed}: ${result.oracle}: ${result.message}\n${result.story.join("\n")}`);
  }
  return result;
}
