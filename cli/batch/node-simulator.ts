import { simHost } from "../../host/settle.ts";
import { simulate, type Simulator } from "../../sim/simulate.ts";

/** The simulator on this process's own event loop. */
export const nodeSimulator: Simulator = (scenario, seed, options) =>
  simulate(scenario, seed, simHost, options);
