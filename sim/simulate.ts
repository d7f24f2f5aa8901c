import { startJob } from "../core/lsm/job-starter.ts";
import { type SimHost, type SimResult, type SimulateOptions, runToEnd } from "./run.ts";
import type { Scenario } from "./scenario.ts";

export type { SimHost, SimResult, SimulateOptions, Verdict } from "./run.ts";

/** `simulate` bound to a host. Synchronous; called from a macrotask. */
export type Simulator = (scenario: Scenario, seed: number, options: SimulateOptions) => SimResult;

/** Runs one seed to its end, synchronously. Must be called from a macrotask (see `host/settle.ts`). */
export function simulate(
  scenario: Scenario,
  seed: number,
  host: SimHost,
  options: SimulateOptions = {},
): SimResult {
  return runToEnd({ scenario, seed, host, startJob, options });
}
