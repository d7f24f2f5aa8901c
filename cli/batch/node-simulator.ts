import { simHost } from "../../host/settle.ts";
import { simulate } from "../../sim/simulate.ts";
import type { Simulator } from "./run-seed.ts";

/** The simulator on this process's own event loop. */
export const nodeSimulator: Simulator = (scenario, seed, options) =>
  simulate(scenario, seed, simHost, options);
